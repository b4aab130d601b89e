"""What the components know about their health, in every environment."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from constructs_lib.base.errors import ConfigError
from constructs_lib.environment import Environment, load_all
from constructs_lib.health import NONE_IS_GOOD, Position, placed
from constructs_lib.kit import FLUX_NAMESPACE, Deployment, Manifest
from constructs_lib.platform.observability import rules as health
from constructs_lib.platform.observability import slos
from tests.constructs_lib.health.evaluate import Selector, selectors
from tests.constructs_lib.platform.collected import KNOWN_METRICS
from tests.support import EXAMPLE_SLO, ROOT, environment, everything

ENVIRONMENTS = (*load_all(ROOT / "environments"), everything())
every_environment = pytest.mark.parametrize("env", ENVIRONMENTS, ids=lambda env: env.name)
RUNBOOKS = ROOT / "docs/runbooks"


def rules(env: Environment) -> list[Manifest]:
    groups = [group for item in health.rules(env, slos.health(env)) for group in item["spec"]["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def alerts(env: Environment) -> list[Manifest]:
    return [rule for rule in rules(env) if "alert" in rule]


def layer(env: Environment) -> Iterator[Manifest]:
    return (item for layer in env.layers if str(layer.id) == "observability-health" for item in layer.manifests)


@every_environment
def test_every_component_that_is_on_has_an_objective_alerts_a_dashboard_and_runbooks(env: Environment) -> None:
    known = slos.health(env)
    assert known.keys() == env.platform.enabled.keys()
    shown = {item["metadata"]["name"] for item in layer(env) if item["kind"] == "ConfigMap"}
    for service, item in known.items():
        assert item.slos
        assert f"dashboard-{item.uid}" in shown
        raised = [rule for rule in alerts(env) if rule["labels"]["service"] == service]
        assert {slo.name for slo in item.slos} <= {rule["labels"].get("slo") for rule in raised}
        assert all(runbook(rule).exists() for rule in raised)


def runbook(rule: Manifest) -> Path:
    folder, name = rule["annotations"]["runbook_url"].rsplit("/", 1)
    assert folder == "https://github.com/df12-test/infrastructure/blob/HEAD/docs/runbooks"
    return RUNBOOKS / name


def test_every_runbook_says_symptom_check_fix_and_verify_and_belongs_to_an_alert() -> None:
    used = {runbook(rule).name for rule in alerts(everything())} | {"error-budget-burn.md"}
    assert {path.name for path in RUNBOOKS.glob("*.md")} - {"README.md"} == used
    index = (RUNBOOKS / "README.md").read_text()
    for name in used:
        text = (RUNBOOKS / name).read_text()
        assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == [
            "Symptom",
            "Check",
            "Fix",
            "Verify",
        ]
        assert f"({name})" in index


@every_environment
def test_every_alert_is_named_in_its_runbook(env: Environment) -> None:
    for rule in alerts(env):
        if rule["labels"]["service"] != "episodic" and "-main" not in rule["labels"].get("slo", ""):
            assert rule["alert"] in runbook(rule).read_text()


@every_environment
def test_every_metric_is_one_that_its_exporter_documents(env: Environment) -> None:
    recorded = {rule["record"] for rule in rules(env) if "record" in rule}
    own = {"http_requests_total"} | recorded | {f"slo:bad:ratio_{window}" for window in ("5m", "1h")}
    read = {selector.metric for query in queries(env) for selector in selectors(query)}
    assert read - own - KNOWN_METRICS.keys() == set()


def queries(env: Environment) -> list[str]:
    """Return every query of every rule and panel."""
    pages = health.dashboards(env, slos.health(env))
    shown = [query.plain for page in pages for panel in page.panels for query in panel.queries]
    # What Grafana asks for the values of a choice: label_values(<query>, <label>).
    choices = [choice.query.partition("(")[2].rpartition(",")[0] for page in pages for choice in page.variables]
    every = [*(rule["expr"] for rule in rules(env)), *shown, *choices]
    assert len(every) > 200
    return every


@every_environment
def test_every_query_watches_what_the_environment_has(env: Environment) -> None:
    strange = Watched(env).unknown(queries(env))
    assert {f"{label}={value!r} of {selector.metric}" for selector, label, value in strange} == set()


class Watched:
    """What an environment has, as its rendered objects, releases and links say: what a query may name."""

    def __init__(self, env: Environment) -> None:
        self.objects = [item for layer in env.layers for item in layer.manifests]
        self.releases = [item for layer in env.layers for item in layer.releases]
        self.ends = [end for link in env.platform.links(env) for end in (link.source, link.target)]
        self.slos = {slo.name for slo in slos.objectives(env)}
        self.services = {*env.platform.enabled, *(slo.service for slo in env.platform.observability.slos.additional)}
        self.namespaces = {item["metadata"]["name"] for item in self.of("Namespace")} | {FLUX_NAMESPACE}

    def of(self, kind: str) -> list[Manifest]:
        return [item for item in self.objects if item["kind"] == kind]

    def unknown(self, queries: list[str]) -> Iterator[tuple[Selector, str, str]]:
        """Yield each matcher that names what is not there."""
        for selector in (selector for query in queries for selector in selectors(query)):
            namespace = selector.matchers.get("namespace", ("Equal", ""))[1]
            for label, (kind, value) in selector.matchers.items():
                known = self.known(label, namespace, is_slo=selector.metric.startswith("slo:"))
                if known is not None and "$" not in value and (kind, value) != ("NotEqual", ""):
                    pattern = value if kind in ("Re", "NotRe") else re.escape(value)
                    if not any(re.fullmatch(pattern, name) for name in known):
                        yield selector, label, value

    def known(self, label: str, namespace: str, *, is_slo: bool) -> set[str] | None:
        """Return the values that a label can have; nothing for a label that an exporter alone knows."""
        valkey = {item["metadata"]["name"] for item in self.of("Valkey")}
        return {
            "namespace": self.namespaces,
            "deployment": self.deployments(namespace),
            "statefulset": self.stateful_sets(namespace),
            "pod": self.instances(namespace),
            "container": {"valkey"} if valkey else set[str](),
            "service": self.services if is_slo else {f"{name}-metrics" for name in valkey},
            "slo": self.slos,
            "entrypoint": {port for item in self.releases if item.name == "traefik" for port in item.values["ports"]},
            "job": set[str](),
            "cronjob": self.cron_jobs(namespace),
            "exported_service": set(self.served()),
        }.get(label)

    def cron_jobs(self, namespace: str) -> set[str]:
        """Return the CronJobs of a namespace."""
        found = (item["metadata"] for item in self.of("CronJob"))
        return {metadata["name"] for metadata in found if metadata["namespace"] == namespace}

    def served(self) -> Iterator[str]:
        """Yield what Traefik calls the services behind Ingresses."""
        for item in self.of("Ingress"):
            for path in (path for rule in item["spec"]["rules"] for path in rule["http"]["paths"]):
                service = path["backend"]["service"]
                port = service["port"]["number"]
                yield f"{item['metadata']['namespace']}-{service['name']}-{port}@kubernetes"

    def deployments(self, namespace: str) -> set[str]:
        """Return the deployments of a namespace that links start or end at, and that something installs.

        Charts, and Flux where it applies the tag of a repository, put their release's name first.
        """
        named = {end.deployment for end in self.ends if isinstance(end, Deployment) and end.namespace == namespace}
        names = {item.name for item in self.releases if item.namespace == namespace}
        names |= {item["metadata"]["name"] for item in self.of("Kustomization")}
        return {item for item in named if any(item == name or item.startswith(f"{name}-") for name in names)}

    def stateful_sets(self, namespace: str) -> set[str]:
        """Return the StatefulSets of a namespace: of charts, and those that operators make of their objects."""
        names = {item.name for item in self.releases if item.namespace == namespace}
        for item in self.objects:
            name, spec = item["metadata"]["name"], item.get("spec", {})
            if item["metadata"].get("namespace") == namespace and spec.get("mode") == "statefulset":
                names.add(f"{name}-collector")
            if item["kind"] == "OpenSearchCluster":
                names |= {f"{name}-{pool['component']}" for pool in spec["nodePools"]}
        return names

    def instances(self, namespace: str) -> set[str]:
        """Return the first pod that an operator makes of each cluster."""
        forms = {"Cluster": "{}-1", "RabbitmqCluster": "{}-server-0", "Valkey": "{}-0"}
        return {
            forms[item["kind"]].format(item["metadata"]["name"])
            for item in self.objects
            if item["kind"] in forms and item["metadata"]["namespace"] == namespace
        }


@every_environment
def test_no_dashboard_names_an_environment_or_a_cluster(env: Environment) -> None:
    for item in layer(env):
        if item["kind"] == "ConfigMap":
            (text,) = item["data"].values()
            assert env.cluster.name not in text
            assert f'"{env.name}"' not in text
            panels = [panel for panel in json.loads(text)["panels"] if panel["type"] != "row"]
            assert {panel["datasource"]["uid"] for panel in panels} == {"${datasource}"}


@every_environment
def test_dashboards_have_names_of_their_own_and_panels_do_not_overlap(env: Environment) -> None:
    pages = health.dashboards(env, slos.health(env))
    assert len({page.uid for page in pages}) == len({page.title for page in pages}) == len(pages)
    for page in pages:
        cells = [cell for _, place in placed(page) for cell in covered(place)]
        assert len(cells) == len(set(cells))
        assert max(x for x, _ in cells) < 24


def covered(place: Position) -> Iterator[tuple[int, int]]:
    return ((place.x + x, place.y + y) for x in range(place.width) for y in range(place.height))


BACKENDS: dict[str, dict[str, Any]] = {
    "traces": {"traces": {}},
    "logs": {"logs": {}},
    "influxdb": {"influxdb": {}},
}


@pytest.mark.parametrize("backend", BACKENDS)
def test_switching_a_backend_off_removes_what_depends_on_it_and_nothing_else(backend: str) -> None:
    before, after = everything(), without(backend)
    gone = named(before) - named(after)
    assert named(after) <= named(before)
    assert {name for name in gone if f"{backend}-availability" not in name} == {
        "traces": {"applications"},
        "logs": set[str](),
        "influxdb": set[str](),
    }[backend]
    assert any(f"{backend}-availability" in name for name in gone)


def without(backend: str) -> Environment:
    env = everything()
    observability = env.platform.observability.model_copy(
        update={backend: type(getattr(env.platform.observability, backend))()}
    )
    return env.model_copy(update={"platform": env.platform.model_copy(update={"observability": observability})})


def named(env: Environment) -> set[str]:
    """Return every objective, alert and dashboard of an environment."""
    raised = {f"{rule['alert']} {rule['labels']['severity']} {rule['labels'].get('slo')}" for rule in alerts(env)}
    return (
        raised
        | {slo.name for slo in slos.objectives(env)}
        | {page.uid for page in health.dashboards(env, slos.health(env))}
    )


def test_without_metrics_there_is_nothing_to_evaluate_show_or_send() -> None:
    env = environment(platform__observability__metrics={"enabled": False})
    kinds = {item["kind"] for layer in env.layers for item in layer.manifests}
    assert not kinds & {"PrometheusRule", "PodMonitor", "Provider", "Alert"}
    assert "OpenTelemetryCollector" in kinds


def test_a_component_that_is_off_has_no_rule_and_no_dashboard() -> None:
    env = environment(platform__valkey_operator={"enabled": False})
    assert not [name for name in named(env) if "valkey" in name.lower()]
    assert named(env) <= named(environment())


def additional(**changes: Any) -> dict[str, Any]:
    return {"additional": [EXAMPLE_SLO | changes]}


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (additional(service="valkey_operator"), r"additional\[0\].service: component 'valkey_operator' is off in this"),
        (additional(service="shop"), "unknown service 'shop', known are baseline, .*episodic"),
        (additional(name="traefik-latency"), "the platform has an SLO 'traefik-latency' already; rename"),
        (additional(window="30d"), r"additional\[0\].window: 30d is longer than metrics are kept \(3d\); shorten it"),
        ({"window": "7d"}, r"slos.window: 7d is longer than metrics are kept \(3d\)"),
        ({"objectives": {"traefik-latencyy": 95}}, "unknown SLO 'traefik-latencyy'.* did you mean 'traefik-latency'"),
    ],
)
def test_an_objective_that_cannot_be_is_one_sentence(settings: dict[str, Any], sentence: str) -> None:
    env = environment(platform__observability__slos=settings, platform__valkey_operator={"enabled": False})
    with pytest.raises(ConfigError, match=sentence) as problem:
        _ = env.layers
    assert len(problem.value.problems) == 1


def test_two_objectives_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two entries have the name 'episodic-availability'"):
        environment(platform__observability__slos={"additional": [EXAMPLE_SLO, EXAMPLE_SLO]})


def test_a_file_changes_an_objective_and_adds_its_own() -> None:
    env = environment(platform__observability__slos={"objectives": {"traefik-latency": 95}, **additional(window="2d")})
    found = {slo.name: slo for slo in slos.objectives(env)}
    assert found["traefik-latency"].objective == 95
    assert found["traefik-availability"].objective == 99.9
    assert slos.days(env, found["episodic-availability"]) == 2
    assert slos.days(env, found["traefik-latency"]) == 3, "as long as metrics are kept"
    assert [item["metadata"]["name"] for item in health.rules(env, slos.health(env))][-1] == "slo-additional"


def test_panels_turn_red_and_green_where_they_should() -> None:
    env = everything()
    pages = health.dashboards(env, slos.health(env))
    panels = [panel for item in pages for panel in item.panels if panel.steps]
    assert {(panel.title, *panel.steps) for panel in panels if panel.steps != NONE_IS_GOOD} == {
        ("Error budget left", (0, "red"), (0.25, "orange"), (0.5, "green")),
        ("Failed", (0, "green"), (0.001, "red")),
        ("Failed notifications", (0, "green"), (0.001, "red")),
        ("Greatest lag", (0, "green"), (30, "red")),
        ("Lost", (0, "green"), (0.001, "red")),
        ("Next expiry", (0, "red"), (604_800, "green")),
        ("Since the last sync", (0, "green"), (600, "red")),
        ("Suspended", (0, "green"), (1, "orange")),
    }
    assert NONE_IS_GOOD == ((0, "green"), (1, "red"))
