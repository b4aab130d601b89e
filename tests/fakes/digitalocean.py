"""The DigitalOcean API as terraform-provider-digitalocean v2.71.0 calls it.

Shapes: the provider's vendored godo (`kubernetes.go`, `vpcs.go`, `projects.go`, `spaces_keys.go`, `tags.go`). Rules
that refuse a request: digitalocean/openapi (names taken, ranges that overlap, references that must exist).
"""

from __future__ import annotations

import base64
import secrets
from collections import Counter
from ipaddress import IPv4Network
from typing import Any, TypeVar
from uuid import uuid4

from flask import Response, abort, request

from tests.fakes.digitalocean_bodies import (
    ClusterBody,
    ClusterUpdate,
    KeyBody,
    PoolBody,
    PoolUpdate,
    ProjectBody,
    Resources,
    TagBody,
    VpcBody,
    VpcUpdate,
)
from tests.fakes.digitalocean_dns import Zones, new_balancer
from tests.fakes.server import READS, Body, FakeServer

State = dict[str, Any]
Model = TypeVar("Model", bound=Body)
Answer = State | tuple[State, int] | tuple[str, int]

NOW = "2026-11-23T00:00:00Z"
REGIONS = ("ams3", "fra1", "lon1", "nyc3", "sfo3")
SIZES = {"s-2vcpu-4gb": 0.03571, "s-4vcpu-8gb": 0.07143, "s-8vcpu-16gb": 0.14286, "gpu-l40sx1-48gb": 1.57}
"""Droplet sizes with their price (USD an hour)."""
VERSIONS = ("1.37.1-do.0", "1.36.2-do.0", "1.35.6-do.0", "1.34.9-do.0")
DEFAULT_POOL_TAG = "terraform:default-node-pool"
"""The tag by which the provider knows the pool that is part of the cluster."""
NO_CONTENT = ("", 204)
TOKEN = "do-token"


