#!/usr/bin/python3
"""Answers every request on Grafana's port with nothing, as a pod whose program is not at hand.

What is given arguments is a job, and done.
"""

import contextlib
import http.server
import signal
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Say nothing."""


def stop(*_: object) -> None:
    """End at once."""
    sys.exit(0)


if sys.argv[1:]:
    sys.exit()
signal.signal(signal.SIGTERM, stop)
with contextlib.suppress(OSError):  # another container of the pod answers
    http.server.ThreadingHTTPServer(("", 3000), Handler).serve_forever()
signal.pause()
