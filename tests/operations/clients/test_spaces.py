"""Buckets, before OpenTofu has one to keep its state in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from constructs_lib.base.bucket import AnyBucket, Bucket
from constructs_lib.base.errors import ConfigError
from operations.clients.spaces import Spaces, endpoint
from tests.fakes.spaces import ACCESS_KEY, SECRET_KEY, FakeSpaces

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


KEY = {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY}


class Client:
    """What boto3 gives, failing as it does."""

    def __init__(self, error: Exception) -> None:
        self.error, self.arguments = error, dict[str, object]()

    def head_bucket(self, **_: object) -> None:
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


def test_the_client_has_the_key_the_address_and_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    given = use(monkeypatch, Client(answered(404)))
    assert Spaces("id", "secret").exists(BUCKET) is False
    assert (given["aws_access_key_id"], given["aws_secret_access_key"]) == ("id", "secret")
    assert given["endpoint_url"] == "https://lon1.digitaloceanspaces.com"
    options = given["config"]._user_provided_options
    assert options["retries"] == {"max_attempts": 5, "mode": "standard"}
    assert options["s3"] == {"addressing_style": "virtual"}
    assert options["request_checksum_calculation"] == options["response_checksum_validation"] == "when_required"


def test_a_bucket_elsewhere_is_reached_as_barman_reaches_it(monkeypatch: pytest.MonkeyPatch) -> None:
    given = use(monkeypatch, Client(answered(404)))
    address = "https://s3.example.org"
    assert spaces().exists(AnyBucket(bucket="my-bucket", region="eu-central-1", address=address)) is False
    assert (given["endpoint_url"], given["region_name"]) == (address, "eu-central-1")
    assert given["config"]._user_provided_options["s3"] == {"addressing_style": "path"}
    assert spaces().exists(AnyBucket(bucket="my-bucket", region="lon1")) is False
    assert given["region_name"] == "us-east-1"


def test_another_address_is_taken_from_the_provider_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    assert endpoint(BUCKET) == "https://lon1.digitaloceanspaces.com"
    monkeypatch.setenv("SPACES_ENDPOINT_URL", "http://here")
    assert endpoint(BUCKET) == "http://here"
