"""The gateway and the agents as objects, with their rights, volumes and credentials.

Upstream: open-telemetry/opentelemetry-operator 0.158.0 `docs/api`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from constructs_lib.base.quantities import Memory
from constructs_lib.kit import (
    CONFINED,
    SYSTEM_NODE_SELECTOR,
    SYSTEM_TOLERATIONS,
    Manifest,
    claim,
    manifest,
    resources,
    spread,
)
from constructs_lib.platform import cert_manager
from constructs_lib.platform.observability import influxdb, opensearch
from constructs_lib.platform.observability.collector_config import agent_config, gateway_config
from constructs_lib.platform.observability.names import (
    AGENT_STATE,
    AGENTS,
    CA_MOUNT,
    GATEWAY,
    GATEWAY_HOST,
    LOGS_CA_MOUNT,
    NAMESPACE,
    OTLP_HTTP,
    QUEUE_MOUNT,
    TLS_MOUNT,
    go_memory_limit,
)
from constructs_lib.platform.observability.otlp import outside

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

API = "opentelemetry.io/v1beta1"
IMAGE = "ghcr.io/open-telemetry/opentelemetry-collector-releases/opentelemetry-collector-contrib:0.158.0"
CERTIFICATE = "otel-gateway-tls"
QUEUE = "queue"
GATEWAY_MEMORY = Memory("512Mi")
AGENT_MEMORY = Memory("256Mi")
USER = 10001
"""The user of the collector's image (open-telemetry/opentelemetry-collector-releases `Dockerfile`)."""


def gateway_and_agents(env: Environment) -> Iterator[Manifest]:
    """Yield the gateway with its certificate, and the agent with its rights."""
    yield cert_manager.certificate(CERTIFICATE, NAMESPACE, (GATEWAY.statefulset,))
    yield manifest(API, "OpenTelemetryCollector", "gateway", NAMESPACE, spec=_gateway(env))
    yield cert_manager.trusted_ca(AGENTS)
    yield manifest(API, "OpenTelemetryCollector", "agent", AGENTS, spec=_agent(env))
    for name, namespace in (("gateway", NAMESPACE), ("agent", AGENTS)):
        yield from _may_read_pods(f"{name}-collector", namespace)
    for name in env.applications:
        yield _instrumentation(name)


def _instrumentation(namespace: str) -> Manifest:
    """Return what a pod gets that asks for it (annotation instrumentation.opentelemetry.io/inject-<language>)."""
    spec = {
        "exporter": {
            "endpoint": f"https://{GATEWAY_HOST}:{OTLP_HTTP}",
            "tls": {"secretName": cert_manager.TRUSTED_CA, "ca_file": "ca.crt"},
        },
        "propagators": ["tracecontext", "baggage"],
        # Which traces are kept is decided when they are whole, at the gateway.
        "sampler": {"type": "parentbased_always_on"},
        "defaults": {"useLabelsForResourceAttributes": True},
        "env": [{"name": "OTEL_EXPORTER_OTLP_PROTOCOL", "value": "http/protobuf"}],
    }
    return manifest("opentelemetry.io/v1alpha1", "Instrumentation", "default", namespace, spec=spec)


