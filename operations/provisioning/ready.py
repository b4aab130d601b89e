"""Waiting until Flux has brought an environment up, and its host answers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from kubernetes import client as kubernetes
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from constructs_lib.base.console import say, step
from constructs_lib.base.errors import ConfigError
from constructs_lib.base.purpose import Purpose
from constructs_lib.environment import Environment
from constructs_lib.kit import FLUX_KUSTOMIZATION, FLUX_NAMESPACE, FLUX_RELEASE, FLUX_ROOT, FLUX_SOURCE
from gitops_render.paths import APPS
from operations.clients.deadline import OutOfTime, at_most
from operations.clients.digitalocean import DigitalOcean
from operations.clients.http import TIMEOUT_SECONDS
from operations.clients.kubernetes import cluster_client, no_answer, refusal
from operations.provisioning import host
from operations.secrets.credentials import credentials_of

ROOT = f"{FLUX_NAMESPACE}/{FLUX_ROOT}"
KINDS = (
    (FLUX_KUSTOMIZATION, "kustomizations", "Kustomization"),
    (FLUX_RELEASE, "helmreleases", "HelmRelease"),
    (FLUX_SOURCE, "gitrepositories", "GitRepository"),
    (FLUX_SOURCE, "buckets", "Bucket"),
)
"""What tells of the platform's state (fluxcd/flux2 v2.9.4)."""


LAST_LOOK = 30
"""Seconds that a look may go on after the time is up."""

UNANSWERED = "no answer; see whether Vault, DigitalOcean, the API server and the host can be reached from here"


def wait_ready(env: Environment, *, timeout_seconds: float, poll_seconds: float) -> None:
    """Wait until the environment's root and all its layers are Ready and its host answers, telling every change.

    Raises `ConfigError` with what is not Ready when the time is up, whoever answers or not.
    """
    waiting: list[str] = []
    with step(f"{env.name}: wait for Flux"):
        try:
            with at_most(timeout_seconds + LAST_LOOK):
                _wait(env, waiting, time.monotonic() + timeout_seconds, poll_seconds)
        except OutOfTime:
            waiting = waiting or [UNANSWERED]
    late = [line for line in waiting if _counts(env, line)]
    if late:
        raise ConfigError(*(f"{env.name}: not Ready after {timeout_seconds:.0f} s: {line}" for line in late))
    say(f"{env.name}: Flux is Ready")
    if env.platform.traefik.enabled:
        unchecked = "" if host.is_checked(env) else "; its certificate was not checked: no system trusts the issuer"
        say(f"{env.name}: {host.address(env)} answers{unchecked}")


def _wait(env: Environment, waiting: list[str], until: float, poll_seconds: float) -> None:
    """Keep in `waiting` what is not Ready, until nothing that counts is left or the time is up."""
    account = DigitalOcean(credentials_of(env, Purpose.PLAN).digitalocean_token)
    for seen in _looks(account, env):
        lines = [*seen, *host.unanswered(env, account)]
        for line in lines:
            if line not in waiting:
                say(f"{env.name}: {line}")
        waiting[:] = lines
        if time.monotonic() > until or not any(_counts(env, line) for line in lines):
            return
        time.sleep(poll_seconds)


def _looks(account: DigitalOcean, env: Environment) -> Iterator[list[str]]:
    """Yield what is not Ready at each look, with new credentials long before those at hand expire."""
    while True:
        api, until = cluster_client(account, env), time.monotonic() + env.cluster.kubeconfig_expire_seconds / 2
        while time.monotonic() < until:
            yield not_ready(api)


def _counts(env: Environment, line: str) -> bool:
    """Say whether what a line tells of is waited for; the layers of applications are their teams' own."""
    return not line.startswith(tuple(f"Kustomization {FLUX_NAMESPACE}/{APPS}-{name}:" for name in env.applications))


def not_ready(api: kubernetes.CustomObjectsApi) -> list[str]:
    """Return a line for each object that is not Ready; an API server that does not answer is one too."""
    try:
        return sorted(_lines(api))
    except ApiException as error:
        if why := refusal(error):
            raise ConfigError(f"the cluster {why}") from None
        return [f"API server: answers {error.status}"]
    except HTTPError as error:
        return [f"API server: {no_answer(error)}"]


def _lines(api: kubernetes.CustomObjectsApi) -> Iterator[str]:
    root = False
    for api_version, plural, kind in KINDS:
        group, version = api_version.split("/")
        answer: Any = api.list_cluster_custom_object(group, version, plural, _request_timeout=TIMEOUT_SECONDS)
        for item in answer["items"]:
            name = f"{item['metadata']['namespace']}/{item['metadata']['name']}"
            root = root or (kind, name) == ("Kustomization", ROOT)
            why = why_not_ready(item)
            if why is not None:
                yield f"{kind} {name}: {why}"
    if not root:
        yield f"Kustomization {ROOT}: is not there yet"


def why_not_ready(item: dict[str, Any]) -> str | None:
    """Return why an object is not Ready; nothing if it is, or if somebody suspended it."""
    if item["spec"].get("suspend"):
        return None
    status = item.get("status", {})
    ready = next((condition for condition in status.get("conditions", []) if condition["type"] == "Ready"), None)
    if ready is None or status.get("observedGeneration") != item["metadata"]["generation"]:
        return "is being reconciled"
    return None if ready["status"] == "True" else " ".join(str(ready.get("message", "")).split()) or "is not Ready"
