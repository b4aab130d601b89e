"""The backends of telemetry: who may write and read, and how they find each other."""

from __future__ import annotations

from typing import Any

import pytest

from constructs_lib.environment import Environment
from constructs_lib.platform.observability.alerting import Alerting
from constructs_lib.platform.observability.collector_config import gateway_config
from tests.constructs_lib.platform import said
from tests.support import environment, everything

COLLECTORS = "ghcr.io/open-telemetry/opentelemetry-collector-releases"
LOGS = {"backend": "opensearch"}


def objects(env: Environment) -> dict[tuple[str, str], dict[str, Any]]:
    found = (item for layer in env.layers for item in layer.manifests)
    return {(item["kind"], item["metadata"]["name"]): item for item in found}


def logs(env: Environment) -> dict[str, Any]:
    return objects(env)["OpenSearchCluster", "logs"]["spec"]


def data_sources(env: Environment) -> list[Any]:
    (release,) = [item for layer in env.layers for item in layer.releases if item.name == "kube-prometheus-stack"]
    return release.values["grafana"]["additionalDataSources"]


def with_logs(**settings: Any) -> Environment:
    return environment(platform__observability__logs=LOGS | settings)


@pytest.mark.parametrize(
    ("user", "allowed"),
    [("otel-gateway", {"create_index", "write", "indices:admin/mapping/put"}), ("reader", {"read"})],
)
def test_a_user_may_do_its_work_on_the_indices_of_its_environment_alone(user: str, allowed: set[str]) -> None:
    found = objects(with_logs())
    (permission,) = found["OpensearchRole", user]["spec"]["indexPermissions"]
    assert permission["indexPatterns"] == ["logs-sandbox-*"]
    assert set(permission["allowedActions"]) == allowed
    assert user in found["OpensearchUserRoleBinding", user]["spec"]["roles"]


@pytest.mark.parametrize(("nodes", "replicas"), [(1, 0), (3, 1), (5, 1)])
def test_every_index_has_as_many_copies_as_there_are_nodes_for(nodes: int, replicas: int) -> None:
    found = objects(with_logs(nodes=nodes))
    template = found["OpensearchIndexTemplate", "logs"]["spec"]
    assert template["indexPatterns"] == ["logs-sandbox-*"]
    assert template["template"]["settings"]["index"] == {"number_of_shards": 1, "number_of_replicas": replicas}
    config = found["OpenSearchCluster", "logs"]["spec"]["general"]["additionalConfig"]
    assert config["cluster.default_number_of_replicas"] == str(replicas), "or the audit's index keeps one node yellow"
    assert config["plugins.index_state_management.history.number_of_replicas"] == str(replicas)


@pytest.mark.parametrize("signal", ["traces", "logs"])
def test_a_vendor_knows_the_gateway_by_headers_from_vault(signal: str) -> None:
    otlp = {"endpoint": "https://otlp.example.org", "headers": ["x-api-key"]}
    settings: dict[str, Any] = {f"platform__observability__{signal}": {"backend": "otlp", "otlp": otlp}}
    env = environment(**settings)
    variable = f"OTLP_{signal.upper()}_X_API_KEY"
    exporter = gateway_config(env)["exporters"][f"otlp_http/{signal}"]
    assert exporter["headers"] == {"x-api-key": f"${{env:{variable}}}"}
    found = objects(env)
    (given,) = [item for item in found["OpenTelemetryCollector", "gateway"]["spec"]["env"] if item["name"] == variable]
    assert given["valueFrom"] == {"secretKeyRef": {"name": f"otlp-{signal}", "key": "x-api-key"}}
    (data,) = found["ExternalSecret", f"otlp-{signal}"]["spec"]["data"]
    assert data["remoteRef"] == {"key": f"sandbox/platform/otlp/{signal}", "property": "x-api-key"}


def test_without_headers_nothing_is_asked_of_vault() -> None:
    traces = {"backend": "otlp", "otlp": {"endpoint": "https://otlp.example.org"}}
    env = environment(platform__observability__traces=traces)
    assert "headers" not in gateway_config(env)["exporters"]["otlp_http/traces"]
    assert ("ExternalSecret", "otlp-traces") not in objects(env)