class FakeDigitalOcean(FakeServer):
    """A DigitalOcean account with nothing but a default project.

    The dictionaries hold what the API would show, by id; a test may change them to make drift. `server`
    and `ca` are what credentials say of the API server.
    """

    def __init__(self, token: str = TOKEN, server: str = "https://127.0.0.1:1", ca: bytes = b"ca") -> None:
        super().__init__()
        self.token, self.server, self.ca = token, server, ca
        self.cluster_token = f"cluster-{secrets.token_hex(9)}"
        self.versions: list[str] = [*VERSIONS]
        self.looks_until_pools_run: Counter[str] = Counter()
        """How often a new pool is shown before its nodes run, by its name."""
        self.kept_pools: set[str] = set()
        """The names of pools that DigitalOcean refuses to delete."""
        self.history: list[str] = []
        """What became of the node pools, in the order in which it could be seen."""
        self.tags: dict[str, State] = {}
        self.vpcs: dict[str, State] = {}
        self.clusters: dict[str, State] = {}
        self.spaces_keys: dict[str, State] = {}
        self.teams: dict[str, str] = {token: "a-team"}
        """The team of each token; all see the same account, whichever they are of."""
        self.read_only: set[str] = set()
        """The tokens whose scopes let nothing change."""
        self.droplet_limit = 25
        self.droplets: dict[str, State] = {}
        self.zones = Zones()
        self.balancers: dict[str, State] = {}
        self.projects: dict[str, State] = {"default": {**_project("default"), "is_default": True}}
        self.urns: dict[str, set[str]] = {"default": set()}
        self.app.before_request(self._authorise)
        self._routes()

    def add_cluster(self, name: str, version: str = "1.36.2-do.0") -> State:
        """Add a running cluster as if somebody had made it before, and return it."""
        pool = _new_pool(PoolBody(name="default", size=next(iter(SIZES)), count=2, tags=[DEFAULT_POOL_TAG]))
        cluster = {
            "name": name,
            "region": "lon1",
            "version": version,
            "vpc_uuid": "vpc",
            "ha": True,
            "auto_upgrade": True,
            "surge_upgrade": True,
            "maintenance_policy": {"day": "any", "start_time": "00:00", "duration": "4h0m0s"},
        }
        return self._store_cluster(cluster, [pool])

    def add_balancer(self, name: str, ip: str = "203.0.113.10") -> State:
        """Add a load balancer as a cluster's controller makes it, or give it another address, and return it."""
        self.balancers[name] = new_balancer(name, ip)
        return self.balancers[name]

    def _authorise(self) -> Response | None:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token in self.read_only and request.method not in READS:
            return self.error(403, "You are not authorized to perform this operation")
        if token in {self.token, *self.teams}:
            return None
        return self.error(401, "Unable to authenticate you")

    def _routes(self) -> None:
        add = self._add
        add("/kubernetes/options", GET=self._options)
        add("/sizes", GET=_list_sizes)
        add("/account", GET=self._account)
        add("/droplets", GET=lambda: _page("droplets", self.droplets))
        add("/tags", POST=self._create_tag)
        add("/tags/<key>", GET=self._show_tag, DELETE=self._remover(self.tags))
        add("/vpcs", GET=self._list_vpcs, POST=self._create_vpc)
        add("/vpcs/<key>", GET=self._show_vpc, PUT=self._update_vpc, DELETE=self._drop_vpc)
        add("/kubernetes/clusters", GET=self._list_clusters, POST=self._create_cluster)
        add("/kubernetes/clusters/<key>", GET=self._show_cluster, PUT=self._update_cluster, DELETE=self._drop_cluster)
        add("/kubernetes/clusters/<key>/credentials", GET=self._credentials)
        add("/kubernetes/clusters/<key>/upgrade", POST=self._upgrade)
        add("/kubernetes/clusters/<key>/upgrades", GET=self._upgrades)
        add("/kubernetes/clusters/<key>/destroy_with_associated_resources", GET=self._associated)
        add("/kubernetes/clusters/<key>/destroy_with_associated_resources/dangerous", DELETE=self._drop_cluster)
        add("/kubernetes/clusters/<key>/node_pools", POST=self._create_pool)
        add(
            "/kubernetes/clusters/<key>/node_pools/<pool>",
            GET=self._show_pool,
            PUT=self._update_pool,
            DELETE=self._drop_pool,
        )
        add("/load_balancers", GET=lambda: _page("load_balancers", self.balancers))
        self.zones.routes(add)
        add("/projects", GET=self._list_projects, POST=self._create_project)
        add("/projects/<key>", GET=self._show_project, PATCH=self._update_project, DELETE=self._drop_project)
        add("/projects/<key>/resources", GET=self._list_resources, POST=self._assign)
        add("/spaces/keys", GET=self._list_keys, POST=self._create_key)
        add(
            "/spaces/keys/<key>",
            GET=self._show_key,
            PUT=self._update_key,
            DELETE=self._remover(self.spaces_keys),
        )

    def _add(self, path: str, **views: Any) -> None:
        for method, view in views.items():
            self.app.add_url_rule(f"/v2{path}", f"{method} {path}", view, methods=[method])

    def _remover(self, of: dict[str, State]) -> Any:
        def remove(key: str) -> Answer:
            _found(of, key)
            del of[key]
            return NO_CONTENT

        return remove

    # Tags and networks

    def _create_tag(self) -> Answer:
        name = _body(TagBody).name
        kinds = ("droplets", "images", "volumes", "volume_snapshots", "databases")
        self.tags[name] = {"name": name, "resources": {"count": 0, **{kind: {"count": 0} for kind in kinds}}}
        return {"tag": self.tags[name]}, 201

    def _show_tag(self, key: str) -> Answer:
        return {"tag": _found(self.tags, key)}

    def _list_vpcs(self) -> Answer:
        return _page("vpcs", self.vpcs)

    def _show_vpc(self, key: str) -> State:
        return {"vpc": _found(self.vpcs, key)}

    def _create_vpc(self) -> Answer:
        body = _body(VpcBody)
        _known("region", body.region, REGIONS)
        _free("VPC", body.name, self.vpcs)
        wanted = IPv4Network(body.ip_range)
        if not wanted.is_private or any(wanted.overlaps(IPv4Network(vpc["ip_range"])) for vpc in self.vpcs.values()):
            abort(422, f"ip_range {wanted} is not private or overlaps another network")
        key = str(uuid4())
        own = {"id": key, "urn": f"do:vpc:{key}", "created_at": NOW, "default": False}
        self.vpcs[key] = {**body.model_dump(), **own}
        return self._show_vpc(key), 201

    def _update_vpc(self, key: str) -> Answer:
        _found(self.vpcs, key).update(_body(VpcUpdate).model_dump(exclude_none=True))
        return {"vpc": self.vpcs[key]}

    def _drop_vpc(self, key: str) -> Answer:
        if any(cluster["vpc_uuid"] == key for cluster in self.clusters.values()):
            abort(409, "Can not delete VPC with members")
        return self._remover(self.vpcs)(key)

    # Kubernetes

    def _options(self) -> Answer:
        versions = [{"slug": slug, "kubernetes_version": slug.split("-")[0]} for slug in self.versions]
        return {"options": {"versions": versions, "regions": [], "sizes": []}}

    def _list_clusters(self) -> Answer:
        return _page("kubernetes_clusters", self.clusters)

    def _create_cluster(self) -> Answer:
        body = _body(ClusterBody)
        _known("region", body.region, REGIONS)
        _known("version", body.version, tuple(self.versions))
        _free("cluster", body.name, self.clusters)
        if body.vpc_uuid not in self.vpcs:
            abort(422, "vpc_uuid does not exist")
        for subnet in (body.cluster_subnet, body.service_subnet):
            if subnet is not None and IPv4Network(subnet).overlaps(IPv4Network(self.vpcs[body.vpc_uuid]["ip_range"])):
                abort(422, f"{subnet} overlaps the VPC")
        cluster = body.model_dump(exclude_none=True)
        return {"kubernetes_cluster": self._store_cluster(cluster, [_new_pool(pool) for pool in body.node_pools])}, 201

    def _store_cluster(self, cluster: State, pools: list[State]) -> State:
        key = str(uuid4())
        self.clusters[key] = {
            "cluster_subnet": "10.244.0.0/16",
            "service_subnet": "10.245.0.0/16",
            "tags": [],
            **cluster,
            "id": key,
            "node_pools": pools,
            "ipv4": "",
            "endpoint": self.server,
            "registry_enabled": False,
            "status": {"state": "running"},
            "created_at": NOW,
            "updated_at": NOW,
        }
        self.urns["default"].add(f"do:kubernetes:{key}")
        return self.clusters[key]

    def _show_cluster(self, key: str) -> State:
        return {"kubernetes_cluster": _found(self.clusters, key)}

    def _update_cluster(self, key: str) -> Answer:
        body = _body(ClusterUpdate)
        cluster = _found(self.clusters, key)
        if cluster["ha"] and body.ha is False:
            abort(422, "high availability cannot be disabled")
        cluster.update({name: value for name, value in body.model_dump(exclude_none=True).items() if value != {}})
        return self._show_cluster(key), 202

    def _upgrades(self, key: str) -> Answer:
        possible = self._possible(_found(self.clusters, key)["version"])
        return {"available_upgrade_versions": [{"slug": slug, "supported_features": []} for slug in possible] or None}

    def _possible(self, running: str) -> list[str]:
        """Return the versions of this minor and the next that come after the one that runs."""
        minor = int(running.split(".")[1])
        return [slug for slug in self.versions if slug > running and int(slug.split(".")[1]) - minor in {0, 1}]

    def _upgrade(self, key: str) -> Answer:
        cluster, version = _found(self.clusters, key), request.get_json()["version"]
        if version not in self._possible(cluster["version"]):
            abort(422, f"cannot upgrade from {cluster['version']} to {version}")
        cluster["version"] = version
        return {}, 202

    def _associated(self, key: str) -> Answer:
        _found(self.clusters, key)
        return {"load_balancers": [], "volumes": [], "volume_snapshots": []}

    def _drop_cluster(self, key: str) -> Answer:
        _found(self.clusters, key)
        del self.clusters[key]
        for members in self.urns.values():
            members.discard(f"do:kubernetes:{key}")
        return NO_CONTENT

    def _credentials(self, key: str) -> Answer:
        _found(self.clusters, key)
        return {
            "server": self.server,
            "certificate_authority_data": base64.b64encode(self.ca).decode(),
            "token": self.cluster_token,
            "expires_at": "2036-01-01T00:00:00Z",
        }

    def _pool(self, key: str, pool: str) -> State:
        pools = {item["id"]: item for item in _found(self.clusters, key)["node_pools"]}
        return _found(pools, pool)

    def _show_pool(self, key: str, pool: str) -> Answer:
        found = self._pool(key, pool)
        if found["coming"] == 0:
            self.history.append(f"{found['name']} runs")
        state = "provisioning" if found["coming"] > 0 else "running"
        found["nodes"] = [{**node, "status": {"state": state}} for node in found["nodes"]]
        found["coming"] -= 1
        return {"node_pool": found}

    def _create_pool(self, key: str) -> Answer:
        pool: State = _new_pool(_body(PoolBody))
        pool["coming"] = self.looks_until_pools_run[str(pool["name"])]
        pools = _found(self.clusters, key)["node_pools"]
        _free("node pool", str(pool["name"]), {item["id"]: item for item in pools})
        pools.append(pool)
        self.history.append(f"{pool['name']} comes")
        return {"node_pool": pool}, 201

    def _update_pool(self, key: str, pool: str) -> Answer:
        found = self._pool(key, pool)
        found.update(_body(PoolUpdate).model_dump(exclude_none=True))
        return {"node_pool": found}, 202

    def _drop_pool(self, key: str, pool: str) -> Answer:
        found = self._pool(key, pool)
        if found["name"] in self.kept_pools:
            abort(412, f"{found['name']} cannot be deleted now")
        _found(self.clusters, key)["node_pools"].remove(found)
        self.history.append(f"{found['name']} goes")
        return NO_CONTENT

    # Projects

    def _create_project(self) -> Answer:
        body = _body(ProjectBody)
        _free("project", body.name, self.projects)
        key = str(uuid4())
        self.projects[key] = {**_project(key), **body.model_dump(exclude_none=True)}
        self.urns[key] = set()
        return {"project": self.projects[key]}, 201

    def _list_projects(self) -> Answer:
        return _page("projects", self.projects)

    def _show_project(self, key: str) -> State:
        return {"project": _found(self.projects, key)}

    def _update_project(self, key: str) -> Answer:
        _found(self.projects, key).update(_body(ProjectBody).model_dump(exclude_none=True))
        return self._show_project(key)

    def _drop_project(self, key: str) -> Answer:
        _found(self.projects, key)
        if self.urns[key]:
            abort(412, "cannot delete a project with resources")
        del self.projects[key], self.urns[key]
        return NO_CONTENT

    def _list_resources(self, key: str) -> Answer:
        _found(self.projects, key)
        listed = [{"urn": urn, "assigned_at": NOW, "links": {}, "status": "ok"} for urn in sorted(self.urns[key])]
        return {"resources": listed, "links": {}, "meta": {"total": len(listed)}}

    def _assign(self, key: str) -> Answer:
        _found(self.projects, key)
        for urn in _body(Resources).resources:
            for members in self.urns.values():
                members.discard(urn)
            self.urns[key].add(urn)
        return self._list_resources(key)

    # Spaces keys

    def _account(self) -> Answer:
        team = self.teams[request.headers["Authorization"].removeprefix("Bearer ")]
        return {
            "account": {
                "uuid": "a-person",
                "status": "active",
                "droplet_limit": self.droplet_limit,
                "team": {"uuid": team, "name": team},
            }
        }

    def _list_keys(self) -> Answer:
        return _page("keys", {key: _without(item, "secret_key") for key, item in self.spaces_keys.items()})

    def _show_key(self, key: str) -> Answer:
        return {"key": _without(_found(self.spaces_keys, key), "secret_key")}

    def _create_key(self) -> Answer:
        access_key = f"DO{secrets.token_hex(9).upper()}"
        key = {**_body(KeyBody).model_dump(), "access_key": access_key, "created_at": NOW}
        self.spaces_keys[access_key] = {**key, "secret_key": secrets.token_urlsafe(32)}
        return {"key": self.spaces_keys[access_key]}, 201

    def _update_key(self, key: str) -> Answer:
        _found(self.spaces_keys, key).update(_body(KeyBody).model_dump())
        return self._show_key(key)


