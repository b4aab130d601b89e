"""Jobs that make copies, rehearse them, and bring them back: what they may, when they are, what they are told."""

from __future__ import annotations

from typing import Any

import pytest

from constructs_lib.environment import Environment
from constructs_lib.platform.recovery import CopyRecovery
from constructs_lib.platform.recovery.copies import PATIENT
from tests.support import environment

ORIGIN = {"archive": "lost-3", "until": "2026-01-31T04:00:00Z"}
SERVICES = {"rabbitmq_operator": ("messaging", "rabbitmq"), "valkey_operator": ("cache", "valkey")}


def with_main(component: str, file: str = "sandbox", **settings: Any) -> Environment:
    return environment(file, **{f"platform__{component}": {"clusters": [{"name": "orders", **settings}]}})


def found(env: Environment, kind: str, namespace: str) -> dict[str, dict[str, Any]]:
    every = (item for layer in env.layers for item in layer.manifests if item["kind"] == kind)
    return {item["metadata"]["name"]: item for item in every if item["metadata"].get("namespace") == namespace}


def pod(job: dict[str, Any]) -> dict[str, Any]:
    return job["template"]["spec"]


def jobs(component: str, **settings: Any) -> dict[str, dict[str, Any]]:
    """Return the job that copies, the one that rehearses, and the one that brings back."""
    namespace, _ = SERVICES[component]
    env = with_main(component, **settings)
    scheduled = found(env, "CronJob", namespace)["orders-copy"], found(env, "CronJob", f"{namespace}-drills")["orders"]
    made = [item["spec"]["jobTemplate"]["spec"] for item in scheduled]
    made += [item["spec"] for item in found(env, "Job", namespace).values()]
    return dict(zip(("copy", "drill", "recover"), made, strict=False))


def told(container: dict[str, Any]) -> dict[str, Any]:
    return {item["name"]: item.get("value", item.get("valueFrom")) for item in container["env"]}


def steps(job: dict[str, Any]) -> dict[str, dict[str, Any]]:
    spec = pod(job)
    return {item["name"]: item for item in (*spec["initContainers"], *spec["containers"])}


@pytest.mark.parametrize(
    ("rpo", "schedule"),
    [
        ("2h", f"7 {','.join(map(str, range(24)))} * * *"),
        ("8h", "7 0,4,8,12,16,20 * * *"),
        ("24h", "7 0,12 * * *"),
        ("48h", "7 0 * * *"),
    ],
)
def test_a_copy_is_made_after_half_of_what_may_be_lost(rpo: Any, schedule: str) -> None:
    assert CopyRecovery(rpo=rpo).schedule == schedule


@pytest.mark.parametrize("component", SERVICES)
def test_what_copies_has_no_rights_and_no_token_and_fails_once(component: str) -> None:
    for does, job in jobs(component, recovery={"rto": "7m"}, recover_from=ORIGIN).items():
        spec = pod(job)
        assert (spec["serviceAccountName"], spec["automountServiceAccountToken"]) == ("copies", False)
        assert (job["backoffLimit"], spec["restartPolicy"]) == (0, "Never")
        assert job["activeDeadlineSeconds"] == (1800 if does == "copy" else 420)
        assert spec["securityContext"]["runAsNonRoot"] is True
        for container in steps(job).values():
            assert container["securityContext"]["readOnlyRootFilesystem"] is True


@pytest.mark.parametrize(("component", "service"), [(name, item[1]) for name, item in SERVICES.items()])
def test_only_the_step_that_reaches_the_bucket_has_its_key(component: str, service: str) -> None:
    for job in jobs(component, recover_from=ORIGIN).values():
        for name, container in steps(job).items():
            assert ("AWS_SECRET_ACCESS_KEY" in told(container)) is (name in ("put", "get"))
    copy, drill, recover = (steps(job) for job in jobs(component, recover_from=ORIGIN).values())
    assert [*copy][-1] == "put"
    assert next(iter(drill)) == next(iter(recover)) == "get"
    said = told(copy["put"])
    assert (said["BUCKET"], said["KEY"]) == ("episodic-sandbox-backups", f"{service}/orders-1.tar.gz")
    assert PATIENT.items() <= said.items()
    assert said["ENDPOINT"] == "https://lon1.digitaloceanspaces.com"
    assert told(drill["get"]).get("UNTIL") is None
    assert told(drill["get"])["KEY"] == said["KEY"], "a drill reads what is written, not what was recovered"
    wanted = told(recover["get"])
    assert (wanted["KEY"], wanted["UNTIL"]) == (f"{service}/lost-3.tar.gz", "2026-01-31T04:00:00Z")


