"""The names of Flux in a cluster, by which the platform, the GitOps tree and the stacks know it.

Upstream: controlplaneio-fluxcd/flux-operator v0.58.1 `docs/api/v1/fluxinstance.md` (sync.name, sync.pullSecret).
"""

from __future__ import annotations

from constructs_lib.kit.network import Pods

FLUX_NAMESPACE = "flux-system"
FLUX_ROOT = "flux-system"
"""The GitRepository that Flux follows, and the Kustomization that applies what is in it."""

DEPLOY_KEY_SECRET = "flux-system"  # noqa: S105 - a name
"""The Secret with the key by which Flux clones; the flux stack writes it."""
APPROLE_SECRET = "vault-approle"  # noqa: S105 - a name
"""The Secret by which a cluster logs in to Vault with an AppRole; the flux stack writes it."""

PLATFORM_ACCOUNT = "flux-platform"
"""The service account as which Flux applies the platform."""
APPS_ACCOUNT = "flux-apps"
"""The lesser one as which it applies applications."""

FLUX_OPERATOR = Pods(FLUX_NAMESPACE, "flux-operator", {"app.kubernetes.io/name": "flux-operator"})
FLUX_CONTROLLERS = Pods(FLUX_NAMESPACE, "flux-controllers", {"app.kubernetes.io/part-of": "flux"})
FLUX_NOTIFIER = Pods(FLUX_NAMESPACE, "notification-controller", {"app": "notification-controller"})
