"""For every objective and every alert, what the exporters show when it must fire, and when it must not."""

from __future__ import annotations

from tests.e2e.rules.series import Case, Counter, always, gauge, moment

ENTRY = 'entrypoint="websecure"'
DURATION = 'traefik_entrypoint_request_duration_seconds_{}{{entrypoint="websecure",protocol="http"{}}}'
CERTIFICATE = 'name="shop",exported_namespace="episodic"'
EXTERNAL = 'condition="Ready",name="grafana",exported_namespace="observability"'
FLUX = 'name="databases",exported_namespace="flux-system",reason="HealthCheckFailed"'
PRIMARY, REPLICA = 'namespace="databases",pod="main-1"', 'namespace="databases",pod="main-2"'
THIRD = 'namespace="databases",pod="main-3"'
LAST_BACKUP = f"barman_cloud_cloudnative_pg_io_last_available_backup_timestamp{{{PRIMARY}}}"
BROKERS = [f'namespace="messaging",pod="main-server-{number}"' for number in range(3)]
PEERS = "rabbitmq_unreachable_cluster_peers_count"
EXPORTER = 'exporter="otlp_http/prometheus-0"'
HOUR, DAY = 3600, 86400


def deployment(namespace: str, name: str) -> Case:
    """Return a deployment that has one pod, or none."""
    return {f'kube_deployment_status_replicas_available{{namespace="{namespace}",deployment="{name}"}}': gauge(1, 0)}


def stateful_set(name: str, good: float, bad: float) -> Case:
    """Return a StatefulSet of the backends with so many ready pods."""
    return {
        f'kube_statefulset_status_replicas_ready{{namespace="observability",statefulset="{name}"}}': gauge(good, bad)
    }


def flux(kind: str, name: str) -> Case:
    """Return a resource of Flux that is ready or failed; its series changes its label."""
    labels = f'kind="{kind}",name="{name}",exported_namespace="flux-system",suspended="False"'
    return {
        f'flux_resource_info{{{labels},ready="True"}}': gauge(1, None),
        f'flux_resource_info{{{labels},ready="False",reason="HealthCheckFailed"}}': gauge(None, 1),
    }


SLOS: dict[str, Case] = {
    "flux-reconciliation": {**flux("Kustomization", "databases"), **flux("HelmRelease", "traefik")},
    "secrets-sync": {
        f'externalsecret_status_condition{{{EXTERNAL},status="True"}}': gauge(1, 0),
        f'externalsecret_status_condition{{{EXTERNAL},status="False"}}': gauge(0, 1),
    },
    "certificate-expiry": {
        f"certmanager_certificate_renewal_timestamp_seconds{{{CERTIFICATE}}}": moment(-10 * DAY, 2 * DAY),
    },
    "traefik-availability": {
        f'traefik_entrypoint_requests_total{{{ENTRY},code="200"}}': Counter(600, 0),
        f'traefik_entrypoint_requests_total{{{ENTRY},code="503"}}': Counter(0, 600),
    },
    "traefik-latency": {
        DURATION.format("count", ',code="200"'): Counter(600, 600),
        DURATION.format("bucket", ',code="200",le="1.2"'): Counter(600, 0),
        DURATION.format("bucket", ',code="200",le="5.0"'): Counter(600, 600),
    },
    "dns-sync": {"external_dns_controller_last_sync_timestamp_seconds": moment(60, 2 * HOUR)},
    "postgres-operator": deployment("cnpg-system", "cloudnative-pg"),
    "postgres-main-availability": {
        f"cnpg_collector_up{{{PRIMARY}}}": gauge(1, 0),
        f"cnpg_collector_up{{{REPLICA}}}": always(1),
        f"cnpg_pg_replication_in_recovery{{{PRIMARY}}}": always(0),
        f"cnpg_pg_replication_in_recovery{{{REPLICA}}}": always(1),
    },
    "postgres-main-replication-lag": {
        f"cnpg_pg_replication_lag{{{PRIMARY}}}": gauge(0, 300),
        f"cnpg_pg_replication_lag{{{REPLICA}}}": gauge(1, 300),
    },
    "postgres-main-backup": {LAST_BACKUP: moment(HOUR, 2 * DAY)},
    "rabbitmq-operator": deployment("rabbitmq-system", "rabbitmq-cluster-operator"),
    "rabbitmq-main-availability": {
        f"rabbitmq_identity_info{{{BROKERS[0]}}}": always(1),
        f"rabbitmq_identity_info{{{BROKERS[1]}}}": gauge(1, None),
        f"rabbitmq_identity_info{{{BROKERS[2]}}}": gauge(1, None),
    },
    "rabbitmq-main-quorum": {
        **{f"rabbitmq_identity_info{{{broker}}}": always(1) for broker in BROKERS},
        f"{PEERS}{{{BROKERS[0]}}}": gauge(0, 1),
        f"{PEERS}{{{BROKERS[1]}}}": always(0),
    },
    "valkey-operator": deployment("valkey-operator-system", "valkey-operator-controller-manager"),
    "valkey-main-availability": {
        'redis_cluster_state{namespace="cache",service="main-metrics",pod="main-0"}': gauge(1, 0),
        'redis_cluster_state{namespace="cache",service="main-metrics",pod="main-1"}': gauge(1, None),
    },
    "telemetry-delivery": {
        f"otelcol_exporter_sent_spans{{{EXPORTER}}}": Counter(600, 0),
        f"otelcol_exporter_send_failed_spans{{{EXPORTER}}}": Counter(0, 600),
    },
    "rule-evaluation": {
        'prometheus_rule_evaluations_total{rule_group="a"}': Counter(600, 600),
        'prometheus_rule_evaluation_failures_total{rule_group="a"}': Counter(0, 600),
    },
    "alert-delivery": {
        'alertmanager_notifications_total{integration="slack"}': Counter(6, 6),
        'alertmanager_notifications_failed_total{integration="slack",reason="other"}': Counter(0, 6),
    },
    "traces-availability": stateful_set("tempo", 1, 0),
    "logs-availability": stateful_set("logs-nodes", 3, 1),
    "influxdb-availability": stateful_set("influxdb2", 1, 0),
    "episodic-availability": {
        'http_requests_total{app="episodic",code="200"}': Counter(600, 0),
        'http_requests_total{app="episodic",code="500"}': Counter(0, 600),
    },
}

