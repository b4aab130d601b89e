"""A `Release` as OpenTofu installs it."""

from __future__ import annotations

import json
from collections.abc import Sequence

from cdktf import ITerraformDependable
from constructs import Construct

from constructs_lib.base.quantities import Minutes
from constructs_lib.cloud.providers import helm
from constructs_lib.kit import HISTORY, Release, Values


def helm_release(
    scope: Construct,
    id_: str,
    release: Release,
    *,
    depends_on: Sequence[ITerraformDependable] = (),
    timeout: Minutes = Minutes("10m"),
) -> helm.release.Release:
    """Add a `helm_release` that waits until its workloads are ready, and undoes a failure where `is_undone` says so."""
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
        atomic=release.is_undone,
        cleanup_on_fail=release.is_undone,
        max_history=HISTORY,
        wait=True,
        timeout=timeout.seconds,
        depends_on=list(depends_on),
    )


def template_text(data: Values) -> str:
    """Return `data` as JSON, which is YAML too, with what OpenTofu would read as a template escaped."""
    return json.dumps(data, sort_keys=True).replace("${", "$${").replace("%{", "%%{")
