"""Whether the environment can be reached: a host of its own that answers over HTTPS."""

from __future__ import annotations

import requests

from constructs_lib.environment import Environment, StackKind
from operations.clients.digitalocean import DigitalOcean, Resource
from operations.clients.http import cause, status_of

UNTRUSTED = ("letsencrypt-staging", "internal-ca")
"""The issuers whose roots no system trusts (letsencrypt.org, "Staging Environment")."""


def address(env: Environment) -> str:
    """Return what has to answer: Traefik does for every host, and has a certificate for this one."""
    return f"https://{env.ingress_host}/"


def is_checked(env: Environment) -> bool:
    """Return whether systems trust what signs the environment's certificates."""
    certificates = env.platform.cert_manager
    return certificates.enabled and certificates.issuer not in UNTRUSTED


def unanswered(env: Environment, api: DigitalOcean) -> list[str]:
    """Return why the environment's host does not answer yet, and what to do; nothing if it does, or has no ingress."""
    if not env.platform.traefik.enabled:
        return []
    ours = env.cluster.provider == "digitalocean"
    balancer = api.balancer(env.balancer) if ours else None
    if ours and balancer is None:
        return [f"load balancer {env.balancer}: has no address yet"]
    try:
        status = status_of(address(env), trusted=is_checked(env))
    except requests.RequestException as error:
        advice = "" if isinstance(error, requests.exceptions.SSLError) else f"; {_advice(env, balancer)}"
        return [f"{address(env)}: {cause(error)}{advice}"]
    return [f"{address(env)}: answers {status}"] if status >= 500 else []


def _advice(env: Environment, balancer: Resource | None) -> str:
    """Return who makes the records that lead to the balancer."""
    if balancer is None:
        return f"make the records A {env.ingress_host} and A *.{env.domain} with the address of Traefik's Service"
    if StackKind.DNS in env.stacks:
        return f"{env.stack(StackKind.DNS)} makes its record, in the stage dns of provisioning"
    return f"make the records A {env.ingress_host} and A *.{env.domain} with the value {balancer['ip']}"
