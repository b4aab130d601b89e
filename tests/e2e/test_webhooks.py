"""What the real operators refuse a rehearsal shows, and our rules say it before: rule = reality, without a node."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from constructs_lib.base.change import Effect
from constructs_lib.base.transition import transitions
from constructs_lib.environment import Environment
from constructs_lib.kit import FLUX_NAMESPACE, Manifest, namespace
from constructs_lib.platform import cloudnative_pg, rabbitmq_operator
from gitops_render.fields import fields
from gitops_render.immutable import unchangeable
from gitops_render.objects import items_of
from gitops_render.tree import render
from gitops_render.write import write
from operations.rehearsal.flux import CONTROLLER, secret_of
from operations.rehearsal.rehearsal import rehearse
from operations.rehearsal.webhooks import KINDS, PROGRAMS, ask, brought
from tests.chart_facts.helm import helm_path, with_charts
from tests.e2e.cluster import BIN, CRDS, TOOLS, Cluster
from tests.e2e.conftest import require
from tests.support import environment, environment_data

SMALL = {"platform__observability": {"enabled": False}}
LIMIT = {"name": "limit", "vhost": "episodic", "definition": {"max-length": 10}}
MAY = {"vhost": "a_b"}
POSTGRES, RABBITMQ = "cloudnative_pg", "rabbitmq_operator"
BROKER = {"vhosts": ["episodic", "other", "a_b", "a-c"], "policies": [LIMIT], "replicas": 3, "storage": "10Gi"}
USER = {"name": "episodic", "permissions": [MAY]}
ASKED = ("cloudnative-pg", "messaging-topology-operator")
TLS: Manifest = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "main-rabbitmq-tls", "namespace": rabbitmq_operator.NAMESPACE},
    "stringData": {"tls.crt": "x", "tls.key": "x", "ca.crt": "x"},
}
"""What cert-manager would make: the operator asks whether it is there."""
KEPT = "are all forbidden"
PATIENCE_SECONDS = 300


@pytest.fixture(scope="module", autouse=True)
def tools() -> None:
    """Skip where the programs are not built: those of the operators are there where the real node is."""
    require(*TOOLS, CONTROLLER)
    for tool in (*(program.tool for program in PROGRAMS), "cluster-operator"):
        if not (BIN / tool).exists():
            pytest.skip(f"{tool} is not built (make -C tools node)")


def changed(key: str, **changes: Any) -> dict[str, Any]:
    """Return the settings of the sandbox with its first cluster of a component changed."""
    found = copy.deepcopy(environment_data()["platform"][key]["clusters"])
    found[0] |= changes
    return {f"platform__{key}": {"clusters": found}}


OLD = {
    **changed(POSTGRES, databases=[{"name": "a_b", "owner": "episodic"}]),
    **changed(RABBITMQ, **BROKER, users=[USER]),
}


def objects(settings: dict[str, Any], *kinds: str, name: str | None = None) -> list[Manifest]:
    """Return the objects of these kinds, or that of a name, of an environment with these settings."""
    items = items_of(render(environment(**SMALL, **settings)).owned)
    return [item.data for item in items if item.kind in kinds and name in {item.name, None}]


def effects(old: dict[str, Any], new: dict[str, Any]) -> set[Effect]:
    """Return what our rules say of a change of settings."""
    before, after = (environment(**SMALL, **settings).model_dump(mode="json") for settings in (old, new))
    return {one.rule.effect for one in transitions(Environment, before, after)}


def test_a_rehearsal_asks_the_operators(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if CRDS.is_dir():
        monkeypatch.setenv("CRDS", str(CRDS))
    moved = changed(RABBITMQ, **BROKER | {"policies": [{**LIMIT, "vhost": "other"}]}, users=[USER])
    new = {**moved, **changed(POSTGRES, storage="9Gi", memory="3Gi")}
    for name, settings in (("old", OLD), ("new", new)):
        write(tmp_path / name, "sandbox", render(environment(**SMALL, **settings)))
    found = rehearse("sandbox", tmp_path / "old", tmp_path / "new")
    assert (found.asked, found.before) == (ASKED, {})
    assert found.refused.keys() == {"layer databases-configs", "layer messaging-topology"}
    assert "can't shrink existing storage from 10Gi to 9Gi" in found.refused["layer databases-configs"]
    assert KEPT in found.refused["layer messaging-topology"]


@with_charts
def test_what_charts_make_is_installed_and_their_webhooks_are_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HELM", helm_path() or "")
    marked = {"replicas": 1, "extra_values": {"traefik": {"deployment": {"podAnnotations": {"a": "b"}}}}}
    new = {**OLD, "platform__cert_manager": {"replicas": 2}, "platform__traefik": marked}
    for name, settings in (("old", OLD), ("new", new)):
        write(tmp_path / name, "sandbox", render(environment(**SMALL, **settings)))
    found = rehearse("sandbox", tmp_path / "old", tmp_path / "new")
    assert (found.before, found.refused, found.unrendered) == ({}, {}, ())
    assert set(found.asked) == {program.tool for program in PROGRAMS}
    assert "Deployment traefik traefik" in found.fates["restarted"]
    assert "Deployment cert-manager cert-manager-webhook" in found.fates["changed"]


@pytest.fixture(scope="module")
def operators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """An API server with the operators of Postgres and RabbitMQ, and what the environment has of these."""
    with Cluster(tmp_path_factory.mktemp("operators") / "cluster") as server:
        came = [*brought({"postgresql.cnpg.io", "rabbitmq.com"})]
        server.apply(*(item for item in came if item["kind"] not in KINDS))
        server.kubectl("wait", "crd", "--all", "--for=condition=Established", "--timeout=240s")
        server.apply(*map(namespace, (FLUX_NAMESPACE, cloudnative_pg.NAMESPACE, rabbitmq_operator.NAMESPACE)))
        assert ask(server, came) == ASKED
        options = ("--health-probe-bind-address=127.0.0.1:0", "--metrics-bind-address=0")
        own = {"OPERATOR_NAMESPACE": FLUX_NAMESPACE, "ENABLE_WEBHOOKS": "false", "KUBECONFIG": str(server.kubeconfig)}
        server.start("cluster-operator", *options, **own)
        secrets = map(secret_of, objects(OLD, "ExternalSecret"))
        server.apply(*(item for item in secrets if item["metadata"]["namespace"] == rabbitmq_operator.NAMESPACE))
        server.apply(TLS)
        mine = objects(OLD, "Cluster", "Database", "RabbitmqCluster", "Vhost", "User", "Permission", "Policy")
        eventually(lambda: server.apply(*mine, code=None).count("serverside-applied") == len(mine), "all is applied")
        yield server


def eventually(condition: Any, what: str) -> None:
    """Wait until something is so."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.5)


