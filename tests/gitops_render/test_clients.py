"""The example's clients against servers that are played here, by TLS: what is sent, and what a refusal becomes.

The real servers are in tests/e2e/test_example.py.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import importlib.util
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from gitops_render.example import FILES
from tests.e2e.certificate import make_certificate

PASSWORD = "p/w"
Play = Callable[["Line"], object]


@pytest.fixture
def clients(tmp_path: Path) -> Any:
    """The module, as a pod has it."""
    path = tmp_path / "clients.py"
    path.write_text((FILES / "clients.py.txt").read_text())
    spec = importlib.util.spec_from_file_location("clients", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Line:
    """A connection, from the server's side."""

    def __init__(self, connection: ssl.SSLSocket) -> None:
        self._connection = connection
        self.reader: BinaryIO = connection.makefile("rb")  # pyright: ignore[reportAttributeAccessIssue]

    def say(self, data: bytes) -> None:
        self._connection.sendall(data)

    def read(self, size: int) -> bytes:
        return self.reader.read(size)


@contextmanager
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *plays: Play, first: bytes = b"") -> Generator[int]:
    """Play a server whose connections are these, one after the other, and yield its port; `first` comes before TLS."""
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    if not certificate.exists():
        make_certificate(certificate, key, "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    problems: list[BaseException] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            try:
                for play in plays:
                    plain, _ = listening.accept()
                    with plain:
                        if first:
                            assert plain.recv(len(first)) == first
                            plain.sendall(b"S")
                        with context.wrap_socket(plain, server_side=True) as connection:
                            play(Line(connection))
            except BaseException as error:  # noqa: BLE001 - it is the test's
                problems.append(error)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(60)
    assert not problems, problems


# --- Valkey


def told(line: Line) -> list[str]:
    """Return the words of a command."""
    number = int(line.reader.readline()[1:])
    return [line.read(int(line.reader.readline()[1:]) + 2)[:-2].decode() for _ in range(number)]


def answers(*said: str) -> Play:
    """Play a node that takes the password, and answers a command."""

    def play(line: Line) -> None:
        assert told(line) == ["AUTH", PASSWORD]
        line.say(f"{said[0]}\r\n".encode())
        assert told(line) == ["INCR", "é:visits"]
        line.say(f"{said[1]}\r\n".encode())

    return play


@contextmanager
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *plays: Play) -> Generator[int]:
    with server(tmp_path, monkeypatch, *plays) as port:
        for name, value in (("HOST", "localhost"), ("PORT", str(port)), ("PASSWORD", PASSWORD)):
            monkeypatch.setenv(f"REDIS_{name}", value)
        yield port


def test_a_key_is_counted(clients: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with cache(tmp_path, monkeypatch, answers("+OK", ":12")):
        assert clients.valkey("INCR", "é:visits") == "12"


def test_the_node_that_has_the_key_is_asked(clients: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        server(tmp_path, monkeypatch, answers("+OK", ":3")) as other,
        cache(tmp_path, monkeypatch, answers("+OK", f"-MOVED 42 127.0.0.1:{other}")),
    ):
        assert clients.valkey("INCR", "é:visits") == "3"


def test_what_a_node_refuses_is_said(clients: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        cache(tmp_path, monkeypatch, answers("-WRONGPASS", "-NOAUTH Authentication required.")),
        pytest.raises(OSError, match=r"Valkey: NOAUTH Authentication required\."),
    ):
        clients.valkey("INCR", "é:visits")
    with cache(tmp_path, monkeypatch, lambda _: None), pytest.raises(OSError, match=r"hung up|Broken pipe|reset"):
        clients.valkey("INCR", "é:visits")


# --- Postgres

SALT, ROUNDS = b"salt", 4096


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def heard(line: Line) -> tuple[bytes, bytes]:
    kind, size = struct.unpack("!ci", line.read(5))
    return kind, line.read(size - 4)


def begun(line: Line) -> bytes:
    """Return what a session begins with."""
    (size,) = struct.unpack("!i", line.read(4))
    return line.read(size - 4)


def logged_in(line: Line, password: str = PASSWORD, *, knows: bool = True) -> bool:
    """Play the server's part of a login by RFC 5802, and return whether the password was right."""
    assert begun(line) == struct.pack("!i", 196608) + b"user\0my_shop\0database\0shop\0\0"
    line.say(message(b"R", struct.pack("!i", 10) + b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"))
    kind, body = heard(line)
    assert (kind, body[:14]) == (b"p", b"SCRAM-SHA-256\0")
    own = body[18:].decode().removeprefix("n,,")
    sent = f"{own[5:]}more"
    if not knows:
        sent = "another"
    first = f"r={sent},s={base64.b64encode(SALT).decode()},i={ROUNDS}"
    line.say(message(b"R", struct.pack("!i", 11) + first.encode()))
    if not knows:
        return False
    _, body = heard(line)
    bare, _, proof = body.decode().rpartition(",p=")
    assert bare == f"c=biws,r={sent}"
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), SALT, ROUNDS)
    whole = f"{own},{first},{bare}".encode()
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    mask = hmac.digest(stored, whole, "sha256")
    key = bytes(one ^ other for one, other in zip(base64.b64decode(proof), mask, strict=True))
    signed = base64.b64encode(hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), whole, "sha256")).decode()
    if hashlib.sha256(key).digest() != stored:
        line.say(message(b"E", b"SFATAL\0C28P01\0Mpassword authentication failed\0\0"))
        return False
    line.say(message(b"R", struct.pack("!i", 12) + f"v={signed}".encode()))
    line.say(message(b"R", struct.pack("!i", 0)) + message(b"S", b"a\0b\0") + message(b"Z", b"I"))
    return True


