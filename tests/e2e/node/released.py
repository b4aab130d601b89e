"""Stand-ins for charts: the manifests with which a project releases its operator, as the chart's facts say.

The facts are those that are committed beside the tests of a component. What a manifest has beside them, such as its
roles, probes and webhooks, is upstream's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from constructs_lib.kit import Manifest
from tests.chart_facts.committed import committed, differences
from tests.chart_facts.facts import release_facts
from tests.chart_facts.helm import objects

COMPONENT = {"cloudnative-pg": "cloudnative_pg", "plugin-barman-cloud": "cloudnative_pg"}
"""The component whose tests have the facts of a chart."""

COMPARED = ("pods", "webhooks")


def items(chart: str, manifest: Path, namespace: str) -> list[Manifest]:
    """Return the objects of a release. Fails where the manifest differs from the facts in what they say of it."""
    facts = committed(COMPONENT[chart])["releases"][chart]
    made = list(_adapted(objects(manifest.read_text()), facts))
    found = release_facts(made, (), namespace)
    wrong = [differences(facts.get(part, {}), found.get(part, {})) for part in COMPARED]
    assert not any(wrong), f"{manifest}: {wrong}"
    return made


def _adapted(made: list[Manifest], facts: Manifest) -> Iterator[Manifest]:
    for item in made:
        if item["kind"] == "Service":
            item["spec"]["selector"] = facts["services"][item["metadata"]["name"]]["selector"]
        elif item["kind"] == "Deployment":
            ((name, pod),) = facts["pods"].items()
            _adapt(item, name.partition("/")[2], pod)
        if item["kind"] != "Namespace":
            yield item


def _adapt(deployment: Manifest, name: str, facts: Manifest) -> None:
    deployment["metadata"]["name"] = name
    spec: dict[str, Any] = deployment["spec"]
    spec["selector"]["matchLabels"] = spec["template"]["metadata"]["labels"] = facts["labels"]
    pod = spec["template"]["spec"]
    pod["nodeSelector"] = facts["node_selector"]
    pod["tolerations"] = [{"key": key, "operator": "Exists"} for key in facts["tolerations"]]
    for container in pod["containers"]:
        known = facts["containers"][container["name"]]
        container["resources"] = {part: known[part] for part in ("requests", "limits")}
        container["imagePullPolicy"] = "IfNotPresent"
