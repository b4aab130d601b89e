"""The names of Flux in a cluster, by which the platform, the GitOps tree and the stacks know it, and its times.

Upstream: controlplaneio-fluxcd/flux-operator v0.58.1 `docs/api/v1/fluxinstance.md` (sync.name, sync.pullSecret).
"""

from __future__ import annotations

from typing import NamedTuple

from constructs_lib.base.quantities import Hours, Minutes
from constructs_lib.kit.network import Pods

FLUX_KUSTOMIZATION = "kustomize.toolkit.fluxcd.io/v1"
FLUX_RELEASE = "helm.toolkit.fluxcd.io/v2"
FLUX_SOURCE = "source.toolkit.fluxcd.io/v1"
"""The API versions of what Flux applies, installs and fetches."""

FLUX_NAMESPACE = "flux-system"
FLUX_ROOT = "flux-system"
"""The GitRepository that Flux follows, and the Kustomization that applies what is in it."""

DEPLOY_KEY_SECRET = "flux-system"  # noqa: S105 - a name
"""The Secret with the key by which Flux clones, or reads its bucket; the flux stack writes it."""
APPROLE_SECRET = "vault-approle"  # noqa: S105 - a name
"""The Secret by which a cluster logs in to Vault with an AppRole; the flux stack writes it."""

FLUX_INTERVAL = Hours("1h")
"""How often Flux looks whether what runs is what it should be."""


class Retries(NamedTuple):
    """How Flux tries again what failed; OpenTofu's helm provider cannot (docs/decisions/0008-two-modes.md).

    After which time it tries a layer, an installation and an upgrade that is not undone, and how often one that is.
    """

    layer: Minutes = Minutes("2m")
    install: Minutes = Minutes("3m")
    upgrade: Minutes = Minutes("5m")
    undone: int = 3


RETRIES = Retries()

PLATFORM_ACCOUNT = "flux-platform"
"""The service account as which Flux applies the platform."""
APP_ACCOUNTS = "flux-app-"
"""How the lesser ones begin as which it applies applications, each as its own."""


def app_account(application: str) -> str:
    """Return the service account as which Flux applies an application."""
    return f"{APP_ACCOUNTS}{application}"


FLUX_OPERATOR = Pods(FLUX_NAMESPACE, "flux-operator", {"app.kubernetes.io/name": "flux-operator"})
FLUX_CONTROLLERS = Pods(FLUX_NAMESPACE, "flux-controllers", {"app.kubernetes.io/part-of": "flux"})
FLUX_NOTIFIER = Pods(FLUX_NAMESPACE, "notification-controller", {"app": "notification-controller"})
