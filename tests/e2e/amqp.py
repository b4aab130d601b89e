"""A client of RabbitMQ that says what it is refused: AMQP 0-9-1 as far as declaring a queue.

Upstream: rabbitmq/rabbitmq-server `deps/rabbitmq_codegen/amqp-rabbitmq-0.9.1.json` (classes and methods).
"""

from __future__ import annotations

import socket
from typing import Self

START_OK, TUNE_OK, OPEN, CLOSE = (10, 11), (10, 31), (10, 40), (10, 50)
CHANNEL_OPEN, CHANNEL_CLOSE, DECLARE = (20, 10), (20, 40), (50, 10)
METHOD, END = 1, b"\xce"


class RefusedError(Exception):
    """The broker closed the channel or the connection; it says with which code and why."""


class Connection:
    """A connection of a user to a vhost, to use as a context manager. Raises `RefusedError`."""

    def __init__(self, port: int, user: str, password: str, vhost: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=300)
        self._socket.sendall(b"AMQP\x00\x00\x09\x01")
        self._read()
        login = f"\0{user}\0{password}".encode()
        tuned = self._ask(0, START_OK, bytes(4) + _short("PLAIN") + len(login).to_bytes(4) + login + _short("en_US"))
        self._send(0, TUNE_OK, tuned[:8])
        self._ask(0, OPEN, _short(vhost) + _short("") + b"\0")
        self._ask(1, CHANNEL_OPEN, _short(""))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def declare(self, queue: str) -> None:
        """Declare a queue that goes with the connection."""
        exclusive_and_auto_delete = b"\x0c"
        self._ask(1, DECLARE, bytes(2) + _short(queue) + exclusive_and_auto_delete + bytes(4))

    def _ask(self, channel: int, method: tuple[int, int], arguments: bytes) -> bytes:
        self._send(channel, method, arguments)
        return self._read()

    def _send(self, channel: int, method: tuple[int, int], arguments: bytes) -> None:
        body = b"".join(number.to_bytes(2) for number in method) + arguments
        self._socket.sendall(bytes([METHOD]) + channel.to_bytes(2) + len(body).to_bytes(4) + body + END)

    def _read(self) -> bytes:
        """Return the arguments of the next method."""
        size = int.from_bytes(self._exactly(7)[3:])
        body = self._exactly(size + 1)[:-1]
        if (int.from_bytes(body[:2]), int.from_bytes(body[2:4])) in {CLOSE, CHANNEL_CLOSE}:
            code, length = int.from_bytes(body[4:6]), body[6]
            raise RefusedError(f"{code} {body[7 : 7 + length].decode()}")
        return body[4:]

    def _exactly(self, size: int) -> bytes:
        """Return as many bytes. After a wrong password the broker ends the connection, with or without saying so."""
        found = b""
        while len(found) < size:
            try:
                more = self._socket.recv(size - len(found))
            except ConnectionResetError:
                more = b""
            if not more:
                raise RefusedError("the broker ended the connection")
            found += more
        return found


def _short(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()
