"""The fake refuses what the real API refuses, so that a green test means something."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from tests.fakes.digitalocean import FakeDigitalOcean

VPC = {"name": "one", "region": "lon1", "ip_range": "10.1.0.0/20"}
POOL = {"name": "system", "size": "s-2vcpu-4gb", "count": 1}

Call = Callable[..., requests.Response]


@pytest.fixture
def api() -> Iterator[FakeDigitalOcean]:
    with FakeDigitalOcean() as fake:
        yield fake


@pytest.fixture
def call(api: FakeDigitalOcean) -> Call:
    """Return a function that calls the fake with its token."""

    def request(method: str, path: str, body: Any = None, token: str = "do-token") -> requests.Response:
        headers = {"Authorization": f"Bearer {token}"}
        return requests.request(method, f"{api.url}/v2{path}", json=body, headers=headers, timeout=10)

    return request


def cluster(vpc: str, **changes: Any) -> dict[str, Any]:
    body = {"name": "one", "region": "lon1", "version": "1.36.2-do.0", "vpc_uuid": vpc, "ha": True}
    return {**body, "node_pools": [POOL], **changes}


def test_a_route_that_is_not_there_is_an_error_and_remembered(api: FakeDigitalOcean, call: Call) -> None:
    assert call("GET", "/snapshots").status_code == 404
    assert api.refused == ["no such route: GET /v2/snapshots?"]


def test_an_unknown_field_is_an_error_and_remembered(api: FakeDigitalOcean, call: Call) -> None:
    assert call("POST", "/vpcs", {**VPC, "colour": "red"}).status_code == 422
    assert "colour" in api.refused[0]
    assert api.vpcs == {}


def test_a_wrong_token_is_refused(call: Call) -> None:
    assert call("GET", "/kubernetes/options", token="other").status_code == 401


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({**VPC, "ip_range": "10.2.0.0/20"}, 422),
        ({**VPC, "name": "two"}, 422),
        ({**VPC, "name": "two", "ip_range": "8.8.0.0/16"}, 422),
        ({**VPC, "name": "two", "ip_range": "10.2.0.0/20", "region": "mars1"}, 422),
        ({**VPC, "name": "two", "ip_range": "10.2.0.0/20"}, 201),
    ],
)
def test_networks_do_not_clash(call: Call, body: dict[str, Any], status: int) -> None:
    assert call("POST", "/vpcs", VPC).status_code == 201
    assert call("POST", "/vpcs", body).status_code == status


@pytest.mark.parametrize(
    "changes",
    [
        {"vpc_uuid": "elsewhere"},
        {"version": "1.20.0-do.0"},
        {"node_pools": [{**POOL, "size": "s-huge"}]},
        {"node_pools": [{**POOL, "count": 0}]},
        {"node_pools": [{**POOL, "auto_scale": True, "min_nodes": 3, "max_nodes": 2}]},
    ],
)
def test_a_cluster_needs_what_it_names(call: Call, changes: dict[str, Any]) -> None:
    vpc = call("POST", "/vpcs", VPC).json()["vpc"]["id"]
    assert call("POST", "/kubernetes/clusters", cluster(vpc, **changes)).status_code == 422
    assert call("POST", "/kubernetes/clusters", cluster(vpc)).status_code == 201


def test_what_is_in_use_stays_and_what_is_gone_is_gone(api: FakeDigitalOcean, call: Call) -> None:
    vpc = call("POST", "/vpcs", VPC).json()["vpc"]["id"]
    key = call("POST", "/kubernetes/clusters", cluster(vpc)).json()["kubernetes_cluster"]["id"]
    assert call("POST", "/kubernetes/clusters", cluster(vpc)).status_code == 422, "the name is taken"
    assert call("PUT", f"/kubernetes/clusters/{key}", {"ha": False}).status_code == 422
    assert call("DELETE", f"/vpcs/{vpc}").status_code == 409
    assert call("DELETE", f"/kubernetes/clusters/{key}").status_code == 204
    assert call("GET", f"/kubernetes/clusters/{key}").status_code == 404
    assert call("DELETE", f"/vpcs/{vpc}").status_code == 204
    assert (api.clusters, api.vpcs, api.urns["default"]) == ({}, {}, set())


def test_a_keys_secret_is_shown_once(call: Call) -> None:
    made = call("POST", "/spaces/keys", {"name": "ci", "grants": [{"bucket": "b", "permission": "readwrite"}]}).json()
    assert made["key"]["secret_key"]
    assert "secret_key" not in call("GET", f"/spaces/keys/{made['key']['access_key']}").json()["key"]


def test_a_pool_needs_a_name_of_its_own_and_a_count_within_its_bounds(api: FakeDigitalOcean, call: Call) -> None:
    path = f"/kubernetes/clusters/{api.add_cluster('one')['id']}/node_pools"
    scaled = {**POOL, "auto_scale": True, "min_nodes": 0, "max_nodes": 2}
    assert call("POST", path, {**scaled, "count": 3}).status_code == 422
    made = call("POST", path, {**scaled, "count": None})
    assert (made.status_code, made.json()["node_pool"]["count"]) == (201, 0)
    assert call("POST", path, scaled).status_code == 422, "the name is taken"
    assert api.history == ["system comes"]


def test_a_new_pool_runs_after_so_many_looks(api: FakeDigitalOcean, call: Call) -> None:
    api.looks_until_pools_run["system"] = 2
    path = f"/kubernetes/clusters/{api.add_cluster('one')['id']}/node_pools"
    made = f"{path}/{call('POST', path, POOL).json()['node_pool']['id']}"
    states = [call("GET", made).json()["node_pool"]["nodes"][0]["status"]["state"] for _ in range(4)]
    assert states == ["provisioning", "provisioning", "running", "running"]
    assert call("DELETE", made).status_code == 204
    assert api.history == ["system comes", "system runs", "system goes"]


@pytest.mark.parametrize(
    ("version", "status"), [("1.36.2-do.0", 422), ("1.37.1-do.0", 202), ("1.38.0-do.0", 422), ("1.35.6-do.0", 422)]
)
def test_a_cluster_goes_up_by_one_minor_at_most(api: FakeDigitalOcean, call: Call, version: str, status: int) -> None:
    api.versions.insert(0, "1.38.0-do.0")
    path = f"/kubernetes/clusters/{api.add_cluster('one')['id']}"
    offered = call("GET", f"{path}/upgrades").json()["available_upgrade_versions"]
    assert [item["slug"] for item in offered] == ["1.37.1-do.0"]
    assert call("POST", f"{path}/upgrade", {"version": version}).status_code == status
