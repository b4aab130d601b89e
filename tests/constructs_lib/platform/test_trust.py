"""Who speaks TLS to whom inside the cluster, and by which CA each client knows who answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from constructs_lib.environment import Environment, load_all
from constructs_lib.kit import Pods, group
from tests.constructs_lib.platform import said
from tests.support import ROOT, everything

APP = "episodic/trusted-ca"
BROKER = "messaging/main-rabbitmq-tls"
POSTGRES = "databases/main-postgres-tls"
VALKEY = "cache/main-tls"
GATEWAY = "observability/otel-gateway-tls"
OPENSEARCH = "observability/logs-ca"
UNCHECKED = "does not check"

BY_CA: dict[str, dict[str, str]] = {
    "messaging/broker-main 5671": {"episodic/apps": APP},
    "messaging/broker-main 15671": {"messaging/copy-main": BROKER},
    # Both operators: rabbitmq/cluster-operator v2.22.3 `internal/rabbitmqclient/client.go` reads spec.tls.caSecretName.
    "messaging/brokers 15671": {
        "rabbitmq-system/cluster-operator": BROKER,
        "rabbitmq-system/topology-operator": "rabbitmq-system/trusted-ca",
    },
    "messaging/brokers 15691": {"observability/prometheus": BROKER},
    # The operator reads the Secret of its Certificate (v0.0.61 `getCACertificate`); nodes have it mounted.
    "cache/valkey 6379": {"valkey-operator-system/operator": VALKEY, "cache/valkey": VALKEY},
    "cache/valkey-main 6379": {"cache/copy-main": VALKEY, "episodic/apps": APP},
    "cache/valkey 16379": {"cache/valkey": VALKEY},
    # cloudnative-pg v1.30.0 `docs/src/certificates.md`: operator and instances check against serverCASecret.
    "databases/main 5432": {"cnpg-system/operator": POSTGRES, "databases/main": POSTGRES, "episodic/apps": APP},
    "databases/main 8000": {"cnpg-system/operator": POSTGRES, "databases/main": POSTGRES},
    "observability/otel-gateway 4317": {
        "observability-agents/otel-agent": "observability-agents/trusted-ca",
        "episodic/apps": APP,
    },
    "observability/otel-gateway 4318": {
        "observability-agents/otel-agent": "observability-agents/trusted-ca",
        "episodic/apps": APP,
    },
    "observability/otel-gateway 4319": {"observability/otel-gateway": GATEWAY},
    "observability/tempo 4317": {"observability/otel-gateway": GATEWAY},
    # Its operator makes a CA, and itself checks nobody (3.0.2 `opensearch-gateway/services/os_client.go`).
    "observability/opensearch 9200": {
        "observability/opensearch-operator": UNCHECKED,
        "observability/opensearch": OPENSEARCH,
        # By CA, not by name: `pkg/reconcilers/securityconfig.go` calls securityadmin.sh with -cacert and -nhnv.
        "observability/opensearch-security": OPENSEARCH,
        "observability/otel-gateway": OPENSEARCH,
        "observability/opensearch-dashboards": OPENSEARCH,
    },
    "observability/opensearch 9300": {"observability/opensearch": OPENSEARCH},
}
"""By server and port: each client, and the Secret whose `ca.crt` it reads, in its own namespace or through the API."""

BY_CHART = {
    "cnpg-system/barman-cloud 9090": "both sides know each other by certificates of the chart's own issuer",
    "external-secrets/webhook 10250": "the cert-controller made its CA",
    "observability/prometheus-operator 10250": "the chart's monitor names the CA of its admission webhook",
}
"""What charts settle among their own pods."""

PLAIN = {
    "cache/valkey": {"9121"},
    "databases/main": {"9127", "9187"},
    # Distribution of Erlang, which has its own secret; peer discovery; replicas of streams.
    "messaging/brokers": {"4369", "25672", "35672-35682", "6000-6500"},
    "observability/otel-gateway": {"8888"},
    "observability/tempo": {"3200"},
}
"""What the servers above also show without TLS: metrics, and what nodes tell each other in a closed namespace."""

BY_OPERATOR = {VALKEY, OPENSEARCH}
"""Secrets that an operator asks for or makes itself."""
READ_BY_API = {
    "rabbitmq-system/cluster-operator",
    "valkey-operator-system/operator",
    "cnpg-system/operator",
    "observability/prometheus",
}

ENV = everything()
SERVERS = {name.partition(" ")[0] for name in BY_CA}


def objects(env: Environment, kind: str) -> list[dict[str, Any]]:
    return [item for layer in env.layers for item in layer.manifests if item["kind"] == kind]


def signed() -> dict[str, list[str]]:
    """Return the names in each certificate by the internal CA, by `namespace/Secret`."""
    found = [item for item in objects(ENV, "Certificate") if item["spec"]["issuerRef"]["name"] == "internal-ca"]
    return {f"{item['metadata']['namespace']}/{item['spec']['secretName']}": item["spec"]["dnsNames"] for item in found}


def ways() -> Iterator[tuple[str, str, str]]:
    """Yield server, port and client of each link between pods."""
    for source, target, ports in ENV.platform.links(ENV):
        if isinstance(source, Pods) and isinstance(target, Pods):
            yield from ((said.end(target), said.port_of(port), said.end(source)) for port in ports)


def test_every_client_of_a_server_with_tls_knows_it_by_a_ca() -> None:
    found: dict[str, set[str]] = {}
    for server, port, client in ways():
        if server in SERVERS and port not in PLAIN.get(server, ()):
            found.setdefault(f"{server} {port}", set()).add(client)
    assert found == {name: set(clients) for name, clients in BY_CA.items()}, "say in BY_CA by which CA, or in PLAIN"


def test_each_ca_lies_where_its_client_reads_it() -> None:
    for clients in BY_CA.values():
        for client, secret in clients.items():
            if secret == UNCHECKED:
                continue
            assert secret in signed() or secret in BY_OPERATOR, f"nobody makes {secret}, which {client} reads"
            here = client in READ_BY_API or client.partition("/")[0] == secret.partition("/")[0]
            assert here, f"{client} cannot read {secret}"


def test_every_certificate_of_the_internal_ca_is_somebodys_proof_or_brings_the_ca() -> None:
    read = {secret for clients in BY_CA.values() for secret in clients.values()}
    served = {"observability/tempo-tls"}
    assert set(signed()) == (read | served) - BY_OPERATOR - {UNCHECKED}


def test_what_charts_settle_is_still_a_way() -> None:
    assert set(BY_CHART) <= {f"{server} {port}" for server, port, _ in ways()}


@pytest.mark.parametrize("env", [*load_all(ROOT / "environments"), ENV], ids=lambda env: env.name)
def test_a_monitor_of_ours_speaks_as_its_port_does(env: Environment) -> None:
    scraped = [link for link in env.platform.links(env) if said.end(link.source) == "observability/prometheus"]
    monitors = objects(env, "PodMonitor")
    assert len(monitors) >= 6
    for monitor in monitors:
        spec, namespace = monitor["spec"], monitor["metadata"]["namespace"]
        labels = spec["selector"]["matchLabels"].items()
        targets = [link.target for link in scraped if isinstance(link.target, Pods)]
        assert any(pods.namespace == namespace and pods.labels.items() <= labels for pods in targets), "is closed"
        for endpoint in spec["podMetricsEndpoints"]:
            has_tls = str(endpoint.get("port", "")).endswith("-tls")
            assert endpoint.get("scheme", "http") == ("https" if has_tls else "http")
            if has_tls:
                secret = endpoint["tlsConfig"]["ca"]["secret"]
                assert endpoint["tlsConfig"]["serverName"] in signed()[f"{namespace}/{secret['name']}"]


def test_no_monitor_of_ours_is_of_another_kind() -> None:
    items = [item for layer in ENV.layers for item in layer.manifests]
    kinds = {item["kind"] for item in items if group(item["apiVersion"]) == "monitoring.coreos.com"}
    assert kinds == {"PodMonitor", "PrometheusRule"}