ALERTS: dict[str, Case] = {
    "FluxDown": {'flux_instance_info{name="flux",ready="True"}': gauge(1, None)},
    "FluxResourceNotReady": flux("Kustomization", "databases"),
    "FluxResourceSuspended": {
        f'flux_resource_info{{{FLUX},kind="Kustomization",suspended="True",ready="True"}}': gauge(None, 1),
    },
    "ExternalSecretNotReady": {f'externalsecret_status_condition{{{EXTERNAL},status="False"}}': gauge(0, 1)},
    "SecretStoreNotReady": {
        'clustersecretstore_status_condition{condition="Ready",status="False",name="vault"}': gauge(0, 1),
    },
    "ExternalSecretsDown": deployment("external-secrets", "external-secrets"),
    "CertificateExpiresSoon": {
        f"certmanager_certificate_expiration_timestamp_seconds{{{CERTIFICATE}}}": moment(-30 * DAY, -2 * DAY),
    },
    "CertificateNotReady": {
        f'certmanager_certificate_ready_status{{{CERTIFICATE},condition="False"}}': gauge(0, 1),
    },
    "CertManagerDown": deployment("cert-manager", "cert-manager"),
    "TraefikDown": deployment("traefik", "traefik"),
    "ExternalDnsDown": deployment("external-dns", "external-dns"),
    "PostgresArchivingFails": {
        f"cnpg_pg_stat_archiver_last_archived_time{{{PRIMARY}}}": moment(60, 2 * HOUR),
        f"cnpg_pg_stat_archiver_last_failed_time{{{PRIMARY}}}": moment(HOUR, 60),
    },
    "PostgresConnectionsExhausted": {
        f'cnpg_backends_total{{{PRIMARY},state="idle"}}': gauge(20, 90),
        f'cnpg_backends_total{{{PRIMARY},state="active"}}': always(5),
        f'cnpg_pg_settings_setting{{{PRIMARY},name="max_connections"}}': always(100),
    },
    "PostgresWraparoundNear": {f'cnpg_pg_database_xid_age{{{PRIMARY},datname="episodic"}}': gauge(2e8, 1.6e9)},
    "PostgresReplicaMissing": {
        f"cnpg_collector_up{{{PRIMARY}}}": always(1),
        f"cnpg_collector_up{{{REPLICA}}}": always(1),
        f"cnpg_collector_up{{{THIRD}}}": gauge(1, 0),
    },
    "RabbitmqMemoryAlarm": {f"rabbitmq_alarms_memory_used_watermark{{{BROKERS[0]}}}": gauge(0, 1)},
    "RabbitmqDiskAlarm": {f"rabbitmq_alarms_free_disk_space_watermark{{{BROKERS[0]}}}": gauge(0, 1)},
    "RabbitmqQueuesGrow": {f"rabbitmq_queue_messages_ready{{{BROKERS[0]}}}": Counter(0, 100)},
    "ValkeyNodeDown": {'redis_up{namespace="cache",pod="main-0"}': gauge(1, 0)},
    "ValkeyMemoryHigh": {
        'container_memory_working_set_bytes{namespace="cache",pod="main-0",container="valkey"}': gauge(5e8, 9.5e8),
        'kube_pod_container_resource_limits{namespace="cache",pod="main-0",container="valkey",resource="memory"}': (
            always(1e9)
        ),
    },
    "ValkeyRejectsConnections": {'redis_rejected_connections_total{namespace="cache",pod="main-0"}': Counter(0, 5)},
    "CollectorQueueFills": {
        f'otelcol_exporter_queue_size{{{EXPORTER},pod="gateway-collector-0"}}': gauge(10, 80),
        f'otelcol_exporter_queue_capacity{{{EXPORTER},pod="gateway-collector-0"}}': always(100),
    },
    "CollectorLosesData": {
        f"otelcol_exporter_sent_spans{{{EXPORTER}}}": Counter(600, 0),
        f"otelcol_exporter_enqueue_failed_spans{{{EXPORTER}}}": Counter(0, 600),
    },
    "CollectorGatewayDown": stateful_set("gateway-collector", 2, 0),
    "GrafanaDown": deployment("observability", "kube-prometheus-stack-grafana"),
}
