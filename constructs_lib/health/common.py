"""What several services watch in the same way."""

from __future__ import annotations

from typing import NamedTuple

from constructs_lib.health.alert import Alert
from constructs_lib.health.dashboard import Panel, Query, Row, Variable, graph
from constructs_lib.health.slo import Ratio, Slo
from constructs_lib.kit import Deployment, StatefulSet

ALWAYS = "vector(1)"
"""The total of an indicator that is measured all the time: no data counts as bad."""


POD = "{{ $labels.pod }}"
"""Of which pod an alert tells."""


class Selection(NamedTuple):
    """Label matchers of what a service's queries read: of a namespace, where the pods are those that `metric` knows."""

    namespace: str
    metric: str

    @property
    def all(self) -> str:
        """Everything in the namespace."""
        return f'namespace="{self.namespace}"'

    @property
    def chosen(self) -> str:
        """What is of the pods that the reader of a dashboard chose."""
        return f'{self.all},pod=~"$pod"'

    @property
    def choice(self) -> Variable:
        """The choice of pods at the top of the dashboard."""
        return Variable("pod", f"label_values({self.metric}{{{self.all}}}, pod)")

    def rate(self, counter: str) -> str:
        """Return how fast a counter of the chosen pods grows."""
        return f"rate({counter}{{{self.chosen}}}[$__rate_interval])"

    def rates(self, counter: str, label: str = "pod") -> str:
        """Return how fast a counter of the chosen pods grows for each value of a label."""
        return f"sum by ({label}) ({self.rate(counter)})"


def while_true(condition: str) -> Ratio:
    """Return the indicator of a condition (a comparison with `bool`): the share of time for which it holds."""
    return Ratio(good=condition, total=ALWAYS)


def available_pods(deployment: Deployment) -> str:
    """Return the metric of how many pods of a deployment serve."""
    labels = f'namespace="{deployment.namespace}",deployment="{deployment.deployment}"'
    return f"kube_deployment_status_replicas_available{{{labels}}}"


def ready_pods(stateful_set: StatefulSet) -> str:
    """Return the metric of how many pods of a StatefulSet are ready."""
    labels = f'namespace="{stateful_set.namespace}",statefulset="{stateful_set.statefulset}"'
    return f"kube_statefulset_status_replicas_ready{{{labels}}}"


def deployment_down(name: str, deployment: Deployment, runbook: str, what: str) -> Alert:
    """Return the alert that a deployment has no pod at all."""
    return Alert(
        name=name,
        expr=f"{available_pods(deployment)} == 0",
        severity="critical",
        summary=f"{what} has no ready pod.",
        runbook=runbook,
    )


def operator_availability(name: str, deployment: Deployment, runbook: str = "operators") -> Slo:
    """Return the objective that an operator runs: what it made serves without it, but nothing is mended or changed."""
    serves = while_true(f"max({available_pods(deployment)}) >= bool 1")
    return Slo(name=name, objective=99.0, ratio=serves, runbook=runbook)


def pod_row(namespace: str) -> Row:
    """Return the row on what the pods of a namespace use, and how often they start again."""
    selector = f'namespace="{namespace}",container!=""'
    limit = f'sum by (pod) (kube_pod_container_resource_limits{{namespace="{namespace}",resource="memory"}})'
    used = f"sum by (pod) (container_memory_working_set_bytes{{{selector}}})"
    return Row(
        "Pods",
        (
            graph(
                "CPU",
                f"sum by (pod) (rate(container_cpu_usage_seconds_total{{{selector}}}[$__rate_interval]))",
                "{{pod}}",
            ),
            Panel("Memory of the limit", (Query(f"{used} / {limit}", "{{pod}}"),), unit="percentunit"),
            graph(
                "Restarts",
                f'increase(kube_pod_container_status_restarts_total{{namespace="{namespace}"}}[1h])',
                "{{pod}}/{{container}}",
            ),
        ),
    )


def volume_panel(namespace: str) -> Panel:
    """Return the panel on how full the volumes of a namespace are."""
    used, capacity = (f'kubelet_volume_stats_{what}_bytes{{namespace="{namespace}"}}' for what in ("used", "capacity"))
    return graph("Volumes in use", f"{used} / {capacity}", "{{persistentvolumeclaim}}", "percentunit")
