"""The parts of RabbitMQ's operators, which no registry serves, around a real broker.

rabbitmq/cluster-operator v2.22.3 `internal/resource/{configmap,service,statefulset}.go` for one node, and what
rabbitmq/messaging-topology-operator v1.20.1 asks of the broker's management API.
"""

from __future__ import annotations

import ssl
from base64 import b64decode
from typing import Any
from urllib.parse import quote

from urllib3 import HTTPSConnectionPool
from urllib3.util import make_headers

from constructs_lib.environment import Environment
from constructs_lib.kit import Manifest, manifest
from constructs_lib.platform.cert_manager import TRUSTED_CA
from constructs_lib.platform.rabbitmq_operator.cluster import COMPONENT, IMAGE
from constructs_lib.platform.rabbitmq_operator.operators import NAMESPACE as OPERATORS
from tests.e2e.node import operands
from tests.e2e.node.cluster import NodeCluster
from tests.e2e.node.images import Image
from tests.e2e.node.pods import RESTRICTED

RABBITMQ_FILES = "rabbitmq.tar"
USER = 999
PATH = "/usr/lib/rabbitmq/lib/rabbitmq_server-4.3.6/sbin:/usr/bin"
RABBITMQ = Image(IMAGE, base=RABBITMQ_FILES, path=PATH, user=USER)
ADMIN = ("admin", "only-for-the-stand-in")
MANAGEMENT = 15671
PORTS = {"amqps": 5671, "management-tls": MANAGEMENT, "prometheus-tls": 15691}
AMONG_NODES = {"epmd": 4369, "distribution": 25672, "command-line": 35672, "stream-replicas": 6000}
HOME, TLS = "/var/lib/rabbitmq", "/etc/rabbitmq-tls"
PLUGINS = "[rabbitmq_peer_discovery_k8s,rabbitmq_prometheus,rabbitmq_management]."
SETTINGS = """
log.console = true
disk_free_limit.absolute = 1MB
cluster_formation.peer_discovery_backend = rabbit_peer_discovery_k8s
cluster_formation.target_cluster_size_hint = 1
cluster_name = {name}
listeners.tcp = none
listeners.ssl.default = 5671
ssl_options.verify = verify_peer
management.ssl.port = 15671
prometheus.ssl.port = 15691
default_user = {user}
default_pass = {password}
"""


def is_served(cluster: NodeCluster, env: Environment, item: Manifest) -> bool:
    """Make what belongs to a broker, and return whether it serves."""
    name, namespace = f"{item['metadata']['name']}-server", item["metadata"]["namespace"]
    if cluster.get("statefulset", name, namespace) is None:
        made = list(_objects(item))
        operands.check(env, item, made)
        cluster.apply(*made)
    found = cluster.get("statefulset", name, namespace) or {}
    return found.get("status", {}).get("readyReplicas") == item["spec"]["replicas"]


def is_declared(cluster: NodeCluster, env: Environment, item: Manifest) -> bool:
    """Declare a vhost, a user as its Secret says, or a permission, and return whether the broker took it."""
    spec, namespace = item["spec"], item["metadata"]["namespace"]
    if item["kind"] == "Vhost":
        path, body = f"vhosts/{quote(spec['name'], safe='')}", {"default_queue_type": spec["defaultQueueType"]}
    elif item["kind"] == "User":
        user, password = _credentials(cluster, namespace, spec["importCredentialsSecret"]["name"])
        path, body = f"users/{user}", {"password": password, "tags": ",".join(spec.get("tags", ()))}
    else:
        user, _ = _credentials(cluster, namespace, spec["userReference"]["name"])
        path, body = f"permissions/{quote(spec['vhost'], safe='')}/{user}", spec["permissions"]
    name = spec["rabbitmqClusterReference"]["name"]
    ca = cluster.get("secret", TRUSTED_CA, OPERATORS) or {}
    context = ssl.create_default_context(cadata=b64decode(ca["data"]["ca.crt"]).decode())

    def declare(address: str) -> int:
        host = f"{name}.{namespace}.svc"
        with HTTPSConnectionPool(address, MANAGEMENT, ssl_context=context, assert_hostname=host, timeout=10) as pool:
            headers = make_headers(basic_auth=":".join(ADMIN))
            return pool.request("PUT", f"/api/{path}", json=body, headers=headers, retries=False).status

    return cluster.from_machine(namespace, f"{name}-server-0", declare) in {201, 204}


def _credentials(cluster: NodeCluster, namespace: str, secret: str) -> tuple[str, str]:
    found = cluster.get("secret", secret, namespace) or {}
    user, password = (b64decode(found["data"][key]).decode() for key in ("username", "password"))
    return user, password


