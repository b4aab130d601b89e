"""DigitalOcean's balancers: an address for each Service that asks for one."""

from __future__ import annotations

from tests.e2e.node.api import Api

HOSTNAME = "service.beta.kubernetes.io/do-loadbalancer-hostname"
"""The annotation by which a Service is known by name instead (digitalocean-cloud-controller-manager)."""


def update(api: Api) -> None:
    """Give an address (RFC 5737) to each balancer that has none."""
    balancers = [item for item in api.list("/api/v1/services") if item["spec"].get("type") == "LoadBalancer"]
    for number, item in enumerate(
        sorted(balancers, key=lambda found: found["metadata"]["creationTimestamp"]), start=10
    ):
        if not item["status"].get("loadBalancer", {}).get("ingress"):
            meta = item["metadata"]
            name = meta.get("annotations", {}).get(HOSTNAME)
            given = {"hostname": name} if name else {"ip": f"203.0.113.{number}"}
            path = f"/api/v1/namespaces/{meta['namespace']}/services/{meta['name']}/status"
            api.patch(path, {"status": {"loadBalancer": {"ingress": [given]}}})
