"""The platform gets over what happens to it: nothing is lost, it is whole again by itself, and alerts see it."""

from __future__ import annotations

import json
import time
from base64 import b64decode
from collections.abc import Iterator
from functools import partial

import pytest

from constructs_lib.kit import Deployment, Manifest
from constructs_lib.platform import cert_manager, cloudnative_pg, vault_eso
from constructs_lib.platform.cloudnative_pg.cluster import NAMESPACE
from tests.e2e.node import certificates, network
from tests.e2e.node.application import APP, CLUSTER, Application
from tests.e2e.node.conftest import REPORT
from tests.e2e.node.machine import SYSTEM
from tests.e2e.node.postgres import switched
from tests.e2e.node.prometheus import Prometheus
from tests.e2e.node.sandbox import SECRETS, Sandbox

OPERATORS = (cert_manager.CONTROLLER, vault_eso.CONTROLLER, cloudnative_pg.OPERATOR_PODS)
PRIMARY, POOLER = f"{CLUSTER}-1", f"{CLUSTER}-pooler"
CERTIFICATE = f"{CLUSTER}-postgres-tls"
LOGIN = f"postgres/{CLUSTER}/{APP}"
"""Where Vault has the application's password for Postgres."""

SECRET = f"{CLUSTER}-{APP}"
"""The Secret to which it comes."""


@pytest.fixture(autouse=True)
def whole(platform: Sandbox, application: Application) -> Iterator[None]:
    """What each fault leaves: an application that logs in as ever, and writes."""
    yield
    old = SECRETS[LOGIN]["password"]
    if password(platform) != old:
        rotate(platform, old)
    await_login(application, old)
    application.psql("create table faults (); drop table faults")


def password(sandbox: Sandbox) -> str:
    """Return the password that the cluster has for the application."""
    found = sandbox.cluster.get("secret", SECRET, NAMESPACE)
    assert found is not None
    return b64decode(found["data"]["password"]).decode()


def await_login(application: Application, value: str) -> None:
    """Wait until Postgres takes a password."""
    login = ("env", f"PGPASSWORD={value}", "psql", "-XAtqc", "select 1")
    application.sandbox.cluster.eventually(lambda: application.run(*login, code=None) == "1", f"Postgres takes {value}")


def rotate(sandbox: Sandbox, value: str) -> None:
    """Put another password into Vault, and have it fetched now as the runbook `secrets-sync` says."""
    sandbox.world.write(LOGIN, password=value)
    annotate = ("annotate", "externalsecret", SECRET, "-n", NAMESPACE, "--overwrite")
    sandbox.cluster.kubectl(*annotate, f"force-sync={time.time_ns()}")


def pods(sandbox: Sandbox, operator: Deployment) -> dict[str, bool]:
    """Return for each pod of an operator whether it is Ready."""
    labels = ",".join(f"{key}={value}" for key, value in operator.labels.items())
    chosen = ("-n", operator.namespace, "-l", labels, "--output=json")
    found = json.loads(sandbox.cluster.kubectl("get", "pods", *chosen))["items"]
    return {item["metadata"]["name"]: _is_ready(item) for item in found}


def _is_ready(item: Manifest) -> bool:
    conditions = item["status"].get("conditions", [])
    return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)


def test_operators_that_are_killed_are_back_and_work_again(platform: Sandbox, application: Application) -> None:
    cluster = platform.cluster
    before = {operator: pods(platform, operator) for operator in OPERATORS}
    serial = certificates.kept(cluster, NAMESPACE, CERTIFICATE)
    for operator, found in before.items():
        cluster.kubectl("delete", "pod", *found, "-n", operator.namespace, "--grace-period=0", "--force")
    certificates.renew(cluster, NAMESPACE, CERTIFICATE)
    rotate(platform, "postgres-rotated")
    service = ("service", f"{CLUSTER}-ro", "-n", NAMESPACE)
    cluster.kubectl("delete", *service)

    def are_back() -> bool:
        found = {operator: pods(platform, operator) for operator in OPERATORS}
        return all(found[operator] and all(found[operator].values()) for operator in OPERATORS) and not any(
            set(found[operator]) & set(before[operator]) for operator in OPERATORS
        )

    took = cluster.eventually(are_back, "each operator has a new pod that is Ready")
    REPORT.append(f"sandbox: operators are Ready {took:.0f} s after they were killed")
    cluster.eventually(lambda: certificates.kept(cluster, NAMESPACE, CERTIFICATE) != serial, "a certificate is renewed")
    await_login(application, "postgres-rotated")
    cluster.eventually(lambda: "NotFound" not in cluster.kubectl("get", *service, code=None), "a Service is made again")


def test_nothing_is_lost_while_vault_is_away_and_what_changed_comes_when_it_is_back(
    platform: Sandbox, application: Application, prometheus: Prometheus
) -> None:
    cluster = platform.cluster

    def is_in_step() -> bool:
        conditions = (cluster.get("externalsecret", SECRET, NAMESPACE) or {})["status"]["conditions"]
        return {item["type"]: item["status"] for item in conditions}["Ready"] == "True"

    old = password(platform)
    with network.away(cluster.middle, network.VAULT):
        rotate(platform, "postgres-elsewhere")
        # It tries for a minute before it says so.
        cluster.eventually(lambda: not is_in_step(), "the operator says that it does not reach Vault")
        cluster.eventually(lambda: "ExternalSecretNotReady" in prometheus.alerts(), "the alert waits for its time")
        assert password(platform) == old
        assert application.psql("select 1") == "1"
    took = cluster.eventually(lambda: password(platform) == "postgres-elsewhere", "the new one arrives")
    REPORT.append(f"sandbox: a changed password arrives {took:.0f} s after Vault is back")
    cluster.eventually(is_in_step, "the operator is in step with Vault")
    await_login(application, "postgres-elsewhere")


