"""The typed model of one environment, read from `environments/<name>.yaml`."""

from __future__ import annotations

import json
from functools import cached_property
from ipaddress import IPv4Network
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator

from constructs_lib.bucket import Bucket
from constructs_lib.component import Chart, Layer, Settings, in_order
from constructs_lib.errors import ConfigError, sentences
from constructs_lib.fields import (
    AgeRecipient,
    Branch,
    Certificate,
    ChartMirror,
    CheckName,
    Domain,
    GitHubName,
    HttpsUrl,
    KeyPath,
    KubernetesMinor,
    LabelKey,
    LabelValue,
    Name,
    Region,
    SecretName,
    Size,
    Tag,
    TimeOfDay,
    VaultName,
)
from constructs_lib.platform import Platform
from constructs_lib.yaml_input import read_mapping

ENVIRONMENTS = Path("environments")
"""Where the environment files are, seen from the folder in which a command runs."""

PRIVATE_RANGES = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
RESERVED_RANGES = tuple(map(IPv4Network, ("10.229.0.0/16", "10.244.0.0/16", "10.245.0.0/16", "10.246.0.0/24")))
"""Ranges that DigitalOcean keeps for itself, see docs/decisions/0004-networks.md."""

Tier = Literal["sandbox", "staging", "production"]
TIERS: tuple[Tier, ...] = ("sandbox", "staging", "production")
"""The order of promotion."""


class Taint(Settings):
    """A taint of every node in a pool."""

    key: LabelKey
    value: LabelValue
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]


class NodePool(Settings):
    """An autoscaled node pool."""

    size: Size = Field(description="Droplet size, such as s-4vcpu-8gb.")
    min_nodes: int = Field(ge=1, description="Nodes that always run.")
    max_nodes: int = Field(ge=1, le=512, description="Nodes at full load.")
    labels: dict[LabelKey, LabelValue] = Field(default_factory=dict, description="Further node labels.")
    taints: tuple[Taint, ...] = Field(default=(), description="Further node taints.")

    @model_validator(mode="after")
    def _in_bounds(self) -> Self:
        if self.min_nodes > self.max_nodes:
            raise ValueError(f"min_nodes must be at most max_nodes, found {self.min_nodes} and {self.max_nodes}")
        return self


