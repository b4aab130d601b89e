"""A host of the environment that answers over HTTPS, and what is said while it does not."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from operations.clients.digitalocean import DigitalOcean
from operations.provisioning.host import unanswered
from tests.fakes.ingress import FakeIngress
from tests.operations.conftest import Outside
from tests.support import environment

HOST = "ingress.episodic.example"


@pytest.fixture
def ingress(tmp_path: Path) -> Iterator[FakeIngress]:
    """What answers for the hosts of production, with a certificate for them."""
    with FakeIngress(tmp_path / "ingress", f"*.{HOST.partition('.')[2]}") as fake:
        yield fake


@pytest.fixture
def look(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Return a function that looks at the host once production's balancer is there."""
    outside.digitalocean.add_balancer("episodic-production-ingress")

    def look_at(file: str = "production", **changes: Any) -> list[str]:
        return unanswered(environment(file, **changes), DigitalOcean(outside.digitalocean.token))

    return look_at


Look = Callable[..., list[str]]


def resolve(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    """Let every host but loopback be at this port of this machine, whichever port is asked for."""
    real = socket.getaddrinfo

    def getaddrinfo(host: str, wanted: Any, *rest: Any, **options: Any) -> Any:
        return real(*(("127.0.0.1", port) if host == HOST else (host, wanted)), *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def test_a_host_answers_whose_certificate_the_system_trusts(
    look: Look, ingress: FakeIngress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(ingress.certificate))
    resolve(monkeypatch, ingress.port)
    assert look() == []
    assert ingress.asked == [HOST]
    ingress.status = 503
    assert look() == [f"https://{HOST}/: answers 503"]


def test_a_certificate_that_the_system_does_not_trust_is_none_unless_its_issuer_is_one_for_tests(
    look: Look, ingress: FakeIngress, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve(monkeypatch, ingress.port)
    assert look() == [f"https://{HOST}/: has a certificate that is not trusted (self-signed certificate)"]
    assert look(platform__cert_manager={"issuer": "letsencrypt-staging"}) == []


def test_a_certificate_for_another_host_is_none(look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeIngress(tmp_path / "other", "other.example") as other:
        monkeypatch.setenv("SSL_CERT_FILE", str(other.certificate))
        resolve(monkeypatch, other.port)
        assert "is not trusted (Hostname mismatch" in look()[0]


def test_a_host_that_does_not_resolve_is_told_with_who_makes_its_record(look: Look) -> None:
    here = "production-dns makes its record, in the stage dns of provisioning"
    assert look() == [f"https://{HOST}/: does not resolve; {here}"]
    there = f"make the records A {HOST} and A *.episodic.example with the value 203.0.113.10"
    elsewhere = {"dns__zone_at": "elsewhere", "platform__cert_manager__dns_challenge": None}
    assert look(**elsewhere) == [f"https://{HOST}/: does not resolve; {there}"]


def test_nobody_answers_where_nothing_listens(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        resolve(monkeypatch, free.getsockname()[1])
        assert "gives no answer (ConnectionRefusedError)" in look()[0]


def test_the_balancer_comes_first(look: Look, outside: Outside) -> None:
    outside.digitalocean.add_balancer("episodic-production-ingress", ip="")
    assert look() == ["load balancer episodic-production-ingress: has no address yet"]


def test_an_environment_without_an_ingress_has_no_host(look: Look) -> None:
    assert look("sandbox", platform__traefik={"enabled": False}) == []
