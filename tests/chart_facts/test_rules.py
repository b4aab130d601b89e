"""Each rule notices the faults that it is there for."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from constructs_lib.kit import Manifest
from tests.chart_facts.cluster import Running
from tests.chart_facts.rules import ACCEPTED, RULES, accepted, problems
from tests.support import everything, parsed


def fact(release: str, *path: str, value: Any = None) -> Callable[[Running], None]:
    """Return a change of the facts of a release: the last of `path` gets `value`."""

    def change(running: Running) -> None:
        target: Any = next(facts for name, facts in running.facts if name == release)
        for key in path[:-1]:
            target = target[key] if isinstance(target, dict) else target[int(key)]
        target[path[-1]] = value

    return change


def policy(namespace: str, name: str, **changes: Any) -> Callable[[Running], None]:
    """Return a change of the specification of a network policy."""

    def change(running: Running) -> None:
        layers = (item for layer in running.env.layers for item in layer.manifests if item["kind"] == "NetworkPolicy")
        found: Manifest = next(item for item in layers if item["metadata"] == {"name": name, "namespace": namespace})
        found["spec"].update(changes)

    return change


def own(kind: str, name: str, **changes: Any) -> Callable[[Running], None]:
    """Return a change of the specification of an object of ours."""

    def change(running: Running) -> None:
        layers = (item for layer in running.env.layers for item in layer.manifests)
        found: Manifest = next(item for item in layers if (item["kind"], item["metadata"]["name"]) == (kind, name))
        found["spec"].update(changes)

    return change


def another_binding(name: str, role: str) -> Callable[[Running], None]:
    """Return a change by which an account of ours has a role."""
    binding = {
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"kind": "ClusterRole", "name": role},
    }

    def change(running: Running) -> None:
        found = running.env.layers[0]
        object.__setattr__(found, "objects", (*found.objects, binding))

    return change


def layer(name: str, **fields: Any) -> Callable[[Running], None]:
    """Return a change of the fields of a layer."""

    def change(running: Running) -> None:
        found = next(item for item in running.env.layers if str(item.id) == name)
        for key, value in fields.items():
            object.__setattr__(found, key, value)

    return change


OTHER = {"podSelector": {"matchLabels": {"app": "other"}}}
TRAEFIK, OPERATOR = ("pods", "Deployment/traefik"), ("pods", "Deployment/cloudnative-pg", "containers", "manager")
FAULTS: list[tuple[str, str, Callable[[Running], None]]] = [
    ("pod_without_policy", "traefik/Deployment/traefik", policy("traefik", "traefik", **OTHER)),
    ("link_without_pod", "nothing is traefik/traefik", fact("traefik", *TRAEFIK, "labels", value={})),
    (
        "link_without_pod",
        "outside -> traefik/traefik: 8443",
        fact("traefik", *TRAEFIK, "containers", "traefik", "ports", "websecure", value=9443),
    ),
    (
        "monitor_without_answer",
        "traefik/ServiceMonitor/traefik 9100: is closed",
        policy("traefik", "traefik", ingress=[]),
    ),
    (
        "monitor_without_answer",
        "traefik/ServiceMonitor/traefik 9100: is closed",
        policy("observability", "prometheus", egress=[]),
    ),
    (
        "monitor_without_answer",
        "observability/ServiceMonitor/kube-prometheus-stack-operator 10250: asks with http",
        fact(
            "kube-prometheus-stack",
            *("monitors", "ServiceMonitor/kube-prometheus-stack-operator", "endpoints", "0", "scheme"),
            value="http",
        ),
    ),
    (
        "monitor_without_answer",
        "external-secrets/ServiceMonitor/external-secrets-metrics: finds no port",
        fact("external-secrets", "services", "external-secrets-metrics", "ports", value={"other": "8080 -> metrics"}),
    ),
    (
        "monitor_without_answer",
        "traefik/ServiceMonitor/traefik: finds no port",
        fact("traefik", "monitors", "ServiceMonitor/traefik", "selector", value={"matchLabels": {"app": "other"}}),
    ),
    (
        "open_to_prometheus_for_nothing",
        "traefik/traefik: 9100",
        fact("traefik", "monitors", value={}),
    ),
    (
        "webhook_closed",
        "cnpg-validating-webhook-configuration at cnpg-system/cnpg-webhook-service:443",
        policy("cnpg-system", "operator", ingress=[]),
    ),
    (
        "webhook_closed",
        "cnpg-validating-webhook-configuration at cnpg-system/cnpg-webhook-service:443",
        fact("cloudnative-pg", "services", "cnpg-webhook-service", "selector", value={"app": "other"}),
    ),
    (
        "cpu_limited",
        "Deployment/cloudnative-pg manager",
        fact("cloudnative-pg", *OPERATOR, "limits", value={"cpu": "1"}),
    ),
    ("memory_not_limited", "Deployment/cloudnative-pg manager", fact("cloudnative-pg", *OPERATOR, "limits", value={})),
    (
        "memory_not_limited",
        "Deployment/cloudnative-pg manager",
        fact("cloudnative-pg", *OPERATOR, "requests", value={}),
    ),
    (
        "not_hardened",
        "Deployment/cloudnative-pg manager",
        fact("cloudnative-pg", *OPERATOR, "security", value=["seccomp"]),
    ),
    (
        "mighty_right",
        "traefik: escalate roles",
        fact("traefik", "mighty_rights", value={"traefik": ["escalate roles"]}),
    ),
    ("mighty_right", "trusted: is admin", another_binding("trusted", "admin")),
    ("null_field", "X/x.spec.a", fact("traefik", "nulls", value=["X/x.spec.a"])),
    ("null_field", "ClusterSecretStore/vault.spec.provider", own("ClusterSecretStore", "vault", provider=None)),
    ("off_the_system_pool", "traefik/Deployment/traefik", fact("traefik", *TRAEFIK, "node_selector", value={})),
    ("reads_all_secrets", "external-dns", fact("external-dns", "reads_secrets_everywhere", value=["external-dns"])),
    ("crd_goes_with_its_release", "x.example.org", fact("traefik", "crds", value={"deleted": ["x.example.org"]})),
    (
        "release_guards_itself",
        "cloudnative-pg: postgresql.cnpg.io/clusters",
        fact("cloudnative-pg", "makes", value=["postgresql.cnpg.io/Cluster"]),
    ),
    (
        "release_guards_itself",
        "cloudnative-pg: pods",
        fact("cloudnative-pg", "webhooks", "x", value=[{"service": "a/b:1", "failure": "Fail", "guards": ["pods"]}]),
    ),
    ("port_for_nobody", "traefik/Deployment/traefik: websecure 8443", policy("traefik", "traefik", ingress=[])),
    ("kind_not_there_yet", "cache-configs: hyperspike.io/valkeys", fact("valkey-operator", "crds", value={})),
    ("kind_not_there_yet", "messaging-configs: rabbitmq.com/rabbitmqclusters", layer("messaging-configs", after=())),
    ("secret_comes_later", "kube-prometheus-stack grafana-admin", layer("observability-controllers", after=())),
    (
        "wait_for_no_field",
        "cache-configs: Valkey ready",
        fact("valkey-operator", "status", value={"hyperspike.io/valkeys": ["conditions"]}),
    ),
    ("wait_for_no_field", "cache-configs: Valkey ready", fact("valkey-operator", "status", value={})),
    ("wait_for_no_object", "cache-configs: Valkey", layer("cache-configs", objects=())),
    ("secret_is_missing", "traefik: nowhere", fact("traefik", "needs_secrets", value={"nowhere": []})),
    (
        "secret_is_missing",
        "external-dns: digitalocean-dns secret",
        fact("external-dns", "needs_secrets", value={"digitalocean-dns": ["secret"]}),
    ),
]


@pytest.mark.parametrize(("rule", "line", "change"), FAULTS, ids=[f"{rule}-{line}" for rule, line, _ in FAULTS])
def test_a_rule_notices_its_fault(rule: str, line: str, change: Callable[[Running], None]) -> None:
    running = Running(everything())
    running.facts = copy.deepcopy(running.facts)
    before = set(RULES[rule](Running(everything())))
    change(running)
    new = set(RULES[rule](running)) - before
    assert any(line in one for one in new), new


def test_every_rule_has_a_fault() -> None:
    assert {rule for rule, *_ in FAULTS} == set(RULES)


def test_what_is_new_and_what_is_gone_is_a_sentence() -> None:
    assert problems("cpu_limited", {"a/b c"}, ["a/b d"]) == [
        "cpu_limited: a/b c; mend it, or give a reason in accepted.yaml",
        "accepted.yaml: cpu_limited: a/b d: holds no longer; remove it",
    ]


def test_whatever_is_accepted_is_so_once_and_for_a_reason() -> None:
    rows = [row for rows in parsed(ACCEPTED.read_text()).values() for row in rows]
    assert all(row["reason"] and row["of"] for row in rows)
    assert all(len(lines) == len(set(lines)) for lines in accepted().values())
