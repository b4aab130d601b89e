"""Waiting until Flux has brought up what was uploaded, with what a person can follow meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from kubernetes import client as kubernetes
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from constructs_lib.base.console import say, step
from constructs_lib.base.errors import ConfigError, cut_short
from constructs_lib.environment import Environment
from constructs_lib.kit import FLUX_KUSTOMIZATION, FLUX_NAMESPACE, FLUX_ROOT, FLUX_SOURCE
from gitops_render.layers import flux_layers
from gitops_render.paths import LAYERS, PLATFORM_SOURCE
from operations.clients.http import TIMEOUT_SECONDS
from operations.provisioning.ready import not_ready, why_not_ready
from operations.trying.kubectl import Kubectl

ASKED = "reconcile.fluxcd.io/requestedAt"
"""The annotation by which Flux' command asks for a source to be fetched (fluxcd/pkg `apis/meta/annotations.go`)."""
PATIENCE_SECONDS = 2400.0
POLL_SECONDS = 3.0
NAMED = 3
"""How many layers a line names."""
DEADLINE = "not Ready after {minutes:.0f} minutes"


class Seen(NamedTuple):
    """The layers that have what was uploaded, and those that have not, with why."""

    ready: tuple[str, ...]
    late: dict[str, str]

    def line(self) -> str:
        """Return how far it has come."""
        number = len(self.ready) + len(self.late)
        waits = f"; next: {cut_short(sorted(self.late), NAMED)}" if self.late else ""
        return f"{len(self.ready)} of {number} layers are Ready{waits}"


def await_layers(env: Environment, client: kubernetes.ApiClient, kubectl: Kubectl) -> None:
    """Wait until every layer has what was uploaded just now. Raises `ConfigError` with what has not after a time."""
    api, asked = kubernetes.CustomObjectsApi(client), datetime.now(UTC).isoformat()
    wanted = (FLUX_ROOT, LAYERS, *(layer.name for layer in flux_layers(env)))
    until, said = time.monotonic() + PATIENCE_SECONDS, ""
    with step("wait for Flux"):
        while True:
            found = _look(api, kubectl, wanted, asked)
            if found is not None and said != (said := found.line()):
                say(said)
            if found is not None and not found.late:
                return
            if time.monotonic() > until:
                late = not_ready(api)
                after = DEADLINE.format(minutes=PATIENCE_SECONDS / 60)
                raise ConfigError(*(f"try: {line} ({after}; run this again, or --remove it)" for line in late))
            time.sleep(POLL_SECONDS)


def _look(api: kubernetes.CustomObjectsApi, kubectl: Kubectl, wanted: Sequence[str], asked: str) -> Seen | None:
    """Return what is seen of the layers; nothing where the API server does not answer just now."""
    try:
        sources, layers = (
            _listed(api, version, plural)
            for version, plural in ((FLUX_SOURCE, "buckets"), (FLUX_KUSTOMIZATION, "kustomizations"))
        )
    except (ApiException, HTTPError):
        return None
    for item in sources:
        if item["metadata"].get("annotations", {}).get(ASKED) != asked:
            bucket = f"bucket/{item['metadata']['name']}"
            kubectl("annotate", bucket, "-n", FLUX_NAMESPACE, *_as_flux(f"{ASKED}={asked}"))
    return seen(wanted, sources, layers, asked)


def _as_flux(annotation: str) -> tuple[str, ...]:
    """What other names than `flux` leave, kustomize-controller takes away when it applies."""
    return annotation, "--overwrite", "--field-manager=flux"


def _listed(api: kubernetes.CustomObjectsApi, api_version: str, plural: str) -> list[dict[str, Any]]:
    group, version = api_version.split("/")
    listed = api.list_namespaced_custom_object
    answer: Any = listed(group, version, FLUX_NAMESPACE, plural, _request_timeout=TIMEOUT_SECONDS)
    return answer["items"]


def seen(
    wanted: Sequence[str], sources: Iterable[dict[str, Any]], layers: Iterable[dict[str, Any]], asked: str
) -> Seen:
    """Return which of the wanted layers have what the sources held when they were asked last."""
    revisions = {
        item["metadata"]["name"]: item["status"]["artifact"]["revision"]
        for item in sources
        if item.get("status", {}).get("lastHandledReconcileAt") == asked and why_not_ready(item) is None
    }
    found = {item["metadata"]["name"]: _why_late(item, revisions) for item in layers}
    late = {name: why for name in wanted if (why := found.get(name, "is not there yet")) is not None}
    return Seen(tuple(name for name in wanted if name not in late), late)


def _why_late(layer: dict[str, Any], revisions: dict[str, str]) -> str | None:
    source = layer["spec"]["sourceRef"]["name"]
    if source in {PLATFORM_SOURCE, FLUX_ROOT}:
        if source not in revisions:
            return "its source is being fetched"
        if layer.get("status", {}).get("lastAppliedRevision") != revisions[source]:
            return why_not_ready(layer) or "is being reconciled"
    return why_not_ready(layer)
