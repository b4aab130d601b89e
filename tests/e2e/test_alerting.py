"""Alertmanager's configuration as its own tool reads and routes it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from constructs_lib.environment import Environment, load_all
from constructs_lib.kit import Values
from constructs_lib.platform.observability.alerting import Alerting, alertmanager_config
from tests.e2e.conftest import require
from tests.support import ROOT, everything

AMTOOL = ROOT / "tools/bin/amtool"
EVERY_KIND = Alerting.model_validate_json(
    json.dumps(
        {
            "receivers": [
                {"name": "on-call", "type": "pagerduty"},
                {"name": "chat", "type": "slack", "channel": "#alerts"},
                {"name": "post", "type": "email", "to": "a@example.org", "sender": "b@example.org"}
                | {"smarthost": "smtp.example.org:2525", "username": "alerts"},
                {"name": "team", "type": "teams"},
                {"name": "european", "type": "opsgenie", "api_url": "https://api.eu.opsgenie.com/"},
                {"name": "heartbeat", "type": "webhook"},
            ],
            "critical": ["on-call", "chat", "european"],
            "warning": ["chat", "post", "team"],
            "heartbeat": ["heartbeat"],
        }
    )
)


@pytest.fixture(autouse=True)
def amtool() -> None:
    require("amtool")


def written(folder: Path, config: Values) -> Path:
    path = folder / "alertmanager.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def run(*arguments: str) -> str:
    result = subprocess.run([str(AMTOOL), *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def rendered(env: Environment) -> Values:
    """Return the configuration in the values of the environment's release."""
    (release,) = [item for layer in env.layers for item in layer.releases if item.name == "kube-prometheus-stack"]
    return release.values["alertmanager"]["config"]


@pytest.mark.parametrize("env", [*load_all(ROOT / "environments"), everything()], ids=lambda env: env.name)
def test_alertmanager_accepts_the_configuration(env: Environment, tmp_path: Path) -> None:
    assert "SUCCESS" in run("check-config", str(written(tmp_path, rendered(env))))


@pytest.mark.parametrize("settings", [EVERY_KIND, Alerting()], ids=["every-kind", "quiet"])
def test_alertmanager_accepts_every_kind_of_receiver(settings: Alerting, tmp_path: Path) -> None:
    assert "SUCCESS" in run("check-config", str(written(tmp_path, alertmanager_config(settings))))


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ({"alertname": "TraefikAvailabilityBudgetBurn", "severity": "critical", "service": "traefik"}, "critical"),
        ({"alertname": "TraefikAvailabilityBudgetBurn", "severity": "warning", "service": "traefik"}, "warning"),
        ({"alertname": "KubePodCrashLooping", "severity": "warning", "namespace": "episodic"}, "warning"),
        ({"alertname": "FluxKustomizationBuildFailed", "severity": "error", "kind": "Kustomization"}, "warning"),
        ({"alertname": "Watchdog", "severity": "none", "service": "observability"}, "heartbeat"),
        ({"alertname": "CPUThrottlingHigh", "severity": "info"}, "nobody"),
        ({"alertname": "Unlabelled"}, "nobody"),
    ],
)
def test_an_alert_reaches_whom_it_concerns(labels: dict[str, str], receiver: str, tmp_path: Path) -> None:
    path = written(tmp_path, rendered(everything()))
    pairs = [f"{key}={value}" for key, value in labels.items()]
    run("config", "routes", "test", f"--config.file={path}", f"--verify.receivers={receiver}", *pairs)


def test_a_sandbox_disturbs_nobody(tmp_path: Path) -> None:
    (sandbox,) = [env for env in load_all(ROOT / "environments") if env.tier == "sandbox"]
    receivers = {receiver.pop("name"): receiver for receiver in rendered(sandbox)["receivers"]}
    assert receivers == {"nobody": {}, "critical": {}, "warning": {}, "heartbeat": {}}
