"""What charts and operators do on their own, and what the platform makes of it: rights, memory, ways in, order."""

from __future__ import annotations

import json
from typing import Any

import pytest

from constructs_lib.base.quantities import Storage
from tests.constructs_lib.platform import said
from tests.support import environment, everything

ENV = everything()
VALUES = said.values("observability", ENV)
STACK = VALUES["kube-prometheus-stack"]
DROPS_ALL = {"allowPrivilegeEscalation": False, "capabilities.drop": ["ALL"]}


def item(kind: str, name: str) -> dict[str, Any]:
    found = (item for layer in ENV.layers for item in layer.manifests)
    (only,) = [one for one in found if (one["kind"], one["metadata"]["name"]) == (kind, name)]
    return only


def test_grafana_reads_config_maps_of_its_own_namespace_and_no_secret() -> None:
    assert STACK["grafana.rbac.namespaced"] is True
    role = item("Role", STACK["grafana.rbac.useExistingRole"])
    assert role["metadata"]["namespace"] == "observability"
    assert role["rules"] == [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}]
    for sidecar in ("dashboards", "datasources"):
        assert STACK[f"grafana.sidecar.{sidecar}.resource"] == "configmap"
        assert STACK[f"grafana.sidecar.{sidecar}.searchNamespace"] == "observability"


def test_nobody_else_lists_secrets_without_need() -> None:
    assert STACK["kube-state-metrics.collectorsExclude"] == ["secrets"]
    assert VALUES["opensearch-operator"]["useRoleBindings"] is True
    assert VALUES["opensearch-operator"]["manager.watchNamespace"] == "observability"


def test_rules_of_the_stack_do_not_wait_for_the_operator_of_the_stack() -> None:
    assert STACK["prometheusOperator.admissionWebhooks.failurePolicy"] == "IgnoreOnInstallOnly"


@pytest.mark.parametrize(("storage", "size"), [("100Gi", "81920MiB"), ("10Gi", "8192MiB"), ("1Ti", "838860MiB")])
def test_metrics_go_before_their_volume_is_full(storage: str, size: str) -> None:
    env = environment(platform__observability__metrics={"storage": storage})
    found = said.values("observability", env)["kube-prometheus-stack"]["prometheus.prometheusSpec.retentionSize"]
    assert found == size
    assert int(found.removesuffix("MiB")) <= Storage(storage).mebibytes * 85 // 100


def test_a_cpu_limit_of_a_chart_is_taken_back() -> None:
    found = VALUES["opensearch-operator"]
    assert found["manager.resources.limits.cpu"] is None
    assert found["manager.resources.limits.memory"] == "512Mi"


@pytest.mark.parametrize(
    ("release", "path"),
    [
        ("tempo", "tempo.securityContext"),
        ("influxdb2", "securityContext"),
        ("kube-prometheus-stack", "prometheus-node-exporter.containerSecurityContext"),
    ],
)
def test_a_container_that_the_chart_leaves_free_is_confined(release: str, path: str) -> None:
    assert {key: VALUES[release].get(f"{path}.{key}") for key in DROPS_ALL} == DROPS_ALL


def test_pods_of_backends_have_the_seccomp_profile_of_their_runtime() -> None:
    for release in ("tempo", "influxdb2", "opensearch-operator"):
        assert VALUES[release]["securityContext.seccompProfile.type"] == "RuntimeDefault"
    assert VALUES["opensearch-operator"]["manager.securityContext.capabilities.drop"] == ["ALL"]
    influxdb = {key: VALUES["influxdb2"][f"securityContext.{key}"] for key in ("runAsUser", "runAsGroup")}
    assert influxdb == {"runAsUser": 1000, "runAsGroup": 1000}, (
        "the user of the image, to which the chart gives the volume"
    )


def test_tempo_takes_traces_by_tls_alone_and_follows_a_new_certificate() -> None:
    receivers = json.loads(VALUES["tempo"]["config"])["distributor"]["receivers"]
    tls = {"cert_file": "/tls/tls.crt", "key_file": "/tls/tls.key", "reload_interval": "1h"}
    assert receivers == {"otlp": {"protocols": {"grpc": {"endpoint": "0.0.0.0:4317", "tls": tls}}}}


def variables(spec: dict[str, Any]) -> dict[str, Any]:
    return {one["name"]: one.get("value") for one in spec["env"]}


def test_go_programs_clean_up_before_they_are_killed() -> None:
    gateway, agent = (item("OpenTelemetryCollector", name)["spec"] for name in ("gateway", "agent"))
    assert gateway["resources"]["limits"]["memory"] == "512Mi"
    assert variables(gateway)["GOMEMLIMIT"] == "409MiB"
    assert agent["resources"]["limits"]["memory"] == "256Mi"
    assert variables(agent)["GOMEMLIMIT"] == "204MiB"
    assert VALUES["tempo"]["tempo.extraEnv"] == [{"name": "GOMEMLIMIT", "value": "819MiB"}]
    assert VALUES["tempo"]["tempo.memBallastSizeMbs"] == 0


def test_tempo_keeps_traces_in_the_bucket_for_as_long_as_the_environment_says() -> None:
    config = json.loads(VALUES["tempo"]["config"])
    assert config["compactor"] == {"compaction": {"block_retention": "168h"}}
    assert config["storage"]["trace"] == {
        "backend": "s3",
        "s3": {
            "bucket": "episodic-production-traces",
            "endpoint": "lon1.digitaloceanspaces.com",
            "access_key": "${S3_ACCESS_KEY}",
            "secret_key": "${S3_SECRET_KEY}",
        },
        "wal": {"path": "/var/tempo/wal"},
    }
    assert config["server"] == {"http_listen_port": 3200}
    assert config["usage_report"] == {"reporting_enabled": False}