class Try(NamedTuple):
    """A change of settings, the object that it changes, and what a webhook says of that; nothing if it takes it."""

    kind: str
    name: str
    new: dict[str, Any]
    refusal: str = ""


TRIES = [
    Try("Cluster", "main", changed(POSTGRES, storage="9Gi"), "can't shrink existing storage from 10Gi to 9Gi"),
    Try("Cluster", "main", changed(POSTGRES, storage="11Gi")),
    Try(
        "Database",
        "main-a-b",
        changed(POSTGRES, databases=[{"name": "a__b", "owner": "episodic"}]),
        "name is immutable",
    ),
    Try("Policy", "main-limit", changed(RABBITMQ, **BROKER | {"policies": [{**LIMIT, "vhost": "other"}]}), KEPT),
    Try("Policy", "main-limit", changed(RABBITMQ, **BROKER | {"policies": [{**LIMIT, "pattern": "x"}]})),
    Try("Vhost", "main-a-c", changed(RABBITMQ, **BROKER | {"vhosts": ["episodic", "other", "a_b", "a_c"]}), KEPT),
    Try(
        "Permission",
        "main-episodic-a-b",
        changed(
            RABBITMQ,
            **BROKER | {"vhosts": ["episodic", "other", "a-b", "a-c"]},
            users=[{"name": "episodic", "permissions": [{"vhost": "a-b"}]}],
        ),
        KEPT,
    ),
    Try(
        "Permission",
        "main-episodic-a-b",
        changed(RABBITMQ, **BROKER, users=[{"name": "episodic", "permissions": [{"vhost": "a_b", "read": "x"}]}]),
    ),
]


@pytest.mark.parametrize("tried", TRIES, ids=lambda tried: f"{tried.name} {tried.refusal or 'taken'}")
def test_a_rule_refuses_what_a_webhook_refuses_and_nothing_else(operators: Cluster, tried: Try) -> None:
    new = {**OLD, **tried.new}
    (before,), (after,) = (objects(settings, tried.kind, name=tried.name) for settings in (OLD, new))
    said = operators.apply(after, dry_run=True, code=1 if tried.refusal else 0)
    assert tried.refusal in said
    ours = unchangeable(before, after, list(fields(before, after)))
    assert (bool(ours) or Effect.REFUSED in effects(OLD, new)) is bool(tried.refusal)


@pytest.mark.parametrize(
    ("change", "condition"),
    [
        ({"replicas": 1}, "Cluster Scale down not supported; tried to scale cluster from 3 nodes to 1 nodes"),
        ({"storage": "9Gi"}, "shrinking persistent volumes is not supported"),
    ],
)
def test_what_a_rule_refuses_rabbitmqs_operator_never_does(
    operators: Cluster, change: dict[str, Any], condition: str
) -> None:
    def made() -> Manifest:
        return operators.get("statefulset", "main-server", rabbitmq_operator.NAMESPACE) or {}

    eventually(made, "the operator makes the nodes")
    before = made()["spec"]
    new = {**OLD, **changed(RABBITMQ, **BROKER | change, users=[USER])}
    assert effects(OLD, new) == {Effect.REFUSED}
    operators.apply(*objects(new, "RabbitmqCluster"))
    log = operators.folder / "cluster-operator.log"
    eventually(lambda: condition in log.read_text(), "the operator says that it does not")
    after = made()["spec"]
    assert (after["replicas"], after["volumeClaimTemplates"]) == (before["replicas"], before["volumeClaimTemplates"])
    operators.apply(*objects(OLD, "RabbitmqCluster"))
