"""Taking over what is in a cluster already, after the state that knew it was lost.

Import ids: the documentation of the providers kubernetes 2.38.0 and helm 3.1.1. Helm keeps each version of a release in
a Secret with its name as a label (helm.sh/helm v3 `pkg/storage/driver/secrets.go`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from kubernetes import client as kubernetes
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from constructs_lib.base.errors import ConfigError
from operations.clients.http import TIMEOUT_SECONDS
from operations.clients.kubernetes import refusal
from operations.clients.tofu import Json
from operations.provisioning.adoption import Lookup


def in_kubernetes(connect: Callable[[], kubernetes.CustomObjectsApi]) -> dict[str, Lookup]:
    """Return how the resources of the stacks inside of a cluster are found; nothing is in one that does not answer."""

    @cache
    def core() -> kubernetes.CoreV1Api:
        return kubernetes.CoreV1Api(connect().api_client)

    def named(kind: str) -> Lookup:
        def look(after: Json) -> str | None:
            (metadata,) = after["metadata"]
            place = (metadata["name"], *filter(None, (metadata.get("namespace"),)))
            found = _asked(getattr(core(), f"read_{kind}"), *place)
            return None if found is None else "/".join(reversed(place))

        return look

    def release(after: Json) -> str | None:
        versions = {"label_selector": f"owner=helm,name={after['name']}"}
        found = _asked(core().list_namespaced_secret, after["namespace"], **versions)
        return f"{after['namespace']}/{after['name']}" if found and found.items else None

    return {
        "kubernetes_namespace_v1": named("namespace"),
        "kubernetes_secret_v1": named("namespaced_secret"),
        "kubernetes_config_map_v1": named("namespaced_config_map"),
        "helm_release": release,
    }


def _asked(call: Callable[..., Any], *arguments: str, **options: str) -> Any:
    """Return the answer to a call; nothing where there is no such object, or nobody who answers.

    Raises `ConfigError` where the cluster refuses its credentials.
    """
    try:
        return call(*arguments, **options, _request_timeout=TIMEOUT_SECONDS)
    except ApiException as error:
        if why := refusal(error):
            raise ConfigError(f"the cluster {why}") from None
    except HTTPError:
        pass
    return None
