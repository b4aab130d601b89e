"""Which requests are repeated, and how often."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import request
from requests.adapters import HTTPAdapter

from operations.clients import http
from operations.clients.http import ca_file, session
from tests.fakes.server import FakeServer, Fault


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A server that says who asks."""
    with FakeServer() as fake:
        asker = {"asker": lambda: request.headers.get("Authorization", "nobody")}
        fake.app.add_url_rule("/", view_func=asker["asker"], methods=["GET", "POST", "DELETE"])
        yield fake


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_request_is_repeated_five_times_with_longer_and_longer_waits(
    server: FakeServer, slept: list[float], status: int
) -> None:
    server.faults.append(Fault("GET", "/", times=5, status=status))
    assert session().get(server.url, timeout=5).status_code == 200
    assert (len(server.requests), slept) == (6, [2, 4, 8, 16])


def test_the_last_answer_is_given_back_when_all_were_bad(server: FakeServer, slept: list[float]) -> None:
    server.faults.append(Fault("GET", "/", times=9, status=503))
    assert session().get(server.url, timeout=5).status_code == 503
    assert len(server.requests) == 6


def test_a_delete_is_repeated_and_a_post_is_not(server: FakeServer, slept: list[float]) -> None:
    for method in ("DELETE", "POST"):
        server.faults.append(Fault(method, "/", times=1, status=500))
    assert session().delete(server.url, timeout=5).status_code == 200
    assert session().post(server.url, timeout=5).status_code == 500
    assert [request.method for request in server.requests] == ["DELETE", "DELETE", "POST"]


def test_an_answer_that_says_no_is_not_asked_for_again(server: FakeServer, slept: list[float]) -> None:
    server.faults.append(Fault("GET", "/", times=9, status=403))
    assert session().get(server.url, timeout=5).status_code == 403
    assert len(server.requests) == 1


def test_a_caller_may_say_what_is_repeated(server: FakeServer, slept: list[float]) -> None:
    server.faults.append(Fault("GET", "/", times=9, status=503))
    assert session(repeated=(500,)).get(server.url, timeout=5).status_code == 503
    assert len(server.requests) == 1


def test_the_server_may_say_how_long_to_wait(server: FakeServer, slept: list[float]) -> None:
    server.faults.append(Fault("GET", "/", times=1, status=429, headers={"Retry-After": "7"}))
    assert session().get(server.url, timeout=5).status_code == 200
    assert slept == [7]


@pytest.mark.parametrize("after", ["86400", "Fri, 31 Dec 2100 23:59:59 GMT"])
def test_the_server_may_not_say_that_a_day_is_waited(server: FakeServer, slept: list[float], after: str) -> None:
    server.faults.append(Fault("GET", "/", times=2, status=429, headers={"Retry-After": after}))
    assert session().get(server.url).status_code == 200
    assert slept == [60, 60]


def test_a_server_that_takes_a_request_and_says_nothing_is_given_up(
    server: FakeServer, slept: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "TIMEOUT_SECONDS", 0.1)
    server.faults.append(Fault("GET", "/", times=9, silent=True))
    with pytest.raises(requests.ConnectionError):
        session().get(server.url)
    assert len(server.requests) == 6


def test_a_host_that_takes_a_request_and_says_nothing_is_asked_once(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "TIMEOUT_SECONDS", 0.1)
    server.faults.append(Fault("GET", "/", silent=True))
    with pytest.raises(requests.ReadTimeout):
        http.status_of(server.url, trusted=True)


def test_a_post_whose_answer_is_lost_is_repeated_only_where_that_does_no_harm(
    server: FakeServer, slept: list[float]
) -> None:
    server.faults.append(Fault("POST", "/", times=1, lost=True))
    with pytest.raises(requests.ConnectionError):
        session().post(server.url)
    server.faults.append(Fault("POST", "/", times=1, lost=True))
    assert session(posts_again=True).post(server.url).status_code == 200
    assert len(server.requests) == 3


def test_a_token_is_sent_as_bearer_and_none_is_no_header(server: FakeServer) -> None:
    assert session("secret").get(server.url, timeout=5).text == "Bearer secret"
    assert session().get(server.url, timeout=5).text == "nobody"


def test_no_request_waits_for_ever(server: FakeServer) -> None:
    given: list[Any] = []
    http_ = session()

    send = HTTPAdapter.send

    def noted(self: HTTPAdapter, request: Any, **options: Any) -> Any:
        given.append(options["timeout"])
        return send(self, request, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HTTPAdapter, "send", noted)
        http_.get(server.url)
        http_.get(server.url, timeout=7)
    assert given == [30, 7]


def test_certificates_become_one_file_each() -> None:
    path = Path(ca_file("first"))
    assert path.read_text() == "first"
    assert ca_file("first") == str(path)
    assert Path(ca_file("second")).read_text() == "second"
