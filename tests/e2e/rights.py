"""What the account of applications may do with each resource: as it is written here, and as an API server says."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import requests

from tests.e2e.cluster import Cluster

READ = {"get", "list", "watch"}
WRITTEN = {*READ, "create", "update", "patch", "delete"}
CELLS = {
    "": ({"configmaps", "persistentvolumeclaims", "serviceaccounts", "services"}, {"events", "pods"}),
    "apps": ({"daemonsets", "deployments", "statefulsets"}, {"replicasets"}),
    "autoscaling": ({"horizontalpodautoscalers"}, set[str]()),
    "batch": ({"cronjobs", "jobs"}, set[str]()),
    "cert-manager.io": ({"certificates"}, set[str]()),
    "coordination.k8s.io": ({"leases"}, set[str]()),
    "external-secrets.io": ({"externalsecrets", "secretstores"}, set[str]()),
    "monitoring.coreos.com": ({"podmonitors", "prometheusrules", "servicemonitors"}, set[str]()),
    "networking.k8s.io": ({"ingresses", "networkpolicies"}, set[str]()),
    "opentelemetry.io": ({"instrumentations"}, set[str]()),
    "policy": ({"poddisruptionbudgets"}, set[str]()),
    "rbac.authorization.k8s.io": ({"rolebindings", "roles"}, set[str]()),
    "traefik.io": ({"ingressroutes", "ingressroutetcps", "middlewares", "middlewaretcps"}, set[str]()),
}
"""What the account writes and what it reads alone, in its namespace; all other cells are no."""
VERBS = (*sorted(WRITTEN), "deletecollection", "impersonate", "escalate", "bind", "approve", "sign")


class Asked(NamedTuple):
    """An API server, as its administrator, that is asked about a user."""

    session: requests.Session
    url: str
    user: str

    def may(self, **attributes: str) -> bool:
        """Return whether the user may do that."""
        spec = {"user": self.user, "resourceAttributes": attributes}
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
        path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        return self.session.post(self.url + path, json=review, timeout=60).json()["status"]["allowed"]


def expected(kinds: Iterable[tuple[str, str]]) -> dict[tuple[str, str], set[str]]:
    """Return the verbs that are written here, of the groups that an API server has."""
    groups = {group for _, group in kinds}
    cells = {group: cell for group, cell in CELLS.items() if group in groups}
    written = {(name, group): WRITTEN for group, (names, _) in cells.items() for name in names}
    return written | {(name, group): READ for group, (_, names) in cells.items() for name in names}


def allowed(
    asked: Asked, place: str, kinds: Iterable[tuple[str, str]], verbs: Iterable[str] = VERBS
) -> dict[tuple[str, str], set[str]]:
    """Return the verbs that the user has on each resource in a namespace, or on all, asking for each of them."""
    found: dict[tuple[str, str], set[str]] = {}
    for name, group in kinds:
        resource, _, sub = name.partition("/")
        for verb in verbs:
            if asked.may(namespace=place, verb=verb, group=group, resource=resource, subresource=sub):
                found.setdefault((name, group), set()).add(verb)
    return found


def resources(cluster: Cluster) -> Iterator[tuple[str, str]]:
    """Yield each resource and subresource (`pods/exec`) that the API server has in any version, with its group."""
    groups = json.loads(cluster.kubectl("get", "--raw", "/apis"))["groups"]
    served = {(one["name"], f"/apis/{each['groupVersion']}") for one in groups for each in one["versions"]}
    found = {
        (one["name"], group)
        for group, place in {("", "/api/v1"), *served}
        for one in json.loads(cluster.kubectl("get", "--raw", place))["resources"]
    }
    yield from sorted(found)
