"""A bucket of an application: who makes it, what it is called, what its pods find, and how it ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from constructs_lib.base.bucket import AppBucket, Bucket
from constructs_lib.base.change import Effect
from constructs_lib.base.transition import transitions
from constructs_lib.base.yaml_input import Document
from constructs_lib.environment import Environment
from constructs_lib.environment.sharing import problems_between
from operations.secrets.entries import brought
from stacks.state import StateStack
from tests.constructs_lib.platform import said
from tests.constructs_lib.platform.applications.test_applications import objects, secret, with_apps
from tests.support import Synthesised, environment, existing, stack_of

ENTRY = "sandbox/platform/apps/my-shop/buckets/uploads"


def storing(access: str = "readwrite", **changes: Any) -> Environment:
    return with_apps({"my-shop": {"uses": {"bucket": {"uploads": {"access": access}}}, **changes}})


def test_it_is_beside_the_states_and_called_by_cluster_application_and_name() -> None:
    env = with_apps({"my-shop": {"uses": {"bucket": {"uploads": {}}}}}, state__region="ams3")
    (found,) = (bucket for purpose, bucket in env.buckets.items() if isinstance(purpose, AppBucket))
    assert found == Bucket(bucket="episodic-sandbox-my-shop-uploads", region="ams3")


def test_pods_find_what_sdks_read_in_one_secret_by_the_application_s_own_account() -> None:
    spec = secret(storing(), "bucket-uploads")
    assert spec["secretStoreRef"] == {"kind": "SecretStore", "name": "vault"}
    read = {(one["remoteRef"]["key"], one["secretKey"], one["remoteRef"]["property"]) for one in spec["data"]}
    assert read == {(ENTRY, name, name) for name in ("access_key_id", "secret_access_key")}
    assert spec["target"]["template"]["data"] == {
        "AWS_ACCESS_KEY_ID": "{{ .access_key_id }}",
        "AWS_SECRET_ACCESS_KEY": "{{ .secret_access_key }}",
        "AWS_BUCKET": "episodic-sandbox-my-shop-uploads",
        "AWS_ENDPOINT_URL_S3": "https://lon1.digitaloceanspaces.com",
        "AWS_REGION": "lon1",
        "AWS_DEFAULT_REGION": "lon1",
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
        "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
    }


def test_nobody_has_to_bring_its_key() -> None:
    assert not [path for path, _ in brought(storing()) if "buckets" in path]


def test_it_reaches_spaces_and_nothing_else_outside() -> None:
    uses = {"bucket": {"uploads": {}}, "reaches": {"mail.example.org": 587}}
    for app, ways in (({"uses": uses}, ["my-shop/apps -> the internet: 443 587"]), ({"uses": {}}, [])):
        assert [line for line in said.links("baseline", with_apps({"my-shop": app})) if "my-shop" in line] == ways


def state(env: Environment) -> Synthesised:
    return stack_of(lambda app: StateStack(app, "state", env=env))


@pytest.mark.parametrize("retired", [False, True])
def test_it_is_made_and_never_destroyed_with_what_is_in_it_retired_or_not(*, retired: bool) -> None:
    env = storing(retired=retired)
    assert env.cluster.protected is False
    found = {one["name"]: one for one in state(env).all("digitalocean_spaces_bucket").values()}
    bucket = found["episodic-sandbox-my-shop-uploads"]
    assert (bucket["force_destroy"], bucket["lifecycle"]) == (False, {"prevent_destroy": True})
    assert bucket["lifecycle_rule"][0]["noncurrent_version_expiration"] == {"days": 30}
    assert found["episodic-sandbox-backups"]["force_destroy"] is True
    assert (("ExternalSecret", "bucket-uploads") in objects(env, "my-shop")) is not retired


def test_its_name_is_as_long_as_a_bucket_s_may_be() -> None:
    long = "a" * (63 - len("episodic-sandbox-my-shop-"))
    assert with_apps({"my-shop": {"uses": {"bucket": {long: {}}}}}).applications
    with pytest.raises(ValidationError, match=rf"my-shop\.uses\.bucket\.{long}b: the bucket would be called .* has 64"):
        with_apps({"my-shop": {"uses": {"bucket": {f"{long}b": {}}}}})


def test_beside_a_cluster_that_exists_none_is_made() -> None:
    apps = {"my-shop": {"owner": "a", "uses": {"bucket": {"uploads": {}}}}}
    with pytest.raises(ValidationError, match=r"my-shop\.uses\.bucket\.uploads: buckets are made at DigitalOcean"):
        existing(applications=apps)


def taken(*apps: tuple[str, str], **changes: Any) -> list[str]:
    """Return what is wrong with the names of buckets of applications."""
    named = {name: {"owner": "a", "uses": {"bucket": {bucket: {}}}} for name, bucket in apps}
    env = environment(applications=named, **changes)
    return [*problems_between([(Document(Path("sandbox.yaml"), {}, {}), env)])]


def test_two_buckets_of_one_name_are_refused() -> None:
    assert taken(("my-shop", "uploads"), ("blog", "uploads")) == []
    (problem,) = taken(("my-shop", "uploads"), ("my", "shop-uploads"))
    assert "applications.my.uses.bucket.shop-uploads: 'episodic-sandbox-my-shop-uploads' is already used by" in problem
    (problem,) = taken(("my-shop", "uploads"), backups__bucket="episodic-sandbox-my-shop-uploads")
    assert "choose another bucket" in problem


SHOP = {"owner": "a", "uses": {"bucket": {"uploads": {}}}}
READS = {"owner": "a", "uses": {"bucket": {"uploads": {"access": "read"}}}}
NONE = {"owner": "a", "uses": {}}


@pytest.mark.parametrize(
    ("old", "new", "effect"),
    [
        (NONE, SHOP, Effect.FREE),
        (SHOP, NONE, Effect.STEPS),
        (SHOP, READS, Effect.REPLACES),
        (READS, SHOP, Effect.FREE),
    ],
)
def test_it_comes_freely_and_goes_by_steps(old: dict[str, Any], new: dict[str, Any], effect: Effect) -> None:
    before, after = (environment(applications={"shop": app}).model_dump(mode="json") for app in (old, new))
    assert [item.rule.effect for item in transitions(Environment, before, after)] == [effect]
