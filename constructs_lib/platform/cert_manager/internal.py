"""Certificates for traffic inside the cluster, from a CA of its own.

Upstream: cert-manager v1.21.1 `pkg/apis/certmanager/v1`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from constructs_lib.kit import (
    Manifest,
    ca_volume,
    manifest,
)
from constructs_lib.platform.baseline.admission import INTERNAL_CA

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

NAMESPACE = "cert-manager"
TRUSTED_CA = "trusted-ca"
"""The Secret by whose `ca.crt` the clients of a namespace know what the internal CA signed."""
CA_VOLUME = ca_volume(TRUSTED_CA)
CA_FILE = "/etc/trusted-ca/ca.crt"
"""Where an application has it, if it mounts that Secret as its credentials say."""
API = "cert-manager.io/v1"


def trusted_ca(namespace: str) -> Manifest:
    """Return the Certificate that brings `ca.crt` of the internal CA into a namespace, in the Secret `TRUSTED_CA`.

    The pair beside it is for a name that nobody serves: cert-manager hands out a CA with a certificate alone.
    """
    return certificate(TRUSTED_CA, namespace, (TRUSTED_CA,))


def certificate(name: str, namespace: str, services: tuple[str, ...], **labels: str) -> Manifest:
    """Return the Certificate of `services` inside the cluster, by the internal CA, in the Secret `name` with `labels`.

    The Secret holds `ca.crt` beside `tls.crt` and `tls.key` (cert-manager v1.21.1 `pkg/apis/certmanager/v1`).
    """
    hosts = [f"{service}.{namespace}.svc" for service in services]
    names = [*hosts, *(f"{host}.cluster.local" for host in hosts)]
    spec: Manifest = {
        "secretName": name,
        "dnsNames": names,
        "duration": "2160h",
        "renewBefore": "720h",
        "issuerRef": issuer_ref(INTERNAL_CA),
        "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
        "usages": ["digital signature", "key encipherment", "server auth", "client auth"],
    }
    if labels:
        spec["secretTemplate"] = {"labels": labels}
    return manifest(API, "Certificate", name, namespace, spec=spec)


def internal_ca(env: Environment) -> Iterator[Manifest]:
    """Yield a CA of this cluster: an issuer that signs itself, its certificate, and the issuer that uses it."""
    yield manifest(API, "ClusterIssuer", "self-signed", spec={"selfSigned": {}})
    spec = {
        "isCA": True,
        "commonName": f"{env.cluster.name} internal CA",
        "secretName": INTERNAL_CA,
        "duration": "87600h",
        "renewBefore": "8760h",
        "issuerRef": issuer_ref("self-signed"),
        # The same key for its whole life: whoever trusts the CA keeps trusting it when the certificate is renewed.
        "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Never"},
    }
    yield manifest(API, "Certificate", INTERNAL_CA, NAMESPACE, spec=spec)
    yield manifest(API, "ClusterIssuer", INTERNAL_CA, spec={"ca": {"secretName": INTERNAL_CA}})


def issuer_ref(name: str) -> Manifest:
    """Return the reference to a ClusterIssuer."""
    return {"name": name, "kind": "ClusterIssuer", "group": "cert-manager.io"}
