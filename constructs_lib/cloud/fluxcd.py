"""Flux in a cluster: the operator, the instance that follows the GitOps repository, and what both need to start.

Upstream: controlplaneio-fluxcd/flux-operator v0.58.1 `docs/api/v1/fluxinstance.md`, which embeds Flux 2.9.4; values
from controlplaneio-fluxcd/charts `charts/flux-operator/values.yaml` at 0.49.0, the newest seen. The chart carries the
operator's number.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from cdktf import TerraformStack, TerraformVariable
from constructs import Construct

from constructs_lib.base.quantities import Minutes
from constructs_lib.base.stacks import FLUX_DEPLOY_KEY, SECRETS_REVISION, SOURCE_KEY, VAULT_SECRET_ID
from constructs_lib.cloud.helm_release import helm_release
from constructs_lib.cloud.plain_objects import objects_chart, waiting_job
from constructs_lib.cloud.providers import kubernetes
from constructs_lib.cloud.variables import secret_variable
from constructs_lib.environment import Environment
from constructs_lib.environment.vault import AppRoleAuth
from constructs_lib.kit import (
    APPROLE_SECRET,
    DEPLOY_KEY_SECRET,
    DEPLOYMENTS_ON_SYSTEM_POOL,
    FLUX_NAMESPACE,
    FLUX_ROOT,
    ON_SYSTEM_POOL,
    Chart,
    Manifest,
    Release,
    Values,
    group,
    manifest,
    pod_security_labels,
    resources,
)

OPERATOR_CHART = Chart("oci://ghcr.io/controlplaneio-fluxcd/charts", "flux-operator", "0.58.1")
# renovate: datasource=github-releases depName=fluxcd/flux2
FLUX_VERSION = "2.9.4"
CA_KEY = "ca.crt"
"""Where source-controller looks for whom to trust (fluxcd/source-controller v1.9 `docs/spec/v1/buckets.md`)."""
FLUX_INSTANCE = "fluxcd.controlplane.io/v1"
OPERATOR_ACCOUNT = "flux-operator"
"""The operator's own service account, as which its release's job looks at the instance."""
NOT_OF_THE_PLATFORM = 4
"""Kustomizations beside the platform's layers: Flux' root, `layers`, the sources, the applications."""

GITHUB_HOST_KEYS = (
    "github.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl\n"
    "github.com ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEmKSENjQEezOmxkZMy7opKgwFB9nk"
    "t5YRrYMjNuG5N87uRgg6CLrbo5wAdT/y6v0mKV0U2w0WZ2YB/++Tpockg=\n"
    "github.com ssh-rsa "
    "AAAAB3NzaC1yc2EAAAADAQABAAABgQCj7ndNxQowgcQnjshcLrqPEiiphnt+VTTvDP6mHBL9j1aNUkY4Ue1gvwnGLVlOhGeY"
    "rnZaMgRK6+PKCUXaDbC7qtbW8gIkhL7aGCsOr/C56SJMy/BCZfxd1nWzAOxSDPgVsmerOBYfNqltV9/hWCqBywINIR+5dIg6"
    "JTJ72pcEpEjcYgXkE2YEFXV1JHnsKgbLWNlhScqb2UmyRkQyytRLtL+38TGxkxCflmO+5Z8CSSNY7GidjMIZ7Q4zMjA2n1nG"
    "rlTDkzwDCsw+wqFPGQA179cnfGWOWRVruj16z6XyvxvjJwbz0wQZ75XK5tKSb7FNyeIEs4TT4jk+S4dhPeAUC5y+bDYirYgM"
    "4GC7uEnztnZyaVWQ7B381AK4Qdrwt51ZqExKbQpTUNn+EjqoTwvqNj4kqx5QUCI0ThS/YkOxJCXmPUWZbhjpCg56i+2aB6Cm"
    "K2JGhn57K5mj0MNdBXA4/WnwH6XoPWJzK5Nyu2zB3nAZp+S5hpQs+p1vN1/wsjk=\n"
)
"""GitHub's public host keys, from docs.github.com, "GitHub's SSH key fingerprints"."""