def row(text: str) -> bytes:
    return message(b"D", struct.pack("!hi", 1, len(text)) + text.encode())


@contextmanager
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, play: Play) -> Generator[None]:
    with server(tmp_path, monkeypatch, play, first=struct.pack("!ii", 8, 80877103)) as port:
        own = {"HOST": "localhost", "PORT": str(port), "USER": "my_shop", "DATABASE": "shop", "PASSWORD": PASSWORD}
        for name, value in own.items():
            monkeypatch.setenv(f"PG{name}", value)
        yield


def test_a_statement_is_run_after_both_have_shown_the_password(
    clients: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def play(line: Line) -> None:
        assert logged_in(line)
        assert heard(line) == (b"Q", b"insert\0")
        line.say(message(b"C", b"INSERT 0 1\0") + message(b"Z", b"I"))
        assert heard(line) == (b"Q", b"select\0")
        line.say(message(b"T", b"..") + row("11") + row("12") + message(b"C", b"SELECT 2\0") + message(b"Z", b"I"))

    with database(tmp_path, monkeypatch, play), clients.Postgres() as postgres:
        assert postgres.query("insert") is None
        assert postgres.query("select") == "12"


NOT_OURS: list[tuple[Play, str]] = [
    (lambda line: logged_in(line, "another"), "Postgres: password authentication failed"),
    (lambda line: logged_in(line, knows=False), "Postgres answers somebody else"),
    (lambda line: (begun(line), line.say(message(b"R", struct.pack("!i", 3))))[0], "another way to log in"),
    (lambda line: (begun(line), line.say(b"R\0"))[0], "the server hung up"),
]


@pytest.mark.parametrize(("play", "sentence"), NOT_OURS)
def test_a_server_that_is_not_ours_or_does_not_know_us_is_refused(
    clients: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, play: Play, sentence: str
) -> None:
    with (
        database(tmp_path, monkeypatch, play),
        pytest.raises(OSError, match=sentence),
        clients.Postgres(),
    ):
        pytest.fail("it is in")


def test_a_server_without_tls_is_told_nothing(clients: Any) -> None:
    asked = struct.pack("!ii", 8, 80877103)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            plain, _ = listening.accept()
            with plain:
                assert plain.recv(8) == asked
                plain.sendall(b"N")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with pytest.raises(OSError, match=r"127\.0\.0\.1 speaks no TLS"):
            clients.connected("127.0.0.1", listening.getsockname()[1], asked)
        thread.join(60)


def test_who_does_not_know_the_password_can_not_pass_for_the_server(clients: Any) -> None:
    answer, signature = clients.proof(PASSWORD, "n=,r=abc", f"r=abcd,s={base64.b64encode(SALT).decode()},i=2")
    other, forged = clients.proof("another", "n=,r=abc", f"r=abcd,s={base64.b64encode(SALT).decode()},i=2")
    assert answer != other
    assert signature != forged


def test_a_server_that_signs_wrongly_is_left(clients: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def play(line: Line) -> None:
        begun(line)
        line.say(message(b"R", struct.pack("!i", 10) + b"SCRAM-SHA-256\0\0"))
        own = heard(line)[1][18:].decode().removeprefix("n,,")
        line.say(message(b"R", struct.pack("!i", 11) + f"r={own[5:]}x,s=c2FsdA==,i=2".encode()))
        heard(line)
        line.say(message(b"R", struct.pack("!i", 12) + b"v=AAAA") + message(b"R", struct.pack("!i", 0)))

    with (
        database(tmp_path, monkeypatch, play),
        pytest.raises(OSError, match="does not know the password either"),
        clients.Postgres(),
    ):
        pytest.fail("it is in")


# --- RabbitMQ


def frame(group: int, method: int, arguments: bytes, channel: int = 0) -> bytes:
    body = struct.pack("!HH", group, method) + arguments
    return struct.pack("!BHI", 1, channel, len(body)) + body + b"\xce"


def called(line: Line) -> tuple[int, int, bytes]:
    """Return the kind and the channel of a frame, and its body."""
    kind, channel, size = struct.unpack("!BHI", line.read(7))
    body = line.read(size)
    assert line.read(1) == b"\xce"
    return kind, channel, body


def opened(line: Line) -> None:
    """Play the broker up to an open channel."""
    assert line.read(8) == b"AMQP\0\0\x09\x01"
    line.say(frame(10, 10, b"\0\x09"))
    _, channel, body = called(line)
    capability = b"\x1cauthentication_failure_closet\1"
    says_why = b"\x0ccapabilitiesF" + struct.pack("!i", len(capability)) + capability
    own = struct.pack("!i", len(says_why)) + says_why + b"\x05PLAIN" + struct.pack("!i", 9) + b"\0shop\0p/w\x05en_US"
    assert (channel, body) == (0, struct.pack("!HH", 10, 11) + own)
    limits = struct.pack("!HI", 2047, 131072)
    line.say(frame(10, 30, limits + b"\0\x3c"))
    assert called(line)[2] == struct.pack("!HH", 10, 31) + limits + b"\0\0"
    assert called(line)[2] == struct.pack("!HH", 10, 40) + b"\x05a/b-c\0\0"
    line.say(frame(10, 41, b"\0"))
    assert called(line) == (1, 1, struct.pack("!HH", 20, 10) + b"\0")
    line.say(frame(20, 11, b"\0\0\0\0", 1))
    assert called(line) == (1, 1, struct.pack("!HH", 85, 10) + b"\0")
    line.say(frame(85, 11, b"", 1))


def declared(line: Line) -> None:
    assert called(line)[2][6:] == b"\x06visits\x02" + struct.pack("!i", 24) + b"\x0cx-queue-typeS\0\0\0\x06quorum"
    line.say(frame(50, 11, b"\x06visits" + struct.pack("!ii", 7, 0), 1))


@contextmanager
def broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, play: Play) -> Generator[None]:
    with server(tmp_path, monkeypatch, play) as port:
        monkeypatch.setenv("AMQP_URL", f"amqps://shop:p%2Fw@localhost:{port}/a%2Fb-c")
        yield


def test_a_message_is_kept_and_confirmed(clients: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def play(line: Line) -> None:
        opened(line)
        declared(line)
        assert called(line)[2] == struct.pack("!HHH", 60, 40, 0) + b"\0\x06visits\0"
        assert called(line) == (2, 1, struct.pack("!HHQHB", 60, 0, 5, 0x1000, 2))
        assert called(line) == (3, 1, b"visit")
        line.say(frame(60, 80, struct.pack("!QB", 1, 0), 1))

    with broker(tmp_path, monkeypatch, play), clients.RabbitMQ() as rabbitmq:
        assert rabbitmq.publish("visits", b"visit") == 7


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (frame(20, 40, struct.pack("!H", 403) + b"\x0eACCESS_REFUSED\0\0\0\0", 1), "RabbitMQ: ACCESS_REFUSED"),
        (frame(60, 120, struct.pack("!QB", 1, 0), 1), r"RabbitMQ: \(60, 120\) came for \(60, 80\)"),
        (b"", "the server hung up"),
    ],
)
def test_what_the_broker_does_not_take_is_said(
    clients: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: bytes, sentence: str
) -> None:
    def play(line: Line) -> None:
        opened(line)
        declared(line)
        for _ in range(3):
            called(line)
        line.say(said)

    with (
        broker(tmp_path, monkeypatch, play),
        clients.RabbitMQ() as rabbitmq,
        pytest.raises(OSError, match=sentence),
    ):
        rabbitmq.publish("visits", b"visit")


