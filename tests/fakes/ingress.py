"""The ingress of an environment: it answers HTTPS for every host, directly or through itself as a proxy."""

from __future__ import annotations

import socketserver
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Self

from tests.e2e.certificate import make_certificate

NOWHERE: Callable[[str], str | None] = lambda _: None  # noqa: E731


class FakeIngress:
    """A server to use as a context manager, whose certificate, for `names`, vouches for itself.

    As a proxy it is asked for a host by CONNECT, and answers for it if `leads_to` says that the host leads anywhere.
    """

    def __init__(self, folder: Path, *names: str, leads_to: Callable[[str], str | None] = NOWHERE) -> None:
        folder.mkdir(parents=True)
        self.certificate, key = folder / "certificate.pem", folder / "key.pem"
        make_certificate(self.certificate, key, *names)
        self.status, self.leads_to = 404, leads_to
        self.asked: list[str] = []
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(self.certificate, key)
        self._tls.sni_callback = lambda _, name, __: self.asked.append(str(name))
        ingress = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                ingress.answer(self)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def port(self) -> int:
        """The port on loopback."""
        return self._server.server_address[1]

    def answer(self, handler: socketserver.StreamRequestHandler) -> None:
        """Answer one connection; the first byte of TLS is that of a handshake."""
        raw = handler.request
        if raw.recv(1, 2) != b"\x16":  # MSG_PEEK
            host = handler.rfile.readline().split()[1].decode().partition(":")[0]
            while handler.rfile.readline().strip():
                pass
            found = self.leads_to(host) is not None
            raw.sendall(b"HTTP/1.1 200 OK\r\n\r\n" if found else b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
            if not found:
                return
        try:
            with self._tls.wrap_socket(raw, server_side=True) as secure:
                secure.recv(65536)
                secure.sendall(f"HTTP/1.1 {self.status} Answered\r\nContent-Length: 0\r\n\r\n".encode())
        except OSError:  # a client that does not trust it goes away
            return
