"""The cluster's login in Vault: written once the cluster is there, and again only when something differs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.purpose import Purpose
from constructs_lib.environment import Environment
from operations.provisioning.plan_report import plans_markdown
from operations.provisioning.plans import Plans
from operations.provisioning.provision import Provisioner
from operations.provisioning.stage import Stage
from operations.secrets.entries import ensure_entries
from tests.fakes.kubernetes import ISSUER, FakeKubernetes, new_key
from tests.fakes.server import Fault
from tests.fakes.tofu import change
from tests.operations.conftest import Outside

PLANS = Path("plans.out")
CONFIG = "/v1/auth/jwt-sandbox/config"


@pytest.fixture
def cluster(outside: Outside) -> Iterator[FakeKubernetes]:
    """The cluster that the environment has."""
    with FakeKubernetes() as server:
        outside.digitalocean.server = server.url
        outside.digitalocean.add_cluster("episodic-sandbox")
        outside.vault.mounts["jwt-sandbox"] = "jwt"
        yield server
        assert server.refused == []


def planned(outside: Outside, env: Environment, *, prepare: bool = True, destroy: bool = False) -> Plans:
    ensure_entries(env)
    outside.synthesise(env)
    return Provisioner(env, Purpose.PLAN).plan(Stage.SERVICES, PLANS, destroy=destroy, prepare=prepare)[0]


def provisioned(outside: Outside, env: Environment) -> list[str]:
    """Plan and apply the services, and return the paths of auth methods that were written."""
    before = len(outside.vault.writes)
    Provisioner(env, Purpose.APPLY).apply(planned(outside, env), PLANS)
    return [write.path for write in outside.vault.writes[before:] if "/auth/" in write.path]


def test_a_new_cluster_can_log_in_once_its_services_are_applied(outside: Outside, cluster: FakeKubernetes) -> None:
    env = outside.environment()
    plans = planned(outside, env)
    assert [(item.stack, item.changes, item.publishes) for item in plans.stacks] == [("sandbox-flux", 0, True)]
    assert plans_markdown(plans, []).splitlines()[-1] == "- <b>sandbox-flux</b> writes into Vault too."
    assert outside.vault.auth == {}, "a plan writes nothing"
    assert provisioned(outside, env) == [CONFIG]
    assert outside.vault.auth == {
        "jwt-sandbox/config": {"jwt_validation_pubkeys": [cluster.pem], "bound_issuer": ISSUER}
    }


def test_a_second_run_writes_only_what_is_another(outside: Outside, cluster: FakeKubernetes) -> None:
    env = outside.environment()
    provisioned(outside, env)
    assert planned(outside, env).changes == 0
    assert provisioned(outside, env) == []
    cluster.key = new_key()
    assert planned(outside, env).changes == 1
    assert provisioned(outside, env) == [CONFIG]


@pytest.mark.usefixtures("cluster")
def test_vault_is_told_before_flux_comes_that_needs_it(outside: Outside) -> None:
    env = outside.environment()
    outside.tofu.changes["sandbox-flux"] = [change("terraform_data.flux")]
    outside.vault.faults.append(Fault("POST", CONFIG, status=403))
    with pytest.raises(ConfigError, match="forbids auth/jwt-sandbox/config"):
        provisioned(outside, env)
    assert outside.tofu.calls("apply") == []
    assert provisioned(outside, env)
    assert len(outside.tofu.calls("apply")) == 1


@pytest.mark.usefixtures("cluster")
def test_a_mount_that_vaults_owner_has_not_enabled_is_named(outside: Outside) -> None:
    outside.vault.mounts.clear()
    with pytest.raises(ConfigError, match=r"auth/jwt-sandbox is not enabled; run `bin/operations vault apply` with"):
        provisioned(outside, outside.environment())


def test_a_cluster_whose_api_server_vault_asks_is_known_by_its_address(
    outside: Outside, cluster: FakeKubernetes
) -> None:
    auth = {"method": "kubernetes", "mount": "k8s", "role": "r", "audiences": ["one", "two"]}
    outside.vault.mounts["k8s"] = "kubernetes"
    provisioned(outside, outside.environment(vault__auth=auth))
    assert outside.vault.auth == {
        "k8s/config": {
            "kubernetes_host": cluster.url,
            "kubernetes_ca_cert": outside.digitalocean.ca.decode().strip(),
            "disable_local_ca_jwt": True,
        }
    }


@pytest.mark.usefixtures("cluster")
def test_an_approle_is_its_owners_matter(outside: Outside) -> None:
    outside.vault.put("episodic/sandbox/provisioning", vault_secret_id="sid", **outside.account)
    approle = {"method": "approle", "mount": "approle", "role_id": "role"}
    assert provisioned(outside, outside.environment(vault__auth=approle)) == []
    assert outside.vault.auth == {}


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize(("prepare", "destroy"), [(False, False), (True, True)])
def test_a_look_and_an_end_tell_vault_nothing(outside: Outside, prepare: bool, destroy: bool) -> None:
    plans = planned(outside, outside.environment(), prepare=prepare, destroy=destroy)
    assert [item.publishes for item in plans.stacks] == [False]


def test_answers_of_vault_that_are_lost_change_nothing(
    outside: Outside, cluster: FakeKubernetes, slept: list[float]
) -> None:
    env = outside.environment()
    lost = [Fault("POST", f".*/{path}", lost=True) for path in ("config",)]
    outside.vault.faults += lost
    provisioned(outside, env)
    assert [fault.times for fault in lost] == [0]
    assert set(outside.vault.auth) == {"jwt-sandbox/config"}
    assert provisioned(outside, env) == []
