"""Copies come back from the bucket as they were put there, also those before the newest."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from constructs_lib.platform.recovery import bucket
from constructs_lib.platform.recovery.copies import PATIENT
from tests.fakes.spaces import FakeSpaces

KEY = "valkey/main-1.tar.gz"


@pytest.fixture(scope="module")
def server() -> Iterator[FakeSpaces]:
    with FakeSpaces() as running:
        yield running


@pytest.fixture
def room(tmp_path: Path, server: FakeSpaces, monkeypatch: pytest.MonkeyPatch) -> Path:
    said = {"ENDPOINT": server.url, "BUCKET": f"b-{tmp_path.name.replace('_', '-')}"[:60].lower(), "KEY": KEY}
    said |= {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(bucket, "ROOM", tmp_path)
    made: Any = boto3.resource("s3", endpoint_url=server.url)
    made.create_bucket(Bucket=said["BUCKET"])
    made.BucketVersioning(said["BUCKET"]).enable()
    return tmp_path


def put(room: Path, **files: str) -> None:
    empty(room)
    for name, text in files.items():
        (room / name).write_text(text)
    bucket.put()


def empty(room: Path) -> None:
    for path in room.iterdir():
        path.unlink()


def came_back(room: Path) -> dict[str, str]:
    empty(room)
    bucket.get()
    return {path.name: path.read_text() for path in room.iterdir()}


@pytest.mark.usefixtures("room")
def test_the_bucket_is_asked_until_walls_know_the_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in PATIENT.items():
        monkeypatch.setenv(name, value)
    assert bucket.bucket().meta.client.meta.config.retries == {"mode": "standard", "total_max_attempts": 9}


def test_all_that_was_in_the_room_comes_back(room: Path) -> None:
    put(room, one="1", two="2")
    assert came_back(room) == {"one": "1", "two": "2"}


def test_an_empty_room_is_no_copy(room: Path) -> None:
    with pytest.raises(SystemExit, match="there is nothing to copy"):
        bucket.put()


def moments(key: str = KEY) -> list[datetime]:
    return sorted(item.last_modified for item in bucket.bucket().object_versions.filter(Prefix=key))


def test_the_newest_comes_back_unless_a_time_is_said(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(room, said="old")
    (first,) = moments()
    while datetime.now(first.tzinfo) < first + timedelta(seconds=2):
        pass
    put(room, said="new")
    assert came_back(room) == {"said": "new"}
    monkeypatch.setenv("UNTIL", first.isoformat())
    assert came_back(room) == {"said": "old"}
    monkeypatch.setenv("UNTIL", (first - timedelta(seconds=1)).isoformat())
    with pytest.raises(SystemExit, match=f"there is no copy {KEY} until"):
        bucket.get()


def test_another_object_whose_name_begins_alike_is_not_taken(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", f"{KEY}-of-somebody")
    put(room, said="other")
    monkeypatch.setenv("KEY", KEY)
    with pytest.raises(SystemExit, match="there is no copy"):
        bucket.get()


def test_a_copy_that_was_deleted_comes_back_as_long_as_the_bucket_has_it(room: Path) -> None:
    put(room, said="kept")
    bucket.bucket().Object(KEY).delete()
    assert came_back(room) == {"said": "kept"}


def test_a_copy_that_ends_too_early_is_damaged(room: Path) -> None:
    put(room, said="x" * 100_000)
    whole = bucket.bucket().Object(KEY).get()["Body"].read()
    bucket.bucket().Object(KEY).put(Body=whole[: len(whole) // 2])
    with pytest.raises(SystemExit, match="is damaged"):
        came_back(room)