class Flux(Construct):
    """Flux, following `clusters/<environment>` of the GitOps repository.

    Secrets come from ephemeral variables and go into write-only arguments, so that neither state nor plan holds them.
    Another `secrets_revision` writes them again: rotation keeps it in Vault, so that each plan is given the same.
    """

    def __init__(self, scope: TerraformStack, id_: str, *, env: Environment) -> None:
        super().__init__(scope, id_)
        self._stack = scope
        self._revision = TerraformVariable(
            scope,
            SECRETS_REVISION,
            type="number",
            default=1,
            nullable=False,
            description="Another number writes the secrets again; a rotation keeps it in Vault.",
        ).number_value
        namespace = kubernetes.namespace_v1.NamespaceV1(
            self,
            "namespace",
            metadata={
                "name": FLUX_NAMESPACE,
                "labels": pod_security_labels("restricted"),
            },
        )
        needed = [namespace, self._source_key(env, namespace), self._runtime_info(env, namespace)]
        if isinstance(env.vault.auth, AppRoleAuth):
            needed.append(self._vault_secret(namespace))
        operator = Release("flux-operator", FLUX_NAMESPACE, env.mirrored(OPERATOR_CHART), _operator_values())
        # The instance is ready when the root that it reads is: a bad commit must not undo, or uninstall, all of Flux.
        objects = {"objects": [_instance(env), _waiting_job()]}
        instance = Release("flux", FLUX_NAMESPACE, objects_chart(self), objects, stateful=True)
        installed = helm_release(self, "operator", operator, depends_on=[namespace])
        helm_release(self, "instance", instance, depends_on=[*needed, installed])

    def _source_key(self, env: Environment, namespace: kubernetes.namespace_v1.NamespaceV1) -> Any:
        if env.source is None:
            key = self._variable(FLUX_DEPLOY_KEY, "Private half of the environment's deploy key, in PEM.")
            data = {"identity": key, "known_hosts": GITHUB_HOST_KEYS}
        else:
            texts = ("ID of the key of the bucket that Flux follows.", "Secret of that key.")
            key_id, secret = map(self._variable, SOURCE_KEY, texts)
            trusted = {} if env.source.ca_bundle is None else {CA_KEY: env.source.ca_bundle}
            data = {"accesskey": key_id, "secretkey": secret, **trusted}
        return self._secret("deploy-key", DEPLOY_KEY_SECRET, namespace, data)

    def _variable(self, name: str, text: str) -> str:
        return secret_variable(self._stack, name, text, ephemeral=True)

    def _vault_secret(self, namespace: kubernetes.namespace_v1.NamespaceV1) -> Any:
        secret_id = self._variable(VAULT_SECRET_ID, "Secret ID of the environment's AppRole in Vault.")
        return self._secret("vault-approle", APPROLE_SECRET, namespace, {"secret-id": secret_id})

    def _secret(self, id_: str, name: str, namespace: kubernetes.namespace_v1.NamespaceV1, data: dict[str, str]) -> Any:
        return kubernetes.secret_v1.SecretV1(
            self,
            id_,
            metadata={"name": name, "namespace": FLUX_NAMESPACE},
            data_wo=data,
            data_wo_revision=self._revision,
            depends_on=[namespace],
        )

    def _runtime_info(self, env: Environment, namespace: kubernetes.namespace_v1.NamespaceV1) -> Any:
        """What applications may substitute into their manifests; Flux may own other keys of the same object."""
        return kubernetes.config_map_v1.ConfigMapV1(
            self,
            "runtime-info",
            metadata={
                "name": "flux-runtime-info",
                "namespace": FLUX_NAMESPACE,
                "labels": {"reconcile.fluxcd.io/watch": "Enabled"},
                "annotations": {"kustomize.toolkit.fluxcd.io/ssa": "Merge"},
            },
            data={
                "ENVIRONMENT": env.name,
                "CLUSTER_NAME": env.cluster.name,
                "CLUSTER_REGION": env.region,
                "DOMAIN": env.domain,
                "VAULT_ADDRESS": env.vault.address,
            },
            depends_on=[namespace],
        )


