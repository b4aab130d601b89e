"""What Flux may do: all for the platform, and for applications what their own namespaces need and nothing else.

`admin` of Kubernetes is not for applications: cert-manager, Flux and External Secrets add their kinds to it, and it may
act as any service account of the namespace. Where a role says too much, `admission` refuses the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from constructs_lib.kit import FLUX_NAMESPACE, PLATFORM_ACCOUNT, Manifest, app_account, group, manifest
from constructs_lib.platform.scrape import MONITORING

API = "rbac.authorization.k8s.io/v1"
APPS_ROLE = "platform-apps"
READ = ["get", "list", "watch"]
WRITE = [*READ, "create", "update", "patch", "delete"]
"""What Flux needs to apply and to prune."""
WRITTEN: dict[str, list[str]] = {
    "": ["configmaps", "persistentvolumeclaims", "serviceaccounts", "services"],
    "apps": ["daemonsets", "deployments", "statefulsets"],
    "autoscaling": ["horizontalpodautoscalers"],
    "batch": ["cronjobs", "jobs"],
    "cert-manager.io": ["certificates"],
    "coordination.k8s.io": ["leases"],
    "external-secrets.io": ["externalsecrets", "secretstores"],
    group(MONITORING): ["podmonitors", "prometheusrules", "servicemonitors"],
    "networking.k8s.io": ["ingresses", "networkpolicies"],
    "opentelemetry.io": ["instrumentations"],
    "policy": ["poddisruptionbudgets"],
    group(API): ["rolebindings", "roles"],
    "traefik.io": ["ingressroutes", "ingressroutetcps", "middlewares", "middlewaretcps"],
}
"""The kinds of an application, by their group. Its Secrets come from Vault, so nobody writes or reads any here."""
READ_ALONE: dict[str, list[str]] = {"": ["events", "pods"], "apps": ["replicasets"]}
"""By which Flux sees how a workload is."""


def rights(apps: Iterable[str]) -> Iterator[Manifest]:
    """Yield the accounts of Flux with their rights, one for each of `apps`, which has them in its namespace alone."""
    apps = list(apps)
    for name in (PLATFORM_ACCOUNT, *map(app_account, apps)):
        yield manifest("v1", "ServiceAccount", name, FLUX_NAMESPACE)
    yield _bind("ClusterRoleBinding", PLATFORM_ACCOUNT, PLATFORM_ACCOUNT, "cluster-admin")
    yield manifest(API, "ClusterRole", APPS_ROLE, rules=[*_rules(WRITTEN, WRITE), *_rules(READ_ALONE, READ)])
    for app in apps:
        # A binding's role cannot change, so that each role has bindings of its name.
        yield _bind("RoleBinding", APPS_ROLE, app_account(app), APPS_ROLE, app)


def _rules(kinds: dict[str, list[str]], verbs: list[str]) -> Iterator[Manifest]:
    return ({"apiGroups": [name], "resources": resources, "verbs": verbs} for name, resources in kinds.items())


def _bind(kind: str, name: str, account: str, role: str, namespace: str | None = None) -> Manifest:
    return manifest(
        API,
        kind,
        name,
        namespace,
        roleRef={"apiGroup": group(API), "kind": "ClusterRole", "name": role},
        subjects=[{"kind": "ServiceAccount", "name": account, "namespace": FLUX_NAMESPACE}],
    )
