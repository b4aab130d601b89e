"""HTTP with retries, and certificates that clients want as a file."""

from __future__ import annotations

import atexit
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry

TIMEOUT_SECONDS = 30

TRANSIENT = (429, 500, 502, 503, 504)
"""The answers after which a request is repeated."""


def session(token: str = "", repeated: Sequence[int] = TRANSIENT) -> requests.Session:
    """Return a session that repeats what failed for a while, with `token` as its bearer.

    It waits 0, 2, 4, 8 and 16 seconds, or what `Retry-After` says; a POST, which may double something, is not repeated.
    """
    retry = Retry(total=5, backoff_factor=1, status_forcelist=repeated, raise_on_status=False)
    http = requests.Session()
    for scheme in ("https://", "http://"):
        http.mount(scheme, HTTPAdapter(max_retries=retry))
    if token:
        http.headers["Authorization"] = f"Bearer {token}"
    return http


@cache
def ca_file(pem: str) -> str:
    """Return the path of a file with these certificates, which goes when the program ends."""
    folder = tempfile.TemporaryDirectory(prefix="ca-")
    atexit.register(folder.cleanup)
    path = Path(folder.name, "ca.pem")
    path.write_text(pem)
    return str(path)
