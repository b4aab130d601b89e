"""A `Release` as OpenTofu installs it."""

from __future__ import annotations

import json
from collections.abc import Sequence

from cdktf import ITerraformDependable
from constructs import Construct

from constructs_lib.component import Release, Values
from constructs_lib.providers import helm

TIMEOUT_SECONDS = 600


def helm_release(
    scope: Construct, id_: str, release: Release, *, depends_on: Sequence[ITerraformDependable] = ()
) -> helm.release.Release:
    """Add a `helm_release` that waits until its workloads are ready and undoes a failed upgrade."""
    return helm.release.Release(
        scope,
        id_,
        name=release.name,
        namespace=release.namespace,
        repository=release.chart.repository or None,  # a chart in a folder has neither
        chart=release.chart.name,
        version=release.chart.version or None,
        values=[template_text(release.values)],
        create_namespace=False,
        atomic=True,
        cleanup_on_fail=True,
        max_history=5,
        wait=True,
        timeout=TIMEOUT_SECONDS,
        depends_on=list(depends_on),
    )


def template_text(data: Values) -> str:
    """Return `data` as JSON, which is YAML too, with what OpenTofu would read as a template escaped."""
    return json.dumps(data, sort_keys=True).replace("${", "$${").replace("%{", "%%{")
