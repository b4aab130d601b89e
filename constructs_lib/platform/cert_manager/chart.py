"""The chart of cert-manager: its pods, and its values.

Upstream: cert-manager v1.21.1, `deploy/charts/cert-manager/values.yaml` and its `values.schema.json`.
"""

from __future__ import annotations

from constructs_lib.kit import (
    ON_SYSTEM_POOL,
    Chart,
    Deployment,
    Manifest,
    Pods,
    Values,
    resources,
    spread,
    webhook,
)
from constructs_lib.platform.cert_manager.internal import (
    NAMESPACE,
)

CHART = Chart("oci://quay.io/jetstack/charts", "cert-manager", "v1.21.1")


def _labels(component: str) -> dict[str, str]:
    return {"app.kubernetes.io/instance": "cert-manager", "app.kubernetes.io/component": component}


def _pods(component: str) -> Pods:
    return Pods(NAMESPACE, component, _labels(component))


CONTROLLER = Deployment(NAMESPACE, "controller", _labels("controller"), deployment="cert-manager")
WEBHOOK = _pods("webhook")
CA_INJECTOR = _pods("cainjector")
STARTUP_CHECK = _pods("startupapicheck")
WEBHOOK_LINK = webhook(WEBHOOK, 10250)


def chart_values(replicas: int, *, has_metrics: bool) -> Values:
    """Return the values of the chart."""
    pods: Values = {
        **ON_SYSTEM_POOL,
        "replicaCount": replicas,
        "podDisruptionBudget": {"enabled": replicas > 1},
    }
    return {
        **pods,
        "crds": {"enabled": True, "keep": True},
        "global": {"leaderElection": {"namespace": NAMESPACE}},
        "resources": resources("50m", "128Mi"),
        "topologySpreadConstraints": _spread("controller"),
        "webhook": {
            **pods,
            # DigitalOcean refuses to upgrade a cluster with webhooks that may take 30 s (digitalocean/clusterlint).
            "timeoutSeconds": 10,
            "resources": resources("20m", "64Mi"),
            "topologySpreadConstraints": _spread("webhook"),
        },
        "cainjector": {
            **pods,
            "resources": resources("20m", "256Mi"),
            "topologySpreadConstraints": _spread("cainjector"),
        },
        "prometheus": {"servicemonitor": {"enabled": has_metrics}},
        "startupapicheck": {**ON_SYSTEM_POOL, "resources": resources("10m", "64Mi")},
    }


def _spread(component: str) -> list[Manifest]:
    return spread(**_labels(component))
