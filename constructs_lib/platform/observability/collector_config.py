"""The configuration of the collectors, as plain data: receivers, processors, exporters and the pipelines of them.

Memory limiter first, batch last. What a backend does not take waits on a volume, and is tried again until it does.
Upstream: open-telemetry/opentelemetry-collector and -contrib 0.158.0, the README of each component;
prometheus/prometheus v3.14 `docs/guides/opentelemetry.md`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from constructs_lib.kit import Manifest
from constructs_lib.platform.observability import influxdb, opensearch, traces
from constructs_lib.platform.observability.metrics import replica_hosts
from constructs_lib.platform.observability.names import (
    AGENT_STATE,
    AGENTS,
    BALANCED_PORT,
    CA_MOUNT,
    COLLECTOR_METRICS,
    GATEWAY_HEADLESS,
    GATEWAY_HOST,
    LOGS_CA_MOUNT,
    OTLP_GRPC,
    OTLP_HTTP,
    QUEUE_MOUNT,
    TLS_MOUNT,
    otlp_server,
)
from constructs_lib.platform.scrape import PROMETHEUS_PORT

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

STORAGE = "file_storage"
LIMITER: Manifest = {"check_interval": "1s", "limit_percentage": 80, "spike_limit_percentage": 20}
TELEMETRY: Manifest = {
    "metrics": {"readers": [{"pull": {"exporter": {"prometheus": {"host": "0.0.0.0", "port": COLLECTOR_METRICS}}}}]}  # noqa: S104
}
CA: Manifest = {"ca_file": f"{TLS_MOUNT}/ca.crt"}
WORKLOADS = ("deployment", "statefulset", "daemonset", "cronjob", "job")
KUBERNETES: Manifest = {
    "extract": {
        "metadata": [
            *(f"k8s.{what}.name" for what in ("namespace", "pod", "container", "node", *WORKLOADS)),
            "k8s.pod.uid",
            "container.image.name",
            "container.image.tag",
        ]
    },
    # What an agent sends says whose it is; what an application sends is known by its address.
    "pod_association": [
        {"sources": [{"from": "resource_attribute", "name": "k8s.pod.uid"}]},
        {"sources": [{"from": "connection"}]},
    ],
}
MEBIBYTE = 1024**2


def gateway_config(env: Environment) -> Manifest:
    """Return the gateway's configuration: OTLP in with TLS, and out to each backend that is on."""
    backends = {"metrics": _metrics(env), "logs": _logs(env), "traces": _traces(env)}
    queued = {name: config for exporters in backends.values() for name, config in exporters.items()}
    exporters = {name: config | retrying(_share(env, len(queued))) for name, config in queued.items()}
    pipelines = {f"{signal}": _pipeline(["otlp"], ENRICHED, list(backends[signal])) for signal in ("metrics", "logs")}
    config: Manifest = {
        "receivers": {"otlp": {"protocols": {"grpc": otlp_server(OTLP_GRPC), "http": otlp_server(OTLP_HTTP)}}},
        "processors": {
            "memory_limiter": LIMITER,
            "k8s_attributes": KUBERNETES,
            # What every signal of this cluster has in common stands in the gateway's own environment.
            "resource_detection": {"detectors": ["env"]},
            "batch": {},
        },
        "exporters": exporters,
        "connectors": {},
        "extensions": _extensions(env),
    }
    if backends["traces"]:
        pipelines |= _trace_pipelines(env, list(backends["traces"]), list(backends["metrics"]))
        _add_traces(env, config)
    else:
        pipelines["traces"] = _pipeline(["otlp"], ENRICHED, [])
    if any(pipeline["exporters"] == ["nop"] for pipeline in pipelines.values()):
        config["exporters"]["nop"] = {}
    service = {"extensions": list(config["extensions"]), "telemetry": TELEMETRY, "pipelines": pipelines}
    return {**{key: value for key, value in config.items() if value}, "service": service}


ENRICHED = ["k8s_attributes", "resource_detection"]


def _pipeline(receivers: list[str], processors: list[str], exporters: list[str]) -> Manifest:
    """Return a pipeline; what has no backend is taken and dropped, so that applications need not know."""
    steps = ["memory_limiter", *processors, "batch"]
    return {"receivers": receivers, "processors": steps, "exporters": exporters or ["nop"]}


def _trace_pipelines(env: Environment, backends: list[str], metrics: list[str]) -> Manifest:
    """Return the way of traces: all spans of one go to the same gateway, which counts them and then may choose."""
    counted = ["span_metrics", "service_graph"] if metrics else []
    sampling = [] if env.platform.observability.traces.sampling is None else ["tail_sampling"]
    pipelines = {
        "traces": _pipeline(["otlp"], ENRICHED, ["load_balancing"]),
        "traces/whole": _pipeline(["otlp/balanced"], [], [*counted, "forward"]),
        "traces/kept": _pipeline(["forward"], sampling, backends),
    }
    if counted:
        pipelines["metrics/spans"] = _pipeline(counted, ["resource/collector"], metrics)
    return pipelines


