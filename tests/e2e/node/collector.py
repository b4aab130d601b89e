"""The part of OpenTelemetry's operator, which no registry serves, around a real collector: what it makes of a gateway.

open-telemetry/opentelemetry-operator v0.158.0 `internal/manifests/collector` (annotations.go, configmap.go,
container.go, service.go, serviceaccount.go, statefulset.go). Agents are not made.
"""

from __future__ import annotations

import hashlib

import yaml

from constructs_lib.environment import Environment
from constructs_lib.kit import Manifest, manifest
from constructs_lib.platform.observability.collectors import IMAGE
from constructs_lib.platform.observability.names import BALANCED_PORT, COLLECTOR_METRICS, OTLP_GRPC, OTLP_HTTP
from tests.e2e.node import operands
from tests.e2e.node.cluster import NodeCluster
from tests.e2e.node.images import Image

KIND = "opentelemetrycollector.opentelemetry.io"
"""What Flux does not wait for, beside the kinds of which the others are."""

TOOL = "otelcol"
COLLECTOR = Image(IMAGE, TOOL)
PORTS = {"otlp-grpc": OTLP_GRPC, "otlp-http": OTLP_HTTP, "balanced": BALANCED_PORT, "metrics": COLLECTOR_METRICS}


def is_served(cluster: NodeCluster, env: Environment, item: Manifest) -> bool:
    """Make what belongs to a gateway, and return whether it serves."""
    if item["spec"]["mode"] != "statefulset":
        return True
    name, namespace = f"{item['metadata']['name']}-collector", item["metadata"]["namespace"]
    made = list(_objects(item))
    there = cluster.get("configmap", name, namespace) or {}
    if there.get("data") != made[0]["data"]:
        operands.check(env, item, made)
        cluster.apply(*made)
    found = cluster.get("statefulset", name, namespace) or {}
    return found.get("status", {}).get("readyReplicas") == item["spec"]["replicas"]


def _objects(item: Manifest) -> list[Manifest]:
    owner, namespace, spec = item["metadata"]["name"], item["metadata"]["namespace"], item["spec"]
    name = f"{owner}-collector"
    about = {"component": "opentelemetry-collector", "instance": f"{namespace}.{owner}", "name": name}
    about |= {"managed-by": "opentelemetry-operator", "part-of": "opentelemetry"}
    labels = {f"app.kubernetes.io/{key}": value for key, value in about.items()}
    ports = [{"name": port, "port": number} for port, number in PORTS.items()]
    config = {"collector.yaml": yaml.safe_dump(spec["config"])}
    digest = hashlib.sha256(config["collector.yaml"].encode()).hexdigest()
    return [
        manifest("v1", "ConfigMap", name, namespace, data=config),
        manifest("v1", "ServiceAccount", name, namespace),
        manifest("v1", "Service", name, namespace, spec={"ports": ports, "selector": labels}),
        manifest(
            "v1",
            "Service",
            f"{name}-headless",
            namespace,
            spec={"ports": ports, "selector": labels, "clusterIP": "None"},
        ),
        manifest("apps/v1", "StatefulSet", name, namespace, spec=_stateful_set(name, labels, spec, digest)),
    ]


def _stateful_set(name: str, labels: dict[str, str], spec: Manifest, digest: str) -> Manifest:
    """Return what runs it; another configuration is another rollout (annotations.go)."""
    about = {"labels": labels, "annotations": {"opentelemetry-operator-config/sha256": digest}}
    container: Manifest = {
        "name": "otc-container",
        "image": spec["image"],
        "args": ["--config=/conf/collector.yaml"],
        "env": spec["env"],
        "ports": [{"name": port, "containerPort": number} for port, number in PORTS.items()],
        "readinessProbe": {"httpGet": {"path": "/", "port": 13133}},
        "resources": spec["resources"],
        "securityContext": spec["securityContext"],
        "volumeMounts": [{"name": "conf", "mountPath": "/conf"}, *spec["volumeMounts"]],
    }
    pod: Manifest = {
        "serviceAccountName": name,
        "nodeSelector": spec["nodeSelector"],
        "tolerations": spec["tolerations"],
        "topologySpreadConstraints": spec["topologySpreadConstraints"],
        "securityContext": spec["podSecurityContext"],
        "containers": [container],
        "volumes": [{"name": "conf", "configMap": {"name": name}}, *spec["volumes"]],
    }
    return {
        "replicas": spec["replicas"],
        "serviceName": name,
        "podManagementPolicy": "Parallel",
        "selector": {"matchLabels": labels},
        "template": {"metadata": about, "spec": pod},
        "volumeClaimTemplates": spec["volumeClaimTemplates"],
    }