def test_the_log_is_archived_when_the_bucket_is_back_without_a_gap(
    platform: Sandbox, application: Application, prometheus: Prometheus
) -> None:
    cluster = platform.cluster
    alert = "PostgresArchivingFails"

    with network.away(cluster.middle, network.SPACES):
        written: list[str] = []
        for note in range(3):
            application.psql(f"create table lost_{note} ()")
            written.append(switched(cluster, PRIMARY))
        cluster.eventually(lambda: alert in prometheus.alerts(), "the alert waits for its time")
        assert not set(written) & set(platform.spaces.stored())
    took = cluster.eventually(lambda: set(written) <= set(platform.spaces.stored()), "all is archived")
    REPORT.append(f"sandbox: the log of Postgres is in the bucket {took:.0f} s after it is back")
    cluster.eventually(lambda: alert not in prometheus.alerts(), "the alert is over")
    application.psql("drop table lost_0, lost_1, lost_2")


def renewed(sandbox: Sandbox, namespace: str, name: str, secret: str) -> int:
    """Renew a certificate and return the serial number of the new one."""
    before = certificates.kept(sandbox.cluster, namespace, secret)
    certificates.renew(sandbox.cluster, namespace, name)
    sandbox.cluster.eventually(
        lambda: certificates.kept(sandbox.cluster, namespace, secret) != before, f"{name} is issued anew"
    )
    return certificates.kept(sandbox.cluster, namespace, secret)


def await_served(sandbox: Sandbox, serial: int, where: tuple[str, str, int], greeting: bytes = b"") -> None:
    """Wait until a pod shows a certificate on its port."""
    served = partial(certificates.served, sandbox.cluster, *where, greeting=greeting)
    took = sandbox.cluster.eventually(lambda: served() == serial, f"{where} shows the renewed certificate")
    REPORT.append(f"sandbox: {where[1]} shows a renewed certificate after {took:.0f} s")


def test_postgres_and_its_pooler_show_a_renewed_certificate(platform: Sandbox, application: Application) -> None:
    (pooler,) = pods(platform, Deployment(NAMESPACE, "pooler", {"cnpg.io/poolerName": POOLER}, deployment=POOLER))
    serial = renewed(platform, NAMESPACE, CERTIFICATE, CERTIFICATE)
    await_served(platform, serial, (NAMESPACE, PRIMARY, 5432), certificates.START_TLS)
    # The operator looks at this Secret for a pooler when it looks at the pooler, which it does every ten hours: a month
    # is left then (v1.30.0 `internal/controller/pooler_controller.go`, getPoolersUsingSecret).
    platform.cluster.kubectl("annotate", "pooler", POOLER, "-n", NAMESPACE, f"test={serial}", "--overwrite")
    await_served(platform, serial, (NAMESPACE, pooler, 5432), certificates.START_TLS)
    for host in (f"{CLUSTER}-rw", POOLER):
        assert application.psql("select 1", f"{host}.{NAMESPACE}.svc") == "1"


def test_rabbitmq_shows_a_renewed_certificate_and_valkey_when_it_starts(platform: Sandbox) -> None:
    broker = renewed(platform, "messaging", f"{CLUSTER}-rabbitmq-tls", f"{CLUSTER}-rabbitmq-tls")
    cache = renewed(platform, "cache", CLUSTER, f"{CLUSTER}-tls")
    # The runbook `certificate-expiry`: Valkey reads its certificate once.
    platform.cluster.kubectl("rollout", "restart", f"statefulset/{CLUSTER}", "-n", "cache")
    platform.cluster.kubectl("rollout", "status", f"statefulset/{CLUSTER}", "-n", "cache", "--timeout=300s")
    await_served(platform, cache, ("cache", f"{CLUSTER}-0", 6379))
    await_served(platform, broker, ("messaging", f"{CLUSTER}-server-0", 5671))


def test_pods_outlive_their_kubelet_and_every_layer_is_ready_after_all_this(
    platform: Sandbox, application: Application
) -> None:
    cluster = platform.cluster
    machine = next(item for item in cluster.machines.values() if item.pool is SYSTEM)

    def uids() -> dict[str, str]:
        found = json.loads(cluster.kubectl("get", "pods", "-A", "--output=json"))["items"]
        return {item["metadata"]["uid"]: item["metadata"]["name"] for item in found if _is_ready(item)}

    before = uids()
    machine.daemons["kubelet"].kill()
    try:
        cluster.eventually(lambda: not cluster.is_ready(machine.name), "the machine is not Ready")
    finally:
        machine.daemons["kubelet"].start()
    took = cluster.eventually(lambda: uids().items() >= before.items(), "the same pods are Ready again")
    REPORT.append(f"sandbox: all pods are Ready {took:.0f} s after their kubelet was started again")
    cluster.eventually(lambda: application.psql("select 1", code=None) == "1", "Postgres answers")
    platform.follower.apply_again()