@pytest.mark.parametrize("signal", ["traces", "logs"])
def test_an_address_outside_and_its_backend_go_together(signal: str) -> None:
    settings: dict[str, Any] = {f"platform__observability__{signal}": {"backend": "otlp"}}
    with pytest.raises(ValueError, match="otlp belongs to backend otlp, found backend otlp; set both or neither"):
        environment(**settings)


def test_the_gateway_writes_where_its_role_allows() -> None:
    index = gateway_config(with_logs())["exporters"]["opensearch"]["logs_index"]
    assert index.startswith("logs-sandbox")


def test_every_password_of_opensearch_comes_from_vault() -> None:
    found = objects(with_logs())
    users = [item for (kind, _), item in found.items() if kind == "OpensearchUser"]
    named = {item["spec"]["passwordFrom"]["name"] for item in users}
    named.add(found["OpenSearchCluster", "logs"]["spec"]["security"]["config"]["adminCredentialsSecret"]["name"])
    assert named == {"opensearch-admin", "opensearch-writer", "opensearch-reader"}
    assert all(("ExternalSecret", name) in found for name in named)


def test_people_read_logs_where_the_servers_certificate_is_verified() -> None:
    env = with_logs()
    dashboards = logs(env)["dashboards"]
    (volume,) = dashboards["additionalVolumes"]
    assert dashboards["version"] == logs(env)["general"]["version"]
    assert dashboards["tls"] == {"enable": True, "generate": True}
    assert dashboards["additionalConfig"] == {
        "opensearch.ssl.verificationMode": "full",
        "opensearch.ssl.certificateAuthorities": f"{volume['path']}/ca.crt",
    }
    assert [item["key"] for item in volume["secret"]["items"]] == ["ca.crt"], "the key of the CA stays away"


def selector(env: Environment, policy: str) -> Any:
    return objects(env)["NetworkPolicy", policy]["spec"]["podSelector"]["matchLabels"]


def test_pods_of_opensearch_are_known_by_the_labels_that_chart_and_operator_give_them() -> None:
    env = with_logs()
    assert selector(env, "opensearch-operator") == {"app.kubernetes.io/name": "opensearch-operator"}
    assert selector(env, "opensearch") == {"opensearch.org/opensearch-cluster": "logs"}
    assert selector(env, "opensearch-security") == {"opensearch.org/opensearch-job": "logs-securityconfig-update"}
    assert selector(env, "opensearch-dashboards") == {"opensearch.cluster.dashboards": "logs"}


def test_pods_that_opensearch_needs_for_a_while_run_on_the_system_pool_too() -> None:
    spec = logs(with_logs())
    parts = (spec["bootstrap"], spec["security"]["config"]["updateJob"], *spec["nodePools"], spec["dashboards"])
    assert [part["nodeSelector"] for part in parts] == 4 * [{"pool-role": "system"}]
    assert [part["tolerations"] for part in parts] == 4 * [[{"key": "CriticalAddonsOnly", "operator": "Exists"}]]
    assert [set(part["resources"]) for part in parts] == 4 * [{"requests", "limits"}]


def test_an_index_of_logs_lives_as_long_as_the_environment_says() -> None:
    policy = objects(with_logs(retention="12d"))["OpenSearchISMPolicy", "logs"]["spec"]
    (hot,) = [state for state in policy["states"] if state["name"] == policy["defaultState"]]
    assert hot["transitions"] == [{"stateName": "delete", "conditions": {"minIndexAge": "12d"}}]
    assert policy["ismTemplate"]["indexPatterns"] == ["logs-sandbox-*"]


def test_what_an_application_shows_is_open_to_prometheus_from_both_sides() -> None:
    env = environment(applications={"shop": {"owner": "a"}})
    policies = [item for (kind, _), item in objects(env).items() if kind == "NetworkPolicy"]
    every_port = [{"port": 1, "protocol": "TCP", "endPort": 65535}]
    (into,) = [
        item for item in policies if item["metadata"]["namespace"] == "shop" and "apps" in item["metadata"]["name"]
    ]
    (out,) = [item for item in policies if item["metadata"]["name"] == "prometheus"]
    assert every_port in [rule["ports"] for rule in into["spec"]["ingress"]]
    assert every_port in [rule["ports"] for rule in out["spec"]["egress"]]


