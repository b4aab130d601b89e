"""Traefik: its values, the load balancer in front of it, and what it applies to every request."""

from __future__ import annotations

from typing import Any

import pytest

from constructs_lib.kit import Layer, Pods
from constructs_lib.platform.baseline import BASELINE
from constructs_lib.platform.traefik import CONFIGS, CONTROLLERS, Traefik
from tests.constructs_lib.platform import said
from tests.support import environment, everything

BALANCER = "service.beta.kubernetes.io/do-loadbalancer"


def layers(**settings: Any) -> dict[str, Layer]:
    return {str(layer.id): layer for layer in Traefik(**settings).layers(environment())}


def values(**settings: Any) -> dict[str, Any]:
    (release,) = layers(**settings)[str(CONTROLLERS)].releases
    assert (release.name, release.namespace, release.stateful) == ("traefik", "traefik", False)
    assert (release.chart.repository, release.chart.version) == ("https://traefik.github.io/charts", "41.3.0")
    return release.values


def objects(**settings: Any) -> dict[str, Any]:
    return {item["metadata"]["name"]: item for item in layers(**settings)[str(CONFIGS)].manifests}


def test_it_comes_after_the_baseline_and_its_objects_after_its_chart() -> None:
    found = layers()
    assert found[str(CONTROLLERS)].after == BASELINE
    assert found[str(CONFIGS)].after == (CONTROLLERS,)


def test_proxy_protocol_is_on_at_both_ends() -> None:
    found = values()
    annotations = found["service"]["annotations"]
    assert annotations[f"{BALANCER}-enable-proxy-protocol"] == "true"
    assert annotations[f"{BALANCER}-type"] == "REGIONAL", "a pass-through balancer has no PROXY protocol"
    for port in ("web", "websecure"):
        assert found["ports"][port]["proxyProtocol"] == {"trustedIPs": ["10.20.0.0/20"]}
        assert found["ports"][port]["forwardedHeaders"] == {"trustedIPs": ["10.20.0.0/20"]}


def test_calls_from_inside_the_cluster_reach_it_by_the_balancers_name() -> None:
    annotations = values()["service"]["annotations"]
    assert annotations[f"{BALANCER}-hostname"] == "ingress.sandbox.episodic.example"
    assert annotations[f"{BALANCER}-name"] == "episodic-sandbox-ingress"


def test_annotations_are_text() -> None:
    annotations = values(load_balancer_size=3)["service"]["annotations"]
    assert annotations[f"{BALANCER}-size-unit"] == "3"
    assert all(isinstance(value, str) for value in annotations.values())


def test_http_is_sent_to_https() -> None:
    found = values()["ports"]
    to_https = {"to": "websecure", "scheme": "https", "permanent": True}
    assert found["web"]["http"] == {"redirections": {"entryPoint": to_https}}
    assert found["websecure"]["http"] == {"tls": {"enabled": True}}


def test_it_is_the_default_ingress_class_and_keeps_client_addresses() -> None:
    found = values()
    assert found["ingressClass"] == {"enabled": True, "isDefaultClass": True, "name": "traefik"}
    assert found["service"]["spec"] == {"externalTrafficPolicy": "Local"}


def test_nothing_is_shown_and_nothing_is_reported() -> None:
    found = values()
    assert found["api"] == {"dashboard": False}
    assert found["global"] == {"checkNewVersion": False, "sendAnonymousUsage": False}


def test_logs_are_structured() -> None:
    found = values()
    assert found["log"] == {"format": "json"}
    assert found["accessLog"] == {"enabled": True, "format": "json"}


@pytest.mark.parametrize(("replicas", "budget"), [(1, {"enabled": False}), (3, {"enabled": True, "minAvailable": 1})])
def test_several_pods_have_a_budget_and_are_spread(replicas: int, budget: dict[str, Any]) -> None:
    found = values(replicas=replicas)
    assert found["deployment"]["replicas"] == replicas
    assert found["podDisruptionBudget"] == budget
    (constraint,) = found["topologySpreadConstraints"]
    assert constraint["labelSelector"] == {"matchLabels": {"app.kubernetes.io/name": "traefik"}}


def test_a_pod_that_ends_serves_until_the_balancer_has_seen_it() -> None:
    found = values()["deployment"]
    checks, interval, timeout = 3, 3, 5
    sleep = found["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert sleep > checks * (interval + timeout)
    assert found["terminationGracePeriodSeconds"] >= sleep + 10, "Traefik's own time for requests in flight"


def test_it_runs_on_the_system_pool_with_room_to_grow() -> None:
    found = values()
    assert found["nodeSelector"] == {"pool-role": "system"}
    assert found["tolerations"] == [{"key": "CriticalAddonsOnly", "operator": "Exists"}]
    assert found["resources"] == {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}}


def test_every_connection_is_tls_1_2_or_newer() -> None:
    options = {item["kind"]: item for item in layers()[str(CONFIGS)].manifests}
    assert options["TLSOption"]["metadata"] == {"name": "default", "namespace": "traefik"}
    assert options["TLSOption"]["spec"] == {"minVersion": "VersionTLS12"}, "sniStrict fails HTTP-01 challenges"
    headers = objects()["security-headers"]["spec"]["headers"]
    assert headers["stsSeconds"] >= 31536000
    assert headers["contentTypeNosniff"] is True
    assert headers["frameDeny"] is True


