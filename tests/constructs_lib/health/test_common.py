"""What several services watch in the same way."""

from __future__ import annotations

from constructs_lib.health import (
    Panel,
    Selection,
    Variable,
    deployment_down,
    operator_availability,
    pod_row,
    ready_pods,
    volume_panel,
    while_true,
)
from constructs_lib.kit import Deployment, StatefulSet

SHOP = Deployment("shops", "shop", {"app": "shop"}, deployment="the-shop")
AVAILABLE = 'kube_deployment_status_replicas_available{namespace="shops",deployment="the-shop"}'


def test_a_deployment_without_a_pod_cannot_wait() -> None:
    alert = deployment_down("ShopDown", SHOP, "shop", "The shop")
    assert (alert.expr, alert.severity, alert.hold) == (f"{AVAILABLE} == 0", "critical", "5m")
    assert (alert.summary, alert.runbook) == ("The shop has no ready pod.", "shop")


def test_an_operator_may_be_away_for_one_percent_of_the_time() -> None:
    slo = operator_availability("shop-operator", SHOP)
    assert (slo.objective, slo.runbook) == (99.0, "operators")
    assert (slo.indicator.good, slo.indicator.total) == (f"max({AVAILABLE}) >= bool 1", "vector(1)")


def test_a_condition_is_measured_all_the_time() -> None:
    assert while_true("up == bool 1").total == "vector(1)"


def test_the_pods_of_a_stateful_set() -> None:
    store = StatefulSet("shops", "store", statefulset="the-store")
    assert ready_pods(store) == 'kube_statefulset_status_replicas_ready{namespace="shops",statefulset="the-store"}'


def test_what_the_queries_of_a_service_read() -> None:
    shops = Selection("shops", "shop_up")
    assert shops.all == 'namespace="shops"'
    assert shops.chosen == 'namespace="shops",pod=~"$pod"'
    assert shops.choice == Variable("pod", 'label_values(shop_up{namespace="shops"}, pod)')
    assert shops.rate("orders_total") == 'rate(orders_total{namespace="shops",pod=~"$pod"}[$__rate_interval])'
    assert shops.rates("orders_total") == f"sum by (pod) ({shops.rate('orders_total')})"
    assert shops.rates("orders_total", "shop") == f"sum by (shop) ({shops.rate('orders_total')})"


def queries(*panels: Panel) -> list[tuple[str, str, str]]:
    return [(panel.title, panel.unit, query.expr) for panel in panels for query in panel.queries]


def test_what_the_pods_and_volumes_of_a_namespace_use() -> None:
    usage = 'namespace="shops",container!=""'
    memory = f"sum by (pod) (container_memory_working_set_bytes{{{usage}}})"
    limit = 'sum by (pod) (kube_pod_container_resource_limits{namespace="shops",resource="memory"})'
    cpu = f"sum by (pod) (rate(container_cpu_usage_seconds_total{{{usage}}}[$__rate_interval]))"
    assert queries(*pod_row("shops").panels) == [
        ("CPU", "short", cpu),
        ("Memory of the limit", "percentunit", f"{memory} / {limit}"),
        ("Restarts", "short", 'increase(kube_pod_container_status_restarts_total{namespace="shops"}[1h])'),
    ]
    used, capacity = (f'kubelet_volume_stats_{what}_bytes{{namespace="shops"}}' for what in ("used", "capacity"))
    assert queries(volume_panel("shops")) == [("Volumes in use", "percentunit", f"{used} / {capacity}")]
