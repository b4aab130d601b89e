"""What is accepted and yet said as a warning."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from constructs_lib.environment import load
from constructs_lib.environment.concerns import concerns
from tests.support import ROOT, environment, environment_data


@pytest.mark.parametrize("name", ["sandbox", "staging", "production"])
def test_nothing_is_said_of_the_shipped_environments(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert load(ROOT / f"environments/{name}.yaml")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"cluster__kubernetes_minor": "1.37"},
            "cluster.kubernetes_minor: is '1.37', and nothing newer than '1.36' was",
        ),
        ({"cluster__protected": False}, "cluster.protected: is false in production, so that one run may destroy"),
        ({"cluster__control_plane_allowed_addresses": []}, "cluster.control_plane_allowed_addresses: is empty in prod"),
        (
            {"platform__cert_manager__issuer": "letsencrypt-staging"},
            "platform.cert_manager.issuer: is letsencrypt-staging",
        ),
        (
            {
                "platform__rabbitmq_operator": {"clusters": [{"name": "main", "replicas": 1}]},
            },
            "platform.rabbitmq_operator.clusters[0].replicas: is 1 in production, so that 'main' stops with the node",
        ),
        (
            {"platform__valkey_operator": {"clusters": [{"name": "main", "replicas": 0}]}},
            "platform.valkey_operator.clusters[0].replicas: is 0 in production",
        ),
    ],
)
def test_what_may_go_wrong_in_production_is_said(changes: dict[str, Any], sentence: str) -> None:
    assert list(concerns(environment("production"))) == []
    (said,) = concerns(environment("production", **changes))
    assert said.startswith(sentence)


def test_one_instance_of_postgres_is_said_with_its_place(
    project: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    data = environment_data("production")
    data["platform"]["cloudnative_pg"]["clusters"][0]["instances"] = 1
    path = project(production=data) / "environments/production.yaml"
    load(path)
    line = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if text.strip() == "instances: 1")
    where = f"warning: {path}:{line}: platform.cloudnative_pg.clusters[0].instances: is 1 in production"
    assert capsys.readouterr().err.startswith(where)


def test_a_sandbox_may_be_as_it_likes() -> None:
    assert list(concerns(environment(cluster__protected=False))) == []
