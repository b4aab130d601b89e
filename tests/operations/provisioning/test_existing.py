"""An environment on a cluster that is there already: a context of the kubeconfig, and no account of DigitalOcean."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.purpose import Purpose
from constructs_lib.environment import Environment
from operations.bootstrap.bootstrap import refuse_shared_team
from operations.clients.digitalocean import DigitalOcean
from operations.clients.kubernetes import about, cluster_client, context_client
from operations.provisioning.host import unanswered
from operations.provisioning.provision import Provisioner
from operations.provisioning.stage import Stage
from operations.review.doctor import looks
from operations.review.status import status
from operations.rotation.deploy_key import rotate_deploy_key
from operations.rotation.in_cluster import in_cluster
from operations.rotation.passphrase import place_of
from operations.secrets.credentials import credentials_of, secrets_of
from operations.secrets.entries import brought, ensure_entries, public_deploy_key, source_key
from operations.secrets.spaces_keys import bucket_keys
from tests.fakes.kubernetes import FakeKubernetes
from tests.fakes.tofu import change
from tests.operations.conftest import PASSPHRASE, Outside
from tests.support import ON_EXISTING

PLANS = Path("plans.out")
BUCKET = {"bucket": "lab-state", "region": "lab", "address": "https://s3.example.org"}


@pytest.fixture
def server(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeKubernetes]:
    """The cluster, by the context `kind-lab` of a kubeconfig."""
    with FakeKubernetes() as server:
        named = {"cluster": "lab", "user": "lab"}
        config = {
            "clusters": [{"name": "lab", "cluster": {"server": server.url}}],
            "users": [{"name": "lab", "user": {"token": "of the user"}}],
            "contexts": [{"name": "kind-lab", "context": named}, {"name": "other", "context": named}],
            "current-context": "other",
        }
        path = outside.folder / "kubeconfig"
        path.write_text(yaml.safe_dump(config))
        monkeypatch.setenv("KUBECONFIG", path.name)  # the test runs in its folder, and OpenTofu elsewhere
        outside.vault.mounts["jwt-sandbox"] = "jwt"
        outside.vault.put("episodic/sandbox/provisioning")
        outside.vault.put("episodic/sandbox/provisioning/plan")
        outside.vault.put("episodic/sandbox/platform/backups", access_key_id="B", secret_access_key="of backups")
        yield server
    assert outside.digitalocean.requests == []


def lab(outside: Outside, **changes: Any) -> Environment:
    """Return the environment, with its stacks written and what can be made in Vault."""
    env = outside.environment(**{**ON_EXISTING, **changes})
    ensure_entries(env)
    outside.tofu.changes["sandbox-flux"] = [change("terraform_data.x")]
    outside.synthesise(env)
    return env


def provisioned(env: Environment, *, destroy: bool = False) -> None:
    plans, _ = Provisioner(env, Purpose.PLAN).plan(Stage.SERVICES, PLANS, destroy=destroy, prepare=True)
    assert [(item.stack, item.changes) for item in plans.stacks] == [("sandbox-flux", 1)]
    Provisioner(env, Purpose.APPLY).apply(plans, PLANS)


def test_flux_is_brought_to_its_context_with_the_users_own_credentials(
    outside: Outside, server: FakeKubernetes
) -> None:
    env = lab(outside)
    provisioned(env)
    (applied,) = outside.tofu.calls("apply")
    assert applied.environ["KUBE_CONFIG_PATHS"] == str(outside.folder / "kubeconfig")
    assert {"TF_VAR_cluster_token", "TF_VAR_cluster_host"}.isdisjoint(applied.environ)
    assert applied.environ["TF_VAR_state_passphrase"] == PASSPHRASE
    assert outside.spaces.buckets() == []
    assert outside.vault.auth["jwt-sandbox/config"]["jwt_validation_pubkeys"] == [server.pem]


def test_flux_is_given_the_key_of_its_bucket_and_no_deploy_key(outside: Outside, server: FakeKubernetes) -> None:
    bucket = {"source": {"bucket": "lab-tree", "region": "lab", "address": "https://s3.example.org"}}
    outside.vault.put("episodic/sandbox/flux", access_key_id="T", secret_access_key="of the tree")
    env = lab(outside, **bucket)
    assert ("sandbox/flux", ("access_key_id", "secret_access_key")) in list(brought(env))
    assert "deploy_key" not in outside.vault.held("episodic/sandbox/flux")
    provisioned(env)
    (planned, applied) = (outside.tofu.calls(command)[0].environ for command in ("plan", "apply"))
    assert (applied["TF_VAR_source_access_key_id"], applied["TF_VAR_source_secret_access_key"]) == ("T", "of the tree")
    assert planned["TF_VAR_source_secret_access_key"] == "given when it is applied"
    assert "TF_VAR_flux_deploy_key" not in applied
    for ask in (public_deploy_key, rotate_deploy_key):
        with pytest.raises(
            ConfigError, match=r"sandbox.yaml: source: Flux follows a bucket, so sandbox has no deploy key"
        ):
            ask(env)
    assert server.key_type == "RSA"


def test_the_key_of_the_bucket_that_flux_follows_has_to_be_there(outside: Outside, server: FakeKubernetes) -> None:
    bucket = {"source": {"bucket": "lab-tree", "region": "lab", "address": "https://s3.example.org"}}
    with pytest.raises(ConfigError, match="episodic/sandbox/flux: access_key_id: is missing; add it"):
        lab(outside, **bucket)
    with pytest.raises(ConfigError, match="episodic/sandbox/flux: access_key_id: is missing; add it"):
        source_key(outside.environment(**{**ON_EXISTING, **bucket}), Purpose.APPLY)
    assert server.requests == []


@pytest.mark.parametrize("stage", [Stage.FOUNDATION, Stage.DNS])
def test_there_is_nothing_to_make_for_it_but_services(outside: Outside, server: FakeKubernetes, stage: Stage) -> None:
    plans, readings = Provisioner(lab(outside), Purpose.PLAN).plan(stage, PLANS, destroy=False, prepare=True)
    assert (plans.stacks, plans.waiting, readings) == ([], [], [])
    assert server.requests == []


def test_its_end_and_its_drift_are_planned_without_a_bucket(outside: Outside, server: FakeKubernetes) -> None:
    env = lab(outside)
    provisioned(env, destroy=True)
    (reading,) = Provisioner(env, Purpose.DRIFT).drift(PLANS)
    assert (reading.stack, server.url != "") == ("sandbox-flux", True)


def test_its_state_may_be_in_any_s3_with_a_key_that_a_person_brings(outside: Outside, server: FakeKubernetes) -> None:
    env = outside.environment(**{**ON_EXISTING, "state": BUCKET})
    assert ("sandbox/provisioning/state", ("access_key_id", "secret_access_key")) in list(brought(env))
    held = credentials_of(env, Purpose.PLAN)
    assert (held.state_access_key_id, held.digitalocean_token) == ("STATE", "")
    assert (held.spaces_access_key_id, server.url != "") == ("STATE", True)


def test_a_state_in_files_needs_no_key(outside: Outside, server: FakeKubernetes) -> None:
    outside.vault.put("episodic/sandbox/provisioning/state", state_passphrase=PASSPHRASE)
    assert credentials_of(lab(outside), Purpose.APPLY).state_passphrase == PASSPHRASE
    bucket = outside.environment(**{**ON_EXISTING, "state": BUCKET})
    with pytest.raises(ConfigError, match="provisioning/state: access_key_id: is missing"):
        credentials_of(bucket, Purpose.APPLY)
    assert server.requests == []


def test_nobody_is_asked_for_an_account_of_digitalocean(outside: Outside) -> None:
    env = outside.environment(**ON_EXISTING, platform__cert_manager__dns_challenge=None)
    names = {name for _, found in brought(env) for name in found}
    assert names == {"access_key_id", "secret_access_key"}, "the key of the bucket for backups"
    assert bucket_keys(env) == {}
    refuse_shared_team([env])
    assert outside.digitalocean.requests == []


def test_what_a_state_in_files_cannot_is_told(outside: Outside, server: FakeKubernetes) -> None:
    env = lab(outside)
    with pytest.raises(ConfigError, match=r"sandbox.yaml: state is null, so it stays in the folder states; "):
        Provisioner(env, Purpose.APPLY).migrate("sandbox-flux")
    with pytest.raises(ConfigError, match=r"sandbox.yaml: state is null, and states in files are not written again; "):
        place_of(env)
    assert server.requests == []


def test_services_of_mode_apply_are_found_in_files_when_the_mode_changes(
    outside: Outside, server: FakeKubernetes
) -> None:
    env = lab(outside)
    state = outside.folder / "states/sandbox-platform.tfstate"
    state.parent.mkdir()
    state.write_text("encrypted")
    outside.tofu.resources["sandbox-platform"] = [{"type": "helm_release", "values": {}}]
    outside.tofu.save()
    with pytest.raises(ConfigError, match="mode: is render, and sandbox-platform still holds what mode apply made"):
        Provisioner(env, Purpose.PLAN).plan(Stage.SERVICES, PLANS, destroy=False, prepare=True)
    (path,) = (outside.folder / "cdktf.out/ended/stacks").glob("*/cdk.tf.json")
    assert "../../../states/sandbox-platform.tfstate" in path.read_text()
    assert server.url


def test_a_context_that_is_not_there_is_told(outside: Outside, server: FakeKubernetes) -> None:
    with pytest.raises(ConfigError, match=r"context missing: .*; see `kubectl config get-contexts`, or let KUBECONFIG"):
        context_client("missing")
    assert context_client("kind-lab").configuration.host == server.url
    assert outside.folder


def test_the_cluster_says_its_version_and_the_platforms_nodes(outside: Outside, server: FakeKubernetes) -> None:
    client = cluster_client(DigitalOcean(""), lab(outside)).api_client
    server.app.add_url_rule("/version/", "version", lambda: _VERSION)
    server.objects["/api/v1/nodes"] = {"items": []}
    with pytest.raises(ConfigError, match="no node has the label pool-role=system: nothing would start; "):
        about(client)
    server.objects["/api/v1/nodes"] = {"items": [{"metadata": {"name": "a"}}]}
    assert about(client) == "v1.36.1, 1 nodes with pool-role=system"
    (asked,) = {request.path for request in server.requests if "nodes" in request.path}
    assert asked.endswith("labelSelector=pool-role%3Dsystem")
    assert next(status(lab(outside), DigitalOcean(""))) == ("cluster", "v1.36.1, 1 nodes with pool-role=system")


_VERSION = {
    **dict.fromkeys(("buildDate", "compiler", "gitCommit", "gitTreeState", "goVersion", "platform"), "x"),
    "gitVersion": "v1.36.1",
    "major": "1",
    "minor": "36",
}


def test_secrets_are_read_from_its_context(outside: Outside, server: FakeKubernetes) -> None:
    env = lab(outside)
    server.put_secret("flux-system", "deploy-key", identity="key")
    cluster = in_cluster(env, secrets_of(env, Purpose.BOOTSTRAP))
    assert cluster is not None
    held = cluster.secret("flux-system", "deploy-key")
    assert held is not None
    assert held.values == {"identity": "key"}


def test_its_host_is_asked_without_a_balancer_of_digitalocean(outside: Outside, server: FakeKubernetes) -> None:
    (sentence,) = unanswered(lab(outside), DigitalOcean(""))
    assert "make the records A ingress.sandbox.episodic.example and A *.sandbox.episodic.example" in sentence
    assert sentence.endswith("with the address of Traefik's Service")
    assert server.requests == []


def test_the_doctor_looks_at_the_cluster_and_at_no_account(outside: Outside, server: FakeKubernetes) -> None:
    (outside.tofu.folder / "tofu").write_text("#!/bin/sh\necho 'OpenTofu v1.12.6'\n")
    server.app.add_url_rule("/version/", "version", view_func=lambda: _VERSION)
    server.objects["/api/v1/nodes"] = {"items": [{"metadata": {"name": "a"}}]}
    env = outside.environment(**ON_EXISTING, platform__cert_manager__dns_challenge=None)
    found = {look.what: look for look in looks(env)}
    assert [*found] == ["OpenTofu", "Git", "Vault and GitHub", "Cluster", "Dates"]
    assert {what: look.todo for what, look in found.items() if look.todo} == {}
    assert found["Cluster"].found == "v1.36.1, 1 nodes with pool-role=system"
