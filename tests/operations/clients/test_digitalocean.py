"""DigitalOcean's answers."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from flask import Response

from constructs_lib.base.errors import ConfigError
from operations.clients import digitalocean, http
from operations.clients.digitalocean import DigitalOcean
from tests.fakes.digitalocean import FakeDigitalOcean
from tests.fakes.server import Fault


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeDigitalOcean]:
    with FakeDigitalOcean() as server:
        monkeypatch.setenv("DIGITALOCEAN_API_URL", f"{server.url}/")
        yield server


def test_a_cluster_is_found_by_its_whole_name(fake: FakeDigitalOcean) -> None:
    api = DigitalOcean(fake.token)
    fake.add_cluster("mine-too")
    assert api.cluster("mine") is None
    cluster = fake.add_cluster("mine")
    assert (api.cluster("mine") or {})["id"] == cluster["id"]


def test_a_list_is_asked_for_in_large_pages_and_only_once_if_it_is_short(fake: FakeDigitalOcean) -> None:
    assert list(DigitalOcean(fake.token).list("/v2/vpcs", "vpcs")) == []
    assert [request.path for request in fake.requests] == ["/v2/vpcs?page=1&per_page=200"]


def test_what_is_gone_needs_no_deletion(fake: FakeDigitalOcean) -> None:
    DigitalOcean(fake.token).delete("/v2/vpcs/gone")
    assert [request.method for request in fake.requests] == ["DELETE"]


def test_a_deletion_that_takes_its_time_is_waited_for_but_not_for_ever(
    fake: FakeDigitalOcean, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    path = "/v2/vpcs/slow"

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            fake.vpcs.clear()

    monkeypatch.setattr(digitalocean, "time", SimpleNamespace(sleep=wait))
    fake.faults.append(Fault("DELETE", path, times=9, status=404))
    fake.vpcs["slow"] = {"id": "slow"}
    DigitalOcean(fake.token).delete_and_wait(path)
    assert waits == [10, 10, 10]
    fake.vpcs["slow"] = {"id": "slow"}
    with pytest.raises(ConfigError, match=r"has not deleted /v2/vpcs/slow after 30 min; try again later"):
        DigitalOcean(fake.token).delete_and_wait(path)


def test_what_is_not_there_cannot_be_read(fake: FakeDigitalOcean) -> None:
    with pytest.raises(ConfigError, match=r"DigitalOcean answers 404 to GET /v2/vpcs/gone: The resource you were"):
        DigitalOcean(fake.token).get("/v2/vpcs/gone")


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_is_refused_is_the_one_to_correct(fake: FakeDigitalOcean, status: int) -> None:
    fake.faults.append(Fault("DELETE", ".*", status=status))
    sentence = rf"refuses DELETE /v2/vpcs/x \({status}\); correct digitalocean_token in Vault, or its scopes"
    with pytest.raises(ConfigError, match=sentence):
        DigitalOcean(fake.token).delete("/v2/vpcs/x")


def test_the_token_is_sent(fake: FakeDigitalOcean) -> None:
    with pytest.raises(ConfigError, match="correct digitalocean_token"):
        DigitalOcean("another").get("/v2/vpcs")


def test_a_failure_without_a_message_has_its_reason(fake: FakeDigitalOcean, slept: list[float]) -> None:

    def error(status: int, message: str) -> Response:
        return Response(f"<html>{message}", status)

    fake.error = error
    fake.faults.append(Fault("GET", ".*", times=9, status=500))
    with pytest.raises(ConfigError, match="answers 500 to GET /v2/vpcs: INTERNAL SERVER ERROR"):
        DigitalOcean(fake.token).get("/v2/vpcs")


def test_no_answer_is_told(fake: FakeDigitalOcean, slept: list[float]) -> None:
    fake.faults.append(Fault("GET", ".*", times=9, cut=True, status=500))
    with pytest.raises(ConfigError, match=rf"DigitalOcean at {fake.url} gives no answer; try again later"):
        DigitalOcean(fake.token).get("/v2/vpcs")


def test_a_server_that_takes_a_request_and_says_nothing_is_told(
    fake: FakeDigitalOcean, slept: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "TIMEOUT_SECONDS", 0.1)
    fake.faults.append(Fault("GET", ".*", times=9, silent=True))
    with pytest.raises(ConfigError, match=rf"DigitalOcean at {fake.url} gives no answer; try again later"):
        DigitalOcean(fake.token).get("/v2/vpcs")


def test_a_deletion_whose_answer_is_lost_is_one(fake: FakeDigitalOcean, slept: list[float]) -> None:
    fake.vpcs["v"] = {"id": "v"}
    fake.faults.append(Fault("DELETE", ".*", lost=True))
    DigitalOcean(fake.token).delete("/v2/vpcs/v")
    assert (fake.vpcs, len(fake.writes)) == ({}, 2)


def test_a_day_is_not_waited(fake: FakeDigitalOcean, slept: list[float]) -> None:
    fake.faults.append(Fault("GET", ".*", status=429, headers={"Retry-After": "86400"}))
    assert list(DigitalOcean(fake.token).list("/v2/vpcs", "vpcs")) == []
    assert slept == [60]
