"""Who may what in the object store of `try`, asked of the real one, started as its pod starts it.

Flux applies what one of its buckets holds, and may do all in the cluster. So a key that pods have must not write there.
"""

from __future__ import annotations

import json
import subprocess
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from socket import socket
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from operations.clients.http import ca_file
from operations.clients.spaces import s3_client
from operations.trying import beside, place, upload
from operations.trying.keys import Keys, kept_keys
from tests.e2e.cluster import BIN

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not (BIN / "versitygw").exists(), reason="versitygw is built for the real node (make e2e-node)"),
]


class Store:
    """The store, as whoever has a key sees it."""

    def __init__(self, folder: Path) -> None:
        self.keys: Keys = kept_keys(folder / "keys.json", place.HOSTS)
        objects = {(item["kind"], item["metadata"]["name"]): item for item in beside.objects(self.keys, "any")}
        container = objects["Deployment", "store"]["spec"]["template"]["spec"]["containers"][0]
        for name, inside in (("certificate", beside.CERTIFICATE), ("accounts", beside.ACCOUNTS)):
            _write(folder / inside.strip("/"), objects["Secret", name]["data"])
        for name in ("notes", "buckets"):
            (folder / "own" / name).mkdir(parents=True)
        with closing(socket()) as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        here = (word.replace(f":{place.STORE_PORT}", f":{self.port}") for word in container["args"])
        self.arguments = [f"{folder}{word}" if word.startswith("/") and word != "/health" else word for word in here]

    def client(self, key: tuple[str, str]) -> Any:
        """Return a client with a key."""
        address, trusted = f"https://localhost:{self.port}", ca_file(self.keys.ca)
        return s3_client(address, "us-east-1", "path", *key, trusted)

    def of(self, bucket: str) -> Any:
        """Return a client with the key that pods have for a bucket."""
        return self.client(self.keys.of_buckets[bucket])


def _write(folder: Path, data: dict[str, str]) -> None:
    folder.mkdir()
    for name, value in data.items():
        (folder / name).write_bytes(b64decode(value))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """The store with its two buckets, and an object in each."""
    folder = tmp_path_factory.mktemp("store")
    made = Store(folder)
    root = {"ROOT_ACCESS_KEY_ID": made.keys.access_key_id, "ROOT_SECRET_ACCESS_KEY": made.keys.secret_access_key}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([BIN / "versitygw", *made.arguments], env=root, stdout=log, stderr=log)
    try:
        _await(made, folder / "log")
        for bucket in (place.SOURCE, place.BACKUPS):
            for _ in range(2):  # as a second run does
                upload.make_bucket(made.port, made.keys, bucket)
            upload.uploaded(made.port, made.keys, bucket, {"clusters/try/source.yaml": b"ours"})
        yield made
    finally:
        process.kill()
        process.wait()


def _await(store: Store, log: Path) -> None:
    root = store.client((store.keys.access_key_id, store.keys.secret_access_key))
    for _ in range(300):
        try:
            root.list_buckets()
        except EndpointConnectionError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(log.read_text())


def refused(call: Any, **arguments: Any) -> bool:
    """Return whether the store forbids a call."""
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"] in {"AccessDenied", "403"}
    return False


KEY = "clusters/try/source.yaml"


def test_the_key_of_backups_does_not_get_at_what_flux_applies(store: Store) -> None:
    client = store.of(place.BACKUPS)
    where = {"Bucket": place.SOURCE}
    assert refused(client.put_object, **where, Key=KEY, Body=b"a ClusterRoleBinding")
    assert refused(client.get_object, **where, Key=KEY)
    assert refused(client.list_objects_v2, **where)
    assert refused(client.delete_object, **where, Key=KEY)
    policy = json.dumps(upload.policy(place.SOURCE, store.keys.backups_key_id))
    assert refused(client.put_bucket_policy, **where, Policy=policy)
    assert refused(client.create_bucket, Bucket="another")


def test_it_does_with_backups_what_they_need(store: Store) -> None:
    client = store.of(place.BACKUPS)
    client.put_object(Bucket=place.BACKUPS, Key="postgres/main-1/x", Body=b"x")
    assert client.get_object(Bucket=place.BACKUPS, Key="postgres/main-1/x")["Body"].read() == b"x"
    parts = client.create_multipart_upload(Bucket=place.BACKUPS, Key="large")
    client.abort_multipart_upload(Bucket=place.BACKUPS, Key="large", UploadId=parts["UploadId"])
    client.head_bucket(Bucket=place.BACKUPS)
    client.delete_object(Bucket=place.BACKUPS, Key="postgres/main-1/x")
    held = client.list_objects_v2(Bucket=place.BACKUPS)["Contents"]
    assert [item["Key"] for item in held] == [KEY]


def test_the_key_of_flux_reads_its_tree_and_nothing_else(store: Store) -> None:
    client = store.of(place.SOURCE)
    assert client.get_object(Bucket=place.SOURCE, Key=KEY)["Body"].read() == b"ours"
    client.head_bucket(Bucket=place.SOURCE)
    assert [item["Key"] for item in client.list_objects_v2(Bucket=place.SOURCE)["Contents"]] == [KEY]
    assert refused(client.put_object, Bucket=place.SOURCE, Key=KEY, Body=b"a ClusterRoleBinding")
    assert refused(client.get_object, Bucket=place.BACKUPS, Key=KEY)
