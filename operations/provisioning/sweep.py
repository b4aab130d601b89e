"""Removing what tests left behind: only what carries the prefix and an expired tag, both.

A cluster has tags. A VPC and a project cannot be tagged: for them the tag is a word of the description, where
`constructs_lib/cloud/doks.py` puts it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import NamedTuple

from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_exponential

from constructs_lib.base.console import say
from constructs_lib.base.errors import ConfigError
from operations.clients.digitalocean import DigitalOcean, Resource
from operations.provisioning.refusals import EPHEMERAL

EXPIRES = re.compile(r"expires:(\d{10})")
"""The tag: seconds since 1970."""


class Expired(NamedTuple):
    """Something to remove."""

    kind: str
    name: str
    path: str


def expired(api: DigitalOcean) -> list[Expired]:
    """Return what may be removed, in an order in which it can be: a VPC is empty once its cluster is gone."""
    return list(_expired(api, time.time()))


def remove(api: DigitalOcean, leftovers: list[Expired]) -> None:
    """Remove these, with the load balancers and volumes that a cluster made."""
    for item in leftovers:
        say(f"{item.kind} {item.name}: remove")
        _remove_one(api, item)


@retry(
    retry=retry_if_exception_type(ConfigError), stop=stop_after_attempt(5), wait=wait_exponential(max=60), reraise=True
)
def _remove_one(api: DigitalOcean, item: Expired) -> None:
    """Remove one; a VPC or project is held for a while by what was just removed from it."""
    api.delete(item.path)


def _expired(api: DigitalOcean, now: float) -> Iterator[Expired]:
    for cluster in api.list("/v2/kubernetes/clusters", "kubernetes_clusters"):
        if _is_expired(cluster["name"], " ".join(cluster["tags"]), now):
            path = f"/v2/kubernetes/clusters/{cluster['id']}/destroy_with_associated_resources/dangerous"
            yield Expired("cluster", cluster["name"], path)
    for kind, path in (("project", "/v2/projects"), ("vpc", "/v2/vpcs")):
        for item in api.list(path, f"{kind}s"):
            if _is_expired(item["name"], _description(item), now):
                yield Expired(kind, item["name"], f"{path}/{item['id']}")


def _description(item: Resource) -> str:
    return item.get("description") or ""


def _is_expired(name: str, marks: str, now: float) -> bool:
    tag = EXPIRES.search(marks)
    return name.startswith(EPHEMERAL) and tag is not None and int(tag[1]) < now
