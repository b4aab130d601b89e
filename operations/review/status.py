"""What runs where, in one screen: nothing is changed, and what does not answer is said to.

Fields: fluxcd/flux2 v2.9.4, cert-manager v1 `CertificateStatus`, plugin-barman-cloud v0.13.0 `ObjectStoreStatus`,
Alertmanager's API v2 behind the proxy of the API server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from kubernetes import client as kubernetes
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from constructs_lib.base.errors import ConfigError, cut_short
from constructs_lib.environment import Environment
from constructs_lib.kit import FLUX_KUSTOMIZATION, FLUX_RELEASE, FLUX_SOURCE
from constructs_lib.platform.cert_manager import API as CERTIFICATES
from constructs_lib.platform.cloudnative_pg.store import OBJECT_STORES
from constructs_lib.platform.observability.names import ALERTMANAGER_PORT, NAMESPACE, RELEASE
from gitops_render.paths import PLATFORM_SOURCE
from operations.clients.digitalocean import DigitalOcean, Resource
from operations.clients.http import TIMEOUT_SECONDS
from operations.clients.kubernetes import about, cluster_client, no_answer, refusal
from operations.provisioning.ready import why_not_ready

ALERTS = f"/api/v1/namespaces/{NAMESPACE}/services/http:{RELEASE}-alertmanager:{ALERTMANAGER_PORT}/proxy/api/v2/alerts"
QUIET = frozenset({"Watchdog", "InfoInhibitor"})
"""Alerts that always fire, to be heard."""
SHOWN = 5
"""How many of a kind are named."""

Items = list[dict[str, Any]]
Listed = Callable[[str, str], Items]


def status(env: Environment, api: DigitalOcean) -> Iterator[tuple[str, str]]:
    """Yield what there is to say of each thing, with its name. Raises `ConfigError` where there is no cluster."""
    cluster = api.cluster(env.cluster.name) if env.cluster.provider == "digitalocean" else None
    client = cluster_client(api, env, cluster)
    yield "cluster", _cluster(cluster) if cluster else about(client.api_client)
    for name, look in {
        "layers": _layers,
        "version": _pin,
        "charts": _charts,
        "certificates": _certificates,
        "backups": _backups,
    }.items():
        yield name, _said(lambda look=look: look(_listed(client)))
    yield "alerts", _said(lambda: _alerts(client.api_client))


def _said(look: Callable[[], str]) -> str:
    """Return what was found, or why nothing could be."""
    try:
        return look()
    except ApiException as error:
        if why := refusal(error):
            raise ConfigError(f"the cluster {why}") from None
        return f"the API server answers {error.status}"
    except HTTPError as error:
        return no_answer(error)


def _listed(client: kubernetes.CustomObjectsApi) -> Listed:
    def items(api_version: str, plural: str) -> Items:
        group, version = api_version.split("/")
        try:
            found: Any = client.list_cluster_custom_object(group, version, plural, _request_timeout=TIMEOUT_SECONDS)
        except ApiException as error:
            if error.status == 404:
                return []
            raise
        return found["items"]

    return items


def _cluster(cluster: Resource) -> str:
    pools = ", ".join(f"{pool['name']} {pool['count']}" for pool in cluster["node_pools"])
    return (
        f"{cluster['name']} in {cluster['region']}, {cluster['version']}, {cluster['status']['state']}; nodes: {pools}"
    )


def _layers(listed: Listed) -> str:
    items = [(item, why_not_ready(item)) for item in listed(FLUX_KUSTOMIZATION, "kustomizations")]
    late = [f"{_name(item)} ({why})" for item, why in items if why is not None]
    return f"{len(items) - len(late)} of {len(items)} Ready{_these(late)}"


def _pin(listed: Listed) -> str:
    kinds = ("gitrepositories", "buckets")
    sources = [item for kind in kinds for item in listed(FLUX_SOURCE, kind) if _name(item) == PLATFORM_SOURCE]
    if not sources:
        return "Flux has no source of the platform yet"
    spec = sources[0]["spec"]
    ref = spec.get("ref", {})
    followed = f"bucket {spec['bucketName']}" if "bucketName" in spec else ref.get("branch", "no branch")
    pinned = f"pinned to {ref['commit'][:12]}" if "commit" in ref else f"follows {followed}"
    runs = sources[0].get("status", {}).get("artifact", {}).get("revision", "nothing yet")
    return f"{pinned}, runs {runs}"


def _charts(listed: Listed) -> str:
    newest = [
        (item, (item.get("status", {}).get("history") or [{}])[0]) for item in listed(FLUX_RELEASE, "helmreleases")
    ]
    return ", ".join(f"{_name(item)} {run.get('chartVersion', 'not installed')}" for item, run in newest) or "none"


def _certificates(listed: Listed) -> str:
    items = listed(CERTIFICATES, "certificates")
    late = [f"{_name(item)} ({why})" for item in items if (why := _not_issued(item)) is not None]
    ends = sorted((item["status"]["notAfter"], _name(item)) for item in items if "notAfter" in item.get("status", {}))
    first = f", the first ends on {ends[0][0][:10]} ({ends[0][1]})" if ends else ""
    return f"{len(items) - len(late)} of {len(items)} Ready{_these(late)}{first}"


def _not_issued(item: dict[str, Any]) -> str | None:
    """Return why a certificate is not Ready; its status tells of no generation."""
    conditions = item.get("status", {}).get("conditions", [])
    ready = next((found for found in conditions if found["type"] == "Ready"), {})
    return None if ready.get("status") == "True" else str(ready.get("message", "is being issued"))


def _backups(listed: Listed) -> str:
    windows = {
        server: window
        for item in listed(OBJECT_STORES, "objectstores")
        for server, window in (item.get("status", {}).get("serverRecoveryWindow") or {}).items()
    }
    last = [f"{server} {window.get('lastSuccessfulBackupTime', 'never')}" for server, window in sorted(windows.items())]
    return f"last of {', '.join(last)}" if last else "none yet"


def _alerts(client: kubernetes.ApiClient) -> str:
    found: Any = client.call_api(
        ALERTS,
        "GET",
        query_params=[("active", "true"), ("silenced", "false")],
        response_types_map={200: "object"},
        auth_settings=["BearerToken"],
        _return_http_data_only=True,
        _request_timeout=TIMEOUT_SECONDS,
    )
    firing = [item["labels"] for item in found if item["labels"].get("alertname") not in QUIET]
    named = [f"{labels.get('alertname')} ({labels.get('severity', 'no severity')})" for labels in firing]
    return f"{len(firing)} firing{_these(named)}"


def _these(named: list[str]) -> str:
    return f": {cut_short(named, SHOWN)}" if named else ""


def _name(item: dict[str, Any]) -> str:
    return item["metadata"]["name"]
