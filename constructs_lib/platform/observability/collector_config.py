"""The configuration of the collectors, as plain data: receivers, processors, exporters and the pipelines of them.

Memory limiter first, batch last. Upstream: open-telemetry/opentelemetry-collector and -contrib 0.158.0, the README of
each component.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from constructs_lib.component import Manifest
from constructs_lib.platform.observability import influxdb, logs, traces
from constructs_lib.platform.observability.names import CA_MOUNT, GATEWAY_HOST, LOGS_CA_MOUNT, TLS_MOUNT

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

PROMETHEUS_URL = "http://prometheus-operated.observability.svc:9090/api/v1/write"
RETRY: Manifest = {"retry_on_failure": {"enabled": True, "max_elapsed_time": "10m"}, "sending_queue": {"enabled": True}}
LIMITER: Manifest = {"check_interval": "1s", "limit_percentage": 80, "spike_limit_percentage": 20}
TELEMETRY: Manifest = {
    "metrics": {"readers": [{"pull": {"exporter": {"prometheus": {"host": "0.0.0.0", "port": 8888}}}}]}  # noqa: S104
}


def gateway_config(env: Environment) -> Manifest:
    """Return the gateway's configuration: OTLP in with TLS, and out to each backend that is on."""
    exporters = _exporters(env)
    processors: Manifest = {
        "memory_limiter": LIMITER,
        "k8sattributes": {"extract": {"metadata": ["k8s.namespace.name", "k8s.pod.name", "k8s.deployment.name"]}},
        "resource": {"attributes": _attributes(env)},
        "batch": {},
    }
    pipelines = {
        signal: {"receivers": ["otlp"], "processors": list(processors), "exporters": sorted(named)}
        for signal, named in exporters.items()
    }
    extensions: Manifest = {"health_check": {"endpoint": "0.0.0.0:13133"}}
    if logs.is_on(env):
        extensions["basicauth/opensearch"] = {
            "client_auth": {"username": logs.WRITER, "password": "${env:OPENSEARCH_PASSWORD}"}
        }
    return {
        "receivers": {"otlp": {"protocols": {"grpc": _otlp(4317), "http": _otlp(4318)}}},
        "processors": processors,
        "exporters": {name: config for named in exporters.values() for name, config in named.items()},
        "extensions": extensions,
        "service": {"extensions": list(extensions), "telemetry": TELEMETRY, "pipelines": pipelines},
    }


def _otlp(port: int) -> Manifest:
    tls = {"cert_file": f"{TLS_MOUNT}/tls.crt", "key_file": f"{TLS_MOUNT}/tls.key", "reload_interval": "1h"}
    return {"endpoint": f"0.0.0.0:{port}", "tls": tls}


def _attributes(env: Environment) -> list[Manifest]:
    values = {"deployment.environment.name": env.name, "k8s.cluster.name": env.cluster.name}
    return [{"key": key, "value": value, "action": "upsert"} for key, value in values.items()]


def _exporters(env: Environment) -> dict[str, Manifest]:
    """Return each signal's exporters by name; a signal without a backend is taken and dropped."""
    settings = env.platform.observability
    found = {"traces": _traces(settings.traces), "metrics": _metrics(env), "logs": _logs(env)}
    return {signal: exporters or {"nop": {}} for signal, exporters in found.items()}


def _traces(settings: traces.Traces) -> Manifest:
    if settings.has_tempo:
        return {"otlp/tempo": {"endpoint": traces.ENDPOINT, "tls": {"ca_file": f"{TLS_MOUNT}/ca.crt"}, **RETRY}}
    return {} if settings.endpoint is None else {"otlphttp/traces": {"endpoint": settings.endpoint, **RETRY}}


def _metrics(env: Environment) -> Manifest:
    found: Manifest = {}
    if env.platform.observability.has_metrics:
        convert = {"resource_to_telemetry_conversion": {"enabled": True}}
        found["prometheusremotewrite"] = {"endpoint": PROMETHEUS_URL, **convert}
    if influxdb.is_on(env):
        found["influxdb"] = _influxdb()
    return found


def _logs(env: Environment) -> Manifest:
    if logs.is_on(env):
        return {"opensearch": _opensearch(env)}
    endpoint = env.platform.observability.logs.endpoint
    return {} if endpoint is None else {"otlphttp/logs": {"endpoint": endpoint, **RETRY}}


def _influxdb() -> Manifest:
    return {
        "endpoint": influxdb.URL,
        "org": influxdb.ORGANISATION,
        "bucket": influxdb.BUCKET,
        "token": "${env:INFLUXDB_TOKEN}",
        **RETRY,
    }


def _opensearch(env: Environment) -> Manifest:
    return {
        "http": {
            "endpoint": logs.ENDPOINT,
            "auth": {"authenticator": "basicauth/opensearch"},
            "tls": {"ca_file": f"{LOGS_CA_MOUNT}/ca.crt"},
        },
        "logs_index": logs.index_pattern(env).removesuffix("-*"),
        "logs_index_time_format": "yyyy.MM.dd",
        **RETRY,
    }


def agent_config() -> Manifest:
    """Return the agent's configuration: what pods print goes to the gateway, each line once across restarts."""
    storage = {"file_storage": {"directory": "/var/lib/otel-agent"}}
    files = {
        "include": ["/var/log/pods/*/*/*.log"],
        "exclude": ["/var/log/pods/observability-agents_agent-*/*/*.log"],
        "include_file_path": True,
        "storage": "file_storage",
        "operators": [{"type": "container"}],
    }
    pods = {"filter": {"node_from_env_var": "NODE_NAME"}}
    gateway = {"endpoint": f"{GATEWAY_HOST}:4317", "tls": {"ca_file": f"{CA_MOUNT}/ca.crt"}, **RETRY}
    pipeline = {
        "receivers": ["filelog"],
        "processors": ["memory_limiter", "k8sattributes", "batch"],
        "exporters": ["otlp/gateway"],
    }
    return {
        "receivers": {"filelog": files},
        "processors": {"memory_limiter": LIMITER, "k8sattributes": pods, "batch": {}},
        "exporters": {"otlp/gateway": gateway},
        "extensions": storage,
        "service": {"extensions": ["file_storage"], "telemetry": TELEMETRY, "pipelines": {"logs": pipeline}},
    }
