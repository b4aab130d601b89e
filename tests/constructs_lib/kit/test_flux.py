"""The names of Flux: they are a contract with clusters that run, so each is stated here once more."""

from __future__ import annotations

from constructs_lib.kit import flux


def test_the_names_of_flux() -> None:
    assert {name: value for name, value in vars(flux).items() if name.isupper() and isinstance(value, str)} == {
        "FLUX_NAMESPACE": "flux-system",
        "FLUX_ROOT": "flux-system",
        "DEPLOY_KEY_SECRET": "flux-system",
        "APPROLE_SECRET": "vault-approle",
        "PLATFORM_ACCOUNT": "flux-platform",
        "APP_ACCOUNTS": "flux-app-",
        "FLUX_INTERVAL": "1h",
        "FLUX_KUSTOMIZATION": "kustomize.toolkit.fluxcd.io/v1",
        "FLUX_RELEASE": "helm.toolkit.fluxcd.io/v2",
        "FLUX_SOURCE": "source.toolkit.fluxcd.io/v1",
    }


def test_the_pods_of_flux() -> None:
    assert {(pods.namespace, *pods.labels.items()) for pods in (flux.FLUX_OPERATOR, flux.FLUX_CONTROLLERS)} == {
        ("flux-system", ("app.kubernetes.io/name", "flux-operator")),
        ("flux-system", ("app.kubernetes.io/part-of", "flux")),
    }
    assert flux.FLUX_NOTIFIER.labels == {"app": "notification-controller"}
