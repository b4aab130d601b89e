"""ExternalDNS: who may write which records."""

from __future__ import annotations

from tests.constructs_lib.platform import said
from tests.support import environment, everything


def test_links() -> None:
    assert said.links("external_dns", everything()) == [
        "external-dns/external-dns -> the API server: 443 6443 16443",
        "external-dns/external-dns -> the internet: 443",
        "observability/prometheus -> external-dns/external-dns: 7979",
    ]


def test_settings() -> None:
    assert said.settings("external_dns") == {"ExternalDns.enabled": "False", "ExternalDns.policy": "'upsert-only'"}


def test_values() -> None:
    assert said.releases("external_dns", everything()) == {"external-dns": ("external-dns", "1.20.0", False)}
    assert said.values("external_dns", everything()) == {
        "external-dns": {
            "nodeSelector.pool-role": "system",
            "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
            "provider.name": "digitalocean",
            "env": [{"name": "DO_TOKEN", "valueFrom": {"secretKeyRef": {"name": "digitalocean-dns", "key": "token"}}}],
            "sources": ["ingress"],
            "policy": "upsert-only",
            "registry": "txt",
            "txtOwnerId": "episodic-production",
            "domainFilters": ["episodic.example"],
            "excludeDomains": ["ingress.episodic.example"],
            "resources.requests.cpu": "20m",
            "resources.requests.memory": "64Mi",
            "resources.limits.memory": "128Mi",
            "serviceMonitor.enabled": True,
        }
    }


def test_it_looks_after_the_zone_that_holds_the_domain() -> None:
    env = environment("staging", platform__external_dns={"enabled": True})
    values = said.values("external_dns", env)["external-dns"]
    assert values["domainFilters"] == ["episodic.example"]
    assert values["excludeDomains"] == ["ingress.staging.episodic.example"]


def test_its_token_comes_first() -> None:
    env = everything()
    credentials, controllers = env.platform.external_dns.layers(env)
    assert credentials.id in controllers.after
