"""cert-manager: its values and issuers."""

from __future__ import annotations

from typing import Any

import pytest

from constructs_lib.kit import Layer, Release, Room
from constructs_lib.platform.cert_manager import CERTIFICATES, CONTROLLERS, ISSUERS, CertManager
from tests.constructs_lib.platform import said
from tests.support import environment, everything

PLACEMENT = {
    "nodeSelector": {"pool-role": "system"},
    "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
}
PODS = ("controller", "webhook", "cainjector")


def layers(**settings: Any) -> dict[str, Layer]:
    return {str(layer.id): layer for layer in CertManager(**settings).layers(environment())}


def release(**settings: Any) -> Release:
    (found,) = layers(**settings)[str(CONTROLLERS)].releases
    return found


def pods_of(values: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the values of one of the three deployments; those of the controller are at the top."""
    return values if name == "controller" else values[name]


def test_the_chart_is_exact_and_its_release_is_never_rolled_back() -> None:
    found = release()
    assert (found.name, found.namespace, found.stateful) == ("cert-manager", "cert-manager", True)
    assert (found.chart.repository, found.chart.version) == ("oci://quay.io/jetstack/charts", "v1.21.1")


def test_crds_come_with_the_chart_and_outlive_it() -> None:
    assert release().values["crds"] == {"enabled": True, "keep": True}
    assert "installCRDs" not in release().values


@pytest.mark.parametrize("name", PODS)
def test_pods_run_on_the_system_pool_spread_and_sized(name: str) -> None:
    pods = pods_of(release(replicas=3).values, name)
    assert {key: pods[key] for key in PLACEMENT} == PLACEMENT
    assert pods["replicaCount"] == 3
    assert pods["podDisruptionBudget"] == {"enabled": True}
    assert pods["resources"]["requests"].keys() == {"cpu", "memory"}
    assert pods["resources"]["limits"] == {"memory": pods["resources"]["requests"]["memory"]}
    (constraint,) = pods["topologySpreadConstraints"]
    assert constraint["labelSelector"]["matchLabels"]["app.kubernetes.io/component"] == name
    assert (constraint["topologyKey"], constraint["whenUnsatisfiable"]) == ("kubernetes.io/hostname", "ScheduleAnyway")


@pytest.mark.parametrize(
    ("changes", "namespaces"),
    [
        ({}, ["episodic"]),
        ({"cert_manager__dns_challenge": None}, ["episodic", "traefik"]),
        ({"traefik__enabled": False}, []),
    ],
)
def test_a_pod_answers_challenges_where_certificates_are_proven_by_http(
    changes: dict[str, Any], namespaces: list[str]
) -> None:
    env = environment(**{f"platform__{key}": value for key, value in changes.items()})
    pods = [item for item in env.platform.cert_manager.workloads(env) if item.name == "Pod/cm-acme-http-solver"]
    assert [(pod.namespace, pod.passing, pod.each) for pod in pods] == [
        (name, True, Room(10, 64)) for name in namespaces
    ]


@pytest.mark.parametrize("name", PODS)
def test_one_pod_has_no_budget_that_would_hold_up_a_drain(name: str) -> None:
    pods = pods_of(release(replicas=1).values, name)
    assert (pods["replicaCount"], pods["podDisruptionBudget"]) == (1, {"enabled": False})


def test_the_check_job_is_placed_and_sized_too() -> None:
    job = release().values["startupapicheck"]
    assert {key: job[key] for key in PLACEMENT} == PLACEMENT
    assert job["resources"]["limits"] == {"memory": "64Mi"}


def test_the_webhook_answers_soon_enough_for_an_upgrade_of_the_cluster() -> None:
    assert release().values["webhook"]["timeoutSeconds"] == 10


def test_leaders_are_elected_in_its_own_namespace() -> None:
    assert release().values["global"] == {"leaderElection": {"namespace": "cert-manager"}}


def issuers(**settings: Any) -> dict[str, Any]:
    found = layers(**settings)[str(ISSUERS)]
    return {item["metadata"]["name"]: item["spec"] for item in found.manifests if item["kind"] == "ClusterIssuer"}


def test_the_issuers_of_lets_encrypt() -> None:
    found = issuers(acme_email="ops@example.org")
    for stage, host in (("staging", "acme-staging-v02"), ("production", "acme-v02")):
        acme = found[f"letsencrypt-{stage}"]["acme"]
        assert acme["server"] == f"https://{host}.api.letsencrypt.org/directory"
        assert acme["email"] == "ops@example.org"
        assert acme["privateKeySecretRef"] == {"name": f"letsencrypt-{stage}-account"}


def test_the_domains_own_names_are_proven_by_dns_and_all_others_over_http() -> None:
    http, dns = issuers()["letsencrypt-staging"]["acme"]["solvers"]
    assert http == {"http01": {"ingress": {"ingressClassName": "traefik"}}}
    assert dns["selector"]["dnsNames"] == ["sandbox.episodic.example", "*.sandbox.episodic.example"]
    assert dns["dns01"]["digitalocean"]["tokenSecretRef"] == {"name": "digitalocean-dns", "key": "token"}


def test_without_the_dns_challenge_there_is_no_token_and_a_certificate_for_the_ingress_own_host_alone() -> None:
    found = layers(dns_challenge=None)
    assert [len(item["acme"]["solvers"]) for item in issuers(dns_challenge=None).values() if "acme" in item] == [1, 1]
    assert not [item for item in found[str(ISSUERS)].manifests if item["kind"] == "ExternalSecret"]
    (own,) = found[str(CERTIFICATES)].manifests
    assert own["spec"]["dnsNames"] == ["ingress.sandbox.episodic.example"]


@pytest.mark.parametrize(
    ("challenge", "solver", "keys"),
    [
        (
            {"provider": "cloudflare"},
            {"cloudflare": {"apiTokenSecretRef": {"name": "cloudflare-dns", "key": "token"}}},
            ["token"],
        ),
        (
            {"provider": "route53", "hosted_zone": "Z1"},
            {
                "route53": {
                    "hostedZoneID": "Z1",
                    "accessKeyIDSecretRef": {"name": "route53-dns", "key": "access_key_id"},
                    "secretAccessKeySecretRef": {"name": "route53-dns", "key": "secret_access_key"},
                }
            },
            ["access_key_id", "secret_access_key"],
        ),
    ],
)
def test_a_zone_elsewhere_is_proven_there(challenge: dict[str, str], solver: dict[str, Any], keys: list[str]) -> None:
    _, dns = issuers(dns_challenge=challenge)["letsencrypt-staging"]["acme"]["solvers"]
    assert dns["dns01"] == solver
    found = layers(dns_challenge=challenge)[str(ISSUERS)].manifests
    (secret,) = [item for item in found if item["kind"] == "ExternalSecret"]
    name = f"{challenge['provider']}-dns"
    assert secret["metadata"]["name"] == name
    assert [data["remoteRef"] for data in secret["spec"]["data"]] == [
        {"key": f"sandbox/platform/{name}", "property": key} for key in keys
    ]


def test_an_acme_server_that_knows_its_customers() -> None:
    settings: dict[str, Any] = {
        "servers": {"letsencrypt-production": "https://acme.example.org/directory"},
        "external_account": {"key_id": "kid-1"},
    }
    found = issuers(**settings)
    assert found["letsencrypt-production"]["acme"]["server"] == "https://acme.example.org/directory"
    assert found["letsencrypt-production"]["acme"]["externalAccountBinding"] == {
        "keyID": "kid-1",
        "keySecretRef": {"name": "acme-account", "key": "hmac_key"},
    }
    secrets = [item for item in layers(**settings)[str(ISSUERS)].manifests if item["kind"] == "ExternalSecret"]
    (secret,) = [item for item in secrets if item["metadata"]["name"] == "acme-account"]
    assert secret["spec"]["data"][0]["remoteRef"] == {"key": "sandbox/platform/acme-account", "property": "hmac_key"}
    assert "externalAccountBinding" not in issuers()["letsencrypt-production"]["acme"]


def test_without_an_address_nobody_is_written_to() -> None:
    assert all("email" not in item["acme"] for item in issuers().values() if "acme" in item)


def test_the_internal_ca_signs_itself_and_is_an_issuer() -> None:
    found = issuers()
    assert (found["self-signed"], found["internal-ca"]) == ({"selfSigned": {}}, {"ca": {"secretName": "internal-ca"}})
    authority = certificates()["cert-manager"]
    assert authority["metadata"]["namespace"] == "cert-manager", "where ClusterIssuers look for secrets"
    assert (authority["spec"]["isCA"], authority["spec"]["secretName"]) == (True, "internal-ca")
    assert authority["spec"]["privateKey"]["rotationPolicy"] == "Never"


def certificates() -> dict[str, Any]:
    found = layers()[str(ISSUERS)].manifests
    return {item["metadata"]["namespace"]: item for item in found if item["kind"] == "Certificate"}


def test_applications_have_the_internal_ca_whatever_else_is_on() -> None:
    trusted = certificates()["episodic"]
    assert trusted["metadata"]["name"] == trusted["spec"]["secretName"] == "trusted-ca"
    assert trusted["spec"]["issuerRef"]["name"] == "internal-ca"
    assert layers()[str(ISSUERS)].blocks_apps, "it is there before they are"


def test_nothing_waits_for_the_wildcard_certificate() -> None:
    found = layers()[str(CERTIFICATES)]
    assert found.blocks_apps is False
    (wildcard,) = found.manifests
    assert wildcard["metadata"]["namespace"] == "traefik", "where Traefik reads its default certificate"
    assert wildcard["spec"]["issuerRef"]["name"] == "letsencrypt-staging"


def test_links() -> None:
    assert said.links("cert_manager", everything()) == [
        "cert-manager/controller -> the API server: 443 6443 16443",
        "cert-manager/webhook -> the API server: 443 6443 16443",
        "cert-manager/cainjector -> the API server: 443 6443 16443",
        "cert-manager/startupapicheck -> the API server: 443 6443 16443",
        "the API server -> cert-manager/webhook: 10250",
        "cert-manager/controller -> the internet: 80 443",
        "cert-manager/controller -> the internet: 53/UDP 53",
        "observability/prometheus -> cert-manager/controller: 9402",
        "observability/prometheus -> cert-manager/webhook: 9402",
        "observability/prometheus -> cert-manager/cainjector: 9402",
    ]


def test_settings() -> None:
    assert said.settings("cert_manager") == {
        "CertManager.enabled": "True",
        "CertManager.replicas": "2 Ge(ge=1) Le(le=9)",
        "CertManager.acme_email": "None",
        "CertManager.issuer": "'letsencrypt-staging'",
        "CertManager.servers": "{}",
        "CertManager.external_account": "None",
        "CertManager.dns_challenge": "DigitalOcean(provider='digitalocean')",
        "ExternalAccount.key_id": "required",
        "DigitalOcean.provider": "'digitalocean'",
        "Cloudflare.provider": "required",
        "Route53.provider": "required",
        "Route53.hosted_zone": "None",
    }


def test_values() -> None:
    assert said.releases("cert_manager", everything()) == {"cert-manager": ("cert-manager", "v1.21.1", True)}
    assert said.values("cert_manager", everything()) == {
        "cert-manager": {
            "nodeSelector.pool-role": "system",
            "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
            "replicaCount": 3,
            "podDisruptionBudget.enabled": True,
            "crds.enabled": True,
            "crds.keep": True,
            "global.leaderElection.namespace": "cert-manager",
            "resources.requests.cpu": "50m",
            "resources.requests.memory": "128Mi",
            "resources.limits.memory": "128Mi",
            "topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": "kubernetes.io/hostname",
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": {
                        "matchLabels": {
                            "app.kubernetes.io/instance": "cert-manager",
                            "app.kubernetes.io/component": "controller",
                        }
                    },
                }
            ],
            "webhook.nodeSelector.pool-role": "system",
            "webhook.tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
            "webhook.replicaCount": 3,
            "webhook.podDisruptionBudget.enabled": True,
            "webhook.timeoutSeconds": 10,
            "webhook.resources.requests.cpu": "20m",
            "webhook.resources.requests.memory": "64Mi",
            "webhook.resources.limits.memory": "64Mi",
            "webhook.topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": "kubernetes.io/hostname",
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": {
                        "matchLabels": {
                            "app.kubernetes.io/instance": "cert-manager",
                            "app.kubernetes.io/component": "webhook",
                        }
                    },
                }
            ],
            "cainjector.nodeSelector.pool-role": "system",
            "cainjector.tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
            "cainjector.replicaCount": 3,
            "cainjector.podDisruptionBudget.enabled": True,
            "cainjector.resources.requests.cpu": "20m",
            "cainjector.resources.requests.memory": "256Mi",
            "cainjector.resources.limits.memory": "256Mi",
            "cainjector.topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": "kubernetes.io/hostname",
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": {
                        "matchLabels": {
                            "app.kubernetes.io/instance": "cert-manager",
                            "app.kubernetes.io/component": "cainjector",
                        }
                    },
                }
            ],
            "prometheus.servicemonitor.enabled": True,
            "startupapicheck.nodeSelector.pool-role": "system",
            "startupapicheck.tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
            "startupapicheck.resources.requests.cpu": "10m",
            "startupapicheck.resources.requests.memory": "64Mi",
            "startupapicheck.resources.limits.memory": "64Mi",
        }
    }


def test_operators() -> None:
    assert said.operators("cert_manager") == {
        "cert-manager": ("brings cert-manager.io", "brings acme.cert-manager.io", "webhook cert-manager/webhook: 10250")
    }


def test_a_certificate_inside_the_cluster_serves_and_calls_and_is_renewed_a_month_before_its_end() -> None:
    objects = [item for layer in everything().layers for item in layer.manifests]
    (spec,) = (item["spec"] for item in objects if item["metadata"]["name"] == "tempo-tls")
    assert (spec["duration"], spec["renewBefore"]) == ("2160h", "720h")
    assert spec["usages"] == ["digital signature", "key encipherment", "server auth", "client auth"]
    assert spec["issuerRef"]["name"] == "internal-ca"