@pytest.mark.parametrize("component", SERVICES)
def test_a_drill_reaches_the_bucket_and_nothing_else_and_knows_no_password(component: str) -> None:
    namespace, _ = SERVICES[component]
    env = with_main(component)
    closed = found(env, "NetworkPolicy", f"{namespace}-drills")
    assert closed.keys() == {"default-deny", "allow-dns", "orders"}
    (rule,) = closed["orders"]["spec"]["egress"]
    assert closed["orders"]["spec"]["policyTypes"] == ["Egress"]
    assert (rule["ports"], rule["to"][0]["ipBlock"]["cidr"]) == ([{"port": 443, "protocol": "TCP"}], "0.0.0.0/0")
    job = jobs(component)["drill"]
    volumes = {next(key for key in item if key != "name") for item in pod(job)["volumes"]}
    assert volumes == {"emptyDir", "configMap"}
    (quota,) = found(env, "ResourceQuota", f"{namespace}-drills").values()
    assert quota["spec"]["hard"]["pods"] == "1"


@pytest.mark.parametrize(
    ("file", "said", "schedule"),
    [("production", {}, "30 4 * * 0"), ("sandbox", {}, "30 4 1 * *"), ("sandbox", {"drill": "daily"}, "30 4 * * *")],
)
@pytest.mark.parametrize("component", SERVICES)
def test_drills_are_as_often_as_those_of_postgres(component: str, file: str, said: Any, schedule: str) -> None:
    namespace, _ = SERVICES[component]
    env = with_main(component, file, recovery=said)
    assert found(env, "CronJob", f"{namespace}-drills")["orders"]["spec"]["schedule"] == schedule


@pytest.mark.parametrize("component", SERVICES)
def test_what_brings_a_copy_back_runs_once_for_each_copy_and_applications_wait_for_it(component: str) -> None:
    namespace, _ = SERVICES[component]
    env = with_main(component, recover_from=ORIGIN, recovery={"rto": "7m"})
    ((name, job),) = found(env, "Job", namespace).items()
    assert job["metadata"]["annotations"]["kustomize.toolkit.fluxcd.io/ssa"] == "IfNotPresent"
    assert "ttlSecondsAfterFinished" not in job["spec"], "it would run again"
    (layer,) = (layer for layer in env.layers if job in layer.manifests)
    assert (layer.blocks_apps, layer.timeout, str(layer.ready[0].kind)) == (True, "7m", "Job")
    (other,) = found(with_main(component, recover_from={"archive": "lost-3"}), "Job", namespace)
    assert name != other
    assert not found(with_main(component), "Job", namespace)


def test_the_check_reaches_the_server_word_by_word() -> None:
    broker = steps(jobs("rabbitmq_operator", recovery={"check": "list_queues -p 'a b' name"})["drill"])["broker"]
    assert broker["command"] == ["sh", "/scripts/drill.sh", "list_queues", "-p", "a b", "name"]
    valkey = steps(jobs("valkey_operator", recovery={"check": "EXISTS 'a b'"})["drill"])["drill"]
    assert valkey["command"][2:] == ["EXISTS", "a b"]


def test_every_node_of_a_valkey_cluster_is_asked_and_its_size_is_loaded_again() -> None:
    made = jobs("valkey_operator", shards=2, replicas=1, memory="1Gi")
    nodes = [f"orders-{number}.orders-headless.cache.svc" for number in range(4)]
    assert steps(made["copy"])["snapshot"]["command"] == ["sh", "/scripts/snapshot.sh", *nodes]
    assert steps(made["drill"])["drill"]["resources"]["limits"]["memory"] == "1Gi"
    (room,) = (item["emptyDir"] for item in pod(made["copy"])["volumes"] if item["name"] == "room")
    assert room == {"sizeLimit": "4096Mi"}


def test_who_copies_a_broker_may_look_and_do_nothing() -> None:
    env = with_main("rabbitmq_operator", vhosts=["shop"])
    user = found(env, "User", "messaging")["orders-backups"]["spec"]
    assert (user["tags"], user["importCredentialsSecret"]) == (["management"], {"name": "orders-backups"})
    (right,) = found(env, "Permission", "messaging").values()
    assert right["spec"]["permissions"] == {"configure": "^$", "write": "^$", "read": "^$"}
    look = steps(jobs("rabbitmq_operator")["copy"])["look"]
    assert told(look)["NAME"]["secretKeyRef"]["name"] == "orders-backups"
    declare = steps(jobs("rabbitmq_operator", recover_from=ORIGIN)["recover"])["declare"]
    assert told(declare)["PASSWORD"]["secretKeyRef"]["name"] == "orders-default-user"
    assert told(declare)["BROKER"] == "https://orders.messaging.svc:15671"