def _objects(item: Manifest) -> list[Manifest]:
    name, namespace, spec = item["metadata"]["name"], item["metadata"]["namespace"], item["spec"]
    assert spec["replicas"] == 1, "the stand-in makes one node"
    assert spec["tls"]["disableNonTLSListeners"], "the stand-in serves TLS alone"
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "rabbitmq", **COMPONENT}
    files = {"certfile": "tls.crt", "keyfile": "tls.key", "cacertfile": "ca.crt"}
    certificates = "\n".join(
        f"{part}.{key} = {TLS}/{file}"
        for part in ("ssl_options", "management.ssl", "prometheus.ssl")
        for key, file in files.items()
    )
    settings = SETTINGS.format(name=name, user=ADMIN[0], password=ADMIN[1]) + certificates + "\n"
    assert not spec["rabbitmq"].get("additionalPlugins"), "the stand-in has no further plugins"
    data = {"plugins": PLUGINS, "rabbitmq.conf": settings + spec["rabbitmq"]["additionalConfig"]}
    each: Manifest = {"clusterIP": "None", "publishNotReadyAddresses": True, "selector": labels}
    each["ports"] = [{"name": "epmd", "port": 4369}, {"name": "cluster-rpc", "port": 25672}]
    served = [{"name": port, "port": number, "targetPort": number} for port, number in PORTS.items()]
    return [
        manifest("v1", "ConfigMap", f"{name}-server-conf", namespace, data=data),
        manifest("v1", "Service", name, namespace, spec={"ports": served, "selector": labels}),
        manifest("v1", "Service", f"{name}-nodes", namespace, spec=each),
        manifest("apps/v1", "StatefulSet", f"{name}-server", namespace, spec=_stateful_set(name, labels, spec)),
    ]


def _stateful_set(name: str, labels: dict[str, str], spec: Manifest) -> Manifest:
    pod: Manifest = {
        "automountServiceAccountToken": False,
        "securityContext": {"fsGroup": 0, "runAsUser": USER},
        "affinity": spec["affinity"],
        "tolerations": spec["tolerations"],
        "topologySpreadConstraints": spec["override"]["statefulSet"]["spec"]["template"]["spec"][
            "topologySpreadConstraints"
        ],
        "terminationGracePeriodSeconds": spec["terminationGracePeriodSeconds"],
        "containers": [_container(name, spec)],
        "volumes": [
            {"name": "conf", "configMap": {"name": f"{name}-server-conf"}},
            {"name": "tls", "secret": {"secretName": spec["tls"]["secretName"]}},
            *({"name": folder, "emptyDir": {}} for folder in ("home", "tmp")),
        ],
    }
    claim = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": spec["persistence"]["storageClassName"],
        "resources": {"requests": {"storage": spec["persistence"]["storage"]}},
    }
    return {
        "replicas": spec["replicas"],
        "serviceName": f"{name}-nodes",
        "podManagementPolicy": "Parallel",
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
        "volumeClaimTemplates": [{"metadata": {"name": "persistence"}, "spec": claim}],
    }


def _container(name: str, spec: Manifest) -> Manifest:
    probe = {"initialDelaySeconds": 10, "timeoutSeconds": 5, "periodSeconds": 10}
    path = {"path": "/api/health/checks/reached-target-cluster-size", "port": "management-tls", "scheme": "HTTPS"}
    variables: dict[str, Any] = {
        "HOME": HOME,
        "RABBITMQ_CONFIG_FILE": "/conf/rabbitmq.conf",
        "RABBITMQ_ENABLED_PLUGINS_FILE": "/conf/plugins",
        "RABBITMQ_MNESIA_BASE": f"{HOME}/mnesia",
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_USE_LONGNAME": "true",
        "RABBITMQ_NODENAME": f"rabbit@$(POD_NAME).{name}-nodes.$(POD_NAMESPACE)",
    }
    fields = {"POD_NAME": "metadata.name", "POD_NAMESPACE": "metadata.namespace"}
    return {
        "name": "rabbitmq",
        "image": spec["image"],
        "command": ["rabbitmq-server"],
        "env": [
            *({"name": key, "valueFrom": {"fieldRef": {"fieldPath": path}}} for key, path in fields.items()),
            *({"name": key, "value": value} for key, value in variables.items()),
        ],
        "ports": [{"name": key, "containerPort": number} for key, number in {**PORTS, **AMONG_NODES}.items()],
        "startupProbe": {**probe, "httpGet": path, "failureThreshold": 30},
        "readinessProbe": {**probe, "tcpSocket": {"port": "amqps"}},
        "resources": spec["resources"],
        "securityContext": {**RESTRICTED, "readOnlyRootFilesystem": True},
        "volumeMounts": [
            {"name": "home", "mountPath": HOME},
            {"name": "persistence", "mountPath": f"{HOME}/mnesia"},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - in the pod
            {"name": "conf", "mountPath": "/conf"},
            {"name": "tls", "mountPath": TLS},
        ],
    }
