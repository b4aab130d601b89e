"""The typed model of one environment."""

from __future__ import annotations

from functools import cached_property
from ipaddress import IPv4Network
from typing import Literal, Self

from pydantic import Field, model_validator

from constructs_lib.base.bucket import Bucket, BucketPurpose
from constructs_lib.base.fields import AgeRecipient, ChartMirror, Domain, Name, Region
from constructs_lib.base.settings import Settings
from constructs_lib.base.stacks import StackKind
from constructs_lib.environment.cluster import ROLES, Cluster
from constructs_lib.environment.network import range_problems
from constructs_lib.environment.repository import GitOps, Reviewers, StateBucket
from constructs_lib.environment.vault import Vault
from constructs_lib.kit import Chart, Layer, Rendered
from constructs_lib.platform import Platform
from constructs_lib.platform.valkey_operator.admission import KUBERNETES

Tier = Literal["sandbox", "staging", "production"]
TIERS: tuple[Tier, ...] = ("sandbox", "staging", "production")
"""The order of promotion."""


class Environment(Settings):
    """All that differs between environments, and only that."""

    name: Name
    tier: Tier = Field(description="What the environment is for; production is held to stricter rules.")
    region: Region
    mode: Literal["render", "apply"] = Field(
        default="render", description="Whether Flux or OpenTofu applies the platform."
    )
    domain: Domain
    vpc_range: IPv4Network = Field(description="Private range of the VPC, /16 to /24; only one VPC has it.")
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
        problems = [*range_problems(self.ranges), *self._production_problems(), *self._alerting_problems()]
        problems += self._version_problems()
        if self.tier != "sandbox" and not (self.reviewers.teams or self.reviewers.users):
            problems.append(f"reviewers must name a team or a user in tier {self.tier}")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _production_problems(self) -> list[str]:
        cluster = self.cluster
        if self.tier != "production" or cluster.allow_single_point_of_failure:
            return []
        weak = [] if cluster.high_availability else ["cluster.high_availability is false"]
        least = {role: cluster.least_nodes(role) for role in ROLES}
        weak += [
            f"cluster.pools of role '{role}' have min_nodes of {nodes}" for role, nodes in least.items() if nodes < 2
        ]
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

    def _version_problems(self) -> list[str]:
        valkey, found = self.platform.valkey_operator, self.cluster.kubernetes_minor
        if not (valkey.enabled and valkey.clusters) or found >= KUBERNETES:
            return []
        needs = (
            f"platform.valkey_operator.clusters needs cluster.kubernetes_minor '{KUBERNETES}' or later, found '{found}'"
        )
        return [f"{needs}: before, no cluster client can connect; raise it or remove the clusters"]

    @property
    def ranges(self) -> dict[str, IPv4Network]:
        """The address ranges of the cluster that the file names, by their key in it."""
        return {"vpc_range": self.vpc_range, **self.cluster.network.subnets()}

    def mirrored(self, chart: Chart) -> Chart:
        """Return `chart` as it is fetched in this environment: from the chart mirror if there is one."""
        return chart if self.chart_mirror is None else Chart(self.chart_mirror, chart.name, chart.version)

    def stack(self, kind: StackKind) -> str:
        """Return the name of a stack of this environment."""
        return f"{self.name}-{kind}"

    @property
    def buckets(self) -> dict[BucketPurpose, Bucket]:
        """The buckets of this environment."""
        buckets = {BucketPurpose.STATE: self.state, BucketPurpose.BACKUPS: self.backups}
        traces = self.platform.observability.traces.bucket
        return buckets if traces is None else {**buckets, BucketPurpose.TRACES: traces}

    def key_name(self, purpose: BucketPurpose) -> str:
        """Return the name of the key that may read and write a bucket."""
        return f"{self.cluster.name}-{purpose}"

    @property
    def vault_policy(self) -> str:
        """The name of the policy in Vault by which the cluster reads its entries; Vault's owner writes it."""
        return f"{self.cluster.name}-external-secrets"

    @property
    def stacks(self) -> tuple[StackKind, ...]:
        """The stacks that this environment has, each after those it needs."""
        return tuple(kind for kind in StackKind if kind is not StackKind.PLATFORM or self.mode == "apply")

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
