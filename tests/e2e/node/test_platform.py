"""The sandbox comes up by Flux on real machines, with its own network policies and the operators that are at hand."""

from __future__ import annotations

from base64 import b64decode

from cryptography import x509

from tests.e2e.node.conftest import REPORT
from tests.e2e.node.sandbox import SECRETS, Sandbox


def test_secrets_of_vault_arrive_where_they_should(platform: Sandbox) -> None:
    found = platform.cluster.get("secret", "digitalocean-dns", "cert-manager")
    assert found is not None
    assert b64decode(found["data"]["token"]).decode() == SECRETS["digitalocean-dns"]["token"]


def test_certificates_inside_the_cluster_come_from_its_own_ca(platform: Sandbox) -> None:
    authority, served = (
        platform.cluster.get("secret", name, namespace)
        for name, namespace in (("internal-ca", "cert-manager"), ("otel-gateway-tls", "observability"))
    )
    assert authority is not None
    assert served is not None
    ca = x509.load_pem_x509_certificate(b64decode(authority["data"]["tls.crt"]))
    certificate = x509.load_pem_x509_certificate(b64decode(served["data"]["tls.crt"]))
    certificate.verify_directly_issued_by(ca)


def test_the_wildcard_certificate_comes_from_lets_encrypt_by_dns(platform: Sandbox) -> None:
    took = platform.cluster.eventually(lambda: not platform.follower.waiting(), "the certificate is there")
    REPORT.append(f"sandbox: wildcard certificate {took:.0f} s later")
    found = platform.cluster.get("secret", "default-tls", "traefik")
    assert found is not None
    certificate = x509.load_pem_x509_certificate(b64decode(found["data"]["tls.crt"]))
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.DNSName)) == {platform.env.domain, f"*.{platform.env.domain}"}
    assert "Pebble" in certificate.issuer.rfc4514_string()


def test_no_pod_had_to_start_again(platform: Sandbox) -> None:
    printed = platform.cluster.kubectl(
        "get",
        "pods",
        "-A",
        "--output=jsonpath={range .items[*]}{.metadata.name} {.status.containerStatuses[*].restartCount}{'\\n'}{end}",
    )
    assert {line.split()[1] for line in printed.splitlines()} == {"0"}
