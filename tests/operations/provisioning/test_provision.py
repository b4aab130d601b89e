"""An environment's stacks: which, in which order, what is applied, and what may be destroyed."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.purpose import Purpose
from operations.clients.spaces import Spaces
from operations.provisioning import needs
from operations.provisioning.plan_report import plans_markdown, readings_markdown
from operations.provisioning.planning import Reading
from operations.provisioning.plans import PlannedStack, Plans, read_plans
from operations.provisioning.provision import Provisioner, stacks_of
from operations.provisioning.refusals import EPHEMERAL, refuse_destruction
from operations.provisioning.stage import Stage
from operations.secrets.entries import ensure_entries
from tests.fakes.spaces import ACCESS_KEY, SECRET_KEY
from tests.fakes.tofu import change
from tests.operations.conftest import PASSPHRASE, Outside
from tests.support import environment

PLANS = Path("plans.out")
TAG = "digitalocean_tag.x"
NO_DNS = {"platform__cert_manager__dns_challenge": None}


@pytest.mark.parametrize(
    ("mode", "stage", "destroy", "kinds"),
    [
        ("render", Stage.FOUNDATION, False, ["state", "cluster"]),
        ("render", Stage.SERVICES, False, ["flux"]),
        ("apply", Stage.SERVICES, False, ["flux", "platform"]),
        ("render", Stage.FOUNDATION, True, ["cluster"]),
        ("apply", Stage.SERVICES, True, ["platform", "flux"]),
        ("render", Stage.DNS, False, ["dns"]),
        ("render", Stage.DNS, True, ["dns"]),
    ],
)
def test_a_stage_has_its_stacks_in_order_and_ends_in_reverse_but_for_the_state(
    mode: str, stage: Stage, destroy: bool, kinds: list[str]
) -> None:
    assert stacks_of(environment(mode=mode), stage, destroy=destroy) == [f"sandbox-{kind}" for kind in kinds]


def test_a_sandbox_may_be_destroyed_without_more_words() -> None:
    refuse_destruction(environment(), None)


@pytest.mark.parametrize("confirmed", [None, "", "sandbox", "Staging"])
def test_a_later_tier_has_to_be_confirmed_by_its_name(confirmed: str | None) -> None:
    env = environment("staging", cluster__protected=False)
    refuse_destruction(env, "staging")
    with pytest.raises(ConfigError) as told:
        refuse_destruction(env, confirmed)
    assert str(told.value) == f"destroying staging: has to be confirmed by its name, found '{confirmed or ''}'"


def test_what_tests_made_needs_no_confirmation() -> None:
    env = environment("staging", cluster__protected=False)
    assert EPHEMERAL == "eph-"
    refuse_destruction(env.model_copy(update={"name": "eph-1"}), None)
    with pytest.raises(ConfigError, match="destroying my-eph-1: has to be confirmed"):
        refuse_destruction(env.model_copy(update={"name": "my-eph-1"}), None)


def test_a_protected_cluster_is_never_destroyed() -> None:
    for env in (environment(cluster__protected=True), environment("production")):
        sentence = f"environments/{env.name}.yaml: cluster.protected is true; set it to false and apply that first"
        with pytest.raises(ConfigError, match=sentence):
            refuse_destruction(env, env.name)


def plans(*stacks: PlannedStack, destroy: bool = False, prepared: bool = True) -> Plans:
    return Plans(environment="sandbox", stage=Stage.FOUNDATION, destroy=destroy, prepared=prepared, stacks=[*stacks])


def test_a_login_that_is_to_be_told_is_a_change_too() -> None:
    assert plans().changes == 0
    planned = [
        PlannedStack(stack="sandbox-flux", changes=0, publishes=True),
        PlannedStack(stack="sandbox-cluster", changes=6),
    ]
    assert plans(*planned).changes == 7


def test_a_plan_to_look_at_is_not_applied(tmp_path: Path) -> None:
    (tmp_path / "plans.json").write_text(plans(prepared=False).model_dump_json())
    with pytest.raises(ConfigError, match="was planned to be looked at alone; plan with --prepare what is to be"):
        read_plans(tmp_path, environment())
    written = plans(prepared=False, destroy=True)
    (tmp_path / "plans.json").write_text(written.model_dump_json())
    assert read_plans(tmp_path, environment()) == written, "nothing is prepared for an end"


def test_plans_are_read_as_they_were_written(tmp_path: Path) -> None:
    written = plans(PlannedStack(stack="sandbox-state", changes=1), destroy=True)
    written.waiting.append("sandbox-flux")
    (tmp_path / "plans.json").write_text(written.model_dump_json())
    assert read_plans(tmp_path, environment()) == written
    with pytest.raises(ConfigError, match=r"plans.json: is of environment sandbox, not of staging; plan that one"):
        read_plans(tmp_path, environment("staging"))


@pytest.mark.parametrize("text", [None, "not JSON", "{}", '{"environment": "sandbox", "stage": "other"}'])
def test_a_folder_without_plans_is_told(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "plans.json").write_text(text)
    with pytest.raises(ConfigError, match=r"plans.json: is no list of plans; plan first"):
        read_plans(tmp_path, environment())


def test_a_first_look_makes_nothing(outside: Outside) -> None:
    env = outside.environment()
    outside.tofu.changes["sandbox-state"] = [change("digitalocean_spaces_bucket.b", name="other", region="lon1")]
    outside.synthesise(env)
    written, readings = Provisioner(env, Purpose.APPLY).plan(Stage.FOUNDATION, PLANS, destroy=False, prepare=False)
    assert [(item.stack, item.changes, item.publishes) for item in written.stacks] == [
        ("sandbox-state", 1, False),
        ("sandbox-cluster", 0, False),
    ]
    assert outside.spaces.buckets() == []
    assert [reading.text for reading in readings] == ["Plan of sandbox-state\n", "Plan of sandbox-cluster\n"]
    with pytest.raises(ConfigError, match="was planned to be looked at alone"):
        read_plans(PLANS, env)


def test_a_pool_that_a_killed_run_left_is_a_change_although_its_file_has_none(outside: Outside) -> None:
    env = outside.environment()
    ensure_entries(env)
    cluster = outside.digitalocean.add_cluster(env.cluster.name)
    old, lost = ({"id": size, "name": f"system-{size}", "size": size} for size in ("s-4vcpu-8gb", "s-8vcpu-16gb"))
    cluster["node_pools"] += [{**pool, "labels": {"pool": "system"}, "count": 2, "nodes": []} for pool in (old, lost)]
    outside.tofu.resources["sandbox-cluster"] = [{"type": "digitalocean_kubernetes_node_pool", "values": old}]
    outside.synthesise(env, digitalocean_kubernetes_node_pool={"p": {}})
    provisioner = Provisioner(env, Purpose.APPLY)
    written, readings = provisioner.plan(Stage.FOUNDATION, PLANS, destroy=False, prepare=True)
    assert [(item.stack, item.changes, item.lost) for item in written.stacks] == [
        ("sandbox-state", 0, 0),
        ("sandbox-cluster", 0, 1),
    ]
    assert written.changes == 1
    sentence = "- pool <code>system-s-8vcpu-16gb</code> goes: a killed run left it"
    assert sentence in plans_markdown(written, readings)
    assert [reading.stack for reading in provisioner.drift(Path("drift"))] == ["sandbox-cluster"]
    assert outside.digitalocean.writes == []
    provisioner.apply(written, PLANS)
    assert [pool["id"] for pool in cluster["node_pools"][1:]] == ["s-4vcpu-8gb"]
    assert provisioner.plan(Stage.FOUNDATION, PLANS, destroy=False, prepare=True)[0].changes == 0
    written, readings = provisioner.plan(Stage.FOUNDATION, PLANS, destroy=True, prepare=True)
    assert (written.changes, readings[-1].notes) == (0, ()), "the cluster takes all of its pools with it"


def leave_state(outside: Outside, name: str) -> None:
    """Let the bucket hold the state of a stack that holds something."""
    outside.spaces._client().Object("episodic-sandbox-state", f"{name}.tfstate").put(Body=b"{}")  # pyright: ignore[reportPrivateUsage]
    outside.tofu.resources[name] = [{"type": "digitalocean_record", "values": {}}]
    outside.tofu.changes[name] = [change("digitalocean_record.r", "delete")]
    outside.tofu.save()


@pytest.mark.parametrize("changes", [{"dns__zone_at": "elsewhere"}, {"platform__traefik__enabled": False}])
@pytest.mark.parametrize("destroy", [False, True])
def test_records_that_the_file_has_no_more_end_by_a_plan(
    outside: Outside, changes: dict[str, object], destroy: bool
) -> None:
    env = outside.environment(**{"platform__external_dns__enabled": False, **NO_DNS, **changes})
    outside.synthesise(env)
    provisioner = Provisioner(env, Purpose.APPLY)
    assert provisioner.plan(Stage.DNS, PLANS, destroy=destroy, prepare=True)[0].stacks == []
    outside.spaces._client().create_bucket(Bucket="episodic-sandbox-state")  # pyright: ignore[reportPrivateUsage]
    assert provisioner.plan(Stage.DNS, PLANS, destroy=destroy, prepare=True)[0].stacks == []
    leave_state(outside, "sandbox-dns")
    assert [reading.stack for reading in provisioner.drift(Path("drift"))] == ["sandbox-dns"]
    written, _ = provisioner.plan(Stage.DNS, PLANS, destroy=destroy, prepare=True)
    assert [(item.stack, item.changes) for item in written.stacks] == [("sandbox-dns", 1)]
    definition = json.loads(Path("cdktf.out/ended/stacks/sandbox-dns/cdk.tf.json").read_text())
    backend = {"bucket": "episodic-sandbox-state", "key": "sandbox-dns.tfstate"}
    assert definition == {"terraform": {"backend": {"s3": backend}}, "resource": {}}
    shutil.rmtree("cdktf.out/ended")  # another job applies
    provisioner.apply(written, PLANS)
    assert [call.stack for call in outside.tofu.calls("apply")] == ["sandbox-dns"]
    outside.tofu.resources.clear()
    outside.tofu.save()
    assert provisioner.plan(Stage.DNS, PLANS, destroy=destroy, prepare=True)[0].stacks == []


def test_services_that_mode_apply_made_have_to_end_before_the_mode_changes(outside: Outside) -> None:
    env = outside.environment()
    outside.synthesise(env)
    ensure_entries(env)
    outside.digitalocean.add_cluster(env.cluster.name)
    outside.spaces._client().create_bucket(Bucket="episodic-sandbox-state")  # pyright: ignore[reportPrivateUsage]
    leave_state(outside, "sandbox-platform")
    sentence = (
        "environments/sandbox.yaml: mode: is render, and sandbox-platform still holds what mode apply made; "
        "set it back to apply, end the services (bin/operations provision plan sandbox --stage services --destroy, "
        "then provision apply), and change it then"
    )
    provisioner = Provisioner(env, Purpose.APPLY)
    for destroy in (False, True):
        with pytest.raises(ConfigError) as told:
            provisioner.plan(Stage.SERVICES, PLANS, destroy=destroy, prepare=True)
        assert str(told.value) == sentence
    (reading,) = provisioner.drift(Path("drift"))
    assert (reading.stack, reading.notes) == ("sandbox-platform", (sentence,))
    assert outside.tofu.calls("apply") == []


def test_a_new_cluster_is_not_made_where_it_would_archive_into_the_folders_of_a_lost_one(outside: Outside) -> None:
    env = outside.environment()
    outside.synthesise(env)
    backups = outside.spaces._client().create_bucket(Bucket=env.backups.bucket)  # pyright: ignore[reportPrivateUsage]
    backups.put_object(Key="postgres/main-2/wals/x", Body=b"x")
    backups.put_object(Key="postgres/main-10/wals/x", Body=b"x")
    provisioner = Provisioner(env, Purpose.APPLY)
    provisioner.plan(Stage.FOUNDATION, PLANS, destroy=False, prepare=True)
    backups.put_object(Key="postgres/main-1/wals/x", Body=b"x")
    before = len(outside.tofu.calls())
    with pytest.raises(ConfigError) as told:
        provisioner.plan(Stage.FOUNDATION, PLANS, destroy=False, prepare=True)
    assert str(told.value) == (
        "environments/sandbox.yaml: cluster.generation: bucket episodic-sandbox-backups has postgres/main-1/ of "
        "generation 1, into which nothing can be archived any more; raise it to 2"
    )
    assert len(outside.tofu.calls()) == before
    provisioner.plan(Stage.FOUNDATION, PLANS, destroy=False, prepare=False)
    provisioner.plan(Stage.FOUNDATION, PLANS, destroy=True, prepare=True)
    for changes in ({"cluster__generation": 3}, {"platform__cloudnative_pg__enabled": False}):
        Provisioner(outside.environment(**changes), Purpose.APPLY).plan(
            Stage.FOUNDATION, PLANS, destroy=False, prepare=True
        )
    outside.digitalocean.add_cluster(env.cluster.name)
    provisioner.plan(Stage.FOUNDATION, PLANS, destroy=False, prepare=True)


def test_archives_elsewhere_are_looked_for_with_the_key_that_a_person_brought(outside: Outside) -> None:
    env = outside.environment(backups__address="https://s3.example.org", backups__region="eu-central-1")
    outside.synthesise(env)
    provisioner = Provisioner(env, Purpose.APPLY)
    plans, _ = provisioner.plan(Stage.FOUNDATION, PLANS, destroy=False, prepare=True)
    with pytest.raises(ConfigError, match="episodic/sandbox/platform/backups: access_key_id: is missing; add it"):
        provisioner.apply(plans, PLANS)
    outside.vault.put("episodic/sandbox/platform/backups", access_key_id=ACCESS_KEY, secret_access_key=SECRET_KEY)
    backups = outside.spaces._client().create_bucket(Bucket=env.backups.bucket)  # pyright: ignore[reportPrivateUsage]
    provisioner.apply(plans, PLANS)
    backups.put_object(Key="postgres/main-1/wals/x", Body=b"x")
    with pytest.raises(ConfigError, match="bucket episodic-sandbox-backups has postgres/main-1/"):
        provisioner.apply(plans, PLANS)


def test_what_was_planned_is_what_is_applied_with_the_providers_of_the_plan(outside: Outside) -> None:
    env = outside.environment()
    outside.tofu.changes["sandbox-cluster"] = [change(TAG)]
    outside.synthesise(env)
    PLANS.mkdir()
    (PLANS / "old").touch()
    provisioner = Provisioner(env, Purpose.APPLY)
    written, _ = provisioner.plan(Stage.FOUNDATION, PLANS, destroy=False, prepare=True)
    assert outside.spaces.buckets() == ["episodic-sandbox-state"]
    assert not (PLANS / "old").exists()
    assert [(item.changes, item.publishes) for item in written.stacks] == [(0, False), (1, False)]
    (PLANS / "sandbox-cluster.lock.hcl").write_text("chosen by the plan")
    before = len(outside.tofu.calls())
    provisioner.apply(written, PLANS)
    assert [call.arguments for call in outside.tofu.calls("apply")] == [
        ["apply", "-json", str((PLANS / "sandbox-cluster.tfplan").absolute())]
    ]
    assert Path("cdktf.out/stacks/sandbox-cluster/.terraform.lock.hcl").read_text() == "chosen by the plan"
    assert [call.arguments[0] for call in outside.tofu.calls()[before:]].count("init") == 1


def test_services_wait_for_their_cluster(outside: Outside) -> None:
    env = outside.environment()
    ensure_entries(env)
    outside.synthesise(env)
    written, readings = Provisioner(env, Purpose.APPLY).plan(Stage.SERVICES, PLANS, destroy=False, prepare=False)
    assert (written.waiting, written.stacks, readings) == (["sandbox-flux"], [], [])
    outside.digitalocean.add_cluster(env.cluster.name)
    written, _ = Provisioner(env, Purpose.APPLY).plan(Stage.SERVICES, PLANS, destroy=False, prepare=False)
    assert (written.waiting, [item.stack for item in written.stacks]) == ([], ["sandbox-flux"])


def test_records_wait_for_their_balancer_and_need_it_no_more_at_their_end(
    outside: Outside, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    env = outside.environment()
    outside.synthesise(env)
    provisioner = Provisioner(env, Purpose.APPLY)
    sentence = (
        "environments/sandbox.yaml: dns.zone: DigitalOcean has no zone episodic.example, found none; add it there"
    )
    with pytest.raises(ConfigError, match=sentence):
        provisioner.plan(Stage.DNS, PLANS, destroy=False, prepare=True)
    assert provisioner.plan(Stage.DNS, PLANS, destroy=False, prepare=False)[0].waiting == ["sandbox-dns"]
    outside.digitalocean.add_balancer(env.balancer)
    with pytest.raises(ConfigError, match=sentence):
        provisioner.plan(Stage.DNS, PLANS, destroy=False, prepare=False)
    outside.digitalocean.zones.records["episodic.example"] = {}
    outside.digitalocean.requests.clear()
    assert provisioner.plan(Stage.DNS, PLANS, destroy=False, prepare=False)[0].waiting == []
    listed = [item.path.partition("?")[0] for item in outside.digitalocean.requests]
    assert listed == ["/v2/load_balancers", "/v2/domains"], "each is asked for once"
    outside.digitalocean.add_balancer(env.balancer, ip="")
    capsys.readouterr()
    written, readings = provisioner.plan(Stage.DNS, PLANS, destroy=False, prepare=True)
    assert (written.waiting, written.stacks) == (["sandbox-dns"], [])
    assert "- <b>sandbox-dns</b> is planned once the load balancer is there." in plans_markdown(written, readings)

    assert "wait for" not in capsys.readouterr().out, "nobody asked to wait"
    waits = list[float]()

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        outside.digitalocean.add_balancer(env.balancer)

    monkeypatch.setattr(needs, "time", SimpleNamespace(sleep=sleep, monotonic=time.monotonic))
    written, _ = provisioner.plan(Stage.DNS, PLANS, destroy=False, prepare=True, wait_seconds=60)
    assert (written.waiting, [item.stack for item in written.stacks], waits) == ([], ["sandbox-dns"], [10])

    outside.digitalocean.balancers.clear()
    written, _ = provisioner.plan(Stage.DNS, PLANS, destroy=True, prepare=True)
    assert [item.stack for item in written.stacks] == ["sandbox-dns"]
    assert outside.tofu.calls("plan")[-1].arguments[-2:] == ["-destroy", "-refresh=false"]


def test_a_record_that_is_there_is_taken_over(outside: Outside) -> None:
    env = outside.environment()
    zones = outside.digitalocean.zones
    zones.records["episodic.example"] = {}
    zones.add("episodic.example", "TXT", "ingress.sandbox", "a note")
    number = zones.add("episodic.example", "A", "ingress.sandbox", "203.0.113.1")
    outside.digitalocean.add_balancer(env.balancer)
    record = {"domain": "episodic.example", "type": "A", "name": "ingress.sandbox"}
    outside.tofu.changes["sandbox-dns"] = [change("digitalocean_record.r", **record)]
    outside.synthesise(env)
    Provisioner(env, Purpose.APPLY).plan(Stage.DNS, PLANS, destroy=False, prepare=True)
    (imported,) = outside.tofu.calls("plan")[-1].files["adopt.tf.json"]["import"]
    assert imported == {"to": "digitalocean_record.r", "id": f"episodic.example,{number}"}


def test_only_what_applies_gets_the_deploy_key_and_the_secret_id_and_only_for_flux(outside: Outside) -> None:
    approle = {"method": "approle", "mount": "approle", "role_id": "role"}
    env = outside.environment(vault__auth=approle)
    outside.vault.put("episodic/sandbox/provisioning", vault_secret_id="sid", **outside.account)
    ensure_entries(env)
    outside.synthesise(env)
    outside.digitalocean.add_cluster(env.cluster.name)
    outside.tofu.changes["sandbox-flux"] = [change(TAG)]
    outside.synthesise(env)
    key = outside.vault.held("episodic/sandbox/flux")["deploy_key"]
    for purpose in (Purpose.PLAN, Purpose.DRIFT):
        for stage in (Stage.FOUNDATION, Stage.SERVICES):
            written, _ = Provisioner(env, purpose).plan(stage, PLANS, destroy=False, prepare=False)
    Provisioner(env, Purpose.APPLY).apply(written, PLANS)
    secrets = ("TF_VAR_flux_deploy_key", "TF_VAR_vault_secret_id")
    calls = outside.tofu.calls()
    assert not any(set(secrets) & call.environ.keys() for call in calls if call.stack != "sandbox-flux")
    given = {call.arguments[0]: tuple(map(call.environ.get, secrets)) for call in calls if call.stack == "sandbox-flux"}
    assert (given["plan"], given["apply"]) == (("given when it is applied",) * 2, (key, "sid"))
    assert all(call.environ["TF_VAR_state_passphrase"] == PASSPHRASE for call in calls)


def test_what_only_looks_has_a_token_and_a_key_of_its_own(outside: Outside) -> None:
    env = outside.environment()
    outside.digitalocean.teams["looks"] = "sandbox"
    outside.vault.put("episodic/sandbox/provisioning/plan", digitalocean_token="looks", **outside.plan_key)
    outside.synthesise(env)
    names = ("DIGITALOCEAN_TOKEN", "SPACES_ACCESS_KEY_ID", "AWS_ACCESS_KEY_ID")
    seen: dict[Purpose, tuple[str, ...]] = {}
    for purpose in (Purpose.PLAN, Purpose.DRIFT, Purpose.APPLY):
        Provisioner(env, purpose).plan(Stage.FOUNDATION, PLANS, destroy=False, prepare=False)
        seen[purpose] = tuple(outside.tofu.calls("plan")[-1].environ[name] for name in names)
    assert seen == {
        Purpose.PLAN: ("looks", "PLAN", "STATE"),
        Purpose.DRIFT: ("looks", "PLAN", "STATE"),
        Purpose.APPLY: (outside.digitalocean.token, outside.account["spaces_access_key_id"], "STATE"),
    }


def test_each_plan_and_each_apply_fetches_short_lived_credentials_of_the_cluster(outside: Outside) -> None:
    env = outside.environment(cluster__kubeconfig_expire_seconds=900)
    ensure_entries(env)
    outside.tofu.changes["sandbox-flux"] = [change(TAG)]
    outside.synthesise(env)
    api = outside.digitalocean
    path = f"/v2/kubernetes/clusters/{api.add_cluster(env.cluster.name)['id']}/credentials?expiry_seconds=900"
    provisioner = Provisioner(env, Purpose.APPLY)
    assert env.state is not None
    Spaces(ACCESS_KEY, SECRET_KEY).create(env.state)

    def given_to(command: str) -> str:
        assert {item.path for item in api.requests if "/credentials" in item.path} == {path}
        return outside.tofu.calls(command)[-1].environ["TF_VAR_cluster_token"]

    api.cluster_token = "of the plan"
    written, _ = provisioner.plan(Stage.SERVICES, PLANS, destroy=False, prepare=False)
    assert given_to("plan") == "of the plan"
    api.cluster_token = "of the apply"
    provisioner.apply(written, PLANS)
    assert given_to("apply") == "of the apply"


def test_the_end_of_a_stage_is_planned_with_a_lock_and_takes_nothing_over(outside: Outside) -> None:
    env = outside.environment()
    outside.digitalocean.add_cluster(env.cluster.name)
    outside.tofu.changes["sandbox-cluster"] = [change("digitalocean_kubernetes_cluster.c", name=env.cluster.name)]
    outside.synthesise(env)
    provisioner = Provisioner(env, Purpose.APPLY)
    provisioner.plan(Stage.FOUNDATION, PLANS, destroy=False, prepare=True)
    written, readings = provisioner.plan(Stage.FOUNDATION, PLANS, destroy=True, prepare=True)
    assert written.destroy is True
    assert [item.stack for item in written.stacks] == ["sandbox-cluster"]
    assert readings[0].changes[0].actions == ("delete",)
    first, again, end = (call for call in outside.tofu.calls("plan") if call.stack == "sandbox-cluster")
    assert ("adopt.tf.json" in first.files, "adopt.tf.json" in again.files) == (False, True)
    assert end.arguments[-2:] == ["-lock=true", "-destroy"]


def test_drift_is_every_stack_that_would_change_and_nothing_is_locked(outside: Outside) -> None:
    env = outside.environment()
    ensure_entries(env)
    outside.tofu.changes = {"sandbox-cluster": [change(TAG, "update")], "sandbox-flux": [change(TAG, "delete")]}
    outside.synthesise(env)
    Provisioner(env, Purpose.APPLY).plan(Stage.FOUNDATION, PLANS, destroy=False, prepare=True)
    outside.digitalocean.add_cluster(env.cluster.name)
    writes, before = len(outside.vault.writes), len(outside.tofu.calls("plan"))
    readings = Provisioner(env, Purpose.APPLY).drift(Path("drift"))
    assert [reading.stack for reading in readings] == ["sandbox-cluster", "sandbox-flux"]
    assert all("-lock=false" in call.arguments for call in outside.tofu.calls("plan")[before:])
    assert len(outside.vault.writes) == writes


def test_a_state_is_moved_into_its_bucket_unless_one_is_there(outside: Outside) -> None:
    env = outside.environment()
    outside.synthesise(env)
    provisioner, local = Provisioner(env, Purpose.APPLY), Path("cdktf.out/stacks/sandbox-state/terraform.tfstate")
    with pytest.raises(ConfigError, match=r"sandbox-state/terraform\.tfstate: is not there; nothing to migrate"):
        provisioner.migrate("sandbox-state")
    local.write_text("{}")
    provisioner.migrate("sandbox-state")
    assert outside.spaces.buckets() == ["episodic-sandbox-state"]
    assert "-migrate-state" in outside.tofu.calls("init")[0].arguments
    assert not local.exists()
    local.write_text("{}")
    client = outside.spaces._client()  # pyright: ignore[reportPrivateUsage]
    client.Object("episodic-sandbox-state", "sandbox-state.tfstate").put(Body=b"{}")
    sentence = "bucket episodic-sandbox-state: holds a state of sandbox-state already; remove the one you want less"
    with pytest.raises(ConfigError, match=sentence):
        provisioner.migrate("sandbox-state")
    assert local.exists()


def test_a_plan_that_would_replace_the_cluster_is_refused_unless_it_is_only_looked_at(outside: Outside) -> None:
    env = outside.environment()
    outside.tofu.changes["sandbox-cluster"] = [change("digitalocean_kubernetes_cluster.c", "create", "delete")]
    outside.synthesise(env)
    with pytest.raises(ConfigError) as told:
        Provisioner(env, Purpose.APPLY).plan(Stage.FOUNDATION, PLANS, destroy=False, prepare=True)
    assert str(told.value) == (
        "environments/sandbox.yaml: region, vpc_range and cluster.network of a cluster cannot change; "
        "change them back, or add another environment and move to it"
    )
    Provisioner(env, Purpose.APPLY).plan(Stage.FOUNDATION, PLANS, destroy=False, prepare=False)


def test_the_cluster_is_planned_with_what_runs_and_no_other_stack_is(outside: Outside) -> None:
    env = outside.environment()
    cluster = outside.digitalocean.add_cluster(env.cluster.name, "1.36.9-do.0")
    cluster["node_pools"].append({"id": "p", "name": "p", "labels": {"pool": "system"}, "count": 3})
    outside.synthesise(env)
    Provisioner(env, Purpose.APPLY).plan(Stage.FOUNDATION, PLANS, destroy=False, prepare=True)
    calls = {call.stack: call.environ for call in outside.tofu.calls("plan")}
    assert calls["sandbox-cluster"]["TF_VAR_kubernetes_version"] == "1.36.9-do.0"
    assert json.loads(calls["sandbox-cluster"]["TF_VAR_pool_nodes"]) == {"system": 3}
    assert "TF_VAR_kubernetes_version" not in calls["sandbox-state"]


def test_a_plan_is_read_as_counts_and_as_opentofu_prints_it(outside: Outside) -> None:
    env = outside.environment()
    adopted = change("digitalocean_vpc.v", name="v")
    outside.digitalocean.vpcs["v-1"] = {"id": "v-1", "name": "v"}
    kinds = [("create",), ("create",), ("update",), ("delete", "create"), ("create", "delete"), ("delete",)]
    outside.tofu.changes["sandbox-cluster"] = [
        *(change(f"digitalocean_tag.{number}", *actions) for number, actions in enumerate(kinds)),
        adopted,
    ]
    outside.synthesise(env)
    provisioner = Provisioner(env, Purpose.APPLY)
    written, readings = provisioner.plan(Stage.FOUNDATION, PLANS, destroy=False, prepare=True)
    written.waiting.append("sandbox-flux")
    written.stage = Stage.SERVICES
    assert plans_markdown(written, readings).splitlines() == [
        "## Provisioning sandbox: services",
        "",
        "| stack | add | change | replace | destroy | take over |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        "| sandbox-state | 0 | 0 | 0 | 0 | 0 |",
        "| sandbox-cluster | 2 | 1 | 2 | 1 | 1 |",
        "",
        "<details>",
        "<summary><b>sandbox-cluster</b></summary>",
        "",
        "```text",
        "Plan of sandbox-cluster",
        "```",
        "",
        "</details>",
        "- <b>sandbox-flux</b> is planned once the cluster is there.",
    ]
    written.destroy = True
    assert plans_markdown(written, []).startswith("## Destroying sandbox: services\n")


def test_a_long_plan_is_cut_and_none_can_end_its_block(outside: Outside) -> None:
    (tag,) = readings = [Reading("s", [], "")]
    assert not any("<details>" in line for line in readings_markdown([tag]))
    outside.tofu.changes["sandbox-cluster"] = [change(TAG)]
    env = outside.environment()
    outside.synthesise(env)
    _, readings = Provisioner(env, Purpose.APPLY).plan(Stage.FOUNDATION, PLANS, destroy=False, prepare=False)
    long = readings[1]._replace(text="a```b" + "x" * 200_000)
    text = "\n".join(readings_markdown([long]))
    assert "a'''b" in text
    assert text.count("```") == 2
    assert 100_000 < len(text) < 101_000


def test_the_list_of_plans_is_for_machines(outside: Outside) -> None:
    env = outside.environment()
    outside.synthesise(env)
    Provisioner(env, Purpose.APPLY).plan(Stage.FOUNDATION, PLANS, destroy=False, prepare=False)
    assert json.loads((PLANS / "plans.json").read_text()) == {
        "environment": "sandbox",
        "stage": "foundation",
        "destroy": False,
        "prepared": False,
        "stacks": [
            {"stack": "sandbox-state", "changes": 0, "publishes": False, "lost": 0},
            {"stack": "sandbox-cluster", "changes": 0, "publishes": False, "lost": 0},
        ],
        "waiting": [],
    }
