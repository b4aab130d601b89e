"""What tests left behind, and what is not theirs."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from constructs_lib.base.errors import ConfigError
from operations.clients.digitalocean import PAGE_SIZE, DigitalOcean
from operations.provisioning.sweep import Expired, expired, remove
from tests.fakes.digitalocean import FakeDigitalOcean

PAST, FUTURE = "expires:1000000000", "expires:9999999999"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeDigitalOcean]:
    with FakeDigitalOcean() as server:
        monkeypatch.setenv("DIGITALOCEAN_API_URL", server.url)
        yield server
        assert server.refused == []


@pytest.mark.parametrize(
    ("name", "tags", "swept"),
    [
        ("eph-1", [PAST], True),
        ("eph-1", [FUTURE], False),
        ("eph-1", [], False),
        ("eph-1", ["expires:soon"], False),
        ("mine", [PAST], False),
        ("my-eph-1", [PAST], False),
    ],
)
def test_only_what_has_the_prefix_and_an_expired_tag_is_swept(
    fake: FakeDigitalOcean, name: str, tags: list[str], swept: bool
) -> None:
    fake.add_cluster(name)["tags"] = ["environment:x", *tags]
    api = DigitalOcean(fake.token)
    remove(api, expired(api))
    assert (not fake.clusters) is swept


def test_every_page_of_a_list_is_looked_at(fake: FakeDigitalOcean) -> None:
    for number in range(PAGE_SIZE + 1):
        fake.add_cluster(f"kept-{number}")
    fake.add_cluster("eph-last")["tags"] = [PAST]
    api = DigitalOcean(fake.token)
    assert [item.name for item in expired(api)] == ["eph-last"]
    assert api.cluster(f"kept-{PAGE_SIZE}") is not None


def test_a_tag_expires_within_the_second(fake: FakeDigitalOcean) -> None:
    now = int(time.time())
    fake.add_cluster("eph-old")["tags"] = [f"expires:{now - 1}"]
    fake.add_cluster("eph-new")["tags"] = [f"expires:{now + 3600}"]
    assert [item.name for item in expired(DigitalOcean(fake.token))] == ["eph-old"]


def test_what_is_still_held_is_tried_five_times(fake: FakeDigitalOcean, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", waits.append)
    asked: list[str] = []

    def held(_: DigitalOcean, path: str) -> None:
        asked.append(path)
        raise ConfigError("VPC: is still in use")

    monkeypatch.setattr(DigitalOcean, "delete", held)
    with pytest.raises(ConfigError, match="is still in use"):
        remove(DigitalOcean(fake.token), [Expired("vpc", "eph-1", "/v2/vpcs/1")])
    assert asked == ["/v2/vpcs/1"] * 5
    assert waits == [1, 2, 4, 8]