def test_the_dns_of_the_cluster_is_scraped_and_gets_no_token() -> None:
    assert "observability/prometheus -> kube-system/dns: 9153" in said.links("observability", environment())
    stack = said.values("observability", environment())["kube-prometheus-stack"]
    assert stack["coreDns.serviceMonitor.bearerTokenFile"] == ""


def test_grafana_draws_the_service_graph_from_metrics_of_traces() -> None:
    (tempo,) = data_sources(environment("staging"))
    assert tempo["jsonData"]["serviceMap"] == {"datasourceUid": "prometheus"}
    assert data_sources(environment()) == []


def test_links() -> None:
    assert said.links("observability", everything()) == [
        "observability/prometheus-operator -> the API server: 443 6443 16443",
        "observability/prometheus -> the API server: 443 6443 16443",
        "observability/grafana -> the API server: 443 6443 16443",
        "observability/kube-state-metrics -> the API server: 443 6443 16443",
        "the API server -> observability/prometheus-operator: 10250",
        "observability/prometheus -> observability/alertmanager: 8080 9093",
        "observability/prometheus -> observability/prometheus: 8080 9090",
        "observability/prometheus -> observability/prometheus-operator: 10250",
        "observability/prometheus -> observability/grafana: 3000",
        "observability/prometheus -> observability/kube-state-metrics: 8080",
        "observability/prometheus -> flux-system/flux-operator: 8080",
        "observability/prometheus -> flux-system/flux-controllers: 8080",
        "observability/prometheus -> the nodes: 9100 10250",
        "observability/prometheus -> kube-system/dns: 9153",
        "observability/prometheus-operator -> observability/prometheus: 8080 9090",
        "observability/prometheus-operator -> observability/alertmanager: 8080 9093",
        "observability/grafana -> observability/prometheus: 9090",
        "observability/grafana -> observability/alertmanager: 9093",
        "observability/alertmanager -> observability/alertmanager: 9093 9094 9094/UDP",
        "observability/alertmanager -> the internet: 443",
        "observability/prometheus -> episodic/apps: 1-65535",
        "flux-system/notification-controller -> observability/alertmanager: 9093",
        "observability/otel-gateway -> observability/tempo: 4317",
        "observability/tempo -> the internet: 443",
        "observability/grafana -> observability/tempo: 3200",
        "observability/prometheus -> observability/tempo: 3200",
        "observability/opensearch-operator -> the API server: 443 6443 16443",
        "the API server -> observability/opensearch-operator: 9443",
        "observability/opensearch-operator -> observability/opensearch: 9200",
        "observability/opensearch -> observability/opensearch: 9200 9300",
        "observability/opensearch-security -> observability/opensearch: 9200",
        "observability/otel-gateway -> observability/opensearch: 9200",
        "observability/opensearch-dashboards -> observability/opensearch: 9200",
        "observability/otel-gateway -> observability/influxdb2: 8086",
        "observability/otel-operator -> the API server: 443 6443 16443",
        "observability/otel-gateway -> the API server: 443 6443 16443",
        "observability-agents/otel-agent -> the API server: 443 6443 16443",
        "the API server -> observability/otel-operator: 9443",
        "observability-agents/otel-agent -> observability/otel-gateway: 4317 4318",
        "observability-agents/otel-agent -> 169.254.169.254/32: 80",
        "observability/otel-gateway -> observability/otel-gateway: 4319",
        "episodic/apps -> observability/otel-gateway: 4317 4318",
        "observability/prometheus -> observability/otel-gateway: 8888",
        "observability/prometheus -> observability-agents/otel-agent: 8888",
        "observability/otel-gateway -> observability/prometheus: 9090",
    ]


