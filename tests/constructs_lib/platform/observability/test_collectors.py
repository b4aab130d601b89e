"""Collectors and alert routes: nothing is lost, nobody is forgotten, and no more rights than needed."""

from __future__ import annotations

from typing import Any

from constructs_lib.platform.observability import slos
from constructs_lib.platform.observability.alerting import Alerting, alertmanager_config
from constructs_lib.platform.observability.collector_config import LIMITER, agent_config, gateway_config, retrying
from tests.support import environment, everything

ENV = everything()


def spec(kind: str, name: str) -> dict[str, Any]:
    objects = (item for layer in ENV.layers for item in layer.manifests)
    (item,) = (item for item in objects if (item["kind"], item["metadata"]["name"]) == (kind, name))
    return item["spec"]


def test_the_queue_of_a_gateway_outlives_it() -> None:
    gateway = spec("OpenTelemetryCollector", "gateway")
    assert gateway["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    assert gateway["podDisruptionBudget"] == {"minAvailable": 1}
    assert gateway["replicas"] == 2
    (claim,) = gateway["volumeClaimTemplates"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert claim["spec"]["storageClassName"] == "do-block-storage"


def test_collectors_have_no_more_rights_than_they_need() -> None:
    gateway, agent = spec("OpenTelemetryCollector", "gateway"), spec("OpenTelemetryCollector", "agent")
    assert gateway["podSecurityContext"] == {
        "runAsUser": 10001,
        "runAsGroup": 10001,
        "fsGroup": 10001,
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert gateway["securityContext"] == {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    assert agent["securityContext"] == {
        "runAsUser": 0,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    assert all(mount["readOnly"] for mount in agent["volumeMounts"] if mount["name"] != "positions")


def test_what_a_backend_does_not_take_waits_on_disk_and_is_tried_for_ever() -> None:
    assert retrying(7) == {
        "retry_on_failure": {"enabled": True, "max_elapsed_time": "0s"},
        "sending_queue": {"enabled": True, "storage": "file_storage", "sizer": "bytes", "queue_size": 7},
    }
    for config in (gateway_config(ENV), agent_config(ENV)):
        assert config["extensions"]["file_storage"]["fsync"] is True
        assert config["processors"]["memory_limiter"] == LIMITER
    assert LIMITER == {"check_interval": "1s", "limit_percentage": 80, "spike_limit_percentage": 20}
    queues = [item["sending_queue"] for item in gateway_config(ENV)["exporters"].values() if "sending_queue" in item]
    sizes = [queue["queue_size"] for queue in queues]
    half = ENV.platform.observability.collectors.queue.mebibytes * 1024**2 // 2
    assert half * 0.9 < sum(sizes) <= half


def test_traces_that_failed_or_were_slow_are_kept() -> None:
    sampling = gateway_config(environment("production"))["processors"]["tail_sampling"]
    assert sampling["decision_wait"] == "15s"
    policies = {policy["name"]: policy for policy in sampling["policies"]}
    assert policies["errors"]["status_code"] == {"status_codes": ["ERROR"]}
    assert policies["slow"]["latency"] == {"threshold_ms": 1000}
    assert spec("Instrumentation", "default")["sampler"] == {"type": "parentbased_always_on"}


def test_how_soon_and_how_often_somebody_hears_of_an_alert() -> None:
    config = alertmanager_config(Alerting())
    route = config["route"]
    assert (route["group_wait"], route["group_interval"], route["repeat_interval"]) == ("30s", "5m", "12h")
    heartbeat, critical, warning = route["routes"]
    assert (heartbeat["matchers"], heartbeat["repeat_interval"]) == (['alertname="Watchdog"'], "1m")
    assert (critical["matchers"], critical["repeat_interval"]) == (['severity="critical"'], "4h")
    assert warning == {"matchers": ['severity=~"warning|error"'], "receiver": "warning"}
    same = ["alertname", "namespace", "service", "slo"]
    assert [rule["equal"] for rule in config["inhibit_rules"]] == [same, same]


def test_receivers_hear_of_the_end_and_mail_is_encrypted() -> None:
    mail = {"name": "post", "type": "email", "to": "a@example.org", "sender": "b@example.org", "username": "alerts"}
    chat = {"name": "chat", "type": "slack", "channel": "#alerts"}
    receivers = [mail | {"smarthost": "smtp.example.org:2525"}, chat]
    alerting = environment(platform__observability__alerting={"receivers": receivers}).platform.observability.alerting
    post, slack = (receiver.config()[1] for receiver in alerting.receivers)
    assert post["require_tls"] is True
    assert slack["send_resolved"] is True


def test_an_objective_is_over_thirty_days_or_as_long_as_metrics_are_kept() -> None:
    slo = slos.objectives(ENV)[0]
    longer = environment("production", platform__observability__metrics={"retention": "90d"})
    assert slos.days(longer, slo) == 30
    assert slos.days(environment(platform__observability__metrics={"retention": "5d"}), slo) == 5


def test_opensearch_keeps_half_of_its_memory_for_the_heap_and_a_node_may_be_drained() -> None:
    cluster = spec("OpenSearchCluster", "logs")
    (pool,) = cluster["nodePools"]
    half = ENV.platform.observability.logs.memory.mebibytes // 2
    assert pool["jvm"] == f"-Xms{half}M -Xmx{half}M"
    assert pool["pdb"] == {"enable": True, "minAvailable": pool["replicas"] - 1}
    assert pool["persistence"]["pvc"]["storageClass"] == "do-block-storage-retain"


def test_the_key_of_influxdb_lies_beside_it() -> None:
    (item,) = (item for layer in ENV.layers for item in layer.manifests if item["metadata"]["name"] == "influxdb-admin")
    assert item["metadata"]["namespace"] == "observability"
