"""How what holds data is closed, and may go."""

from __future__ import annotations

from typing import Any

import pytest

from constructs_lib.environment import Environment
from constructs_lib.kit import KEEP_IN_FLUX
from constructs_lib.platform import OPERATORS
from tests.support import environment, environment_data

COMPONENTS = ("cloudnative_pg", "rabbitmq_operator", "valkey_operator")
DATA = {kind for operator in OPERATORS for kind in operator.data}


def with_retired(component: str, retired: str | None) -> Environment:
    clusters = environment_data("staging")["platform"][component]["clusters"]
    return environment("staging", **{f"platform__{component}__clusters": [{**clusters[0], "retired": retired}]})


def objects(env: Environment, component: str) -> list[dict[str, Any]]:
    layers = env.platform.by_name[component].layers(env)
    return [item for layer in layers for item in layer.manifests]


def kept(env: Environment, component: str) -> set[bool]:
    """Return whether what holds data is kept, of all such objects."""
    marks = [item["metadata"].get("annotations", {}) for item in objects(env, component) if item["kind"] in DATA]
    assert marks
    return {KEEP_IN_FLUX.items() <= mark.items() for mark in marks}


@pytest.mark.parametrize("component", COMPONENTS)
def test_only_what_may_be_deleted_is_not_kept(component: str) -> None:
    assert kept(with_retired(component, None), component) == {True}
    assert kept(with_retired(component, "closed"), component) == {True}
    assert kept(with_retired(component, "deletable"), component) == {False}


@pytest.mark.parametrize("component", COMPONENTS)
def test_what_is_retired_has_all_that_it_had(component: str) -> None:
    def names(retired: str | None) -> list[tuple[str, str]]:
        return [
            (item["kind"], item["metadata"]["name"]) for item in objects(with_retired(component, retired), component)
        ]

    assert names("closed") == names("deletable") == names(None)


@pytest.mark.parametrize("component", COMPONENTS)
def test_no_application_reaches_what_is_retired(component: str) -> None:
    def from_apps(retired: str | None) -> int:
        env = with_retired(component, retired)
        apps = [app.pods for app in env.applications.values()]
        return sum(link.source in apps for link in env.platform.by_name[component].links(env))

    assert from_apps(None) > 0
    assert from_apps("closed") == from_apps("deletable") == 0
