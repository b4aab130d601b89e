"""The sandbox comes up by Flux on real machines, with its own network policies and the operators that are at hand."""

from __future__ import annotations

import re
from base64 import b64decode
from datetime import UTC, datetime
from typing import Any

from cryptography import x509

from tests.e2e.node.conftest import REPORT
from tests.e2e.node.sandbox import SECRETS, Sandbox
from tests.e2e.reconciler import is_ready

EACH = "{range .items[*]}{.metadata.namespace} {.metadata.name}{'\\n'}{end}"
ERROR = re.compile(r'"level":"(error|fatal|panic)"|\blevel=(error|fatal)|\] E\d{4} |\tERROR\t|\[error\]')
"""How programs begin what is an error: in JSON (zap, CloudNativePG), logfmt, klog, zap for people, and Erlang."""

ALLOWED: dict[str, str] = {}
"""What is no fault of an object of ours, and why."""

OURS = ("flux-system", "platform")
"""The sources with the environment's repository."""


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


def test_no_controller_says_an_error_once_the_platform_is_up(platform: Sandbox) -> None:
    """Each layer is applied again, so that each controller has something to do."""
    since = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    platform.follower.apply_again()
    said = platform.cluster.kubectl("get", "pods", "-A", "-l", "!job-name", "-o", f"jsonpath={EACH}")
    wrong: list[str] = []
    for namespace, pod in (line.split() for line in said.splitlines()):
        options = ("--all-containers", "--prefix", "--ignore-errors", f"--since-time={since}")
        lines = platform.cluster.kubectl("logs", pod, "-n", namespace, *options, code=None).splitlines()
        wrong += [f"{namespace} {line}" for line in lines if ERROR.search(line)]
    assert [line for line in wrong if not any(re.search(allowed, line) for allowed in ALLOWED)] == []


def test_a_commit_reaches_every_layer(platform: Sandbox) -> None:
    platform.follower.repository.git("commit", "--allow-empty", "--quiet", "--message", "nothing")
    commit = platform.follower.repository.git("rev-parse", "HEAD")

    def has_it(layer: dict[str, Any]) -> bool:
        ours = layer["spec"]["sourceRef"]["name"] in OURS
        return not ours or (is_ready(layer) and commit in layer.get("status", {}).get("lastAppliedRevision", ""))

    took = platform.cluster.eventually(
        lambda: all(map(has_it, platform.follower.layers().values())), "every layer has the commit"
    )
    REPORT.append(f"sandbox: a commit reached every layer after {took:.0f} s")
