"""Buckets, before OpenTofu has one to keep its state in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from constructs_lib.base.bucket import AnyBucket, Bucket
from constructs_lib.base.errors import ConfigError
from operations.clients import spaces as client
from operations.clients.spaces import Spaces, endpoint
from tests.fakes.server import Fault
from tests.fakes.spaces import ACCESS_KEY, SECRET_KEY, FakeSpaces

BUCKET_NAME = {"Bucket": "my-bucket"}
BUCKET = Bucket(bucket="my-bucket", region="lon1")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSpaces]:
    with FakeSpaces() as server:
        for name in ("SPACES_ENDPOINT_URL", "HTTP_PROXY"):
            monkeypatch.setenv(name, server.environment()[name])
        yield server


def spaces() -> Spaces:
    return Spaces(ACCESS_KEY, SECRET_KEY)


def test_a_bucket_is_there_once_it_was_made(fake: FakeSpaces) -> None:
    assert spaces().exists(BUCKET) is False
    spaces().create(BUCKET)
    assert spaces().exists(BUCKET) is True
    assert fake.buckets() == ["my-bucket"]


def test_a_bucket_holds_what_was_put_there_and_nothing_else(fake: FakeSpaces) -> None:
    spaces().create(BUCKET)
    assert spaces().holds(BUCKET, "sandbox-state.tfstate") is False
    client = boto3.client("s3", endpoint_url=fake.url, region_name="us-east-1", **KEY)
    client.put_object(Bucket="my-bucket", Key="sandbox-state.tfstate", Body=b"{}")
    assert spaces().holds(BUCKET, "sandbox-state.tfstate") is True
    assert spaces().holds(BUCKET, "sandbox-cluster.tfstate") is False


def test_a_bucket_that_everybody_may_reach_is_not_ours(fake: FakeSpaces) -> None:
    fake.add_of_a_stranger("my-bucket")
    for reach in (spaces().exists, spaces().create):
        with pytest.raises(ConfigError, match="bucket my-bucket at http://test: belongs to another account, or"):
            reach(BUCKET)


OTHER = Bucket(bucket="other-bucket", region="lon1")


@pytest.fixture
def limited(fake: FakeSpaces) -> Callable[[str], Spaces]:
    """Two buckets, and a function that returns the first as a key sees it that is limited to it."""
    for bucket in (BUCKET, OTHER):
        spaces().create(bucket)

    def see(permission: str) -> Spaces:
        fake.limited = {"LIMITED": {"my-bucket": permission}}
        return Spaces("LIMITED", SECRET_KEY)

    return see


def test_a_limited_key_does_in_its_bucket_what_it_may(limited: Callable[[str], Spaces]) -> None:
    writing, reading = limited("readwrite"), Spaces("LIMITED", SECRET_KEY)
    assert writing.exists(BUCKET)
    assert writing.write_new(BUCKET, "a", b"1")
    assert not writing.write_new(BUCKET, "a", b"2")
    assert (writing.read(BUCKET, "a"), writing.holds(BUCKET, "a")) == (b"1", True)
    writing.remove(BUCKET, "a")
    assert spaces().write_new(BUCKET, "b", b"1")
    limited("read")
    assert (reading.exists(BUCKET), reading.read(BUCKET, "b")) == (True, b"1")
    for refused in (lambda: reading.write_new(BUCKET, "c", b"1"), lambda: reading.remove(BUCKET, "b")):
        with pytest.raises(ConfigError, match="the key may not reach it"):
            refused()
    assert spaces().read(BUCKET, "b") == b"1"


@pytest.mark.parametrize("permission", ["read", "readwrite"])
def test_a_limited_key_neither_lists_nor_makes_nor_reaches_others(
    fake: FakeSpaces, limited: Callable[[str], Spaces], permission: str
) -> None:
    key = limited(permission)
    with pytest.raises(ConfigError, match="bucket other-bucket at http://test: belongs to another account, or the key"):
        key.exists(OTHER)
    with pytest.raises(ConfigError, match="may not reach it"):
        key.create(Bucket(bucket="third-bucket", region="lon1"))
    with pytest.raises(ConfigError, match="may not reach it"):
        key.read(OTHER, "a")
    client = boto3.client(
        "s3", endpoint_url=fake.url, region_name="us-east-1", aws_access_key_id="LIMITED", aws_secret_access_key="x"
    )
    for asked, how in (("list_buckets", {}), ("get_bucket_acl", BUCKET_NAME), ("delete_bucket", BUCKET_NAME)):
        with pytest.raises(ClientError, match="AccessDenied"):
            getattr(client, asked)(**how)
    assert fake.buckets() == ["my-bucket", "other-bucket"]


@pytest.mark.parametrize("status", [200, 409])
def test_a_bucket_whose_answer_is_lost_is_made_once(
    fake: FakeSpaces, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=list[float]().append))
    fake.faults.append(Fault("PUT", ".*", lost=True))
    if status == 409:  # where S3 answers to the second try what it does outside us-east-1
        fake.faults.append(Fault("PUT", ".*", status=409))
    spaces().create(BUCKET)
    assert fake.buckets() == ["my-bucket"]
    assert len(fake.writes) == 2


def test_spaces_that_takes_a_request_and_says_nothing_is_told(
    fake: FakeSpaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "TIMEOUT_SECONDS", 0.1)
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=list[float]().append))
    for method in ("GET", "HEAD", "PUT"):
        fake.faults.append(Fault(method, ".*", times=float("inf"), silent=True))
    for reach in (spaces().exists, spaces().create):
        with pytest.raises(ConfigError, match="bucket my-bucket: http://test gives no answer; try again"):
            reach(BUCKET)


def test_an_object_is_written_where_there_is_none_and_changes_its_version(fake: FakeSpaces) -> None:
    spaces().create(BUCKET)
    assert (spaces().read(BUCKET, "k"), spaces().version(BUCKET, "k")) == (None, None)
    assert spaces().write_new(BUCKET, "k", b"one") is True
    first = spaces().version(BUCKET, "k")
    assert spaces().write_new(BUCKET, "k", b"two") is False
    assert (spaces().read(BUCKET, "k"), spaces().version(BUCKET, "k")) == (b"one", first)
    spaces().remove(BUCKET, "k")
    spaces().remove(BUCKET, "k")
    assert spaces().write_new(BUCKET, "k", b"two") is True
    assert spaces().version(BUCKET, "k") not in {first, None}


KEY = {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY}


class Client:
    """What boto3 gives, failing as it does."""

    def __init__(self, error: Exception) -> None:
        self.error, self.arguments = error, dict[str, object]()

    def list_buckets(self) -> None:
        raise self.error

    def head_bucket(self, **_: object) -> dict[str, object]:
        raise self.error

    def create_bucket(self, **arguments: object) -> None:
        self.arguments = arguments
        raise self.error


def use(monkeypatch: pytest.MonkeyPatch, client: Client) -> dict[str, Any]:
    """Let boto3 give this client, and return the options with which it was asked for."""
    given: dict[str, Any] = {}

    def make(_: str, **options: Any) -> Client:
        given.update(options)
        return client

    monkeypatch.setattr(boto3, "client", make)
    return given


def answered(status: int) -> ClientError:
    return ClientError({"ResponseMetadata": {"HTTPStatusCode": status}}, "HeadBucket")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (answered(403), "bucket my-bucket at https://lon1.digitaloceanspaces.com: belongs to another account, or"),
        (answered(500), "bucket my-bucket at https://lon1.digitaloceanspaces.com: it answers 500; try again later"),
        (
            EndpointConnectionError(endpoint_url="x"),
            "bucket my-bucket: https://lon1.digitaloceanspaces.com gives no answer; try again later",
        ),
    ],
)
def test_a_bucket_that_cannot_be_reached_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, error: Exception, sentence: str
) -> None:
    client = Client(error)
    use(monkeypatch, client)
    for reach in (spaces().exists, spaces().create):
        with pytest.raises(ConfigError) as told:
            reach(BUCKET)
        assert str(told.value).startswith(sentence)
    assert client.arguments == {"Bucket": "my-bucket", "ACL": "private"}


class Limited(Client):
    """What boto3 gives with a key of one bucket: it may not list."""

    def head_bucket(self, **arguments: object) -> dict[str, object]:
        if arguments == {"Bucket": BUCKET.bucket}:
            return {}
        raise answered(404)


def test_a_key_that_may_not_list_knows_its_own_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Limited(answered(403)))
    assert spaces().exists(BUCKET)
    assert not spaces().exists(Bucket(bucket="another", region="lon1"))


def test_the_client_has_the_key_the_address_and_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    given = use(monkeypatch, Client(answered(404)))
    with pytest.raises(ConfigError, match="it answers 404"):
        Spaces("id", "secret").exists(BUCKET)
    assert (given["aws_access_key_id"], given["aws_secret_access_key"]) == ("id", "secret")
    assert given["endpoint_url"] == "https://lon1.digitaloceanspaces.com"
    options = given["config"]._user_provided_options
    assert options["retries"] == {"max_attempts": 5, "mode": "standard"}
    assert (options["connect_timeout"], options["read_timeout"]) == (30, 30)
    assert options["s3"] == {"addressing_style": "virtual"}
    assert options["request_checksum_calculation"] == options["response_checksum_validation"] == "when_required"


def test_a_bucket_elsewhere_is_reached_as_barman_reaches_it(monkeypatch: pytest.MonkeyPatch) -> None:
    given = use(monkeypatch, Client(answered(500)))
    address = "https://s3.example.org"
    with pytest.raises(ConfigError, match=r"bucket my-bucket at https://s3\.example\.org"):
        spaces().exists(AnyBucket(bucket="my-bucket", region="eu-central-1", address=address))
    assert (given["endpoint_url"], given["region_name"]) == (address, "eu-central-1")
    assert given["config"]._user_provided_options["s3"] == {"addressing_style": "path"}
    with pytest.raises(ConfigError, match=r"bucket my-bucket at https://lon1\."):
        spaces().exists(AnyBucket(bucket="my-bucket", region="lon1"))
    assert given["region_name"] == "us-east-1"


def test_another_address_is_taken_from_the_provider_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    assert endpoint(BUCKET) == "https://lon1.digitaloceanspaces.com"
    monkeypatch.setenv("SPACES_ENDPOINT_URL", "http://here")
    assert endpoint(BUCKET) == "http://here"