def test_settings() -> None:
    assert said.settings("observability") == {
        "Observability.enabled": "True",
        "Observability.metrics": "Metrics(enabled=True, replicas=1, retention='7d', storage='20Gi', memory='1Gi')",
        "Observability.traces": "Traces(backend='none', bucket=None, otlp=None, retention='3d', "
        "storage='5Gi', memory='1Gi', sampling=None)",
        "Observability.logs": "Logs(backend='none', otlp=None, nodes=1, retention='7d', storage='20Gi', memory='2Gi')",
        "Observability.influxdb": "Influxdb(enabled=False, retention='365d', storage='50Gi', memory='1Gi')",
        "Observability.collectors": "Collectors(queue='5Gi')",
        "Observability.alerting": repr(Alerting()),
        "Observability.slos": "Slos(window=None, objectives={}, additional=())",
        "Metrics.enabled": "True",
        "Metrics.replicas": "1 Ge(ge=1) Le(le=3)",
        "Metrics.retention": "'7d'",
        "Metrics.storage": "'20Gi'",
        "Metrics.memory": "'1Gi'",
        "Traces.backend": "'none'",
        "Traces.bucket": "None",
        "Traces.otlp": "None",
        "Traces.retention": "'3d'",
        "Traces.storage": "'5Gi'",
        "Traces.memory": "'1Gi'",
        "Traces.sampling": "None",
        "Bucket.bucket": "required",
        "Bucket.region": "required",
        "Sampling.percent": "required Gt(gt=0) Lt(lt=100)",
        "Sampling.slower_than_ms": "1000 Ge(ge=1)",
        "Logs.backend": "'none'",
        "Logs.otlp": "None",
        "Otlp.endpoint": "required",
        "Otlp.headers": "()",
        "Logs.nodes": "1",
        "Logs.retention": "'7d'",
        "Logs.storage": "'20Gi'",
        "Logs.memory": "'2Gi'",
        "Influxdb.enabled": "False",
        "Influxdb.retention": "'365d'",
        "Influxdb.storage": "'50Gi'",
        "Influxdb.memory": "'1Gi'",
        "Collectors.queue": "'5Gi'",
        "Alerting.receivers": "()",
        "Alerting.critical": "()",
        "Alerting.warning": "()",
        "Alerting.heartbeat": "()",
        "Alerting.owners": "{}",
        "Alerting.runbooks": "None",
        "Slack.name": "required",
        "Slack.type": "required",
        "Slack.channel": "required",
        "Teams.name": "required",
        "Teams.type": "required",
        "PagerDuty.name": "required",
        "PagerDuty.type": "required",
        "Opsgenie.name": "required",
        "Opsgenie.type": "required",
        "Opsgenie.api_url": "'https://api.opsgenie.com/'",
        "Mail.name": "required",
        "Mail.type": "required",
        "Mail.to": "required",
        "Mail.sender": "required",
        "Mail.smarthost": "required",
        "Mail.username": "required",
        "Webhook.name": "required",
        "Webhook.type": "required",
        "Slos.window": "None",
        "Slos.objectives": "{}",
        "Slos.additional": "()",
        "AdditionalSlo.name": "required",
        "AdditionalSlo.objective": "required",
        "AdditionalSlo.ratio": "None",
        "AdditionalSlo.latency": "None",
        "AdditionalSlo.window": "None",
        "AdditionalSlo.runbook": "'error-budget-burn'",
        "AdditionalSlo.service": "required",
        "Ratio.good": "required",
        "Ratio.total": "required",
        "Latency.histogram": "required",
        "Latency.selector": "''",
        "Latency.threshold_seconds": "required Gt(gt=0)",
    }


