"""What our rules call impossible, the real webhooks and the API server refuse, and what they call free is taken."""

from __future__ import annotations

import json
from typing import NamedTuple

import pytest

from constructs_lib.base.change import Effect
from constructs_lib.base.transition import transitions
from constructs_lib.environment import Environment
from constructs_lib.platform.cloudnative_pg.settings import IMAGE, NAMESPACE
from tests.e2e.node.application import CLUSTER
from tests.e2e.node.sandbox import Sandbox

OBJECTS = {
    "cloudnative_pg": (f"cluster.postgresql.cnpg.io/{CLUSTER}", "-n", NAMESPACE),
    "valkey_operator": ("valkey.hyperspike.io/main", "-n", "cache"),
}
OLDER = IMAGE.replace(":18.4", ":17.6")


def effect(platform: Sandbox, key: str, name: str, value: object) -> Effect:
    """Return what our rule says of a setting of the first cluster of a component."""
    old = platform.env.model_dump(mode="json")
    new = json.loads(json.dumps(old))
    new["platform"][key]["clusters"][0][name] = value
    (found,) = transitions(Environment, old, new)
    return found.rule.effect


class Try(NamedTuple):
    """A change of a setting, the change of the object that it makes, and what refuses that."""

    component: str
    setting: str
    value: object
    spec: dict[str, object]
    refusal: str


@pytest.mark.parametrize(
    "tried",
    [
        Try("cloudnative_pg", "storage", "1Mi", {"storage": {"size": "1Mi"}}, "can't shrink"),
        Try("cloudnative_pg", "wal_storage", "1Mi", {"walStorage": {"size": "1Mi"}}, "can't shrink"),
        Try("cloudnative_pg", "image", OLDER, {"imageName": OLDER}, "can't downgrade"),
        Try("valkey_operator", "shards", 9, {"nodes": 9}, "the operator moves no keys"),
        Try("valkey_operator", "replicas", 5, {"replicas": 5}, "the operator moves no keys"),
    ],
    ids=lambda tried: tried.setting,
)
def test_what_a_rule_refuses_the_cluster_refuses(platform: Sandbox, tried: Try) -> None:
    assert effect(platform, tried.component, tried.setting, tried.value) is Effect.REFUSED
    patch = ("patch", *OBJECTS[tried.component], "--type=merge", "--dry-run=server")
    assert tried.refusal in platform.cluster.kubectl(*patch, "-p", json.dumps({"spec": tried.spec}), code=1)


def test_what_a_rule_calls_free_the_cluster_takes(platform: Sandbox) -> None:
    assert effect(platform, "cloudnative_pg", "storage", "99Gi") is Effect.FREE
    patch = ("patch", *OBJECTS["cloudnative_pg"], "--type=merge", "--dry-run=server")
    platform.cluster.kubectl(*patch, "-p", json.dumps({"spec": {"storage": {"size": "99Gi"}}}))


def test_the_volumes_of_a_stateful_set_keep_their_size(platform: Sandbox) -> None:
    """It is what the rule of Prometheus, Tempo and InfluxDB rests on."""
    printed = platform.cluster.kubectl("get", "statefulsets", "-A", "--output=json")
    own = next(item for item in json.loads(printed)["items"] if item["spec"].get("volumeClaimTemplates"))
    own["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"] = "99Gi"
    told = platform.cluster.kubectl("replace", "--dry-run=server", "-f", "-", text=json.dumps(own), code=1)
    assert "spec.volumeClaimTemplates: Invalid value" in told
    assert "field is immutable" in told
