"""A strict, stateful fake of what terraform-provider-digitalocean v2.71.0 calls of the DigitalOcean API v2 for us.

Paths and bodies are those of godo v1.168.0 (the provider's `go.mod`); what the API makes of them follows DigitalOcean's
OpenAPI description ("spec" below: github.com/digitalocean/openapi, `specification/resources`). A setting that a change
leaves out stays as it is: where the provider cannot clear one, a test sees a plan that never becomes empty.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from ipaddress import IPv4Network
from itertools import chain
from typing import Annotated, Any, Literal, NoReturn, TypeVar
from uuid import uuid4

from flask import Response, abort, request
from pydantic import AfterValidator, Field

from tests.fakes.server import Body, FakeServer

SomeBody = TypeVar("SomeBody", bound=Body)
State = dict[str, Any]
Created = tuple[State, int]
Empty = tuple[str, int]
Name = Annotated[str, Field(min_length=1)]
Tag = Annotated[str, Field(pattern=r"^[a-zA-Z0-9:\-_]{1,255}$")]
Address = Annotated[str, AfterValidator(lambda address: str(IPv4Network(address)) and address)]
TIME = "2026-01-01T00:00:00Z"
REGIONS = ("ams3", "atl1", "blr1", "fra1", "lon1", "nyc1", "nyc3", "sfo3", "sgp1", "syd1", "tor1")
SIZES = ("s-1vcpu-2gb", "s-2vcpu-4gb", "s-4vcpu-8gb", "s-8vcpu-16gb", "g-2vcpu-8gb", "g-4vcpu-16gb", "m-2vcpu-16gb")
PRIVATE = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
RESERVED = ("10.244.0.0/16", "10.245.0.0/16", "10.246.0.0/24", "10.229.0.0/16")  # docs: plan your VPC network
PURPOSES = {
    "Just trying out DigitalOcean",
    "Class project / Educational purposes",
    "Website or blog",
    "Web Application",
    "Service or API",
    "Mobile Application",
    "Machine learning / AI / Data processing",
    "IoT",
    "Operational / Developer tooling",
}


class NewTag(Body):
    """POST /v2/tags (godo `TagCreateRequest`)."""

    name: Tag


class VpcChange(Body):
    """PUT /v2/vpcs/{id} (godo `VPCUpdateRequest`)."""

    name: str = Field(pattern=r"^[a-zA-Z0-9.\-]+$")
    description: str = Field("", max_length=255)
    default: bool = False


class NewVpc(Body):
    """POST /v2/vpcs (godo `VPCCreateRequest`)."""

    name: str = Field(pattern=r"^[a-zA-Z0-9.\-]+$")
    region: str
    description: str = Field("", max_length=255)
    ip_range: str | None = None


class Taint(Body):
    """A taint of a node pool. Godo's `Taint` has no JSON names, so its keys are upper case; the API ignores case."""

    key: Name = Field(alias="Key")
    value: str = Field(alias="Value")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] = Field(alias="Effect")


class NodePoolChange(Body):
    """PUT …/node_pools/{id} (godo `KubernetesNodePoolUpdateRequest`)."""

    name: Name
    count: int = 0
    tags: list[Tag] = []
    labels: dict[str, str] = {}
    taints: list[Taint] = []
    auto_scale: bool = False
    min_nodes: int = 0
    max_nodes: int = 0


class NodePool(NodePoolChange):
    """POST …/node_pools and the pools of a new cluster (godo `KubernetesNodePoolCreateRequest`)."""

    size: str


