"""What is accepted and yet should be known: it is said as a warning, and nothing is refused for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from constructs_lib.environment.model import Environment

NEWEST_TRIED = "1.36"
"""The newest minor version of Kubernetes with which the platform was run (tests/e2e/node)."""


def concerns(env: Environment) -> Iterator[str]:
    """Yield a sentence for each, which begins with its key."""
    found = env.cluster.kubernetes_minor
    if found > NEWEST_TRIED:
        yield f"cluster.kubernetes_minor: is '{found}', and nothing newer than '{NEWEST_TRIED}' was tried; try it first"
    if env.tier == "production":
        yield from _of_the_cluster(env)
        yield from _of_the_platform(env)


def _of_the_cluster(env: Environment) -> Iterator[str]:
    if not env.cluster.protected:
        yield "cluster.protected: is false in production, so that one run may destroy the cluster; set it to true"
    if env.cluster.provider == "digitalocean" and not env.cluster.control_plane_allowed_addresses:
        yield (
            "cluster.control_plane_allowed_addresses: is empty in production, so that every address reaches the API "
            "server; name those of your runners and engineers"
        )


def _of_the_platform(env: Environment) -> Iterator[str]:
    platform = env.platform.enabled
    cert_manager = env.platform.cert_manager
    if "cert_manager" in platform and cert_manager.issuer != "letsencrypt-production":
        yield (
            f"platform.cert_manager.issuer: is {cert_manager.issuer} in production, whose certificates nobody trusts; "
            "set it to letsencrypt-production"
        )
    for component, key, least in (
        ("cloudnative_pg", "instances", 2),
        ("rabbitmq_operator", "replicas", 3),
        ("valkey_operator", "replicas", 1),
    ):
        for number, cluster in enumerate(getattr(env.platform, component).clusters if component in platform else ()):
            if (pods := getattr(cluster, key)) < least:
                yield (
                    f"platform.{component}.clusters[{number}].{key}: is {pods} in production, so that '{cluster.name}' "
                    f"stops with the node that it is on; {least} or more go on"
                )
