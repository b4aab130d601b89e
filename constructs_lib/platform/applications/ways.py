"""How the outside gets to an application, and how Prometheus does.

Upstream: cert-manager v1.21.1 `internal/controller/certificate-shim`, external-dns 0.20 `docs/sources/ingress.md`:
both read hosts from an Ingress.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from constructs_lib.applications import Application, Host
from constructs_lib.kit import Manifest, manifest
from constructs_lib.platform.cert_manager import INGRESS, ISSUER_ANNOTATION
from constructs_lib.platform.scrape import pod_monitor

if TYPE_CHECKING:
    from constructs_lib.environment import Environment


def ways(env: Environment) -> Iterator[Manifest]:
    """Yield the Ingress of each public host, with its certificate, and the monitor of each application's pods."""
    for app in env.applications.values():
        if env.platform.traefik.enabled:
            for name, host in app.public.items():
                yield from _entrance(env, app, name, host)
        if app.metrics is not None:
            for item in pod_monitor(env, app.name, app.pods, app.metrics.port):
                item["spec"]["podMetricsEndpoints"][0]["path"] = app.metrics.path
                yield item


def _entrance(env: Environment, app: Application, name: str, host: Host) -> Iterator[Manifest]:
    """Yield the Ingress of a host, and its certificate where nobody asks for it by the Ingress' annotation."""
    address, issuer = address_of(env, name), env.platform.cert_manager
    backend = {"service": {"name": host.service or app.name, "port": {"number": host.port}}}
    spec: Manifest = {
        "ingressClassName": INGRESS,
        "rules": [{"host": address, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}],
    }
    item = manifest("networking.k8s.io/v1", "Ingress", name, app.name, spec=spec)
    if issuer.enabled:
        secret = f"{name}-tls"
        spec["tls"] = [{"hosts": [address], "secretName": secret}]
        if issuer.asks_acme:
            item["metadata"]["annotations"] = {ISSUER_ANNOTATION: issuer.issuer}
        else:
            yield issuer.of_host(secret, app.name, secret, address)
    yield item


def address_of(env: Environment, name: str) -> str:
    """Return the address of a host."""
    return f"{name}.{env.domain}"
