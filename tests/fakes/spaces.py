"""DigitalOcean Spaces: moto's S3 server on loopback."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterable
from typing import Any, Self
from urllib.parse import parse_qs

import boto3
import requests
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from tests.fakes.server import READS, Fault

ACCESS_KEY, SECRET_KEY = "spaces-access-key", "spaces-secret-key"
STRANGER = "210987654321"
"""The account of somebody else, by moto's way to name one."""


class FakeSpaces:
    """An S3 server to use as a context manager; it starts empty.

    moto does not check credentials; this server does for keys in `limited`, each with its grants by bucket. What they
    may is what DigitalOcean says of limited access ("Manage Access to Spaces": listing all buckets, making and
    configuring them is for full access), with what others met: `?acl` is refused too (owncloud/files_primary_s3#690).
    `writes` is what may have changed something, as method and host with path; the paths of `faults` are such, too.
    """

    def __init__(self) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True, request_handler=MotoRequestHandler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._ended = threading.Event()
        self.faults: list[Fault] = []
        self.limited: dict[str, dict[str, str]] = {}
        self.writes: list[tuple[str, str]] = []

    def __enter__(self) -> Self:
        self._thread.start()
        self._client().meta.client.list_buckets()
        return self

    def __exit__(self, *_: object) -> None:
        self.faults.clear()
        self._ended.set()
        requests.post(f"{self.url}/moto-api/reset", timeout=10)
        self._server.shutdown()
        self._thread.join()

    @property
    def url(self) -> str:
        """The address for clients that put the bucket into the path."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def add_of_a_stranger(self, bucket: str) -> None:
        """Make a bucket that everybody may reach, and that is of another account than ours."""
        headers = {"x-moto-account-id": STRANGER, "Authorization": _signed("s3")}
        requests.put(f"{self.url}/{bucket}", headers=headers, timeout=10).raise_for_status()

    def _answer(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Let moto answer, or fail as a fault says."""
        method, place = environ["REQUEST_METHOD"], f"{environ['HTTP_HOST']}{environ['PATH_INFO']}"
        if method not in READS:
            self.writes.append((method, place))
        if not self._may(environ):
            start("403 Forbidden", [("Content-Type", "application/xml")])
            return [b"<Error><Code>AccessDenied</Code></Error>"]
        for fault in self.faults:
            if fault.meets(method, place):
                done = self._moto(environ, start) if fault.lost else []
                if fault.silent:
                    self._ended.wait()
                if fault.status is None:
                    environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
                    return done
                start(f"{fault.status} {fault.message}", [*fault.headers.items()])
                return []
        return self._moto(environ, start)

    def _may(self, environ: dict[str, Any]) -> bool:
        """Say whether the key of a request may do it."""
        found = re.search(r"Credential=([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
        grants = self.limited.get(found[1]) if found else None
        if grants is None:
            return True
        method, asked = environ["REQUEST_METHOD"], parse_qs(environ["QUERY_STRING"], keep_blank_values=True)
        first, _, rest = environ["PATH_INFO"].lstrip("/").partition("/")
        host = environ["HTTP_HOST"].partition(".")[0]
        bucket, key = (host, environ["PATH_INFO"].lstrip("/")) if host in self._names else (first, rest)
        if bucket not in grants or "acl" in asked:
            return False
        if method in READS:
            return True
        return grants[bucket] == "readwrite" and (bool(key) or "delete" in asked)

    @property
    def _names(self) -> set[str]:
        """The buckets that a limited key may name, as the first part of a host."""
        return {bucket for grants in self.limited.values() for bucket in grants}

    def environment(self) -> dict[str, str]:
        """Return the variables with which the DigitalOcean provider and OpenTofu's backend use this server.

        The provider puts the bucket into the host name, which no loopback address resolves; as an HTTP proxy moto sees
        the name without anybody resolving it. The endpoint is a reserved name without a dot: moto takes what stands
        before the first dot of any other for a bucket.
        """
        return {
            "SPACES_ENDPOINT_URL": "http://test",
            "SPACES_ACCESS_KEY_ID": ACCESS_KEY,
            "SPACES_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "HTTP_PROXY": self.url,
        }

    def objects(self, bucket: str) -> dict[str, bytes]:
        """Return the contents of every object in a bucket, by key."""
        return {item.key: item.get()["Body"].read() for item in self._client().Bucket(bucket).objects.all()}

    def buckets(self) -> list[str]:
        """Return the names of all buckets."""
        return sorted(bucket.name for bucket in self._client().buckets.all())

    def _client(self) -> Any:
        return boto3.resource(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
        )


def _signed(service: str) -> str:
    """Return the header by which moto knows a service."""
    return f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/20260101/us-east-1/{service}/aws4_request"
