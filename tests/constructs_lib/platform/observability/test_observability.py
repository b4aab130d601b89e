"""The backends of telemetry: who may write and read, and how they find each other."""

from __future__ import annotations

from typing import Any

import pytest

from constructs_lib.environment import Environment
from constructs_lib.platform.observability.collector_config import gateway_config
from tests.support import environment

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


def test_an_index_of_logs_lives_as_long_as_the_environment_says() -> None:
    policy = objects(with_logs(retention="12d"))["OpenSearchISMPolicy", "logs"]["spec"]
    (hot,) = [state for state in policy["states"] if state["name"] == policy["defaultState"]]
    assert hot["transitions"] == [{"stateName": "delete", "conditions": {"minIndexAge": "12d"}}]
    assert policy["ismTemplate"]["indexPatterns"] == ["logs-sandbox-*"]


def test_grafana_draws_the_service_graph_from_metrics_of_traces() -> None:
    (tempo,) = data_sources(environment("staging"))
    assert tempo["jsonData"]["serviceMap"] == {"datasourceUid": "prometheus"}
    assert data_sources(environment()) == []
