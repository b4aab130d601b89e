"""Every rendered custom resource fits the schema of its kind at the version that the charts bring.

The schemas are not part of this repository: `CRD_SCHEMAS` names their folder, laid out as for kubeconform
(`<group>/<kind>_<version>.json`).
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft7Validator

from constructs_lib.environment import Environment, load_all
from gitops_render.tree import render
from tests.support import ROOT, everything

SCHEMAS = Path(os.environ.get("CRD_SCHEMAS", ROOT.parent / "shared/crd-schemas"))
BUILT_IN = (
    "v1",
    "admissionregistration.k8s.io/",
    "batch/",
    "kustomize.config.k8s.io/",
    "networking.k8s.io/",
    "policy/",
    "rbac.authorization.k8s.io/",
)


@pytest.mark.skipif(not SCHEMAS.is_dir(), reason=f"no schemas in {SCHEMAS}; set CRD_SCHEMAS")
@pytest.mark.parametrize("env", [*load_all(ROOT / "environments"), everything()], ids=lambda env: env.name)
def test_custom_resources_fit_their_schemas(env: Environment) -> None:
    rendered = render(env)
    items = {path: yaml.safe_load(data) for path, data in (rendered.owned | rendered.seeds).items()}
    custom = {path: item for path, item in items.items() if not item["apiVersion"].startswith(BUILT_IN)}
    assert len(custom) > 60
    for path, item in custom.items():
        group, _, version = item["apiVersion"].rpartition("/")
        schema = json.loads((SCHEMAS / group / f"{item['kind'].lower()}_{version}.json").read_text())
        problems = [f"{error.json_path}: {error.message}" for error in Draft7Validator(schema).iter_errors(item)]
        assert problems == [], path
