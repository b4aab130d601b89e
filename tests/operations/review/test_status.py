"""What runs where, in one screen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Response, jsonify

from constructs_lib.base.errors import ConfigError
from operations.clients.digitalocean import DigitalOcean
from operations.review.status import status
from tests.fakes.kubernetes import FakeKubernetes
from tests.operations.conftest import Outside

Item = dict[str, Any]


def item(name: str, status: Item | None = None, *, ready: bool | None = True, **spec: Any) -> Item:
    """Return an object with a status, Ready or not."""
    condition = {"type": "Ready", "status": str(ready), "message": "timeout of 5m"}
    found = {"observedGeneration": 1, "conditions": [condition], **(status or {})}
    return {"metadata": {"namespace": "x", "name": name, "generation": 1}, "spec": spec, "status": found}


OBJECTS: dict[str, list[Item]] = {
    "kustomizations": [item("apps"), item("sources"), item("traefik", ready=False)],
    "gitrepositories": [
        item("flux-system"),
        item("platform", {"artifact": {"revision": "main@sha1:abc"}}, ref={"branch": "main", "commit": "f" * 40}),
    ],
    "helmreleases": [
        item("traefik", {"history": [{"chartVersion": "39.0.1"}, {"chartVersion": "38.0.0"}]}),
        item("new"),
    ],
    "certificates": [
        item("late", {"notAfter": "2027-03-01T00:00:00Z"}),
        item("soon", {"notAfter": "2027-01-31T00:00:00Z"}),
    ],
    "objectstores": [
        item("main", {"serverRecoveryWindow": {"main-1": {"lastSuccessfulBackupTime": "2026-11-30T02:00:00Z"}}}),
        item("other", {"serverRecoveryWindow": {"other-1": {}}}),
        item("fresh"),
    ],
}
ALERTS = [{"labels": {"alertname": name, "severity": "critical"}} for name in ("Watchdog", "NodeDown")]


@pytest.fixture
def cluster(outside: Outside) -> Iterator[FakeKubernetes]:
    """A cluster with these objects and alerts."""
    with FakeKubernetes() as fake:
        fake.app.add_url_rule("/apis/<group>/<version>/<plural>", view_func=_listed)
        fake.app.add_url_rule(
            "/api/v1/namespaces/<namespace>/services/<service>/proxy/api/v2/alerts", view_func=_alerts
        )
        outside.digitalocean.server = fake.url
        outside.digitalocean.add_cluster("episodic-sandbox")
        yield fake


def _listed(group: str, version: str, plural: str) -> Any:
    return {"items": OBJECTS[plural]} if plural in OBJECTS else Response(status=404)


def _alerts(namespace: str, service: str) -> Any:
    assert (namespace, service) == ("observability", "http:kube-prometheus-stack-alertmanager:9093")
    return jsonify(ALERTS)


def shown(outside: Outside) -> dict[str, str]:
    return dict(status(outside.environment(), DigitalOcean(outside.digitalocean.token)))


def test_one_screen_says_what_runs_where(outside: Outside, cluster: FakeKubernetes) -> None:
    found = shown(outside)
    assert [*found] == ["cluster", "layers", "version", "charts", "certificates", "backups", "alerts"]
    assert found["cluster"].startswith("episodic-sandbox in ")
    assert "1.36.2-do.0, running; nodes: " in found["cluster"]
    assert found["layers"] == "2 of 3 Ready: traefik (timeout of 5m)"
    assert found["version"] == f"pinned to {'f' * 12}, runs main@sha1:abc"
    assert found["charts"] == "traefik 39.0.1, new not installed"
    assert found["certificates"] == "2 of 2 Ready, the first ends on 2027-01-31 (soon)"
    assert found["backups"] == "last of main-1 2026-11-30T02:00:00Z, other-1 never"
    assert found["alerts"] == "1 firing: NodeDown (critical)"
    asked = [request.path for request in outside.digitalocean.requests]
    assert len([path for path in asked if path.startswith("/v2/kubernetes/clusters?")]) == 1


def test_what_is_not_there_is_said(outside: Outside, cluster: FakeKubernetes, monkeypatch: pytest.MonkeyPatch) -> None:
    for plural in ("objectstores", "gitrepositories", "helmreleases", "certificates"):
        monkeypatch.delitem(OBJECTS, plural)
    found = shown(outside)
    assert found["version"] == "Flux has no source of the platform yet"
    assert (found["backups"], found["charts"], found["certificates"]) == ("none yet", "none", "0 of 0 Ready")


def test_without_a_cluster_there_is_nothing_to_show(outside: Outside) -> None:
    with pytest.raises(ConfigError, match="DigitalOcean has no cluster episodic-sandbox; provision sandbox first"):
        shown(outside)