def test_a_client_may_send_so_many_requests() -> None:
    assert objects(requests_per_second=10)["rate-limit"]["spec"]["rateLimit"] == {
        "average": 10,
        "burst": 20,
        "period": "1s",
    }


def test_it_serves_the_wildcard_certificate_where_an_ingress_names_none() -> None:
    (store,) = [item for item in layers()[str(CONFIGS)].manifests if item["kind"] == "TLSStore"]
    assert store["spec"] == {"defaultCertificate": {"secretName": "default-tls"}}


def test_links() -> None:
    assert said.links("traefik", everything()) == [
        "outside -> traefik/traefik: 8000 8443",
        "traefik/traefik -> the API server: 443 6443 16443",
        "observability/prometheus -> traefik/traefik: 9100",
        "traefik/traefik -> episodic/apps: 8080",
        "traefik/traefik -> episodic/acme-solver: 8089",
    ]


@pytest.mark.parametrize(
    ("changes", "namespaces"),
    [
        ({}, ["episodic"]),
        ({"cert_manager__dns_challenge": None}, ["episodic", "traefik"]),
        ({"cert_manager__enabled": False}, []),
    ],
)
def test_it_reaches_solvers_where_there_are_some(changes: dict[str, Any], namespaces: list[str]) -> None:
    env = environment(**{f"platform__{key}": value for key, value in changes.items()})
    assert [link.target for link in env.platform.traefik.links(env) if link.ports == (8089,)] == [
        Pods(name, "acme-solver", {"acme.cert-manager.io/http01-solver": "true"}) for name in namespaces
    ]


def test_settings() -> None:
    assert said.settings("traefik") == {
        "Traefik.enabled": "True",
        "Traefik.replicas": "2 Ge(ge=1) Le(le=50)",
        "Traefik.load_balancer_size": "1 Ge(ge=1) Le(le=200)",
        "Traefik.requests_per_second": "100 Ge(ge=1)",
    }


def test_values() -> None:
    assert said.releases("traefik", everything()) == {"traefik": ("traefik", "41.3.0", False)}
    assert said.values("traefik", everything()) == {
        "traefik": {
            "nodeSelector.pool-role": "system",
            "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
            "deployment.replicas": 3,
            "deployment.lifecycle.preStop.sleep.seconds": 30,
            "deployment.terminationGracePeriodSeconds": 60,
            "podDisruptionBudget.enabled": True,
            "podDisruptionBudget.minAvailable": 1,
            "topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": "kubernetes.io/hostname",
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": {"matchLabels": {"app.kubernetes.io/name": "traefik"}},
                }
            ],
            "resources.requests.cpu": "100m",
            "resources.requests.memory": "128Mi",
            "resources.limits.memory": "256Mi",
            "api.dashboard": False,
            "global.checkNewVersion": False,
            "global.sendAnonymousUsage": False,
            "ingressClass.enabled": True,
            "ingressClass.isDefaultClass": True,
            "ingressClass.name": "traefik",
            "ports.web.proxyProtocol.trustedIPs": ["10.22.0.0/20"],
            "ports.web.forwardedHeaders.trustedIPs": ["10.22.0.0/20"],
            "ports.web.http.redirections.entryPoint.to": "websecure",
            "ports.web.http.redirections.entryPoint.scheme": "https",
            "ports.web.http.redirections.entryPoint.permanent": True,
            "ports.websecure.proxyProtocol.trustedIPs": ["10.22.0.0/20"],
            "ports.websecure.forwardedHeaders.trustedIPs": ["10.22.0.0/20"],
            "ports.websecure.http.tls.enabled": True,
            "metrics.prometheus.service.enabled": True,
            "metrics.prometheus.serviceMonitor.enabled": True,
            "service.annotations.service.beta.kubernetes.io/do-loadbalancer-name": "episodic-production-ingress",
            "service.annotations.service.beta.kubernetes.io/do-loadbalancer-type": "REGIONAL",
            "service.annotations.service.beta.kubernetes.io/do-loadbalancer-size-unit": "2",
            "service.annotations.service.beta.kubernetes.io/do-loadbalancer-enable-proxy-protocol": "true",
            "service.annotations.service.beta.kubernetes.io/do-loadbalancer-hostname": "ingress.episodic.example",
            "service.spec.externalTrafficPolicy": "Local",
            "log.format": "json",
            "accessLog.enabled": True,
            "accessLog.format": "json",
        }
    }


def test_operators() -> None:
    assert said.operators("traefik") == {"traefik": ("brings traefik.io",)}


def test_browsers_are_told_to_be_careful() -> None:
    assert objects()["security-headers"]["spec"]["headers"] == {
        "stsSeconds": 31536000,
        "stsIncludeSubdomains": True,
        "contentTypeNosniff": True,
        "frameDeny": True,
        "referrerPolicy": "strict-origin-when-cross-origin",
    }


def test_applications_are_reached_on_their_own_port() -> None:
    env = environment(applications={"shop": {"owner": "a", "hosts": {"www": {"port": 9000}}}})
    assert "traefik/traefik -> shop/apps: 9000" in said.links("traefik", env)


def test_the_dashboard_counts_as_failed_what_the_objective_does() -> None:
    env = everything()
    queries = {panel.title: panel.queries[0].expr for panel in env.platform.traefik.health(env).now}
    assert 'entrypoint="websecure",code=~"5.."' in queries["Failed"]
