"""Flux: what it follows, where it runs, and that its secrets are in no file."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from constructs_lib.cloud.fluxcd import OPERATOR_CHART, Flux
from constructs_lib.kit import FLUX_NAMESPACE, Release
from tests.chart_facts import helm
from tests.chart_facts.values import silent
from tests.support import Synthesised, environment, synthesised

APPROLE = {"method": "approle", "mount": "approle", "role_id": "role-1"}
ON_SYSTEM_POOL = {
    "nodeSelector": {"pool-role": "system"},
    "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
}


def flux(file: str = "sandbox", /, **changes: Any) -> Synthesised:
    env = environment(file, **changes)
    return synthesised(lambda stack: Flux(stack, "flux", env=env))


def values(stack: Synthesised, release: str) -> dict[str, Any]:
    (text,) = stack.only("helm_release", name=release)["values"]
    return json.loads(text)


def objects(stack: Synthesised) -> dict[str, Any]:
    """Return what the instance's release makes, by kind."""
    return {item["kind"]: item for item in values(stack, "flux")["objects"]}


def instance(stack: Synthesised) -> dict[str, Any]:
    return objects(stack)["FluxInstance"]["spec"]


def test_the_instance_follows_the_environments_folder() -> None:
    assert instance(flux("staging"))["sync"] == {
        "name": "flux-system",
        "kind": "GitRepository",
        "interval": "1m",
        "url": "ssh://git@github.com/df12-test/episodic-gitops.git",
        "ref": "refs/heads/main",
        "path": "clusters/staging",
        "pullSecret": "flux-system",
    }


def test_the_distribution_is_exact_and_follows_no_moving_tag() -> None:
    assert instance(flux())["distribution"] == {"version": "2.9.4", "registry": "ghcr.io/fluxcd"}


def test_only_the_controllers_that_something_uses_run() -> None:
    assert instance(flux())["components"] == [
        "source-controller",
        "kustomize-controller",
        "helm-controller",
        "notification-controller",
    ]


def test_tenants_are_locked_down() -> None:
    cluster = instance(flux())["cluster"]
    assert cluster["type"] == "kubernetes"
    assert cluster["multitenant"] is True
    assert cluster["tenantDefaultServiceAccount"] == "default"
    assert cluster["networkPolicy"] is True


@pytest.mark.parametrize(("file", "size"), [("sandbox", "small"), ("staging", "medium"), ("production", "medium")])
def test_the_size_follows_the_tier(file: str, size: str) -> None:
    assert instance(flux(file))["cluster"]["size"] == size


@pytest.mark.parametrize("file", ["sandbox", "production"])
def test_what_waits_keeps_nothing_else_waiting(file: str) -> None:
    env = environment(file)
    patches = instance(flux(file))["kustomize"]["patches"]
    arguments = [
        (patch["target"]["name"], change["value"])
        for patch in patches
        for change in json.loads(patch["patch"])
        if change["path"] == "/spec/template/spec/containers/0/args/-"
    ]
    assert sorted(arguments) == [
        ("helm-controller", f"--concurrent={sum(len(layer.releases) for layer in env.layers)}"),
        ("kustomize-controller", f"--concurrent={len(env.layers) + 4}"),
        ("kustomize-controller", "--feature-gates=CancelHealthCheckOnNewRevision=true"),
    ]


def test_flux_runs_on_the_system_pool() -> None:
    stack = flux()
    operator = values(stack, "flux-operator")
    assert {key: operator[key] for key in ON_SYSTEM_POOL} == ON_SYSTEM_POOL
    patch, *_ = instance(stack)["kustomize"]["patches"]
    assert patch["target"] == {"kind": "Deployment"}
    assert {step["op"] for step in json.loads(patch["patch"])} == {"add"}
    applied = {step["path"].removeprefix("/spec/template/spec/"): step["value"] for step in json.loads(patch["patch"])}
    assert applied == ON_SYSTEM_POOL


def test_the_operator_is_critical_and_shows_no_page() -> None:
    operator = values(flux(), "flux-operator")
    assert operator["priorityClassName"] == "system-cluster-critical"
    assert operator["web"] == {"enabled": False}
    assert operator["resources"]["requests"] == {"cpu": "100m", "memory": "128Mi"}


