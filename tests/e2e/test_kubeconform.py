"""kubeconform accepts every rendered custom resource, strictly."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from constructs_lib.environment import Environment, load_all
from tests.e2e.conftest import require
from tests.e2e.test_api_server import objects
from tests.gitops_render.test_schemas import SCHEMAS
from tests.support import ROOT, everything

BUILT_IN = (
    "v1",
    "admissionregistration.k8s.io/v1",
    "batch/v1",
    "networking.k8s.io/v1",
    "policy/v1",
    "rbac.authorization.k8s.io/v1",
)


def conform(text: str) -> dict[str, int]:
    """Return kubeconform's summary: how many objects are valid, invalid, in error, skipped."""
    location = f"{SCHEMAS}/{{{{.Group}}}}/{{{{.ResourceKind}}}}_{{{{.ResourceAPIVersion}}}}.json"
    command = ["tools/bin/kubeconform", "-strict", "-summary", "-output", "json", "-schema-location", location, "-"]
    environ = {"PATH": os.environ["PATH"], "HOME": str(Path.home())}
    result = subprocess.run(
        command, cwd=ROOT, env=environ, input=text, capture_output=True, text=True, timeout=120, check=False
    )
    return json.loads(result.stdout)["summary"]


@pytest.mark.skipif(not SCHEMAS.is_dir(), reason=f"no schemas in {SCHEMAS}; set CRD_SCHEMAS")
@pytest.mark.parametrize("env", [*load_all(ROOT / "environments"), everything()], ids=lambda env: env.name)
def test_every_custom_resource_is_valid(env: Environment) -> None:
    require("kubeconform")
    items = [item for item in objects(env) if item["apiVersion"] not in BUILT_IN]
    summary = conform("\n---\n".join(map(yaml.safe_dump, items)))
    assert summary == {"valid": len(items), "invalid": 0, "errors": 0, "skipped": 0}
    items[0]["spec"]["unheard_of"] = True
    assert conform(yaml.safe_dump(items[0]))["invalid"] == 1


EXTRA: dict[str, dict[str, Any]] = {
    "vault_eso": {"ClusterSecretStore/vault": {"refreshInterval": 300}},
    "cert_manager": {"Certificate/internal-ca": {"revisionHistoryLimit": 3}},
    "traefik": {"Middleware/rate-limit": {"rateLimit": {"burst": 7}}},
    "cloudnative_pg": {"Cluster/main": {"logLevel": "debug"}, "Pooler/main-pooler": {"pgbouncer": {"paused": True}}},
    "rabbitmq_operator": {"RabbitmqCluster/main": {"skipPostDeploySteps": True}},
    "valkey_operator": {"Valkey/main": {"clusterDomain": "other.local"}},
    "observability": {"OpenTelemetryCollector/gateway": {"terminationGracePeriodSeconds": 90}},
}
"""A field that we never set, of objects of each component that has custom resources."""


def custom(env: Environment) -> list[dict[str, Any]]:
    """Return the custom resources to which somebody adds fields."""
    named = {address for extra in EXTRA.values() for address in extra}
    return [item for item in objects(env) if f"{item['kind']}/{item['metadata']['name']}" in named]


def with_fields(fields: dict[str, dict[str, Any]]) -> Environment:
    """Return an environment with everything on and these fields beside ours."""
    env = everything()
    parts = {
        name: getattr(env.platform, name).model_copy(update={"extra_spec": extra}) for name, extra in fields.items()
    }
    return env.model_copy(update={"platform": env.platform.model_copy(update=parts)})


@pytest.mark.skipif(not SCHEMAS.is_dir(), reason=f"no schemas in {SCHEMAS}; set CRD_SCHEMAS")
def test_fields_that_somebody_adds_are_held_to_the_schema_too() -> None:
    require("kubeconform")
    ours = custom(everything())
    items = custom(with_fields(EXTRA))
    assert len(items) == len(ours) == sum(map(len, EXTRA.values()))
    assert not [item for item in items if item in ours], "each has its field"
    assert conform("\n---\n".join(map(yaml.safe_dump, items)))["valid"] == len(items)
    misspelt = {name: {address: {"unheardOf": True} for address in extra} for name, extra in EXTRA.items()}
    text = "\n---\n".join(map(yaml.safe_dump, custom(with_fields(misspelt))))
    assert conform(text)["invalid"] == len(items)