def _add_traces(env: Environment, config: Manifest) -> None:
    config["receivers"]["otlp/balanced"] = {"protocols": {"grpc": otlp_server(BALANCED_PORT)}}
    config["exporters"]["load_balancing"] = _loadbalancing()
    config["connectors"]["forward"] = {}
    if env.platform.observability.has_metrics:
        # One instance each, or two gateways would write to the same series.
        name = {"key": "collector.instance.id", "value": "${env:COLLECTOR_NAME}", "action": "upsert"}
        config["processors"]["resource/collector"] = {"attributes": [name]}
        config["connectors"]["span_metrics"] = {
            "histogram": {"unit": "s"},
            "resource_metrics_key_attributes": ["service.name", "service.namespace", "k8s.namespace.name"],
            "metrics_flush_interval": "30s",
            "metrics_expiration": "15m",
        }
        config["connectors"]["service_graph"] = {"metrics_flush_interval": "30s", "store": {"ttl": "10s"}}
    sampling = env.platform.observability.traces.sampling
    if sampling is not None:
        config["processors"]["tail_sampling"] = {
            "decision_wait": "15s",
            "policies": [
                {"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}},
                {"name": "slow", "type": "latency", "latency": {"threshold_ms": sampling.slower_than_ms}},
                {"name": "others", "type": "probabilistic", "probabilistic": {"sampling_percentage": sampling.percent}},
            ],
        }


def _loadbalancing() -> Manifest:
    tls = {**CA, "server_name_override": GATEWAY_HOST}
    return {
        "routing_key": "traceID",
        "protocol": {"otlp": {"tls": tls}},
        "resolver": {"dns": {"hostname": f"{GATEWAY_HEADLESS}.cluster.local", "port": str(BALANCED_PORT)}},
    }


def _extensions(env: Environment) -> Manifest:
    compaction = {"directory": QUEUE_MOUNT, "on_start": True, "on_rebound": True, "cleanup_on_start": True}
    extensions: Manifest = {
        "health_check": {"endpoint": "0.0.0.0:13133"},
        STORAGE: {"directory": QUEUE_MOUNT, "compaction": compaction, "fsync": True},
    }
    if env.platform.observability.logs.is_on:
        extensions["basicauth/opensearch"] = {
            "client_auth": {"username": opensearch.WRITER, "password": "${env:OPENSEARCH_PASSWORD}"}
        }
    return extensions


def _share(env: Environment, exporters: int) -> int:
    """Return the bytes that each exporter may keep; half of the volume is room for the file and its compaction."""
    return env.platform.observability.collectors.queue.mebibytes * MEBIBYTE // 2 // max(exporters, 1)


def retrying(size: int) -> Manifest:
    """Return how an exporter keeps up to `size` bytes on disk and tries for as long as it takes."""
    queue = {"enabled": True, "storage": STORAGE, "sizer": "bytes", "queue_size": size}
    return {"retry_on_failure": {"enabled": True, "max_elapsed_time": "0s"}, "sending_queue": queue}


def _traces(env: Environment) -> Manifest:
    settings = env.platform.observability.traces
    if settings.is_on:
        return {"otlp_grpc/tempo": {"endpoint": traces.ENDPOINT, "tls": CA}}
    return {} if settings.otlp is None else {"otlp_http/traces": settings.otlp.exporter("traces")}


def _metrics(env: Environment) -> Manifest:
    """Return an exporter for each Prometheus: each holds everything, or a query would depend on which one answers."""
    exporters: Manifest = {}
    if env.platform.observability.has_metrics:
        for number, host in enumerate(replica_hosts(env.platform.observability.metrics.replicas)):
            exporters[f"otlp_http/prometheus-{number}"] = {"endpoint": f"http://{host}:{PROMETHEUS_PORT}/api/v1/otlp"}
    if env.platform.observability.influxdb.is_on:
        exporters["influxdb"] = _influxdb()
    return exporters


def _logs(env: Environment) -> Manifest:
    if env.platform.observability.logs.is_on:
        return {"opensearch": _opensearch(env)}
    otlp = env.platform.observability.logs.otlp
    return {} if otlp is None else {"otlp_http/logs": otlp.exporter("logs")}


def _influxdb() -> Manifest:
    return {
        "endpoint": influxdb.URL,
        "org": influxdb.ORGANISATION,
        "bucket": influxdb.BUCKET,
        "token": "${env:INFLUXDB_TOKEN}",
    }


def _opensearch(env: Environment) -> Manifest:
    return {
        "http": {
            "endpoint": opensearch.ENDPOINT,
            "auth": {"authenticator": "basicauth/opensearch"},
            "tls": {"ca_file": f"{LOGS_CA_MOUNT}/ca.crt"},
        },
        "logs_index": opensearch.index_name(env),
        "logs_index_time_format": "yyyy.MM.dd",
    }


def agent_config(env: Environment) -> Manifest:
    """Return the agent's configuration: what pods print goes to the gateway, each line once across restarts."""
    files = {
        "include": ["/var/log/pods/*/*/*.log"],
        "exclude": [f"/var/log/pods/{AGENTS}_agent-*/*/*.log"],
        "include_file_path": True,
        "storage": STORAGE,
        "retry_on_failure": {"enabled": True, "max_elapsed_time": "0s"},
        "operators": [{"type": "container"}],
    }
    machine = ["digitalocean"] if env.cluster.provider == "digitalocean" else []
    kubernetes = {**KUBERNETES, "filter": {"node_from_env_var": "NODE_NAME"}}
    gateway = {"endpoint": f"{GATEWAY_HOST}:{OTLP_GRPC}", "tls": {"ca_file": f"{CA_MOUNT}/ca.crt"}}
    return {
        "receivers": {"file_log": files},
        "processors": {
            "memory_limiter": LIMITER,
            "k8s_attributes": kubernetes,
            "resource_detection": {"detectors": ["env", *machine], "timeout": "5s"},
            "batch": {},
        },
        "exporters": {"otlp_grpc/gateway": {**gateway, **retrying(512 * MEBIBYTE)}},
        "extensions": {STORAGE: {"directory": AGENT_STATE, "fsync": True}},
        "service": {
            "extensions": [STORAGE],
            "telemetry": TELEMETRY,
            "pipelines": {"logs": _pipeline(["file_log"], ENRICHED, ["otlp_grpc/gateway"])},
        },
    }
