"""The bucket that Flux follows: only what differs is written, and what is read first comes last."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from constructs_lib.base.errors import ConfigError
from operations.trying import upload
from operations.trying.keys import Keys, kept_keys
from operations.trying.place import BACKUPS, HOSTS, SOURCE


class Store:
    """An object store of one bucket, which remembers what is asked of it."""

    def __init__(self) -> None:
        self.buckets = ["other"]
        self.policies: dict[str, Any] = {}
        self.objects: dict[str, bytes] = {}
        self.asked: list[tuple[str, str]] = []
        self.fails = False

    def get_paginator(self, what: str) -> Store:
        if self.fails:
            raise ClientError({"Error": {"Code": "500"}}, what)
        return self

    def paginate(self, **_: str) -> list[dict[str, Any]]:
        found = [{"Key": key, "ETag": f'"{hashlib.md5(data).hexdigest()}"'} for key, data in self.objects.items()]  # noqa: S324
        return [{"Contents": found[:1]}, {"Contents": found[1:]}, {}]

    def put_object(self, **what: Any) -> None:
        self.asked.append(("put", what["Key"]))
        self.objects[what["Key"]] = what["Body"]

    def delete_object(self, **what: str) -> None:
        self.asked.append(("delete", what["Key"]))
        del self.objects[what["Key"]]

    def list_buckets(self) -> dict[str, Any]:
        return {"Buckets": [{"Name": name} for name in self.buckets]}

    def create_bucket(self, **what: str) -> None:
        self.buckets.append(what["Bucket"])

    def put_bucket_policy(self, **what: str) -> None:
        self.policies[what["Bucket"]] = json.loads(what["Policy"])


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    made = Store()

    def client(*_: object) -> Store:
        return made

    monkeypatch.setattr(upload, "s3_client", client)
    return made


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return kept_keys(tmp_path / "keys.json", HOSTS)


def test_only_what_differs_is_written_and_what_flux_reads_first_comes_last(store: Store, keys: Keys) -> None:
    store.objects = {"same": b"1", "other": b"2", "gone": b"3"}
    files = {"clusters/try/source.yaml": b"s", "same": b"1", "other": b"new", "platform/a.yaml": b"a"}
    assert upload.uploaded(1, keys, "tree", files) == 4
    puts = [("put", "other"), ("put", "platform/a.yaml"), ("put", "clusters/try/source.yaml")]
    assert store.asked == [*puts, ("delete", "gone")]
    assert store.objects == files
    assert upload.uploaded(1, keys, "tree", files) == 0


def test_a_bucket_is_made_once_and_its_own_key_may_what_is_done_there(store: Store, keys: Keys) -> None:
    for name in (SOURCE, SOURCE, BACKUPS):
        upload.make_bucket(1, keys, name)
    assert store.buckets == ["other", SOURCE, BACKUPS]
    writes = {name: "s3:PutObject" in rule["Statement"][0]["Action"] for name, rule in store.policies.items()}
    assert writes == {SOURCE: False, BACKUPS: True}


def test_a_store_that_fails_is_said_in_a_sentence(store: Store, keys: Keys) -> None:
    store.fails = True
    with pytest.raises(ConfigError, match=r"bucket tree: the object store fails \(ClientError\); run this again"):
        upload.uploaded(1, keys, "tree", {})
