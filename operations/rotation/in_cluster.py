"""What a cluster has of a secret that is rotated, and how it is told to read Vault again.

Upstream: external-secrets v2.9.0 `docs/introduction/faq.md`: an ExternalSecret is read when an annotation changes.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from kubernetes import client as kubernetes
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from constructs_lib.base.errors import ConfigError
from constructs_lib.environment import Environment
from constructs_lib.kit import FLUX_NAMESPACE
from operations.clients.digitalocean import DigitalOcean
from operations.clients.http import TIMEOUT_SECONDS
from operations.clients.kubernetes import cluster_client, no_answer, refusal
from operations.clients.vault import Secrets
from operations.secrets.credentials import ACCOUNT

SYNC = "force-sync"
"""The annotation that is changed; nothing else reads it."""


class Held(NamedTuple):
    """A Secret: its values, the version of the object, and when somebody last wrote it."""

    values: Mapping[str, str]
    version: str
    written: datetime


class InCluster:
    """The objects of one cluster. Every method raises `ConfigError` if the API server refuses or does not answer."""

    def __init__(self, objects: kubernetes.CustomObjectsApi, name: str) -> None:
        self._objects, self._core = objects, kubernetes.CoreV1Api(objects.api_client)
        self._name = name

    def secret(self, namespace: str, name: str) -> Held | None:
        """Return a Secret, if there is one."""
        found: Any = self._asked(self._core.read_namespaced_secret, name, namespace)
        if found is None:
            return None
        values = {key: base64.b64decode(value).decode() for key, value in (found.data or {}).items()}
        times = (entry.time for entry in found.metadata.managed_fields or () if entry.time)
        return Held(values, found.metadata.resource_version, max(times, default=found.metadata.creation_timestamp))

    def item(self, api: str, plural: str, namespace: str, name: str) -> dict[str, Any] | None:
        """Return an object of an operator, by its API (`group/version`) and the plural of its kind, if there is one."""
        return self._asked(self._objects.get_namespaced_custom_object, *api.split("/"), namespace, plural, name)

    def started(self, namespace: str, labels: Mapping[str, str]) -> list[datetime | None]:
        """Return when each pod with these labels started; None for one that has not."""
        chosen = ",".join(f"{key}={value}" for key, value in labels.items())
        found: Any = self._asked(self._core.list_namespaced_pod, namespace, label_selector=chosen)
        return [pod.status.start_time for pod in found.items]

    def read_again(self, namespace: str, name: str) -> None:
        """Let External Secrets read an entry of Vault now; within the hour it does so anyway."""
        body = {"metadata": {"annotations": {SYNC: str(time.time_ns())}}}
        where = ("external-secrets.io", "v1", namespace, "externalsecrets", name)
        self._asked(self._objects.patch_namespaced_custom_object, *where, body)

    def _asked(self, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Return the answer to a call; None if there is no such object."""
        try:
            return call(*arguments, **options, _request_timeout=TIMEOUT_SECONDS)
        except ApiException as error:
            if error.status == 404:
                return None
            why = refusal(error) or f"answers {error.status}; run this again"
        except HTTPError as error:
            why = no_answer(error)
        raise ConfigError(f"cluster {self._name}: {why}")


def flux_secret(env: Environment, secrets: Secrets, name: str) -> Held | None:
    """Return a Secret of Flux' namespace; nothing where there is no cluster, or no such Secret in it."""
    cluster = in_cluster(env, secrets)
    return cluster.secret(FLUX_NAMESPACE, name) if cluster else None


def in_cluster(env: Environment, secrets: Secrets) -> InCluster | None:
    """Return an environment's cluster, reached by the token in Vault; nothing where there is none."""
    ours = env.cluster.provider == "digitalocean"
    api = DigitalOcean(secrets.read(env.vault.kv.provisioning)[ACCOUNT[0]] if ours else "")
    if ours and api.cluster(env.cluster.name) is None:
        return None
    return InCluster(cluster_client(api, env), env.cluster.name)
