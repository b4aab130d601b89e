"""The typed model of one environment."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from ipaddress import IPv4Network
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from constructs_lib.applications import Applications
from constructs_lib.base.belonging import COMMON, Own
from constructs_lib.base.bucket import AnyPurpose, Bucket, BucketPurpose, ReachedBucket, TrustedBucket
from constructs_lib.base.change import ANOTHER_CLUSTER, FREE, FREELY, Change, Rule, refused, replaces, rolls, steps
from constructs_lib.base.errors import ConfigError
from constructs_lib.base.fields import AgeRecipient, ChartMirror, Domain, Name, Range, S3Region
from constructs_lib.base.github_fields import RunnerLabel
from constructs_lib.base.purpose import Purpose
from constructs_lib.base.sentences import Problems
from constructs_lib.base.settings import Settings
from constructs_lib.base.stacks import StackKind
from constructs_lib.environment import applications, rules
from constructs_lib.environment.cluster import Cluster
from constructs_lib.environment.dns import Dns
from constructs_lib.environment.existing import SomeCluster
from constructs_lib.environment.network import RESERVED_RANGES, inside, neighbour_problems, range_problems
from constructs_lib.environment.repository import AnyStateBucket, GitOps, Reviewers
from constructs_lib.environment.vault import Vault
from constructs_lib.kit import Chart, Inside, Layer, Rendered
from constructs_lib.platform import Platform

BOOTSTRAP_ENVIRONMENT = "bootstrap"
"""The GitHub environment of the bootstrap, with the reviewers of the last tier: it makes keys for all environments."""

PLAN_SUFFIX = "-plan"
"""How the names of the GitHub environments end in which nothing can be changed."""

STATES_STAY = "states are not moved between a bucket and the folder states"

Tier = Literal["sandbox", "staging", "production"]
TIERS: tuple[Tier, ...] = ("sandbox", "staging", "production")
"""The order of promotion."""


def out_of_apply_mode(old: str, new: str) -> Rule:
    """From apply to render by steps; the other way is refused."""
    if (old, new) == ("apply", "render"):
        return steps("what OpenTofu applied has to end first", "change-an-environment")
    return refused("OpenTofu would install what Flux has; add another environment and move to it")


class Environment(Settings):
    """All that differs between environments, and only that."""

    name: Annotated[
        Name, Own("name"), Change(refused("an environment keeps its name; add another and remove this one"))
    ]
    tier: Annotated[Tier, Change(rolls("what production places more strictly"))] = Field(
        description="What the environment is for; production is held to stricter rules."
    )
    region: Annotated[S3Region, ANOTHER_CLUSTER] = Field(
        description="Where the cluster is: a region of DigitalOcean, or what telemetry is to say of another cluster."
    )
    mode: Annotated[
        Literal["render", "apply"],
        Change(
            refused("both would own the same objects; add another environment and move to it"),
            judge=out_of_apply_mode,
        ),
    ] = Field(default="render", description="Whether Flux or OpenTofu applies the platform.")
    domain: Annotated[
        Domain, Own("domain"), Change(rolls("what has a host, whose certificate, records and address change"))
    ]
    dns: Dns = Dns()
    vpc_range: Annotated[Range, Own("range"), ANOTHER_CLUSTER] = Field(
        description="Range of the nodes: of the VPC, /16 to /24, that only one VPC has; or of an existing cluster's."
    )
    cluster: SomeCluster
    gitops: Annotated[
        GitOps,
        COMMON,
        Change(refused("the clusters follow the old repository, and its state stays where it is; keep it")),
    ]
    source: Annotated[
        TrustedBucket | None, Change(refused("Flux would follow the old source until it is installed anew; keep it"))
    ] = Field(
        default=None, description="A bucket that holds the rendered tree, which Flux follows instead of the repository."
    )
    reviewers: Annotated[Reviewers, FREELY] = Reviewers()
    runner: Annotated[RunnerLabel, COMMON, FREELY] = Field(
        default="ubuntu-24.04", description="Label of the runners of the jobs that reach the environment."
    )
    vault: Annotated[Vault, Change(rolls("External Secrets; its secrets have to be there before"))]
    state: Annotated[
        AnyStateBucket | None,
        Change(FREE, added=refused(f"{STATES_STAY}; keep null"), removed=refused(f"{STATES_STAY}; keep the bucket")),
    ] = Field(description="The bucket for the state of this environment's stacks; null keeps it in the folder states.")
    backups: Annotated[
        ReachedBucket,
        Change(replaces("the archive: Postgres archives elsewhere, and recovers no older time from there")),
    ] = Field(description="The bucket for Postgres backups.")
    chart_mirror: Annotated[ChartMirror | None, FREELY] = Field(
        default=None,
        description="One address that replaces every public chart repository; an oci:// one holds signatures too.",
    )
    sops_recipient: Annotated[
        AgeRecipient | None,
        Own("age key"),
        Change(steps("what is sealed for the old key has to be sealed anew", "seal-a-secret"), added=FREE),
    ] = Field(default=None, description="age public key of the environment, whose private half is in Vault.")
    applications: Applications = Field(default_factory=dict, description="Who uses the platform, and how.")
    platform: Platform = Platform()

    @model_validator(mode="after")
    def _rules(self) -> Self:
        problems = [*range_problems(self.ranges), *neighbour_problems(self.vpc_range, self.cluster.network)]
        problems += [*rules.production(self.tier, self.cluster), *rules.alerting(self.tier, self.platform)]
        problems += rules.digitalocean(self.cluster, self.region, self.state)
        problems += rules.source(self.cluster, self.tier, self.source, backups=self.backups, state=self.state)
        problems += [*rules.version(self.cluster, self.platform), *rules.runners(self.runner, self.cluster)]
        problems += rules.records(self.domain, self.zone, self.dns, self.platform)
        problems += applications.problems(self.applications, self.platform)
        problems += applications.bucket_problems(self.applications, self.cluster)
        for cluster in self.platform.cloudnative_pg.clusters:
            cluster.check_recovery(self.cluster.generation)
        if self.name == BOOTSTRAP_ENVIRONMENT or self.name.endswith(PLAN_SUFFIX):
            taken = f"which GitHub environments of our own have ('{BOOTSTRAP_ENVIRONMENT}', '<name>{PLAN_SUFFIX}')"
            problems.append(f"name is '{self.name}', {taken}; choose another")
        if self.tier != "sandbox" and not (self.reviewers.teams or self.reviewers.users):
            problems.append(f"reviewers must name a team or a user in tier {self.tier}")
        if problems:
            raise Problems(problems)
        return self

    @property
    def doks(self) -> Cluster:
        """The cluster that DigitalOcean makes. Raises `ConfigError` for one that is there already."""
        if self.cluster.provider == "existing":
            found = "cluster.provider is existing, and this is for clusters that DigitalOcean makes"
            raise ConfigError(f"environments/{self.name}.yaml: {found}; leave it out for {self.name}")
        return self.cluster

    @property
    def ranges(self) -> dict[str, IPv4Network]:
        """The address ranges that the cluster is given, by their key in the file; one that exists has its own."""
        if self.cluster.provider == "existing":
            return {}
        return {"vpc_range": self.vpc_range, **self.cluster.network.subnets()}

    @property
    def inside(self) -> Inside:
        """The addresses of its nodes, pods and Services."""
        reserved = RESERVED_RANGES if self.cluster.provider == "digitalocean" else ()
        return inside(self.vpc_range, self.cluster.network, reserved)

    def mirrored(self, chart: Chart) -> Chart:
        """Return `chart` as it is fetched in this environment: from the chart mirror if there is one."""
        return chart if self.chart_mirror is None else replace(chart, repository=self.chart_mirror)

    def stack(self, kind: StackKind) -> str:
        """Return the name of a stack of this environment."""
        return f"{self.name}-{kind}"

    @property
    def buckets(self) -> dict[AnyPurpose, Bucket]:
        """The buckets that are made for this environment: none beside a cluster that exists."""
        if self.cluster.provider == "existing" or self.state is None:
            return {}
        backups = None if self.backups.elsewhere else self.backups
        traces = self.platform.observability.traces.bucket
        wanted = {BucketPurpose.STATE: self.state, BucketPurpose.BACKUPS: backups, BucketPurpose.TRACES: traces}
        purposes = (purpose for app in self.applications.values() for purpose in app.buckets)
        theirs = {one: Bucket(bucket=self.key_name(one), region=self.state.region) for one in purposes}
        return {purpose: bucket for purpose, bucket in wanted.items() if bucket is not None} | theirs

    @property
    def deploy_key_title(self) -> str:
        """The name of the deploy key by which the cluster reads the GitOps repository."""
        return f"flux-{self.name}"

    def key_name(self, purpose: AnyPurpose) -> str:
        """Return the name of the key of a bucket, which an application's bucket itself has too."""
        return f"{self.cluster.name}-{purpose}"

    def github_environment(self, purpose: Purpose) -> str:
        """Return the GitHub environment in which jobs of a purpose run: that of `apply` asks the reviewers."""
        match purpose:
            case Purpose.PLAN | Purpose.DRIFT:
                return f"{self.name}{PLAN_SUFFIX}"
            case Purpose.BOOTSTRAP:
                return BOOTSTRAP_ENVIRONMENT
            case _:
                return self.name

    @property
    def zone(self) -> str:
        """The zone that has the domain's records."""
        return self.dns.zone or self.domain

    @property
    def ingress_host(self) -> str:
        """The host by which the load balancer is known: its Service's status names it instead of an address."""
        return f"{applications.INGRESS_LABEL}.{self.domain}"

    @property
    def balancer(self) -> str:
        """The name of the load balancer that DigitalOcean makes for the ingress."""
        return f"{self.cluster.name}-ingress"

    @property
    def stacks(self) -> tuple[StackKind, ...]:
        """The stacks that this environment has, each after those it needs."""
        made = self.cluster.provider == "digitalocean"
        records = made and self.platform.traefik.enabled and self.dns.zone_at == "digitalocean"
        has = {
            StackKind.STATE: made,
            StackKind.CLUSTER: made,
            StackKind.PLATFORM: self.mode == "apply",
            StackKind.DNS: records,
        }
        return tuple(kind for kind in StackKind if has.get(kind, True))

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The layers of all enabled components, each after those it needs.

        Raises `ConfigError` as `in_order` does.
        """
        return tuple(self.platform.layers(self))

    @cached_property
    def rendered(self) -> Rendered:
        """What the layers hold, by name."""
        return Rendered(self.layers)
