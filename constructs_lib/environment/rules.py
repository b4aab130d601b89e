"""What settings ask of each other, wherever they stand in the file."""

from __future__ import annotations

from constructs_lib.base import formats
from constructs_lib.base.bucket import AnyBucket, TrustedBucket
from constructs_lib.environment.dns import Dns
from constructs_lib.environment.existing import SomeCluster
from constructs_lib.environment.repository import AnyStateBucket
from constructs_lib.platform import Platform
from constructs_lib.platform.valkey_operator.admission import KUBERNETES

GITHUB_HOSTED = ("ubuntu-", "windows-", "macos-")
"""How the labels of GitHub's own runners begin (docs.github.com, "GitHub-hosted runners")."""


def production(tier: str, cluster: SomeCluster) -> list[str]:
    """Say what fails with one node, in production."""
    if tier != "production" or cluster.allow_single_point_of_failure:
        return []
    advice = "raise it or set cluster.allow_single_point_of_failure: true"
    return [f"{problem} in production; {advice}" for problem in cluster.single_points()]


def digitalocean(cluster: SomeCluster, region: str, state: AnyStateBucket | None) -> list[str]:
    """Say what is not DigitalOcean's beside a cluster of it."""
    if cluster.provider == "existing":
        return []
    problems = [f"region '{region}' {problem}"] if (problem := formats.region(region)) else []
    if state is None:
        problems.append("state is null, as only an existing cluster's may be: workflows share it; name a bucket")
    elif state.elsewhere:
        problems.append("state.address is only for an existing cluster: the bucket is made on Spaces; leave it out")
    return problems


def source(cluster: SomeCluster, tier: str, source: TrustedBucket | None, **others: AnyBucket | None) -> list[str]:
    """Say where a tree may not come from a bucket, in which nobody reviews it and of which nothing is promoted.

    `others` are the environment's buckets that pods and workflows write to, by their keys in the file.
    """
    if source is None:
        return []
    problems = ["source is for an existing cluster, found one of DigitalOcean; leave it out"]
    problems = problems if cluster.provider == "digitalocean" else []
    if tier != "sandbox":
        problems.append(f"source is for the tier sandbox: a bucket has no review, found tier {tier}; leave it out")
    if not source.elsewhere:
        problems.append("source.address is missing: Flux needs the address of the S3 server; add it")
    for key, other in others.items():
        if other is not None and (other.endpoint, other.bucket) == (source.endpoint, source.bucket):
            taken = (
                f"source is the bucket of {key}, '{source.bucket}': who writes there would be Flux, which may do all"
            )
            problems.append(f"{taken}; give the tree a bucket and a key of its own")
    return problems


def alerting(tier: str, platform: Platform) -> list[str]:
    """Say of whom nobody thought who is to hear of production."""
    observability = platform.observability
    if tier != "production" or not observability.has_metrics:
        return []
    return [
        f"platform.observability.alerting.{key} names no receiver in production; name one"
        for key in ("critical", "heartbeat")
        if not getattr(observability.alerting, key)
    ]


def version(cluster: SomeCluster, platform: Platform) -> list[str]:
    """Say what a cluster of this version cannot run."""
    valkey, found = platform.valkey_operator, cluster.kubernetes_minor
    if not (valkey.enabled and valkey.clusters) or found >= KUBERNETES:
        return []
    needs = f"platform.valkey_operator.clusters needs cluster.kubernetes_minor '{KUBERNETES}' or later, found '{found}'"
    return [f"{needs}: before, no cluster client can connect; raise it or remove the clusters"]


def records(domain: str, zone: str, dns: Dns, platform: Platform) -> list[str]:
    """Say what would write records where there is no zone for them."""
    if not f".{domain}".endswith(f".{zone}"):
        return [f"dns.zone must be the domain {domain} or a parent of it, found '{zone}'"]
    if dns.zone_at == "digitalocean":
        return []
    challenge = platform.cert_manager.dns_challenge if platform.cert_manager.enabled else None
    writers = {
        "platform.external_dns.enabled": ("false", platform.external_dns.enabled),
        "platform.cert_manager.dns_challenge": (
            "null, or to the zone's provider",
            challenge is not None and challenge.provider == "digitalocean",
        ),
    }
    return [
        f"{key} writes into a zone at DigitalOcean, and dns.zone_at is elsewhere; set it to {other}"
        for key, (other, on) in writers.items()
        if on
    ]


def runners(runner: str, cluster: SomeCluster) -> list[str]:
    """Say that jobs would not reach the API server."""
    if cluster.provider == "existing" or not cluster.control_plane_allowed_addresses:
        return []
    if not runner.startswith(GITHUB_HOSTED):
        return []
    closed = "cluster.control_plane_allowed_addresses lets in no runner that GitHub hosts, whose addresses change"
    return [f"{closed}, and runner is '{runner}'; name the label of runners with an address that is let in"]
