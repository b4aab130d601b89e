"""The DNS of the cluster, as DigitalOcean runs it: two pods of CoreDNS, found by their label."""

from __future__ import annotations

from collections.abc import Mapping

from constructs_lib.kit import DNS as PODS
from constructs_lib.kit import SYSTEM_TOLERATIONS, Manifest, manifest, spread
from tests.e2e.node import network
from tests.e2e.node.images import COREDNS

COREFILE = """
.:53 {
  errors
  health
  ready
  prometheus :9153
  kubernetes cluster.local in-addr.arpa ip6.arpa {
    pods insecure
    fallthrough in-addr.arpa ip6.arpa
  }
  hosts {
HOSTS
    fallthrough
  }
  cache 5
}
"""
ELSEWHERE = """
ZONE:53 {
  forward . SERVER
}
"""
ACCOUNT = {"kind": "ServiceAccount", "name": "coredns", "namespace": PODS.namespace}
ROLE = "system:coredns"
RBAC = "rbac.authorization.k8s.io"
READS = [
    {"apiGroups": [""], "resources": ["services", "pods", "namespaces"], "verbs": ["list", "watch"]},
    {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
]


def objects(hosts: Mapping[str, str], zone: str = "") -> list[Manifest]:
    """Return everything of CoreDNS (kubernetes v1.37 `cluster/addons/dns/coredns`).

    It also knows `hosts`, and who knows about the names of a zone.
    """
    corefile = COREFILE.replace("HOSTS", "\n".join(f"    {address} {name}" for name, address in hosts.items()))
    if zone:
        corefile += ELSEWHERE.replace("ZONE", zone).replace("SERVER", network.INTERNET)
    reference = {"apiGroup": RBAC, "kind": "ClusterRole", "name": ROLE}
    ports = [
        {"name": "dns", "port": 53, "protocol": "UDP"},
        {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
        {"name": "metrics", "port": 9153, "protocol": "TCP"},
    ]
    service = {"clusterIP": network.DNS, "selector": PODS.labels, "ports": ports}
    return [
        manifest("v1", "ServiceAccount", "coredns", PODS.namespace),
        manifest(f"{RBAC}/v1", "ClusterRole", ROLE, rules=READS),
        manifest(f"{RBAC}/v1", "ClusterRoleBinding", ROLE, roleRef=reference, subjects=[ACCOUNT]),
        manifest("v1", "ConfigMap", "coredns", PODS.namespace, data={"Corefile": corefile}),
        manifest("apps/v1", "Deployment", "coredns", PODS.namespace, spec=_deployment()),
        manifest("v1", "Service", "kube-dns", PODS.namespace, spec=service),
    ]


def _deployment() -> Manifest:
    container: Manifest = {
        "name": "coredns",
        "image": COREDNS.name,
        "args": ["-conf", "/etc/coredns/Corefile"],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 2},
        "securityContext": {"runAsUser": 0, "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}},
        "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns"}],
    }
    pod: Manifest = {
        "serviceAccountName": "coredns",
        "priorityClassName": "system-cluster-critical",
        "dnsPolicy": "Default",
        "tolerations": SYSTEM_TOLERATIONS,
        "topologySpreadConstraints": spread(**PODS.labels),
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": "coredns"}}],
    }
    template = {"metadata": {"labels": PODS.labels}, "spec": pod}
    return {"replicas": 2, "selector": {"matchLabels": PODS.labels}, "template": template}