def _gateway(env: Environment) -> Manifest:
    replicas = 1 if env.tier == "sandbox" else 2
    spec: Manifest = {
        # A volume for each pod, so that a queue outlives it.
        "mode": "statefulset",
        "replicas": replicas,
        "image": IMAGE,
        "nodeSelector": SYSTEM_NODE_SELECTOR,
        "tolerations": SYSTEM_TOLERATIONS,
        "topologySpreadConstraints": spread(**GATEWAY.labels),
        "resources": resources("100m", GATEWAY_MEMORY),
        "env": [go_memory_limit(GATEWAY_MEMORY), *_about(env), *_credentials(env)],
        "podSecurityContext": {
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "securityContext": CONFINED,
        "volumeClaimTemplates": [_queue(env)],
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
        **_gateway_volumes(env),
        "config": gateway_config(env),
    }
    if replicas > 1:
        spec["podDisruptionBudget"] = {"minAvailable": 1}
    return spec


def _gateway_volumes(env: Environment) -> dict[str, list[Manifest]]:
    volumes: list[Manifest] = [{"name": "tls", "secret": {"secretName": CERTIFICATE}}]
    mounts: list[Manifest] = [
        {"name": "tls", "mountPath": TLS_MOUNT, "readOnly": True},
        {"name": QUEUE, "mountPath": QUEUE_MOUNT},
    ]
    if env.platform.observability.logs.is_on:
        volumes.append({"name": "logs-ca", "secret": opensearch.CA_VOLUME})
        mounts.append({"name": "logs-ca", "mountPath": LOGS_CA_MOUNT, "readOnly": True})
    return {"volumes": volumes, "volumeMounts": mounts}


def _queue(env: Environment) -> Manifest:
    size = env.platform.observability.collectors.queue
    return {"metadata": {"name": QUEUE}, "spec": claim(env.cluster.storage_class, size)}


def _about(env: Environment) -> list[Manifest]:
    """Return what the collector says about itself, and about all that comes through it."""
    attributes = {
        **({"cloud.provider": "digitalocean"} if env.cluster.provider == "digitalocean" else {}),
        "cloud.region": env.region,
        "deployment.environment.name": env.name,
        "k8s.cluster.name": env.cluster.name,
    }
    return [
        {"name": "COLLECTOR_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "OTEL_RESOURCE_ATTRIBUTES", "value": ",".join(f"{key}={value}" for key, value in attributes.items())},
    ]


def _credentials(env: Environment) -> list[Manifest]:
    wanted: dict[str, tuple[str, str]] = {}
    if env.platform.observability.logs.is_on:
        wanted["OPENSEARCH_PASSWORD"] = (opensearch.WRITER_SECRET, "password")
    if env.platform.observability.influxdb.is_on:
        wanted["INFLUXDB_TOKEN"] = (influxdb.SECRET, "admin-token")
    for signal, otlp in outside(env).items():
        wanted |= otlp.variables(signal)
    return [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}
        for name, (secret, key) in wanted.items()
    ]


def _agent(env: Environment) -> Manifest:
    return {
        "mode": "daemonset",
        "image": IMAGE,
        "tolerations": [{"operator": "Exists"}],
        "resources": resources("50m", AGENT_MEMORY),
        # Logs of pods belong to root on the node.
        "securityContext": {"runAsUser": 0, **CONFINED},
        "env": [
            go_memory_limit(AGENT_MEMORY),
            {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        ],
        "volumes": [
            {"name": "logs", "hostPath": {"path": "/var/log/pods"}},
            {"name": "positions", "hostPath": {"path": AGENT_STATE, "type": "DirectoryOrCreate"}},
            {"name": "ca", "secret": cert_manager.CA_VOLUME},
        ],
        "volumeMounts": [
            {"name": "logs", "mountPath": "/var/log/pods", "readOnly": True},
            {"name": "positions", "mountPath": AGENT_STATE},
            {"name": "ca", "mountPath": CA_MOUNT, "readOnly": True},
        ],
        "config": agent_config(env),
    }


def _may_read_pods(account: str, namespace: str) -> Iterator[Manifest]:
    """Yield the right to look up to which pod and workload a signal belongs."""
    rbac = "rbac.authorization.k8s.io"
    rules = [
        {"apiGroups": [""], "resources": ["pods", "namespaces", "nodes"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": ["apps"], "resources": ["replicasets"], "verbs": ["get", "list", "watch"]},
    ]
    name = f"otel-{account}"
    yield manifest(f"{rbac}/v1", "ClusterRole", name, rules=rules)
    subject = {"kind": "ServiceAccount", "name": account, "namespace": namespace}
    role = {"apiGroup": rbac, "kind": "ClusterRole", "name": name}
    yield manifest(f"{rbac}/v1", "ClusterRoleBinding", name, roleRef=role, subjects=[subject])