@pytest.mark.parametrize("service", ["Postgres", "RabbitMQ", "valkey"])
def test_a_server_of_another_ca_is_refused(
    clients: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = str(listening.getsockname()[1])
        for name, value in (("PGHOST", "localhost"), ("PGPORT", port), ("REDIS_HOST", "localhost")):
            monkeypatch.setenv(name, value)
        for name in ("PGUSER", "PGDATABASE", "PGPASSWORD", "REDIS_PASSWORD"):
            monkeypatch.setenv(name, "x")
        monkeypatch.setenv("REDIS_PORT", port)
        monkeypatch.setenv("AMQP_URL", f"amqps://x:x@localhost:{port}/x")
        make_certificate(tmp_path / "one.crt", tmp_path / "one.key", "localhost")
        make_certificate(tmp_path / "other.crt", tmp_path / "other.key", "localhost")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "other.crt"))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "one.crt", tmp_path / "one.key")

        def serve() -> None:
            plain, _ = listening.accept()
            with plain:
                if service == "Postgres":
                    plain.recv(8)
                    plain.sendall(b"S")
                with pytest.raises((ssl.SSLError, OSError)):
                    context.wrap_socket(plain, server_side=True).recv(1)

        threading.Thread(target=serve, daemon=True).start()
        with pytest.raises(ssl.SSLCertVerificationError):
            clients.valkey("PING") if service == "valkey" else getattr(clients, service)().__enter__()
