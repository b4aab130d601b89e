"""The sandbox comes up by Flux on real machines, with its own network policies and the operators that are at hand."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator

import pytest
from cryptography import x509

from constructs_lib.environment import Environment
from tests.e2e.cluster import CRDS
from tests.e2e.node import charts, releases, world
from tests.e2e.node.cluster import TOOLS, NodeCluster
from tests.e2e.node.conftest import REPORT, require_node
from tests.e2e.node.flux import Follower, follow
from tests.support import environment

SECRETS = {
    "digitalocean-dns": {"token": "dop_v1_test"},
    "backups": {"access_key_id": "key", "secret_access_key": "secret"},
    "postgres/main/episodic": {"password": "postgres-0123456789"},
    "rabbitmq/main/episodic": {"password": "rabbitmq-0123456789"},
    "valkey/main": {"password": "valkey-0123456789"},
    "grafana": {"username": "admin", "password": "grafana-0123456789"},
}
"""What the documentation says that Vault has to hold for the sandbox."""

CONTROLLERS = {"source-controller", "helm-controller", "RabbitMQ's operators"}
"""What stands beside the releases and is not real either."""

NOT_AWAITED = {"cert-manager-certificates"}
"""The layer for which nothing waits."""


@pytest.fixture(scope="module")
def env() -> Environment:
    """The sandbox, as it is."""
    return environment("sandbox")


@pytest.fixture(scope="module")
def platform(env: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Follower]:
    """A cluster that follows the sandbox, with all layers Ready."""
    require_node(*TOOLS, *world.TOOLS, *releases.PROGRAMS.values(), charts.TOOL, "kustomize-controller")
    if not CRDS.is_dir():
        pytest.skip(f"no CRDs in {CRDS}; set CRDS")
    folder = tmp_path_factory.mktemp("platform")
    with NodeCluster(folder / "cluster", hosts=world.hosts(env), zone=env.domain) as cluster:
        vault = world.World(cluster, env)
        vault.start()
        vault.trust()
        for path, values in SECRETS.items():
            vault.write(path, **values)
        with follow(cluster, env, folder) as follower:
            waiting: dict[str, str] = {}

            def is_up() -> bool:
                waiting.clear()
                waiting.update(follower.waiting())
                return len(follower.layers()) > 20 and set(waiting) <= NOT_AWAITED

            try:
                took = cluster.eventually(is_up, "every layer is Ready", within=300)
            finally:
                (folder / "waiting").write_text("\n".join(f"{name}: {said}" for name, said in waiting.items()))
            REPORT.append(f"sandbox: every layer Ready after {took:.0f} s")
            REPORT.append(f"sandbox, real: kustomize-controller, Vault, Pebble, {', '.join(releases.PROGRAMS)}")
            stand_ins = sorted({*CONTROLLERS, *follower.releases.stand_ins})
            REPORT.append(f"sandbox, stand-ins: {', '.join(stand_ins)}")
            yield follower


def test_secrets_of_vault_arrive_where_they_should(platform: Follower) -> None:
    found = platform.cluster.get("secret", "digitalocean-dns", "cert-manager")
    assert found is not None
    assert b64decode(found["data"]["token"]).decode() == SECRETS["digitalocean-dns"]["token"]


def test_certificates_inside_the_cluster_come_from_its_own_ca(platform: Follower) -> None:
    authority, served = (
        platform.cluster.get("secret", name, namespace)
        for name, namespace in (("internal-ca", "cert-manager"), ("otel-gateway-tls", "observability"))
    )
    assert authority is not None
    assert served is not None
    ca = x509.load_pem_x509_certificate(b64decode(authority["data"]["tls.crt"]))
    certificate = x509.load_pem_x509_certificate(b64decode(served["data"]["tls.crt"]))
    certificate.verify_directly_issued_by(ca)


def test_the_wildcard_certificate_comes_from_lets_encrypt_by_dns(platform: Follower, env: Environment) -> None:
    took = platform.cluster.eventually(lambda: not platform.waiting(), "the certificate is there", within=240)
    REPORT.append(f"sandbox: wildcard certificate {took:.0f} s later")
    found = platform.cluster.get("secret", "wildcard-tls", "traefik")
    assert found is not None
    certificate = x509.load_pem_x509_certificate(b64decode(found["data"]["tls.crt"]))
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.DNSName)) == {env.domain, f"*.{env.domain}"}
    assert "Pebble" in certificate.issuer.rfc4514_string()


def test_no_pod_had_to_start_again(platform: Follower) -> None:
    printed = platform.cluster.kubectl(
        "get",
        "pods",
        "-A",
        "--output=jsonpath={range .items[*]}{.metadata.name} {.status.containerStatuses[*].restartCount}{'\\n'}{end}",
    )
    assert {line.split()[1] for line in printed.splitlines()} == {"0"}
