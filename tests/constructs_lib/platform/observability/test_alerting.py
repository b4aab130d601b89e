"""Who hears of what, and where the credentials are."""

from __future__ import annotations

from typing import Any

import pytest

from constructs_lib.environment import Environment
from tests.support import environment

WEBHOOK = {"name": "pulse", "type": "webhook"}
MAIL = {"name": "post", "type": "email", "to": "a@example.org", "sender": "b@example.org", "username": "alerts"}


def alerting(**settings: Any) -> Environment:
    return environment(platform__observability__alerting=settings)


def release(env: Environment) -> dict[str, Any]:
    (found,) = [item for layer in env.layers for item in layer.releases if item.name == "kube-prometheus-stack"]
    return found.values["alertmanager"]


def objects(env: Environment, kind: str) -> dict[str, Any]:
    found = (item for layer in env.layers for item in layer.manifests if item["kind"] == kind)
    return {item["metadata"]["name"]: item for item in found}


def test_a_credential_comes_from_vault_as_a_file() -> None:
    env = alerting(receivers=[WEBHOOK], heartbeat=["pulse"])
    (receiver,) = [item for item in release(env)["config"]["receivers"] if item["name"] == "heartbeat"]
    assert receiver["webhook_configs"] == [{"url_file": "/etc/alertmanager/secrets/alert-pulse/url"}]
    assert release(env)["alertmanagerSpec"]["secrets"] == ["alert-pulse"]
    (data,) = objects(env, "ExternalSecret")["alert-pulse"]["spec"]["data"]
    assert data == {"secretKey": "url", "remoteRef": {"key": "sandbox/platform/alerting/pulse", "property": "url"}}


@pytest.mark.parametrize(
    ("receiver", "kind", "key", "file"),
    [
        ({"type": "teams"}, "msteamsv2_configs", "webhook_url_file", "url"),
        ({"type": "opsgenie"}, "opsgenie_configs", "api_key_file", "api_key"),
        ({"type": "slack", "channel": "#a"}, "slack_configs", "api_url_file", "url"),
        ({"type": "pagerduty"}, "pagerduty_configs", "routing_key_file", "routing_key"),
    ],
)
def test_every_receiver_reads_its_credential_from_a_file(
    receiver: dict[str, str], kind: str, key: str, file: str
) -> None:
    env = alerting(receivers=[{"name": "them", **receiver}], warning=["them"])
    (found,) = [item for item in release(env)["config"]["receivers"] if item["name"] == "warning"]
    (config,) = found[kind]
    assert config[key] == f"/etc/alertmanager/secrets/alert-them/{file}"


def test_mail_may_leave_by_its_servers_port() -> None:
    env = alerting(receivers=[MAIL | {"smarthost": "smtp.example.org:2525"}], warning=["post"])
    policy = objects(env, "NetworkPolicy")["alertmanager"]
    assert 2525 in [port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]]


def test_flux_reports_errors_to_alertmanager() -> None:
    env = environment()
    provider, alert = objects(env, "Provider")["alertmanager"], objects(env, "Alert")["errors"]
    assert provider["spec"]["type"] == "alertmanager"
    assert alert["spec"]["eventSeverity"] == "error"
    assert {"kind": "Kustomization", "name": "*"} in alert["spec"]["eventSources"]
    assert "flux-reconciliation.md" in alert["spec"]["eventMetadata"]["summary"]
    policy = objects(env, "NetworkPolicy")["alertmanager"]
    peers = [peer for rule in policy["spec"]["ingress"] for peer in rule.get("from", [])]
    assert {"matchLabels": {"app": "notification-controller"}} in [peer["podSelector"] for peer in peers]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"receivers": [WEBHOOK], "critical": ["puls"]}, "critical: unknown receiver 'puls'.*did you mean 'pulse'"),
        ({"critical": ["on-call"]}, "critical: unknown receiver 'on-call'"),
        ({"receivers": [WEBHOOK, WEBHOOK]}, "two entries have the name 'pulse'"),
        ({"receivers": [{"name": "x", "type": "pager"}]}, "pager"),
        ({"receivers": [MAIL | {"smarthost": "smtp.example.org"}]}, "a mail server such as"),
    ],
)
def test_a_receiver_that_cannot_be_is_refused(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        alerting(**settings)


@pytest.mark.parametrize("key", ["critical", "heartbeat"])
def test_production_has_somebody_on_call(key: str) -> None:
    with pytest.raises(ValueError, match=f"alerting.{key} names no receiver in production; name one"):
        environment("production", **{f"platform__observability__alerting__{key}": []})
