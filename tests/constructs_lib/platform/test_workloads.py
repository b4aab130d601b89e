"""What components say that their pods ask for is what charts and operators make of our settings, by the facts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from constructs_lib.base.errors import ConfigError
from constructs_lib.environment import Environment
from constructs_lib.environment.nodes import DIGITALOCEANS_OWN
from constructs_lib.kit import Room, Workload, workload
from tests.chart_facts.cluster import Pod, Running
from tests.chart_facts.committed import committed, environments
from tests.constructs_lib.platform.collected import COMPONENTS
from tests.support import environment

ENVIRONMENTS = {env.name: env for env in environments()}
IN_PLACE_OF_AN_INSTANCE = ("initdb", "join", "full-recovery")
"""Jobs of CloudNativePG, which run before the instance whose volumes they fill."""


def asked(pod: Pod) -> Room:
    """Return what a pod asks for by the facts: all containers at once, or one that goes before them."""
    sizes = {name: one(container) for name, container in pod.containers.items()}
    first = [room for name, room in sizes.items() if name.startswith("init ")]
    rest = Room.of((Room(), *(room for name, room in sizes.items() if not name.startswith("init "))))
    return Room(*map(max, zip(rest, *first, strict=True)))


def one(container: dict[str, Any]) -> Room:
    return workload("", "", {"resources": container}).each


def by_facts(env: Environment) -> dict[str, Pod]:
    found = {f"{pod.namespace}/{pod.name}": pod for pod in Running(env).pods}
    return {name: pod for name, pod in found.items() if not name.endswith(IN_PLACE_OF_AN_INSTANCE)}


def differing(env: Environment) -> Iterator[tuple[str, int]]:
    """Yield how many pods charts make in one of the project's own environments, where that is not as with all on."""
    names = {pod.name: f"{pod.namespace}/{pod.name}" for pod in Running(env).pods}
    for component in COMPONENTS:
        for paths in committed(component)["differences"].get(env.name, {}).values():
            for path, value in paths.items():
                kind, _, rest = path.partition("|")
                name, _, fact = rest.rpartition("|")
                if (kind, fact) == ("pods", "replicas"):
                    yield names[name], value


def said(env: Environment) -> dict[str, Workload]:
    every = [*DIGITALOCEANS_OWN, *env.platform.workloads(env)]
    assert len({str(item) for item in every}) == len(every), "two workloads have one name"
    return {str(item): item for item in every}


@pytest.mark.parametrize("env", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_every_pod_of_the_facts_is_said_and_no_other(env: Environment) -> None:
    own = {str(item) for item in DIGITALOCEANS_OWN}
    known, told = by_facts(env).keys() - own, said(env).keys() - own
    assert known == told, "correct workloads(), or run `make chart-facts CHARTS=<folder of charts>`"


@pytest.mark.parametrize("env", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_what_is_said_is_what_the_facts_say(env: Environment) -> None:
    told = said(env)
    pods = {name: pod for name, pod in by_facts(env).items() if name not in map(str, DIGITALOCEANS_OWN)}
    assert {name: told[name].each for name in pods} == {
        name: asked(pod)._replace(volumes=pod.facts.get("volumes", 0)) for name, pod in pods.items()
    }


@pytest.mark.parametrize("env", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_there_are_as_many_pods_as_the_facts_say(env: Environment) -> None:
    told = said(env)
    facts = {name: replicas for name, pod in by_facts(env).items() if (replicas := pod.facts.get("replicas"))}
    facts |= {name: replicas for name, replicas in differing(env) if name in facts}
    assert len(facts) > 15
    assert {name: told[name].pods for name in facts} == facts


@pytest.mark.parametrize("env", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_pods_are_counted_where_they_are_placed(env: Environment) -> None:
    told = said(env)
    for name, pod in by_facts(env).items():
        selector = pod.facts.get("node_selector", {})
        if not name.startswith("kube-system"):
            assert told[name].selector.get("pool-role") == selector.get("pool-role"), name
        assert told[name].every_node == pod.name.startswith("DaemonSet/"), name


@pytest.mark.parametrize(
    "values",
    [
        {"deployment": {"replicas": "3"}},
        {"deployment": {"replicas": 1.5}},
        {"resources": "small"},
        {"resources": {"requests": "small"}},
        {"tolerations": "all"},
        {"nodeSelector": "system"},
    ],
)
def test_values_of_a_type_that_a_chart_does_not_have_are_told_with_their_component(values: dict[str, Any]) -> None:
    env = environment(platform__traefik={"extra_values": {"traefik": values}})
    told = "platform.traefik: extra_values or extra_spec set something to another type than it has"
    with pytest.raises(ConfigError, match=told):
        list(env.platform.workloads(env))


def test_a_mistake_of_ours_is_not_called_one_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def mistaken(*_: object) -> None:
        raise AttributeError

    env = environment()
    monkeypatch.setattr(type(env.platform.traefik), "workloads", mistaken)
    with pytest.raises(AttributeError):
        list(env.platform.workloads(env))
