"""HTTP with retries, and certificates that clients want as a file."""

from __future__ import annotations

import atexit
import socket
import ssl
import tempfile
import warnings
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry
from urllib3.exceptions import InsecureRequestWarning

TIMEOUT_SECONDS = 30
"""How long a server may take to take a connection, and to say the next thing."""

LONGEST_WAIT = 60
"""Seconds before a request is repeated, however long `Retry-After` says."""

TRANSIENT = (429, 500, 502, 503, 504)
"""The answers after which a request is repeated."""


class _Impatient(HTTPAdapter):
    """What sends requests, none of them without a deadline."""

    def send(self, request: requests.PreparedRequest, *rest: Any, timeout: Any = None, **how: Any) -> requests.Response:
        return super().send(request, *rest, timeout=timeout or TIMEOUT_SECONDS, **how)


def session(token: str = "", repeated: Sequence[int] = TRANSIENT, *, posts_again: bool = False) -> requests.Session:
    """Return a session that repeats what failed for a while, with `token` as its bearer.

    It waits 0, 2, 4, 8 and 16 seconds, or what `Retry-After` says, at most `LONGEST_WAIT`. A POST may have been done
    although its answer is lost, so it is repeated only with `posts_again`: where a second one does no harm.
    """
    methods = Retry.DEFAULT_ALLOWED_METHODS | ({"POST"} if posts_again else set())
    retry = Retry(
        total=5,
        backoff_factor=1,
        allowed_methods=methods,
        status_forcelist=repeated,
        raise_on_status=False,
        retry_after_max=LONGEST_WAIT,
    )
    http = requests.Session()
    for scheme in ("https://", "http://"):
        http.mount(scheme, _Impatient(max_retries=retry))
    if token:
        http.headers["Authorization"] = f"Bearer {token}"
    return http


def status_of(url: str, *, trusted: bool) -> int:
    """Return the status by which `url` answers, asked once. Raises `requests.RequestException` if it does not.

    Where it has to be `trusted`, its certificate is checked against the system's roots (certifi's if it has none).
    """
    roots = ssl.get_default_verify_paths()
    with warnings.catch_warnings(), requests.Session() as http:
        warnings.simplefilter("ignore", InsecureRequestWarning)
        verify = (roots.cafile or roots.capath or True) if trusted else False
        return http.get(url, verify=verify, timeout=TIMEOUT_SECONDS, allow_redirects=False, stream=True).status_code


def cause(error: BaseException) -> str:
    """Return why a request failed, in the words of what failed first."""
    while error.__context__ is not None:
        error = error.__context__
    match error:
        case socket.gaierror():
            return "does not resolve"
        case ssl.SSLCertVerificationError():
            return f"has a certificate that is not trusted ({error.verify_message})"
        case _:
            return f"gives no answer ({type(error).__name__})"


@cache
def ca_file(pem: str) -> str:
    """Return the path of a file with these certificates, which goes when the program ends."""
    folder = tempfile.TemporaryDirectory(prefix="ca-")
    atexit.register(folder.cleanup)
    path = Path(folder.name, "ca.pem")
    path.write_text(pem)
    return str(path)
