"""Grafana, as the stack of metrics brings it: data sources, dashboards from ConfigMaps, and no right beyond those.

Upstream: grafana-community/helm-charts grafana-12.11.1 `charts/grafana/values.yaml` and `templates/{role,_pod}*`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from constructs_lib.health.grafana import FOLDER
from constructs_lib.kit import ON_SYSTEM_POOL, Manifest, Values, manifest, resources
from constructs_lib.platform.observability import traces
from constructs_lib.platform.observability.names import NAMESPACE

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

DATA_SOURCE = "prometheus"
"""The uid that the stack's chart gives to Prometheus as a data source."""
SECRET = "grafana-admin"  # noqa: S105 - a name
PASSWORD_KEY = "admin-password"  # noqa: S105 - a name
ROLE = "grafana-sidecars"


def role() -> Manifest:
    """Return what the sidecars may read: the chart's own role would give them every Secret of the namespace too."""
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}]
    return manifest("rbac.authorization.k8s.io/v1", "Role", ROLE, NAMESPACE, rules=rules)


def values(env: Environment) -> Values:
    """Return the values of the chart, which is a part of the stack's."""
    config_maps = {"resource": "configmap"}
    return {
        **ON_SYSTEM_POOL,
        "admin": {"existingSecret": SECRET, "userKey": "admin-user", "passwordKey": PASSWORD_KEY},
        "rbac": {"namespaced": True, "useExistingRole": ROLE},
        "resources": resources("100m", "256Mi"),
        "sidecar": {
            "resources": resources("10m", "128Mi"),
            "dashboards": {
                **config_maps,
                "searchNamespace": NAMESPACE,
                "folderAnnotation": FOLDER,
                "provider": {"foldersFromFilesStructure": True},
            },
            "datasources": {**config_maps, "searchNamespace": NAMESPACE},
        },
        "grafana.ini": {"analytics": {"reporting_enabled": False, "check_for_updates": False}},
        "additionalDataSources": list(_data_sources(env)),
    }


def _data_sources(env: Environment) -> Iterator[Values]:
    if env.platform.observability.traces.is_on:
        linked = {"serviceMap": {"datasourceUid": DATA_SOURCE}, "nodeGraph": {"enabled": True}}
        tempo = {"type": "tempo", "uid": "tempo", "access": "proxy", "url": traces.URL}
        yield {"name": "Tempo", **tempo, "jsonData": linked}
