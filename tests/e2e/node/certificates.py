"""Certificates as cert-manager keeps them, and as servers show them."""

from __future__ import annotations

import json
import socket
import ssl
from base64 import b64decode
from datetime import UTC, datetime

from cryptography import x509

from tests.e2e.node.cluster import NodeCluster

START_TLS = bytes.fromhex("0000000804d2162f")
"""By this a client asks Postgres for TLS (PostgreSQL's documentation, SSLRequest)."""


def renew(cluster: NodeCluster, namespace: str, name: str) -> None:
    """Have a certificate issued anew, as `cmctl renew` does (cert-manager/cmctl `pkg/renew/renew.go`)."""
    found = cluster.get("certificate", name, namespace)
    assert found is not None, f"no certificate {name} in {namespace}"
    conditions = [item for item in found["status"]["conditions"] if item["type"] != "Issuing"]
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    asked = {"type": "Issuing", "status": "True", "reason": "ManuallyTriggered", "lastTransitionTime": now}
    patch = json.dumps({"status": {"conditions": [*conditions, {**asked, "message": "asked for by a test"}]}})
    cluster.kubectl("patch", "certificate", name, "-n", namespace, "--subresource=status", "--type=merge", "-p", patch)


def kept(cluster: NodeCluster, namespace: str, secret: str) -> int:
    """Return the serial number of the certificate in a Secret."""
    found = cluster.get("secret", secret, namespace)
    assert found is not None, f"no Secret {secret} in {namespace}"
    return x509.load_pem_x509_certificate(b64decode(found["data"]["tls.crt"])).serial_number


def served(cluster: NodeCluster, namespace: str, pod: str, port: int, *, greeting: bytes = b"") -> int:
    """Return the serial number of the certificate that a pod shows on a port, after `greeting`."""

    def ask(address: str) -> int:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection((address, port), timeout=60) as connection:
            if greeting:
                connection.sendall(greeting)
                assert connection.recv(1) == b"S", f"{pod} has no TLS on {port}"
            with context.wrap_socket(connection) as encrypted:
                shown = encrypted.getpeercert(binary_form=True)
        assert shown is not None
        return x509.load_der_x509_certificate(shown).serial_number

    return cluster.from_machine(namespace, pod, ask)
