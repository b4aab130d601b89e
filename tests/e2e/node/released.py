"""Stand-ins for charts whose program is built in their version: they make what the committed facts say of the chart.

Each is a small chart of our own in `standins/`, or the manifest with which a project releases its operator; what that
has beside the facts, such as roles, probes and webhooks, is upstream's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from constructs_lib.kit import Manifest, manifest
from constructs_lib.platform.scrape import MONITORING
from gitops_render.charts import chart_name
from tests.chart_facts.committed import committed, differences
from tests.chart_facts.facts import MONITORS, release_facts
from tests.chart_facts.helm import objects
from tests.e2e.node import charts

OURS = Path(__file__).parent / "standins"
COMPONENT = {
    "cloudnative-pg": "cloudnative_pg",
    "kube-prometheus-stack": "observability",
    "plugin-barman-cloud": "cloudnative_pg",
    "traefik": "traefik",
}
"""The component whose tests have the facts of a chart."""

COMPARED = ("monitors", "pods", "webhooks")


def items(release: dict[str, Any], folder: Path) -> list[Manifest]:
    """Return the objects of a release. Fails where one differs from what the facts say of it."""
    chart = chart_name(release["spec"])
    facts = committed(COMPONENT[chart])["releases"][chart]
    file = charts.CHARTS / f"{chart}.yaml"
    if file.exists():
        made = [*_adapted(objects(file.read_text()), facts), *_monitors(release, facts)]
    else:
        made = list(charts.render(release, OURS, folder))
    found = release_facts(made, (), release["spec"]["targetNamespace"])
    for part in COMPARED:
        wrong = differences({name: facts[part].get(name) for name in found.get(part, ())}, found.get(part, {}))
        # How many pods there are is said by each environment; the facts are of one with everything.
        wrong = {path: value for path, value in wrong.items() if not path.endswith("|replicas")}
        assert not wrong, f"{chart}: {part} differ from the facts of the chart: {wrong}"
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


def _monitors(release: dict[str, Any], facts: Manifest) -> Iterator[Manifest]:
    """Yield what the facts say of monitors, which manifests do not have."""
    for kind_and_name, monitor in facts.get("monitors", {}).items():
        kind, _, name = kind_and_name.partition("/")
        watched = {"selector": monitor["selector"], "namespaceSelector": {"matchNames": monitor["namespaces"]}}
        spec = {**watched, MONITORS[kind]: monitor["endpoints"]}
        yield manifest(MONITORING, kind, name, release["spec"]["targetNamespace"], spec=spec)


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