def test_values() -> None:
    assert said.releases("observability", everything()) == {
        "kube-prometheus-stack": ("observability", "88.5.3", False),
        "opensearch-operator": ("observability", "3.0.2", True),
        "opentelemetry-operator": ("observability", "0.122.0", False),
        "tempo": ("observability", "2.2.4", False),
        "influxdb2": ("observability", "2.1.2", True),
    }
    assert (
        said.values("observability", everything())["kube-prometheus-stack"].items()
        >= {
            "fullnameOverride": "kube-prometheus-stack",
            "cleanPrometheusOperatorObjectNames": True,
            "crds.enabled": False,
            "kubeEtcd.enabled": False,
            "kubeControllerManager.enabled": False,
            "kubeScheduler.enabled": False,
            "kubeProxy.enabled": False,
            "coreDns.serviceMonitor.bearerTokenFile": "",
            "prometheusOperator.nodeSelector.pool-role": "system",
            "prometheusOperator.tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
            "prometheusOperator.resources.requests.cpu": "50m",
            "prometheusOperator.resources.requests.memory": "128Mi",
            "prometheusOperator.resources.limits.memory": "256Mi",
            "prometheusOperator.prometheusConfigReloader.resources.requests.cpu": "10m",
            "prometheusOperator.prometheusConfigReloader.resources.requests.memory": "64Mi",
            "prometheusOperator.prometheusConfigReloader.resources.limits.memory": "64Mi",
            "prometheusOperator.admissionWebhooks.certManager.enabled": True,
            "prometheusOperator.admissionWebhooks.patch.enabled": False,
            "prometheus.podDisruptionBudget.enabled": True,
            "prometheus.prometheusSpec.nodeSelector.pool-role": "system",
            "prometheus.prometheusSpec.tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
            "prometheus.prometheusSpec.replicas": 2,
            "prometheus.prometheusSpec.podAntiAffinity": "soft",
            "prometheus.prometheusSpec.retention": "30d",
            "prometheus.prometheusSpec.resources.requests.cpu": "200m",
            "prometheus.prometheusSpec.resources.requests.memory": "4Gi",
            "prometheus.prometheusSpec.resources.limits.memory": "4Gi",
            "prometheus.prometheusSpec.storageSpec.volumeClaimTemplate.spec.accessModes": ["ReadWriteOnce"],
            "prometheus.prometheusSpec.storageSpec.volumeClaimTemplate.spec.storageClassName": "do-block-storage",
            "prometheus.prometheusSpec.storageSpec.volumeClaimTemplate.spec.resources.requests.storage": "100Gi",
            "prometheus.prometheusSpec.externalLabels.cluster": "episodic-production",
            "prometheus.prometheusSpec.externalLabels.environment": "everything",
            "prometheus.prometheusSpec.enableOTLPReceiver": True,
            "prometheus.prometheusSpec.otlp.promoteResourceAttributes": [
                "collector.instance.id",
                "deployment.environment.name",
                "k8s.deployment.name",
                "k8s.namespace.name",
                "k8s.pod.name",
                "service.instance.id",
                "service.name",
                "service.namespace",
            ],
            "prometheus.prometheusSpec.tsdb.outOfOrderTimeWindow": "12h",
            "prometheus.prometheusSpec.serviceMonitorSelectorNilUsesHelmValues": False,
            "prometheus.prometheusSpec.podMonitorSelectorNilUsesHelmValues": False,
            "prometheus.prometheusSpec.ruleSelectorNilUsesHelmValues": False,
            "prometheus.prometheusSpec.probeSelectorNilUsesHelmValues": False,
            "prometheus.prometheusSpec.scrapeConfigSelectorNilUsesHelmValues": False,
            "alertmanager.podDisruptionBudget.enabled": True,
            "alertmanager.alertmanagerSpec.nodeSelector.pool-role": "system",
            "alertmanager.alertmanagerSpec.tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
            "alertmanager.alertmanagerSpec.replicas": 2,
            "alertmanager.alertmanagerSpec.resources.requests.cpu": "20m",
            "alertmanager.alertmanagerSpec.resources.requests.memory": "64Mi",
            "alertmanager.alertmanagerSpec.resources.limits.memory": "64Mi",
            "alertmanager.alertmanagerSpec.storage.volumeClaimTemplate.spec.accessModes": ["ReadWriteOnce"],
            "alertmanager.alertmanagerSpec.storage.volumeClaimTemplate.spec.storageClassName": "do-block-storage",
            "alertmanager.alertmanagerSpec.storage.volumeClaimTemplate.spec.resources.requests.storage": "1Gi",
            "alertmanager.alertmanagerSpec.secrets": ["alert-on-call", "alert-chat", "alert-heartbeat"],
            "defaultRules.disabled.Watchdog": True,
            "defaultRules.disabled.InfoInhibitor": True,
            "grafana.nodeSelector.pool-role": "system",
            "grafana.tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
            "grafana.admin.existingSecret": "grafana-admin",
            "grafana.admin.userKey": "admin-user",
            "grafana.admin.passwordKey": "admin-password",
            "grafana.resources.requests.cpu": "100m",
            "grafana.resources.requests.memory": "256Mi",
            "grafana.resources.limits.memory": "256Mi",
            "grafana.sidecar.resources.requests.cpu": "10m",
            "grafana.sidecar.resources.requests.memory": "128Mi",
            "grafana.sidecar.resources.limits.memory": "128Mi",
            "grafana.sidecar.dashboards.folderAnnotation": "grafana_folder",
            "grafana.sidecar.dashboards.provider.foldersFromFilesStructure": True,
            "grafana.grafana.ini.analytics.reporting_enabled": False,
            "grafana.grafana.ini.analytics.check_for_updates": False,
            "grafana.additionalDataSources": [
                {
                    "name": "Tempo",
                    "type": "tempo",
                    "uid": "tempo",
                    "access": "proxy",
                    "url": "http://tempo:3200",
                    "jsonData": {"serviceMap": {"datasourceUid": "prometheus"}, "nodeGraph": {"enabled": True}},
                }
            ],
            "kube-state-metrics.nodeSelector.pool-role": "system",
            "kube-state-metrics.tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
            "kube-state-metrics.resources.requests.cpu": "20m",
            "kube-state-metrics.resources.requests.memory": "128Mi",
            "kube-state-metrics.resources.limits.memory": "128Mi",
            "prometheus-node-exporter.namespaceOverride": "observability-agents",
            "prometheus-node-exporter.tolerations": [{"operator": "Exists"}],
            "prometheus-node-exporter.resources.requests.cpu": "20m",
            "prometheus-node-exporter.resources.requests.memory": "64Mi",
            "prometheus-node-exporter.resources.limits.memory": "64Mi",
        }.items()
    )
    assert (
        said.values("observability", everything())["opensearch-operator"].items()
        >= {
            "nodeSelector.pool-role": "system",
            "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
            "manager.image.tag": "3.0.0-alpha",
            "manager.watchNamespace": "observability",
            "manager.resources.requests.cpu": "100m",
            "manager.resources.requests.memory": "256Mi",
            "manager.resources.limits.memory": "512Mi",
            "webhook.enabled": True,
            "webhook.certManager.enabled": True,
        }.items()
    )
    assert (
        said.values("observability", everything())["opentelemetry-operator"].items()
        >= {
            "nodeSelector.pool-role": "system",
            "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
            "crds.create": True,
            "crds.annotations.helm.sh/resource-policy": "keep",
            "manager.collectorImage.repository": f"{COLLECTORS}/opentelemetry-collector-contrib",
            "manager.collectorImage.tag": "0.158.0",
            "manager.resources.requests.cpu": "50m",
            "manager.resources.requests.memory": "128Mi",
            "manager.resources.limits.memory": "256Mi",
            "admissionWebhooks.certManager.enabled": True,
            "admissionWebhooks.autoGenerateCert.enabled": False,
        }.items()
    )
    assert (
        said.values("observability", everything())["tempo"].items()
        >= {
            "nodeSelector.pool-role": "system",
            "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
            "tempo.resources.requests.cpu": "100m",
            "tempo.resources.requests.memory": "1Gi",
            "tempo.resources.limits.memory": "1Gi",
            "tempo.extraArgs.config.expand-env": "true",
            "tempo.extraEnvFrom": [{"secretRef": {"name": "tempo-bucket"}}],
            "tempo.extraVolumeMounts": [{"name": "tls", "mountPath": "/tls", "readOnly": True}],
            "persistence.enabled": True,
            "persistence.size": "5Gi",
            "persistence.storageClassName": "do-block-storage",
            "serviceMonitor.enabled": True,
            "extraVolumes": [{"name": "tls", "secret": {"secretName": "tempo-tls"}}],
        }.items()
    )
    assert (
        said.values("observability", everything())["influxdb2"].items()
        >= {
            "nodeSelector.pool-role": "system",
            "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
            "adminUser.organization": "platform",
            "adminUser.bucket": "metrics",
            "adminUser.user": "admin",
            "adminUser.retention_policy": "8760h",
            "adminUser.existingSecret": "influxdb-admin",
            "persistence.enabled": True,
            "persistence.storageClass": "do-block-storage-retain",
            "persistence.size": "50Gi",
            "resources.requests.cpu": "100m",
            "resources.requests.memory": "1Gi",
            "resources.limits.memory": "1Gi",
            "pdb.create": False,
        }.items()
    )


def test_operators() -> None:
    assert said.operators("observability") == {
        "kube-prometheus-stack": ("webhook observability/prometheus-operator: 10250",),
        "opensearch-operator": (
            "brings opensearch.org",
            "OpenSearchCluster holds data",
            "webhook observability/opensearch-operator: 9443",
            "budgets by opensearch.org/opensearch-cluster",
        ),
        "opentelemetry-operator": ("brings opentelemetry.io", "webhook observability/otel-operator: 9443"),
    }