def _operator_values() -> Values:
    return {
        **ON_SYSTEM_POOL,
        "priorityClassName": "system-cluster-critical",
        "resources": resources("100m", "128Mi", "512Mi"),
        "web": {"enabled": False},
    }


def _instance(env: Environment) -> Manifest:
    """Return what the operator is to install.

    It has no `artifact`, which leaves the operator with the Flux that it embeds: upstream's chart follows a moving tag
    or, where that is empty, sends a null that the API server refuses.
    """
    spec = {
        "distribution": {"version": FLUX_VERSION, "registry": "ghcr.io/fluxcd"},
        "components": ["source-controller", "kustomize-controller", "helm-controller", "notification-controller"],
        "cluster": {
            "type": "kubernetes",
            "size": "small" if env.tier == "sandbox" else "medium",
            "multitenant": True,
            "tenantDefaultServiceAccount": "default",
            "networkPolicy": True,
        },
        "kustomize": {
            "patches": [DEPLOYMENTS_ON_SYSTEM_POOL, *_a_worker_for_each_that_waits(env), *_trusted_source(env)]
        },
        "sync": {
            "name": FLUX_ROOT,
            **_followed(env),
            "interval": "1m",
            "path": f"clusters/{env.name}",
            "pullSecret": DEPLOY_KEY_SECRET,
        },
    }
    return manifest(FLUX_INSTANCE, "FluxInstance", "flux", FLUX_NAMESPACE, spec=spec)


def _followed(env: Environment) -> Manifest:
    if env.source is None:
        ref = f"refs/heads/{env.gitops.default_branch}"
        return {"kind": "GitRepository", "url": env.gitops.ssh_url, "ref": ref}
    return {"kind": "Bucket", "url": env.source.place, "ref": env.source.bucket}


def _trusted_source(env: Environment) -> Iterator[Manifest]:
    """Yield the patch by which the bucket's server is trusted, of which `sync` says nothing (`syncTmpl`)."""
    if env.source is not None and env.source.ca_bundle is not None:
        patch = [{"op": "add", "path": "/spec/certSecretRef", "value": {"name": DEPLOY_KEY_SECRET}}]
        yield {"target": {"kind": "Bucket"}, "patch": json.dumps(patch)}


def _waiting_job() -> Manifest:
    instance = f"fluxinstance.{group(FLUX_INSTANCE)}/flux"
    return waiting_job("wait-for-flux", OPERATOR_ACCOUNT, [instance], timeout=Minutes("5m"))


def _a_worker_for_each_that_waits(env: Environment) -> Iterator[Manifest]:
    """Yield patches by which no layer or release keeps another waiting, and a newer commit ends the wait of an older.

    Upstream: `--concurrent` and `CancelHealthCheckOnNewRevision` of fluxcd/kustomize-controller v1.9.5 `main.go`,
    `internal/features/features.go`; the operator's own number is 5 or 10 (flux-operator v0.58.1 `fluxinstance.md`).
    """
    layers, releases = len(env.layers) + NOT_OF_THE_PLATFORM, sum(len(layer.releases) for layer in env.layers)
    cancel = "--feature-gates=CancelHealthCheckOnNewRevision=true"
    yield _with_arguments("kustomize-controller", f"--concurrent={layers}", cancel)
    yield _with_arguments("helm-controller", f"--concurrent={releases}")


def _with_arguments(controller: str, *arguments: str) -> Manifest:
    patch = [{"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": text} for text in arguments]
    return {"target": {"kind": "Deployment", "name": controller}, "patch": json.dumps(patch)}
