"""What External Secrets shows when its objective or an alert must notice, and when not."""

from __future__ import annotations

from tests.constructs_lib.health.series import Case, critical, deployment, gauge, objective, warning

EXTERNAL = (
    'externalsecret_status_condition{{condition="{}",name="grafana",exported_namespace="observability",status="{}"}}'
)
STORE = 'clustersecretstore_status_condition{{condition="{}",status="{}",name="vault"}}'


def condition(series: str) -> Case:
    """Return the condition Ready that turns from true to false; another condition means nothing."""
    return {
        series.format("Ready", "True"): gauge(1, 0),
        series.format("Ready", "False"): gauge(0, 1),
        series.format("Deleted", "False"): gauge(1, 1),
    }


SLOS = {"secrets-sync": objective(99.5, condition(EXTERNAL))}
ALERTS = {
    "ExternalSecretNotReady": warning("15m", condition(EXTERNAL)),
    "SecretStoreNotReady": critical("10m", condition(STORE)),
    "ExternalSecretsDown": critical("5m", deployment("external-secrets", "external-secrets")),
}