class MaintenanceWindow(Settings):
    """When DigitalOcean may upgrade patch versions: four hours from `start_time` (UTC)."""

    day: Literal["any", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
    start_time: TimeOfDay


class Cluster(Settings):
    """A DOKS cluster."""

    name: Name = Field(description="Cluster name; the VPC, the project and the keys are named after it.")
    kubernetes_minor: KubernetesMinor = Field(
        description="Minor version; DigitalOcean keeps the patch version current."
    )
    high_availability: bool = Field(default=True, description="Replicated control plane; cannot be switched off later.")
    maintenance_window: MaintenanceWindow
    control_plane_allowed_addresses: tuple[IPv4Network, ...] = Field(
        default=(), description="Who may reach the API server; empty leaves it open to every address."
    )
    kubeconfig_expire_seconds: int = Field(
        default=3600, ge=600, le=604800, description="Life of the credentials that a plan reads."
    )
    protected: bool = Field(
        default=True, description="OpenTofu refuses to destroy the cluster, and what it made is kept."
    )
    allow_single_point_of_failure: bool = Field(
        default=False,
        description="Accept a production cluster without a replicated control plane or with one-node pools.",
    )
    tags: tuple[Tag, ...] = Field(default=(), description="Further DigitalOcean tags of the cluster and its nodes.")
    system_pool: NodePool = Field(description="Nodes for platform services, tainted CriticalAddonsOnly.")
    workload_pool: NodePool = Field(
        description="Nodes for applications, and for CoreDNS: its taints may not repel pods."
    )

    @model_validator(mode="after")
    def _room_for_dns(self) -> Self:
        if any(taint.effect != "PreferNoSchedule" for taint in self.workload_pool.taints):
            raise ValueError(
                "workload_pool.taints must all be PreferNoSchedule: the system pool is tainted too, "
                "and CoreDNS does not start in a cluster where every pool repels it"
            )
        return self


class StateBucket(Bucket):
    """The bucket for OpenTofu state."""

    use_lockfile: bool = Field(
        default=True,
        description="Lock with a file in the bucket; switch off if your Spaces region refuses conditional writes.",
    )


class Reviewers(Settings):
    """Who has to agree before a workflow runs against an environment: at most six (a limit of GitHub)."""

    teams: tuple[GitHubName, ...] = Field(default=(), description="Team slugs of the organisation.")
    users: tuple[GitHubName, ...] = Field(default=(), description="User names.")

    @model_validator(mode="after")
    def _few_enough(self) -> Self:
        if len(self.teams) + len(self.users) > 6:
            raise ValueError(f"names {len(self.teams) + len(self.users)} reviewers, GitHub allows 6; remove some")
        return self


class VaultLogin(Settings):
    """How a workflow logs in to Vault: with the token that GitHub signs for it (OpenID Connect)."""

    mount: KeyPath = Field(description="Where Vault's JWT auth method for GitHub is mounted.")
    role: VaultName = Field(description="The role, bound to the workflows' repository and branch.")


class VaultServer(Settings):
    """Where Vault is and how a workflow logs in."""

    address: HttpsUrl
    ca_bundle: Certificate | None = Field(
        default=None, description="PEM; leave out for a publicly trusted certificate."
    )
    ci: VaultLogin


class GitOpsVault(VaultServer):
    """Where Vault keeps what the bootstrap of the GitOps repository needs."""

    mount: KeyPath
    path: KeyPath = Field(description="GitHub token, DigitalOcean token, Spaces key and state passphrase.")


class GitOps(Settings):
    """The GitOps repository that Flux follows. All environments share it, so all files say the same here."""

    organisation: GitHubName
    repository: GitHubName
    infrastructure_repository: GitHubName | None = Field(
        default=None, description="The repository of these files: its environments get the same reviewers."
    )
    default_branch: Branch = "main"
    required_checks: tuple[CheckName, ...] = Field(
        default=("validate",), min_length=1, description="Status checks that a pull request must pass."
    )
    approvals: int = Field(default=1, ge=0, le=6, description="Reviews that a pull request needs.")
    recovery_recipient: AgeRecipient | None = Field(
        default=None, description="age public key, kept offline, that can decrypt every sealed secret."
    )
    actions_secrets: tuple[SecretName, ...] = Field(
        default=(), description="Actions secrets of the repository; their sealed values come as an OpenTofu variable."
    )
    state: StateBucket = Field(description="The bucket for the state of the gitops-repository stack.")
    vault: GitOpsVault

    @property
    def full_name(self) -> str:
        """The repository as `organisation/name`."""
        return f"{self.organisation}/{self.repository}"

    @property
    def ssh_url(self) -> str:
        """The address that Flux clones with its deploy key."""
        return f"ssh://git@github.com/{self.full_name}.git"


class ServiceAccountAuth(Settings):
    """Vault login with a service account token: `jwt` checks its signature, `kubernetes` asks the API server."""

    method: Literal["jwt", "kubernetes"]
    mount: KeyPath = Field(description="Where the auth method is mounted; one mount for each cluster.")
    role: VaultName
    audiences: tuple[VaultName, ...] = Field(default=("vault",), min_length=1, description="Audiences of the token.")


class AppRoleAuth(Settings):
    """Vault login with an AppRole. Its secret ID is never in a file: it comes as an OpenTofu variable."""

    method: Literal["approle"]
    mount: KeyPath
    role_id: VaultName = Field(description="The role's ID, which is no secret.")


class KvPaths(Settings):
    """Where the environment's secrets are in Vault's KV engine (version 2)."""

    mount: KeyPath
    flux: KeyPath = Field(description="Flux's deploy key and age key.")
    platform: KeyPath = Field(description="Below it, the credentials of the platform's services.")
    provisioning: KeyPath = Field(description="DigitalOcean token, Spaces key and state passphrase, for CI alone.")


class Vault(VaultServer):
    """The contract with the shared Vault: where it is, how a cluster logs in and what it may read."""

    auth: Annotated[ServiceAccountAuth | AppRoleAuth, Field(discriminator="method")]
    kv: KvPaths


class Environment(Settings):
    """All that differs between environments, and only that."""

    name: Name
    tier: Tier = Field(description="What the environment is for; production is held to stricter rules.")
    region: Region
    mode: Literal["render", "apply"] = Field(
        default="render", description="Whether Flux or OpenTofu applies the platform."
    )
    domain: Domain
    vpc_range: IPv4Network = Field(description="Private range of the VPC, /16 to /24; no two environments overlap.")
    cluster: Cluster
    gitops: GitOps
    reviewers: Reviewers = Reviewers()
    vault: Vault
    state: StateBucket = Field(description="The bucket for the state of this environment's stacks.")
    backups: Bucket = Field(description="The bucket for Postgres backups.")
    chart_mirror: ChartMirror | None = Field(
        default=None, description="One address that replaces every public chart repository."
    )
    sops_recipient: AgeRecipient | None = Field(
        default=None, description="age public key of the environment, whose private half is in Vault."
    )
    platform: Platform = Platform()

    @model_validator(mode="after")
    def _rules(self) -> Self:
        problems = [*self._network_problems(), *self._production_problems(), *self._alerting_problems()]
        if self.tier != "sandbox" and not (self.reviewers.teams or self.reviewers.users):
            problems.append(f"reviewers must name a team or a user in tier {self.tier}")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _network_problems(self) -> list[str]:
        if not any(self.vpc_range.subnet_of(private) for private in PRIVATE_RANGES):
            return [f"vpc_range must be private (RFC 1918), found {self.vpc_range}"]
        if not 16 <= self.vpc_range.prefixlen <= 24:
            return [f"vpc_range must be a /16 to /24, found {self.vpc_range}"]
        reserved = [str(taken) for taken in RESERVED_RANGES if self.vpc_range.overlaps(taken)]
        return [f"vpc_range {self.vpc_range} overlaps {reserved[0]}, which DigitalOcean reserves"] if reserved else []

    def _production_problems(self) -> list[str]:
        cluster = self.cluster
        if self.tier != "production" or cluster.allow_single_point_of_failure:
            return []
        weak = [] if cluster.high_availability else ["cluster.high_availability is false"]
        pools = {"system_pool": cluster.system_pool, "workload_pool": cluster.workload_pool}
        weak += [f"cluster.{name}.min_nodes is 1" for name, pool in pools.items() if pool.min_nodes == 1]
        advice = "raise it or set cluster.allow_single_point_of_failure: true"
        return [f"{problem} in production; {advice}" for problem in weak]

    def _alerting_problems(self) -> list[str]:
        observability = self.platform.observability
        if self.tier != "production" or not observability.has_metrics:
            return []
        return [
            f"platform.observability.alerting.{key} names no receiver in production; name one"
            for key in ("critical", "heartbeat")
            if not getattr(observability.alerting, key)
        ]

    def mirrored(self, chart: Chart) -> Chart:
        """Return `chart` as it is fetched in this environment: from the chart mirror if there is one."""
        return chart if self.chart_mirror is None else Chart(self.chart_mirror, chart.name, chart.version)

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The layers of all enabled components, each after those it needs.

        Raises `ConfigError` as `in_order` does.
        """
        enabled = (component for component in self.platform.components() if component.enabled)
        return tuple(in_order([layer for component in enabled for layer in component.layers(self)]))


def load(path: Path) -> Environment:
    """Return the environment that the file at `path` describes.

    Raises `ConfigError` with every problem of the file; the platform's layers are checked too.
    """
    data = read_mapping(path)
    try:
        environment = Environment.model_validate_json(json.dumps(data, default=str))
    except ValidationError as error:
        raise ConfigError(*sentences(str(path), error, data)) from None
    if environment.name != path.stem:
        raise ConfigError(f"{path}: name: must be '{path.stem}' like the file, found '{environment.name}'; rename one")
    try:
        _ = environment.layers
    except ConfigError as error:
        raise ConfigError(*(f"{path}: {problem}" for problem in error.problems)) from None
    return environment


def load_all(folder: Path = ENVIRONMENTS) -> tuple[Environment, ...]:
    """Return the environments of all `*.yaml` files in `folder`, in the order of promotion, then by name.

    Raises `ConfigError` with every problem of every file, and those between files.
    """
    paths = sorted(folder.glob("*.yaml"))
    if not paths:
        raise ConfigError(
            f"{folder}: no environment file found; add {folder}/<name>.yaml or run from the project's folder"
        )
    environments: list[Environment] = []
    problems: list[str] = []
    for path in paths:
        try:
            environments.append(load(path))
        except ConfigError as error:
            problems += error.problems
    problems += _problems_between(folder, environments)
    if problems:
        raise ConfigError(*problems)
    return tuple(sorted(environments, key=lambda env: (TIERS.index(env.tier), env.name)))


def _owned(env: Environment) -> dict[str, tuple[str, str]]:
    """Return the kind and name of what belongs to one environment alone, by its key in the file."""
    buckets = {
        "state.bucket": env.state,
        "backups.bucket": env.backups,
        "platform.observability.traces.bucket": env.platform.observability.traces.bucket,
    }
    named = {key: ("bucket", bucket.bucket) for key, bucket in buckets.items() if bucket is not None}
    return {"cluster.name": ("cluster", env.cluster.name), **named}


def _problems_between(folder: Path, environments: list[Environment]) -> list[str]:
    """Return what two environments may not share, and what all must share, a sentence for each."""
    problems: list[str] = []
    owners: dict[tuple[str, str], str] = {}
    for position, env in enumerate(environments):
        file = folder / f"{env.name}.yaml"
        for key, owned in _owned(env).items():
            if owned in owners:
                problems.append(
                    f"{file}: {key}: '{owned[1]}' is already used by {owners[owned]}; choose another {owned[0]}"
                )
            owners.setdefault(owned, f"{file} ({key})")
        for other in environments[:position]:
            if env.vpc_range.overlaps(other.vpc_range):
                taken = f"{other.vpc_range} of {folder / other.name}.yaml"
                problems.append(f"{file}: vpc_range: {env.vpc_range} overlaps {taken}; choose another range")
        if env.gitops != environments[0].gitops:
            first = folder / f"{environments[0].name}.yaml"
            problems.append(
                f"{file}: gitops: differs from {first}; all environments share one repository, make them equal"
            )
        if ("bucket", env.gitops.state.bucket) in _owned(env).values():
            problems.append(
                f"{file}: gitops.state.bucket: '{env.gitops.state.bucket}' is used twice; choose another bucket"
            )
    return problems
