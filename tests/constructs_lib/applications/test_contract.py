"""The contract of an application: what it says, what it is by default, and what is refused in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from constructs_lib.applications import Application
from constructs_lib.base.errors import ConfigError
from constructs_lib.environment import Environment, load
from tests.constructs_lib.platform import said
from tests.support import environment, environment_data


def with_apps(**apps: dict[str, Any]) -> Environment:
    return environment(applications={name: {"owner": "a", **app} for name, app in apps.items()})


def links(env: Environment) -> list[str]:
    return [line for line in said.links("baseline", env) if line.startswith(("shop", "blog"))]


def test_an_application_has_the_name_of_its_key() -> None:
    env = with_apps(shop={}, blog={})
    assert [app.name for app in env.applications.values()] == ["shop", "blog"]
    assert [app.pods.namespace for app in env.applications.values()] == ["shop", "blog"]
    assert "name" not in env.model_dump(mode="json")["applications"]["shop"]


@pytest.mark.parametrize("name", ["default", "flux-system", "kube-system", "kube-anything"])
def test_a_namespace_of_kubernetes_or_flux_is_no_application_s(name: str) -> None:
    with pytest.raises(ValidationError, match=f"'{name}' belongs to Kubernetes or Flux"):
        with_apps(**{name: {}})


def test_an_application_s_pods_may_have_another_standard_with_a_reason_where_it_is_none() -> None:
    privileged = {"pod_security": "privileged", "why_privileged": "it reads the node's disks"}
    env = with_apps(old={"pod_security": "baseline"}, agent=privileged)
    found = {item["metadata"]["name"]: item["metadata"] for item in env.platform.namespaces(env)}
    standards = {name: found[name]["labels"]["pod-security.kubernetes.io/enforce"] for name in ("old", "agent")}
    assert standards == {"old": "baseline", "agent": "privileged"}
    assert "it reads the node's disks" in found["agent"]["annotations"].values()
    assert found["agent"]["labels"]["platform/owner"] == "a"


@pytest.mark.parametrize("app", [{"pod_security": "privileged"}, {"why_privileged": "because"}])
def test_a_reason_and_privileged_pods_go_together(app: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="why_privileged belongs to pod_security privileged"):
        with_apps(shop=app)


def test_objectives_need_a_host_where_they_are_measured() -> None:
    slo = {"availability": 99.5}
    with pytest.raises(ValidationError, match="slo is measured where Traefik lets requests in"):
        with_apps(shop={"slo": slo, "hosts": {"api": {"port": 80, "public": False}}})
    assert with_apps(shop={"slo": slo, "hosts": {"api": {"port": 80}}}).applications["shop"].slo is not None


def test_the_ingress_reaches_public_hosts_and_other_applications_all() -> None:
    hosts = {"www": {"port": 8080}, "admin": {"port": 9000, "public": False}, "also": {"port": 8080}}
    env = with_apps(shop={"hosts": hosts}, blog={"uses": {"calls": ["shop"]}})
    assert env.applications["shop"].public.keys() == {"www", "also"}
    assert "traefik/traefik -> shop/apps: 8080" in said.links("traefik", env)
    assert links(env) == ["blog/apps -> shop/apps: 8080 9000"]


def test_an_application_reaches_the_ports_that_it_names_outside() -> None:
    reaches = {"api.example.org": 443, "mail.example.org": 587, "other.example.org": 443}
    assert links(with_apps(shop={"uses": {"reaches": reaches}}, blog={})) == ["shop/apps -> the internet: 443 587"]


def test_what_is_retired_reaches_nothing_and_nobody_reaches_it() -> None:
    uses = {"postgres": {"main": {}}, "calls": ["blog"], "vault": True, "reaches": {"api.example.org": 443}}
    shop = {"hosts": {"www": {"port": 8080}}, "uses": uses}
    blog = {"hosts": {"blog": {"port": 80}}, "uses": {"calls": ["shop"]}}

    def ways(*, retired: bool) -> set[str]:
        env = with_apps(shop={**shop, "retired": retired}, blog=blog)
        found = [line for name in env.platform.enabled for line in said.links(name, env) if "shop/apps" in line]
        return {line for line in found if "observability" not in line}

    assert len(ways(retired=False)) == 6
    assert ways(retired=True) == set()


def test_a_host_belongs_to_one_application() -> None:
    host = {"hosts": {"www": {"port": 80}}}
    with pytest.raises(ValidationError, match=r"applications\.blog\.hosts\.www: belongs to applications\.shop already"):
        with_apps(shop=host, blog=host)
    assert with_apps(shop={**host, "retired": True}, blog=host).applications
    assert with_apps(shop=host, blog={"hosts": {"www": {"port": 80, "public": False}}}).applications
    with pytest.raises(ValidationError, match=r"hosts\.ingress: belongs to the load balancer already"):
        with_apps(shop={"hosts": {"ingress": {"port": 80}}})


def test_only_applications_that_are_there_are_called() -> None:
    with pytest.raises(ValidationError, match=r"uses\.calls: unknown other application 'blgo', known are blog; did"):
        with_apps(shop={"uses": {"calls": ["blgo"]}}, blog={})
    with pytest.raises(ValidationError, match="unknown other application 'shop', known are blog"):
        with_apps(shop={"uses": {"calls": ["shop"]}}, blog={})


def test_a_namespace_of_the_platform_is_no_application_s() -> None:
    with pytest.raises(ConfigError, match=r"applications\.traefik: 'traefik' is the namespace of traefik; choose"):
        _ = with_apps(traefik={}).layers


def test_an_environment_says_otherwise_what_all_share(tmp_path: Path) -> None:
    data = environment_data()
    apps = data.pop("applications")
    (tmp_path / "_shared.yaml").write_text(yaml.safe_dump({"applications": apps}))
    own = {"episodic": {"uses": {"postgres": {"main": {"pooled": False, "extensions": ["vector"]}}}}}
    (tmp_path / "sandbox.yaml").write_text(yaml.safe_dump({**data, "applications": own}))
    found = load(tmp_path / "sandbox.yaml").applications["episodic"]
    assert found.owner == apps["episodic"]["owner"]
    assert found.uses.postgres["main"].extensions == ("vector",)
    assert found.uses.rabbitmq.keys() == {"main"}


def test_settings() -> None:
    assert said.settings_of(Application) == {
        "Application.owner": "required MaxLen(max_length=63)",
        "Application.hosts": "{}",
        "Application.uses": "Uses(postgres={}, rabbitmq={}, valkey={}, bucket={}, secrets={}, vault=False, reaches={}, "
        "calls=())",
        "Application.metrics": "None",
        "Application.quota": "Quota(cpu='1', memory='2Gi', storage='10Gi')",
        "Application.slo": "None",
        "Application.pod_security": "'restricted'",
        "Application.why_privileged": "None",
        "Application.retired": "False",
        "Host.port": "required Ge(ge=1) Le(le=65535)",
        "Host.public": "True",
        "Host.service": "None",
        "Uses.postgres": "{}",
        "Uses.rabbitmq": "{}",
        "Uses.valkey": "{}",
        "Uses.bucket": "{}",
        "Uses.secrets": "{}",
        "Uses.vault": "False",
        "Uses.reaches": "{}",
        "Uses.calls": "()",
        "OwnDatabase.database": "None",
        "OwnDatabase.extensions": "()",
        "OwnDatabase.pooled": "False",
        "OwnVhost.vhost": "None",
        "OwnVhost.configure": "'.*'",
        "OwnVhost.write": "'.*'",
        "OwnVhost.read": "'.*'",
        "SharedCache.shared": "False",
        "OwnBucket.access": "'readwrite'",
        "PodMetrics.port": "required Ge(ge=1) Le(le=65535)",
        "PodMetrics.path": "'/metrics'",
        "Quota.cpu": "'1'",
        "Quota.memory": "'2Gi'",
        "Quota.storage": "'10Gi'",
        "Objectives.availability": "None",
        "Objectives.latency": "None",
        "Quick.seconds": "required",
        "Quick.percent": "required",
    }
