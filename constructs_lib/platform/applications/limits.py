"""What the pods of an application may ask for, together and each for itself.

Upstream: kubernetes/website `docs/concepts/policy/{resource-quotas,limit-range}.md`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from constructs_lib.applications import Quota
from constructs_lib.kit import Manifest, manifest, resources

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

QUOTA = "quota"
DEFAULTS = "defaults"
EACH = resources("50m", "128Mi")
"""What a container has that says nothing: with a quota the API server refuses one that asks for nothing."""


def limits(env: Environment) -> Iterator[Manifest]:
    """Yield the quota of each application, and what a container has that says nothing."""
    for app in env.applications.values():
        yield manifest("v1", "ResourceQuota", QUOTA, app.name, spec={"hard": hard(app.quota)})
        each = {"type": "Container", "defaultRequest": EACH["requests"], "default": EACH["limits"]}
        yield manifest("v1", "LimitRange", DEFAULTS, app.name, spec={"limits": [each]})


def hard(quota: Quota) -> dict[str, str]:
    """Return a quota as Kubernetes counts it; memory is limited to what is asked for, CPU is not."""
    return {
        "requests.cpu": quota.cpu,
        "requests.memory": quota.memory,
        "limits.memory": quota.memory,
        "requests.storage": quota.storage,
    }