def _page(name: str, items: dict[str, State]) -> State:
    """Return a page of a list; 20 items unless more are asked for, at most 200 (digitalocean/openapi `per_page`)."""
    number, size = request.args.get("page", 1, int), min(request.args.get("per_page", 20, int), 200)
    shown = list(items.values())[(number - 1) * size : number * size]
    more = number * size < len(items)
    pages = {"next": f"{request.base_url}?page={number + 1}&per_page={size}"} if more else {}
    return {name: shown, "links": {"pages": pages} if pages else {}, "meta": {"total": len(items)}}


def _list_sizes() -> Answer:
    return _page("sizes", {slug: {"slug": slug, "price_hourly": price} for slug, price in SIZES.items()})


def _body(model: type[Model]) -> Model:
    return model.model_validate(request.get_json())


def _found(of: dict[str, State], key: str) -> State:
    if key not in of:
        abort(404, "The resource you were accessing could not be found.")
    return of[key]


def _known(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        abort(422, f"{what} {value} is invalid")


def _free(what: str, name: str, taken: dict[str, State]) -> None:
    if any(item["name"] == name for item in taken.values()):
        abort(422, f"a {what} named {name} exists already")


def _without(item: State, key: str) -> State:
    return {name: value for name, value in item.items() if name != key}


def _project(key: str) -> State:
    return {"id": key, "name": key, "owner_uuid": "owner", "owner_id": 1, "created_at": NOW, "updated_at": NOW}


def _new_pool(body: PoolBody) -> State:
    _known("size", body.size, tuple(SIZES))
    least, most = body.min_nodes or 0, body.max_nodes or 0
    count = max(body.count or 0, least)
    if (count < 1 and not body.auto_scale) or (body.auto_scale and not least <= count <= most):
        abort(422, "a node pool needs a node or the autoscaler, and a count from min_nodes to max_nodes")
    nodes = [
        {"id": str(uuid4()), "name": f"{body.name}-{number}", "status": {"state": "running"}, "droplet_id": str(number)}
        for number in range(count)
    ]
    pool = {"id": str(uuid4()), **body.model_dump(exclude_none=True), "count": count, "nodes": nodes}
    return {"tags": [], "labels": {}, "taints": [], "coming": 0, **pool}
