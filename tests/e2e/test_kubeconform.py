"""kubeconform accepts every rendered custom resource, strictly."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from constructs_lib.environment import Environment, load_all
from tests.e2e.conftest import require
from tests.e2e.test_api_server import objects
from tests.gitops_render.test_schemas import SCHEMAS
from tests.support import ROOT, everything

BUILT_IN = ("v1", "admissionregistration.k8s.io/v1", "networking.k8s.io/v1", "rbac.authorization.k8s.io/v1")


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
