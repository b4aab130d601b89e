"""An environment on a cluster that is there already."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from constructs_lib.base.change import Effect
from constructs_lib.base.errors import ConfigError
from constructs_lib.base.transition import transitions
from constructs_lib.environment import Environment, StackKind, load, load_all
from constructs_lib.environment.capacity import places
from constructs_lib.environment.fitting import doubts, too_much
from constructs_lib.kit import Room
from tests.constructs_lib.environment.test_changes import put
from tests.support import EXISTING, another_environment, environment, environment_data, existing, existing_data

Project = Callable[..., Path]

OF_DIGITALOCEAN = ("do-block-storage", "do-loadbalancer", "169.254.169.254", "cloud.provider", '"digitalocean"]')


def written(env: Environment) -> str:
    """Return everything that the platform is, as text."""
    objects = [item if isinstance(item, dict) else item.values for layer in env.layers for item in layer.objects]
    return json.dumps(objects, default=str)


def test_it_has_the_same_platform_and_no_stack_of_digitalocean() -> None:
    env = existing()
    assert env.stacks == (StackKind.FLUX,)
    assert existing(mode="apply").stacks == (StackKind.FLUX, StackKind.PLATFORM)
    assert env.buckets == {}
    assert [layer.id for layer in env.layers] == [layer.id for layer in environment().layers]


@pytest.mark.parametrize("word", OF_DIGITALOCEAN)
def test_nothing_in_its_platform_is_digitaloceans(word: str) -> None:
    everything = {"observability": {"influxdb": {"enabled": True}, "metrics": {}}}
    ours = written(environment(platform__observability__influxdb={"enabled": True}))
    theirs = written(existing(platform__observability=everything["observability"]))
    assert word in ours
    assert word not in theirs


def test_volumes_are_of_the_classes_that_it_names() -> None:
    env = existing(platform__observability={"influxdb": {"enabled": True}})
    text = written(env).replace("storageClassName", "storageClass")
    quick, kept = (text.count(f'"storageClass": "{name}"') for name in ("quick", "kept"))
    ours = written(environment(platform__observability={"influxdb": {"enabled": True}}))
    ours = ours.replace("storageClassName", "storageClass")
    assert quick == ours.count('"storageClass": "do-block-storage"') > 0
    assert kept == ours.count('"storageClass": "do-block-storage-retain"') > 0


def traefik(**balancer: Any) -> dict[str, Any]:
    (values,) = existing(cluster={**EXISTING, "load_balancer": balancer}).rendered.values("traefik")
    return values


def test_traefik_believes_nobody_in_front_unless_the_file_names_it() -> None:
    service = {"annotations": {}, "spec": {"externalTrafficPolicy": "Local"}}
    assert traefik()["service"] == service
    assert "proxyProtocol" not in traefik()["ports"]["web"]
    assert "forwardedHeaders" not in traefik()["ports"]["websecure"]
    believed = traefik(proxies=["10.1.0.0/24"])["ports"]
    for port in ("web", "websecure"):
        assert believed[port]["proxyProtocol"] == believed[port]["forwardedHeaders"] == {"trustedIPs": ["10.1.0.0/24"]}


def test_the_service_of_traefik_is_as_the_file_says() -> None:
    said = {"service.beta.kubernetes.io/aws-load-balancer-type": "nlb"}
    assert traefik(annotations=said)["service"]["annotations"] == said
    assert traefik(service="NodePort")["service"]["type"] == "NodePort"
    assert traefik(service="LoadBalancer")["service"].get("type") is None


def test_inside_is_what_the_file_says_and_nothing_that_digitalocean_keeps() -> None:
    assert existing().inside.ranges == ("172.18.0.0/16", "10.244.0.0/16", "10.96.0.0/16")
    assert existing().ranges == {}
    assert "10.229.0.0/16" in environment().inside.ranges


def pools(**changes: Any) -> dict[str, Any]:
    return {**EXISTING, "pools": {"all": {**EXISTING["pools"]["all"], **changes}}}


def test_pods_have_to_fit_into_what_its_nodes_have_free() -> None:
    (place,) = places(existing())
    assert place.rooms[0].cpu <= 6000
    assert place.rooms[0].memory <= 12 * 1024
    assert place.rooms[0].less(Room()).volumes == 110
    assert list(too_much([place])) == []
    assert list(doubts([place], production=False)) == []
    small = places(existing(cluster=pools(memory="2Gi")))
    assert "cluster.pools.all: pods ask for" in next(too_much(small))
    assert "3 nodes of pool all have" in next(too_much(small))


def test_a_file_that_is_too_large_for_its_cluster_is_refused(project: Project) -> None:
    folder = project(sandbox=existing_data(cluster=pools(cpu="500m"))) / "environments"
    with pytest.raises(ConfigError, match=r"cluster\.pools\.all: pods ask for .* cores"):
        load(folder / "sandbox.yaml")


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"network": {"vpc": {"name": "x"}, **EXISTING["network"]}}, "cluster: network.vpc must be left out"),
    ({"network": {"cluster_subnet": "10.244.0.0/16"}}, "cluster: network.service_subnet is missing"),
    ({"network": {"service_subnet": "10.96.0.0/16"}}, "cluster: network.cluster_subnet is missing"),
    ({"provider": "aws"}, "cluster: provider must be 'digitalocean' or 'existing', found 'aws'"),
    ({"provider": None}, "cluster: provider must be 'digitalocean' or 'existing', found 'None'"),
    ({"tags": ["x"]}, "cluster.tags: is not a known key, known are "),
    ({"maintenance_window": {}}, "cluster.maintenance_window: is not a known key"),
    ({"context": "a b"}, "cluster.context: must be the name of a context"),
    ({"storage_class": ""}, "cluster.storage_class: must be the name of a StorageClass"),
    ({"pools": {"all": {**EXISTING["pools"]["all"], "role": "workload"}}}, "cluster: pools must hold one with role"),
    (pools(min_nodes=0), "cluster: a pool with role 'system' needs min_nodes of 1 or more"),
    (pools(min_nodes=4), "cluster.pools.all: min_nodes must be at most max_nodes, found 4 and 3"),
    (pools(size="s-2vcpu-4gb"), "cluster.pools.all.size: is not a known key"),
    (
        {"load_balancer": {"service": "ClusterIP"}},
        "load_balancer.service: must be 'LoadBalancer' or 'NodePort'",
    ),
    ({"load_balancer": {"annotations": {"a b": "x"}}}, "must be the key of an annotation"),
]


@pytest.mark.parametrize(("changes", "sentence"), REFUSED, ids=[sentence[:40] for _, sentence in REFUSED])
def test_what_it_cannot_be_is_refused(project: Project, changes: dict[str, Any], sentence: str) -> None:
    folder = project(sandbox=existing_data(cluster={**EXISTING, **changes})) / "environments"
    with pytest.raises(ConfigError) as caught:
        load(folder / "sandbox.yaml")
    assert sentence in str(caught.value)
    assert "cluster.existing" not in str(caught.value)


def test_a_key_of_the_other_kind_of_cluster_is_not_suggested(project: Project) -> None:
    folder = project(sandbox=environment_data(cluster__context="kind-lab")) / "environments"
    with pytest.raises(ConfigError, match=r"cluster\.context: is not a known key, known are name, ") as caught:
        load(folder / "sandbox.yaml")
    assert "did you mean" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"state": None}, "state is null, as only an existing cluster's may be"),
        (
            {"state": {"bucket": "b-b", "region": "lon1", "address": "https://s3.example.org"}},
            "state.address is only for an existing cluster",
        ),
    ],
)
def test_digitaloceans_states_are_on_spaces(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        environment(**changes)
    existing(**changes)


def test_production_on_it_has_two_nodes_or_says_why_not() -> None:
    one, two = (pools(min_nodes=number) for number in (1, 2))
    said = {"tier": "production", "reviewers": {"teams": ["a"]}, "platform__observability": {"enabled": False}}
    existing(cluster=two, **said)
    existing(cluster={**one, "allow_single_point_of_failure": True}, **said)
    with pytest.raises(ValueError, match=r"cluster\.pools of role 'system' have min_nodes of 1 in production"):
        existing(cluster=one, **said)


def beside(project: Project, **changes: Any) -> tuple[str, ...]:
    """Return what is wrong with two environments on clusters that exist."""
    other = another_environment("lab", "172.18.0.0/16")
    data = {**existing_data(cluster={**EXISTING, "name": "other", **changes}), "state": None}
    own = {key: data[key] for key in ("cluster", "region", "vpc_range", "state")}
    try:
        load_all(project(sandbox=existing_data(), lab={**other, **own}) / "environments")
    except ConfigError as error:
        return error.problems
    return ()


def test_two_of_them_may_have_the_same_ranges_and_never_one_context(project: Project) -> None:
    assert beside(project, context="kind-other") == ()
    (problem,) = beside(project, context="kind-lab")
    assert "cluster.context: 'kind-lab' is already used by" in problem


@pytest.mark.parametrize(
    ("key", "value", "effect"),
    [
        ("kept_storage_class", "other", Effect.STEPS),
        ("storage_class", "other", Effect.STEPS),
        ("context", "other", Effect.FREE),
        ("kubernetes_minor", "1.35", Effect.FREE),
        ("name", "other", Effect.REFUSED),
        ("load_balancer.service", "NodePort", Effect.REPLACES),
        ("load_balancer.annotations", {"a": "b"}, Effect.REPLACES),
        ("pools.all.cpu", "8", Effect.FREE),
        ("pools.all.min_nodes", 2, Effect.FREE),
        ("pools.all.role", None, Effect.ROLLS),
        ("network.service_subnet", "10.97.0.0/16", Effect.REFUSED),
    ],
)
def test_each_change_of_it_is_judged(key: str, value: Any, effect: Effect) -> None:
    before = existing().model_dump(mode="json")
    after = json.loads(json.dumps(before))
    put(after, f"cluster.{key}", value)
    assert {item.rule.effect for item in transitions(Environment, before, after)} == {effect}


def test_another_kind_of_cluster_is_another_environment() -> None:
    before, after = (env.model_dump(mode="json") for env in (environment(), existing()))
    found = {item.key: item.rule.effect for item in transitions(Environment, before, after)}
    assert found["cluster"] is Effect.REFUSED
    assert found["state"] is Effect.REFUSED


def test_a_tree_from_before_there_were_others_is_of_digitalocean() -> None:
    before, after = (environment().model_dump(mode="json") for _ in range(2))
    del before["cluster"]["provider"]
    assert list(transitions(Environment, before, after)) == []