class Maintenance(Body):
    """A maintenance window (godo `KubernetesMaintenancePolicy`, which always sends the read-only `duration`)."""

    start_time: str = Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    duration: Literal["", "4h0m0s"]
    day: Literal["any", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


class Firewall(Body):
    """Who may reach the control plane (godo `KubernetesControlPlaneFirewall`, where Go's empty list is null)."""

    enabled: bool | None
    allowed_addresses: list[Address] | None


class Unset(Body):
    """What an update says of a feature that is not configured (provider `…/kubernetes/kubernetes.go`: `expand…`)."""

    enabled: None = None
    scale_down_utilization_threshold: None = None
    scale_down_unneeded_time: None = None
    expanders: None = None


class ClusterChange(Body):
    """PUT /v2/kubernetes/clusters/{id} (godo `KubernetesClusterUpdateRequest`)."""

    name: Name
    tags: list[Tag] = []
    maintenance_policy: Maintenance | None = None
    auto_upgrade: bool = False
    surge_upgrade: bool = False
    ha: bool = False
    control_plane_firewall: Firewall | None = None
    cluster_autoscaler_configuration: Unset = Field(Unset(), exclude=True)
    routing_agent: Unset = Field(Unset(), exclude=True)
    amd_gpu_device_plugin: Unset = Field(Unset(), exclude=True)
    amd_gpu_device_metrics_exporter_plugin: Unset = Field(Unset(), exclude=True)


class NewCluster(Body):
    """POST /v2/kubernetes/clusters (godo `KubernetesClusterCreateRequest`). The fake has no default VPC to fall back on."""

    name: Name
    region: str
    version: str
    vpc_uuid: str
    node_pools: list[NodePool] = Field(min_length=1)
    tags: list[Tag] = []
    maintenance_policy: Maintenance | None
    auto_upgrade: bool
    surge_upgrade: bool
    ha: bool
    control_plane_firewall: Firewall | None = None


class Upgrade(Body):
    """POST …/upgrade (godo `KubernetesClusterUpgradeRequest`)."""

    version: str


class NewProject(Body):
    """POST /v2/projects (godo `CreateProjectRequest`); the spec's enumeration of `environment` ignores case."""

    name: str = Field(min_length=1, max_length=175)
    description: str = Field(max_length=255)
    purpose: str = Field(min_length=1, max_length=255)
    environment: str = Field(pattern="^(?i:development|staging|production|)$")


class ProjectChange(NewProject):
    """PATCH /v2/projects/{id} (godo `updateProjectRequest`). The fake's default project stays the default one."""

    is_default: Literal[False]


class Resources(Body):
    """POST /v2/projects/{id}/resources (godo `assignResourcesRequest`), of the kinds that the fake knows."""

    resources: list[Annotated[str, Field(pattern="^do:(kubernetes|space):.+$")]]


class Grant(Body):
    """What a key may do with a bucket (godo `Grant`)."""

    bucket: str
    permission: Literal["read", "readwrite", "fullaccess"]


class SpacesKey(Body):
    """POST /v2/spaces/keys and PUT …/{access_key} (godo `SpacesKeyCreateRequest`, `SpacesKeyUpdateRequest`)."""

    name: Name
    grants: list[Grant]


class FakeDigitalOcean(FakeServer):
    """One account. Its state is plain dicts in the API's words, by id or name, that a test may read, seed and change.

    A cluster has its `node_pools`, a project the URNs of its `resources`. Automatic tags, a tag's counts and a pool's
    nodes are not kept but made up for each answer, from the pool's `count`. All is running at once, so that the
    provider's first look after ten seconds ends its wait (`waitForKubernetesClusterCreate`).
    """

    def __init__(
        self,
        token: str = "do-token",  # noqa: S107
        kubernetes_server: str = "https://127.0.0.1:1",
        kubernetes_token: str = "kubernetes-token",  # noqa: S107
        kubernetes_ca: str = "no certificate",
        versions: Sequence[str] = ("1.36.0-do.1", "1.36.0-do.0", "1.35.4-do.2", "1.34.6-do.0"),
    ) -> None:
        super().__init__()
        self.token = token
        self.kubernetes_server = kubernetes_server
        self.kubernetes_token = kubernetes_token
        self.kubernetes_ca = kubernetes_ca
        self.versions = list(versions)
        self.clusters: dict[str, State] = {}
        self.vpcs: dict[str, State] = {}
        self.tags: dict[str, State] = {}
        self.projects: dict[str, State] = {}
        self.spaces_keys: dict[str, State] = {}
        self.default_project = self._project(name="default", is_default=True)
        self.app.before_request(self._authorise)
        self.app.before_request(self._resolve)
        self._add_routes()

    def add_cluster(self, name: str, **settings: Any) -> State:
        """Make a cluster as if by hand, without the checks of a request (spec: kubernetes/models/cluster_read.yml)."""
        key = str(uuid4())
        addresses = {"ipv4": "", "cluster_subnet": RESERVED[0], "service_subnet": RESERVED[1]}
        switches = {"ha": False, "auto_upgrade": False, "surge_upgrade": False, "registry_enabled": False}
        self.clusters[key] = {
            **{"id": key, "name": name, "region": REGIONS[0], "version": self.versions[0], "vpc_uuid": "", "tags": []},
            **{"endpoint": self.kubernetes_server, "status": {"state": "running"}, **addresses, **switches},
            **{"node_pools": [], "control_plane_firewall": None, "created_at": TIME, "updated_at": TIME, **settings},
            "maintenance_policy": {"day": "any", "start_time": "00:00"} | (settings.get("maintenance_policy") or {}),
        }
        self.default_project["resources"].append(f"do:kubernetes:{key}")
        return self.clusters[key]

    def error(self, status: int, message: str) -> Response:
        """Return an error as DigitalOcean does (spec: shared/models/error.yml); a wrong method is a wrong route."""
        status = 404 if status == 405 else status
        body = {"id": HTTPStatus(status).name.lower(), "message": message}
        return Response(json.dumps(body), status, content_type="application/json")

    def _authorise(self) -> None:
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            abort(401, "Unable to authenticate you")

    def _resolve(self) -> None:
        """Replace the ids in the path by what they stand for, or answer 404."""
        args = request.view_args or {}
        projects = {"default": self.default_project, self.default_project["id"]: self.default_project, **self.projects}
        states = {"vpc": self.vpcs, "tag": self.tags, "cluster": self.clusters, "key": self.spaces_keys}
        for kind, items in {**states, "project": projects}.items():
            if kind in args:
                args[kind] = found(items, args[kind])
        if "pool" in args:
            args["pool"] = found({pool["id"]: pool for pool in args["cluster"]["node_pools"]}, args["pool"])

    def _add(self, path: str, **views: Callable[..., Any]) -> None:
        for method, view in views.items():
            endpoint = f"{method} {path}"
            self.app.add_url_rule(f"/v2{path}", endpoint, view, provide_automatic_options=False, methods=[method])

    def _add_routes(self) -> None:
        cluster = "/kubernetes/clusters/<cluster>"
        associated = f"{cluster}/destroy_with_associated_resources"
        self._add("/tags", POST=self._create_tag)
        self._add("/tags/<tag>", GET=self._show_tag, DELETE=self._delete_tag)
        self._add("/vpcs", GET=self._list_vpcs, POST=self._create_vpc)
        self._add("/vpcs/<vpc>", GET=self._show_vpc, PUT=self._change_vpc, DELETE=self._delete_vpc)
        self._add("/kubernetes/options", GET=self._show_options)
        self._add("/kubernetes/clusters", GET=self._list_clusters, POST=self._create_cluster)
        self._add(cluster, GET=self._show_cluster, PUT=self._change_cluster, DELETE=self._delete_cluster)
        self._add(f"{cluster}/credentials", GET=self._show_credentials)
        self._add(f"{cluster}/upgrade", POST=self._upgrade)
        self._add(associated, GET=lambda cluster: {"load_balancers": [], "volumes": [], "volume_snapshots": []})
        self._add(f"{associated}/dangerous", DELETE=self._delete_cluster)
        self._add(f"{cluster}/node_pools", POST=self._create_pool)
        self._add(f"{cluster}/node_pools/<pool>", GET=show_pool, PUT=self._change_pool, DELETE=self._delete_pool)
        self._add("/projects", POST=self._create_project)
        self._add("/projects/<project>", GET=show_project, PATCH=self._change_project, DELETE=self._delete_project)
        self._add("/projects/<project>/resources", GET=self._list_resources, POST=self._assign)
        self._add("/spaces/keys", POST=self._create_key)
        self._add("/spaces/keys/<key>", GET=show_key, PUT=self._change_key, DELETE=self._delete_key)

    def _create_tag(self) -> Created:
        name = sent(NewTag).name
        return self._show_tag(self.tags.setdefault(name, {"name": name})), 201

    def _show_tag(self, tag: State) -> State:
        pools = chain.from_iterable(cluster["node_pools"] for cluster in self.clusters.values())
        droplets = {"count": sum(pool["count"] for pool in pools if tag["name"] in pool["tags"])}
        others = {kind: {"count": 0} for kind in ("images", "volumes", "volume_snapshots", "databases")}
        return {"tag": {**tag, "resources": {**droplets, "droplets": droplets, **others}}}

    def _delete_tag(self, tag: State) -> Empty:
        del self.tags[tag["name"]]
        for cluster in self.clusters.values():
            for tagged in (cluster, *cluster["node_pools"]):
                tagged["tags"] = [name for name in tagged["tags"] if name != tag["name"]]
        return "", 204

    def _list_vpcs(self) -> State:
        return listed("vpcs", list(self.vpcs.values()))

    def _create_vpc(self) -> Created:
        body = sent(NewVpc)
        known("region", body.region, REGIONS)
        unique(self.vpcs, body.name, "a VPC with this name already exists")
        key = str(uuid4())
        computed = {"id": key, "urn": f"do:vpc:{key}", "default": False, "created_at": TIME}
        self.vpcs[key] = body.model_dump() | computed | {"ip_range": str(self._free_range(body.ip_range))}
        return self._show_vpc(self.vpcs[key]), 201

    def _free_range(self, wanted: str | None) -> IPv4Network:
        taken = [IPv4Network(used) for used in (*RESERVED, *(vpc["ip_range"] for vpc in self.vpcs.values()))]
        if wanted is None:
            ranges: Iterator[IPv4Network] = IPv4Network("10.104.0.0/13").subnets(new_prefix=20)
            return next(network for network in ranges if not any(map(network.overlaps, taken)))
        network = checked(IPv4Network, wanted)
        if not 16 <= network.prefixlen <= 28 or not any(map(network.subnet_of, PRIVATE)):
            refuse(f"ip_range {wanted} is not a private network from /16 to /28")
        if any(map(network.overlaps, taken)):
            refuse("This range/size overlaps with another VPC network in your account")
        return network

    def _show_vpc(self, vpc: State) -> State:
        return {"vpc": vpc}

    def _change_vpc(self, vpc: State) -> State:
        body = sent(VpcChange)
        unique(self.vpcs, body.name, "a VPC with this name already exists", vpc)
        vpc.update(body.model_dump(exclude_unset=True))
        return self._show_vpc(vpc)

    def _delete_vpc(self, vpc: State) -> Empty:
        if vpc["default"] or any(cluster["vpc_uuid"] == vpc["id"] for cluster in self.clusters.values()):
            abort(403, "Can not delete a VPC that has members or is the default of its region")
        del self.vpcs[vpc["id"]]
        return "", 204

    def _show_options(self) -> State:
        versions = [{"slug": slug, "kubernetes_version": slug.split("-")[0]} for slug in self.versions]
        regions, sizes = ([{"name": slug, "slug": slug} for slug in slugs] for slugs in (REGIONS, SIZES))
        return {"options": {"versions": versions, "regions": regions, "sizes": sizes}}

    def _list_clusters(self) -> State:
        return listed("kubernetes_clusters", [shown(cluster) for cluster in self.clusters.values()])

    def _create_cluster(self) -> Created:
        body = sent(NewCluster)
        known("region", body.region, REGIONS)
        known("version", body.version, self.versions)
        known("VPC", body.vpc_uuid, [vpc["id"] for vpc in self.vpcs.values() if vpc["region"] == body.region])
        unique(self.clusters, body.name, "a cluster with this name already exists")
        pools: list[State] = []
        for pool in body.node_pools:
            pools.append(new_pool(pool, pools))
        cluster = self.add_cluster(**{**body.model_dump(), "node_pools": pools})
        self._keep_tags(cluster, *pools)
        return self._show_cluster(cluster), 201

    def _keep_tags(self, *tagged: State) -> None:
        for name in chain.from_iterable(each["tags"] for each in tagged):
            if not name.startswith("terraform:"):
                self.tags.setdefault(name, {"name": name})

    def _show_cluster(self, cluster: State) -> State:
        return {"kubernetes_cluster": shown(cluster)}

    def _change_cluster(self, cluster: State) -> Created:
        changes = sent(ClusterChange).model_dump(exclude_unset=True)
        unique(self.clusters, changes["name"], "a cluster with this name already exists", cluster)
        if cluster["ha"] and not changes.get("ha", True):
            refuse("high availability cannot be disabled")
        if changes.get("control_plane_firewall") == {"enabled": None, "allowed_addresses": None}:
            del changes["control_plane_firewall"]
        cluster.update(changes)
        self._keep_tags(cluster)
        return self._show_cluster(cluster), 202

    def _delete_cluster(self, cluster: State) -> Empty:
        del self.clusters[cluster["id"]]
        self._unassign(f"do:kubernetes:{cluster['id']}")
        return "", 204

    def _show_credentials(self, cluster: State) -> State:
        seconds = checked(int, request.args.get("expiry_seconds", "0"))
        expires = datetime.now(UTC) + timedelta(seconds=seconds or 7 * 24 * 3600)
        certificates = {"client_certificate_data": None, "client_key_data": None}
        return {
            "server": self.kubernetes_server,
            "certificate_authority_data": b64encode(self.kubernetes_ca.encode()).decode(),
            **certificates,
            "token": self.kubernetes_token,
            "expires_at": expires.isoformat(),
        }

    def _upgrade(self, cluster: State) -> Empty:
        newer = self.versions[: self.versions.index(cluster["version"])]
        cluster["version"] = known("upgrade version", sent(Upgrade).version, newer)
        return "", 202

    def _create_pool(self, cluster: State) -> Created:
        pool = new_pool(sent(NodePool), cluster["node_pools"])
        cluster["node_pools"].append(pool)
        self._keep_tags(pool)
        return show_pool(cluster, pool), 201

    def _change_pool(self, cluster: State, pool: State) -> Created:
        changes = sent(NodePoolChange).model_dump(exclude_unset=True)
        others = {other["id"]: other for other in cluster["node_pools"]}
        unique(others, changes["name"], "a node pool with this name already exists", pool)
        pool.update(scaled(pool | changes))
        self._keep_tags(pool)
        return show_pool(cluster, pool), 202

    def _delete_pool(self, cluster: State, pool: State) -> Empty:
        cluster["node_pools"].remove(pool)
        return "", 204

    def _project(self, **settings: Any) -> State:
        owner = {"owner_uuid": str(uuid4()), "owner_id": 1, "created_at": TIME, "updated_at": TIME}
        defaults = {"description": "", "purpose": "Web Application", "environment": "", "is_default": False}
        return {"id": str(uuid4()), **owner, **defaults, "resources": [], **settings}

    def _create_project(self) -> Created:
        body = sent(NewProject)
        unique(self.projects, body.name, "name is already in use", status=409)
        project = self._project(**project_settings(body))
        self.projects[project["id"]] = project
        return show_project(project), 201

    def _change_project(self, project: State) -> State:
        body = sent(ProjectChange)
        unique(self.projects, body.name, "name is already in use", project, status=409)
        project.update(project_settings(body))
        return show_project(project)

    def _delete_project(self, project: State) -> Empty:
        if project["resources"] or project["is_default"]:
            abort(412, "cannot delete a project with resources. move or remove the resources first")
        del self.projects[project["id"]]
        return "", 204

    def _list_resources(self, project: State) -> State:
        return listed("resources", [assigned(urn, "ok") for urn in project["resources"]])

    def _assign(self, project: State) -> State:
        """Move resources into a project; what does not exist is reported, not refused (spec: project's resource.yml)."""
        answer: list[State] = []
        for urn in sent(Resources).resources:
            _, kind, name = urn.split(":", 2)
            exists = kind == "space" or name in self.clusters
            if exists:
                self._unassign(urn)
                project["resources"].append(urn)
            answer.append(assigned(urn, "assigned" if exists else "not_found"))
        return {"resources": answer}

    def _unassign(self, urn: str) -> None:
        for project in (self.default_project, *self.projects.values()):
            project["resources"] = [other for other in project["resources"] if other != urn]

    def _create_key(self) -> Created:
        body = granted()
        key = f"DO{uuid4().hex[:18].upper()}"
        secret = uuid4().hex
        self.spaces_keys[key] = {**body.model_dump(), "access_key": key, "secret_key": secret, "created_at": TIME}
        return {"key": self.spaces_keys[key]}, 201

    def _change_key(self, key: State) -> State:
        body = granted()
        if is_full(body.grants) != is_full([Grant(**grant) for grant in key["grants"]]):
            abort(400, "cannot convert a fullaccess key to a scoped key or vice versa")
        key.update(body.model_dump())
        return show_key(key)

    def _delete_key(self, key: State) -> Empty:
        del self.spaces_keys[key["access_key"]]
        return "", 204
