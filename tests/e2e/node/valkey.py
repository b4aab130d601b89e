"""The part of Valkey's operator, which no registry serves, around a real server: what it makes of a Valkey.

hyperspike/valkey-operator v0.0.61 `internal/controller/valkey_controller.go` (upsertConfigMap, upsertCertificate,
upsertService, upsertServiceHeadless, upsertStatefulSet, initCluster, checkState), for one shard and without its
exporter, which nobody serves either.
"""

from __future__ import annotations

from constructs_lib.environment import Environment
from constructs_lib.kit import Manifest, manifest
from constructs_lib.platform.valkey_operator.cluster import CONTAINER, IMAGE
from tests.e2e.node import operands
from tests.e2e.node.cluster import NodeCluster
from tests.e2e.node.images import Image
from tests.e2e.node.pods import RESTRICTED

VALKEY_FILES = "valkey.tar"
VALKEY = Image(IMAGE, base=VALKEY_FILES, path="/usr/bin", user=1001, links=(("usr/bin/awk", "mawk"),))
PORTS = {"tcp-valkey": 6379, "tcp-valkey-bus": 16379}
CERTIFICATE = "/etc/valkey/certs"
CLI = ("valkey-cli", "-h", "localhost", "--tls", "--cacert", f"{CERTIFICATE}/ca.crt")
SETTINGS = """
port 0
tls-port 6379
tls-auth-clients no
tls-cluster yes
tls-replication yes
tls-cert-file {certificate}/tls.crt
tls-key-file {certificate}/tls.key
tls-ca-cert-file {certificate}/ca.crt
save 900 1 300 10 60 10000
appendonly no
dir /data
cluster-enabled yes
cluster-config-file /data/nodes.conf
cluster-preferred-endpoint-type {endpoint}
"""


def is_served(cluster: NodeCluster, env: Environment, item: Manifest) -> bool:
    """Make what belongs to a Valkey, and return whether it answers for every key."""
    name, namespace = item["metadata"]["name"], item["metadata"]["namespace"]
    if cluster.get("statefulset", name, namespace) is None:
        made = list(_objects(item))
        operands.check(env, item, made)
        cluster.apply(*made)
    run = ("exec", f"{name}-0", "-n", namespace, "-c", CONTAINER, "--", *CLI, "cluster")
    said = cluster.kubectl(*run, "info", code=None)
    if "cluster_slots_assigned:0" in said:
        cluster.kubectl(*run, "addslotsrange", "0", "16383")
    return "cluster_state:ok" in said


def _objects(item: Manifest) -> list[Manifest]:
    name, namespace, spec = item["metadata"]["name"], item["metadata"]["namespace"], item["spec"]
    assert (spec["nodes"], spec["replicas"]) == (1, 0), "the stand-in makes one node"
    labels = {f"app.kubernetes.io/{key}": value for key, value in _labels(name).items()}
    settings = SETTINGS.format(certificate=CERTIFICATE, endpoint=spec["clusterPreferredEndpointType"])
    ports = [{"name": port, "port": number, "targetPort": port} for port, number in PORTS.items()]
    each: Manifest = {"clusterIP": "None", "publishNotReadyAddresses": True, "ports": ports, "selector": labels}
    return [
        manifest("v1", "ConfigMap", name, namespace, data={"valkey.conf": settings}),
        manifest("v1", "ServiceAccount", name, namespace),
        manifest("cert-manager.io/v1", "Certificate", name, namespace, spec=_certificate(name, namespace, spec)),
        manifest("v1", "Service", name, namespace, spec={"ports": ports[:1], "selector": labels}),
        manifest("v1", "Service", f"{name}-headless", namespace, spec=each),
        manifest("apps/v1", "StatefulSet", name, namespace, spec=_stateful_set(name, labels, spec)),
    ]


def _labels(name: str) -> dict[str, str]:
    return {"name": "valkey", "instance": name, "component": "valkey"}


def _certificate(name: str, namespace: str, spec: Manifest) -> Manifest:
    hosts = [f"{name}.{namespace}.svc", f"{name}-headless.{namespace}.svc", f"*.{name}-headless.{namespace}.svc"]
    full = [f"{host}.{spec['clusterDomain']}" for host in hosts]
    return {
        "commonName": hosts[0],
        "secretName": f"{name}-tls",
        "issuerRef": {"name": spec["certIssuer"], "kind": spec["certIssuerType"]},
        "dnsNames": ["localhost", name, f"{name}-headless", *hosts, *full],
        "ipAddresses": ["127.0.0.1"],
    }


def _stateful_set(name: str, labels: dict[str, str], spec: Manifest) -> Manifest:
    pod: Manifest = {
        "serviceAccountName": name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {"fsGroup": 1001},
        "nodeSelector": spec["nodeSelector"],
        "tolerations": spec["tolerations"],
        "containers": [_container(spec)],
        "volumes": [
            {"name": "valkey-conf", "configMap": {"name": name}},
            {"name": "valkey-tls", "secret": {"secretName": f"{name}-tls"}},
            {"name": "empty-dir", "emptyDir": {}},
        ],
    }
    return {
        "replicas": 1,
        "serviceName": f"{name}-headless",
        "podManagementPolicy": "Parallel",
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
        "volumeClaimTemplates": [{"metadata": {"name": "valkey-data"}, "spec": spec["storage"]["spec"]}],
    }


def _container(spec: Manifest) -> Manifest:
    password = {"secretKeyRef": spec["servicePassword"]}
    probe = {
        "exec": {"command": ["sh", "-c", f'test "$({" ".join(CLI)} ping)" = PONG']},
        "initialDelaySeconds": 5,
        "periodSeconds": 5,
        "failureThreshold": 5,
    }
    command = ["valkey-server", "/valkey/etc/valkey.conf"]
    return {
        "name": CONTAINER,
        "image": spec["image"],
        "command": [*command, "--requirepass", "$(VALKEY_PASSWORD)", "--primaryauth", "$(VALKEY_PASSWORD)"],
        "env": [
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            *({"name": key, "valueFrom": password} for key in ("REDISCLI_AUTH", "VALKEY_PASSWORD")),
        ],
        "ports": [{"name": port, "containerPort": number} for port, number in PORTS.items()],
        "livenessProbe": {**probe, "timeoutSeconds": 6},
        "readinessProbe": {**probe, "timeoutSeconds": 2},
        "resources": spec["resources"],
        "securityContext": {**RESTRICTED, "readOnlyRootFilesystem": True, "runAsUser": 1001, "runAsGroup": 1001},
        "volumeMounts": [
            {"name": "valkey-data", "mountPath": "/data"},
            {"name": "valkey-conf", "mountPath": "/valkey/etc/valkey.conf", "subPath": "valkey.conf"},
            {"name": "valkey-tls", "mountPath": CERTIFICATE},
            {"name": "empty-dir", "mountPath": "/tmp"},  # noqa: S108 - in the pod
        ],
    }