def test_the_release_is_done_when_flux_is_ready() -> None:
    job = objects(flux())["Job"]
    assert job["metadata"]["name"] == "wait-for-flux"
    pod = job["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == "flux-operator"
    assert {key: pod[key] for key in ON_SYSTEM_POOL} == ON_SYSTEM_POOL
    assert pod["containers"][0]["command"] == [
        *("kubectl", "wait", "--for=condition=Ready", "--timeout=5m", "--namespace", "flux-system"),
        "fluxinstance.fluxcd.controlplane.io/flux",
    ]


def test_secrets_are_written_once_unless_the_revision_is_raised() -> None:
    variable = flux().data["variable"]["secrets_revision"]
    assert (variable["type"], variable["default"], variable["nullable"]) == ("number", 1, False)


def test_the_instance_comes_after_what_it_needs() -> None:
    stack = flux(vault__auth=APPROLE)
    needed = set(stack.only("helm_release", name="flux")["depends_on"])
    (last,) = stack.addresses - needed
    assert last.startswith("helm_release.flux_instance")


@pytest.mark.parametrize(("release", "is_undone"), [("flux-operator", True), ("flux", False)])
def test_releases_wait_and_a_root_that_fails_does_not_undo_flux(release: str, is_undone: bool) -> None:
    found = flux().only("helm_release", name=release)
    assert (found["wait"], found["atomic"], found["cleanup_on_fail"]) == (True, is_undone, is_undone)
    assert found["max_history"] == 5
    assert (found["timeout"], found["namespace"], found["create_namespace"]) == (600, "flux-system", False)


def test_the_operators_chart_is_pinned() -> None:
    found = flux().only("helm_release", name="flux-operator")
    assert found["version"] == "0.58.1"
    assert found["repository"] == "oci://ghcr.io/controlplaneio-fluxcd/charts"


def test_the_chart_comes_from_the_mirror() -> None:
    found = flux(chart_mirror="https://charts.internal").only("helm_release", name="flux-operator")
    assert found["repository"] == "https://charts.internal"


def test_the_deploy_key_is_write_only() -> None:
    stack = flux()
    secret = stack.only("kubernetes_secret_v1")
    assert secret["data_wo"]["identity"] == "${var.flux_deploy_key}"
    assert "github.com ssh-ed25519 " in secret["data_wo"]["known_hosts"]
    assert secret["data_wo_revision"] == "${var.secrets_revision}"
    assert "data" not in secret
    variable = stack.data["variable"]["flux_deploy_key"]
    assert (variable["ephemeral"], variable["sensitive"]) == (True, True)
    assert "default" not in variable


def test_only_approle_needs_a_secret_of_vault() -> None:
    assert "vault_secret_id" not in flux().data["variable"]
    stack = flux(vault__auth=APPROLE)
    variable = stack.data["variable"]["vault_secret_id"]
    assert (variable["ephemeral"], variable["sensitive"]) == (True, True)
    secrets = [item for item in stack.all("kubernetes_secret_v1").values() if "secret-id" in item["data_wo"]]
    assert [secret["data_wo"] for secret in secrets] == [{"secret-id": "${var.vault_secret_id}"}]


def test_runtime_info_shares_its_object_with_flux() -> None:
    info = flux("production").only("kubernetes_config_map_v1")
    assert (info["metadata"]["name"], info["metadata"]["namespace"]) == ("flux-runtime-info", "flux-system")
    assert info["metadata"]["annotations"] == {"kustomize.toolkit.fluxcd.io/ssa": "Merge"}
    assert info["metadata"]["labels"] == {"reconcile.fluxcd.io/watch": "Enabled"}
    assert info["data"] == {
        "ENVIRONMENT": "production",
        "CLUSTER_NAME": "episodic-production",
        "CLUSTER_REGION": "lon1",
        "DOMAIN": "episodic.example",
        "VAULT_ADDRESS": "https://vault.episodic.example:8200",
    }


def test_the_namespace_is_restricted() -> None:
    labels = flux().only("kubernetes_namespace_v1")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def operator_release() -> Release:
    return Release("flux-operator", FLUX_NAMESPACE, OPERATOR_CHART, values(flux(), "flux-operator"))


@helm.with_charts
def test_every_value_of_the_operators_chart_changes_what_it_makes() -> None:
    assert list(silent(operator_release())) == []


@helm.with_charts
@pytest.mark.parametrize("file", ["sandbox", "production"])
def test_the_instance_is_one_as_the_operator_knows_it(file: str) -> None:
    made = helm.objects(helm.template(operator_release()))
    (definition,) = (item for item in made if item["metadata"]["name"] == "fluxinstances.fluxcd.controlplane.io")
    (version,) = definition["spec"]["versions"]
    instance = objects(flux(file))["FluxInstance"]
    assert instance["apiVersion"] == f"{definition['spec']['group']}/{version['name']}"
    jsonschema.validate(instance, strict(version["schema"]["openAPIV3Schema"]))


@helm.with_charts
def test_the_job_that_waits_runs_as_the_operator() -> None:
    made = helm.objects(helm.template(operator_release()))
    accounts = [item["metadata"]["name"] for item in made if item["kind"] == "ServiceAccount"]
    pod = objects(flux())["Job"]["spec"]["template"]["spec"]
    assert accounts == [pod["serviceAccountName"]]


def strict(schema: Any) -> Any:
    """Return a schema that knows no other fields than those it names, as the API server reads it."""
    if not isinstance(schema, dict):
        return schema
    closed = {"additionalProperties": False} if "properties" in schema else {}
    return {**closed, **{key: strict(value) for key, value in schema.items()}}
