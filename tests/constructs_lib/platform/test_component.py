"""What every component has: its switch, values merged last, and charts from the mirror."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from constructs_lib.base.errors import ConfigError
from constructs_lib.environment import Environment
from constructs_lib.health import Health
from constructs_lib.kit import Chart, Layer, LayerId, Release, manifest
from constructs_lib.platform.component import Component
from tests.support import environment


class Example(Component):
    """A component of one release."""

    def health(self, env: Environment) -> Health:
        raise NotImplementedError

    def build(self, env: Environment) -> Iterator[Layer]:
        chart = Chart("https://charts.example.org", "example", "1.2.3")
        broker = manifest("example.org/v1", "Broker", "main", "a", spec={"size": {"cpu": 1}})
        yield Layer(LayerId("a", "x"), (Release("example", "a", chart, {"x": {"y": 1}}), broker))


def test_extra_values_are_merged_last() -> None:
    (built,) = Example(extra_values={"example": {"x": {"z": 2}}}).layers(environment())
    assert built.releases[0].values == {"x": {"y": 1, "z": 2}}


def test_extra_values_of_an_unknown_release() -> None:
    with pytest.raises(ConfigError, match="unknown release 'exmple', known are example; did you mean 'example'"):
        list(Example(extra_values={"exmple": {}}).layers(environment()))


def test_fields_of_an_object_are_merged_last() -> None:
    (built,) = Example(extra_spec={"Broker/main": {"size": {"memory": 2}}}).layers(environment())
    assert built.manifests[0]["spec"] == {"size": {"cpu": 1, "memory": 2}}


def test_fields_of_an_unknown_object() -> None:
    with pytest.raises(ConfigError, match="extra_spec: unknown object 'Broker/mian', known are Broker/main; did you"):
        list(Example(extra_spec={"Broker/mian": {}}).layers(environment()))


def test_a_component_is_on_and_says_nothing_more_than_it_must() -> None:
    example, env = Example(), environment()
    assert (example.enabled, example.extra_values, example.extra_spec) == (True, {}, {})
    assert (list(example.namespaces(env)), list(example.links(env)), example.operators) == ([], [], ())


def test_charts_come_from_the_mirror() -> None:
    (built,) = Example().layers(environment(chart_mirror="oci://mirror.example.org/charts"))
    assert built.releases[0].chart == Chart("oci://mirror.example.org/charts", "example", "1.2.3")


def test_the_platform_asks_those_that_are_on_alone() -> None:
    env = environment(platform__valkey_operator={"enabled": False})
    assert list(env.platform.by_name) == list(type(env.platform).model_fields)
    assert "valkey_operator" in env.platform.by_name
    assert not {"valkey_operator", "external_dns"} & env.platform.enabled.keys()
    names = [item["metadata"]["name"] for item in env.platform.namespaces(env)]
    assert not {"cache", "external-dns"} & set(names)
    assert {"traefik", "databases", "episodic"} <= set(names)
    assert "valkey_operator" not in env.platform.health(env)
    assert not [link for link in env.platform.links(env) if "cache" in str(link)]
