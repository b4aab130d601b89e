"""The part that every fake API shares: a Flask application on a free loopback port with a request log."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from flask import Flask, Response, g, request
from pydantic import BaseModel, ConfigDict, ValidationError
from werkzeug.exceptions import HTTPException
from werkzeug.serving import make_server

READS = frozenset({"GET", "HEAD", "OPTIONS"})


class Body(BaseModel):
    """A request body. The real API ignores or rejects unknown fields; the fakes always reject them."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Request(NamedTuple):
    """One request as the fake saw it."""

    method: str
    path: str
    body: Any


@dataclass
class Fault:
    """How the next requests go wrong that match a method and a path (a regular expression for all of it).

    With a `status`, that is the answer; with `cut`, the connection ends without one; with `delay_seconds`, it is late.
    The first of them that are to be `spared` go well. `lost` is the answer alone: what was asked for is done, then the
    connection ends. `silent` takes the request and says nothing more, for as long as the server runs.
    """

    method: str
    path: str
    times: float = 1
    status: int | None = None
    message: str = "Something went wrong"
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    cut: bool = False
    delay_seconds: float = 0
    lost: bool = False
    silent: bool = False
    spared: int = 0

    def meets(self, method: str, path: str) -> bool:
        """Say whether a request goes wrong, and count it."""
        if not self.times or self.method != method or not re.fullmatch(self.path, path):
            return False
        if self.spared:
            self.spared -= 1
            return False
        self.times -= 1
        return True


class FakeServer:
    """A fake API to use as a context manager.

    Every route that a subclass does not register answers 404 and every body that does not fit its `Body` model answers
    422, so that a client which relies on something the fake does not know fails loudly.
    """

    def __init__(self) -> None:
        self.app = Flask(type(self).__name__)
        self.requests: list[Request] = []
        self.refused: list[str] = []
        self.faults: list[Fault] = []
        self.app.before_request(self._log)
        self.app.before_request(self._fail)
        self.app.after_request(self._lose)
        self.app.register_error_handler(HTTPException, self._http_error)
        self.app.register_error_handler(ValidationError, self._invalid)
        self._ended = threading.Event()
        self._server = make_server("127.0.0.1", 0, self.app, threaded=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._server.shutdown()
        self._thread.join()

    @property
    def url(self) -> str:
        """The base address, without a slash at its end."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def writes(self) -> list[Request]:
        """The requests that may have changed something."""
        return [request for request in self.requests if request.method not in READS]

    def _log(self) -> None:
        self.requests.append(Request(request.method, request.full_path.rstrip("?"), request.get_json(silent=True)))

    def _fail(self) -> Response | None:
        """Answer as a fault says, if there is one for this request."""
        for fault in self.faults:
            if fault.meets(request.method, request.path):
                time.sleep(fault.delay_seconds)
                g.lost = fault.lost
                if fault.silent:
                    self._ended.wait()
                if fault.cut or fault.silent:
                    hang_up()
                if fault.cut or fault.silent or fault.status is not None:
                    answer = self.error(fault.status or 500, fault.message)
                    answer.headers.extend(fault.headers)
                    return answer
        return None

    def _lose(self, answer: Response) -> Response:
        """End the connection where the answer is to be lost: what it tells of has happened."""
        if g.get("lost"):
            hang_up()
        return answer

    def _http_error(self, error: HTTPException) -> Response:
        if error.code in {404, 405} and request.url_rule is None:
            self.refused.append(f"no such route: {request.method} {request.full_path}")
        return self.error(error.code or 500, str(error.description))

    def _invalid(self, error: ValidationError) -> Response:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        self.refused.append(f"{request.method} {request.path}: {problems}")
        return self.error(422, problems)

    def error(self, status: int, message: str) -> Response:
        """Return an error in the shape of the faked API."""
        return Response(json.dumps({"message": message}), status, content_type="application/json")


def hang_up() -> None:
    """End the connection of the request at hand."""
    request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
