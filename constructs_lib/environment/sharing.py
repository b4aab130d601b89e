"""What two environments may not share, and what all must share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from constructs_lib.base.belonging import Claim, Own, claims
from constructs_lib.base.bucket import AppBucket
from constructs_lib.base.yaml_input import Document
from constructs_lib.environment.model import Environment


class _Held(NamedTuple):
    """A claim, and the file and environment that make it."""

    document: Document
    env: Environment
    claim: Claim


Loaded = Sequence[tuple[Document, Environment]]
"""Environments, each with the document that says it."""


def problems_between(loaded: Loaded) -> Iterator[str]:
    """Yield a sentence for each thing of its own that an environment names although it is taken already."""
    yield from _unnamed_subnets(loaded)
    held: dict[tuple[Any, ...], list[_Held]] = defaultdict(list)
    for document, env in loaded:
        for claim in (*claims(env), *_derived(env)):
            new, same = _Held(document, env, claim), held[claim.near]
            taken = next((other for other in same if _collide(new, other)), None)
            if taken is not None:
                yield _sentence(new, taken)
            same.append(new)
        first = loaded[0]
        if env.gitops != first[1].gitops:
            where = first[0].where("gitops")
            yield document.told(
                f"gitops: differs from {where}; all environments share one repository, make them equal: "
                "it may stand once, in _shared.yaml"
            )


def _derived(env: Environment) -> Iterator[Claim]:
    """Yield what an environment takes for itself by names that no setting says."""
    for purpose, bucket in env.buckets.items():
        if isinstance(purpose, AppBucket):
            key = f"applications.{purpose.application}.uses.bucket.{purpose.name}"
            yield Claim(key, Own("bucket"), bucket.bucket, (), common=False)


def _unnamed_subnets(loaded: Loaded) -> Iterator[str]:
    """Yield a sentence for each subnet that is left to DigitalOcean in a VPC of several: it knows one default."""
    shared = [(document, env) for document, env in loaded if env.cluster.network.vpc is not None]
    for document, env in shared:
        network = env.cluster.network
        others = [one for one, item in shared if item is not env and item.cluster.network.vpc == network.vpc]
        for key in ("cluster_subnet", "service_subnet"):
            if others and getattr(network, key) is None:
                yield document.told(
                    f"cluster.network.{key}: is missing, and {others[0].path} is in the same VPC; "
                    "name a range that no other cluster has"
                )


def _collide(new: _Held, other: _Held) -> bool:
    if not new.claim.meets(other.claim):
        return False
    common = new.claim.common and other.claim.common and new.claim.key == other.claim.key
    return not (common or _one_network(new, other))


def _one_network(new: _Held, other: _Held) -> bool:
    """Return whether this is the range of one VPC that exists, or of machines on which we make no network."""
    if new.claim.own.kind == "range" and "existing" in {new.env.cluster.provider, other.env.cluster.provider}:
        return True
    if not new.claim.key == other.claim.key == "vpc_range" or new.env.cluster.network.vpc is None:
        return False
    return (new.env.cluster.network.vpc, new.claim.value) == (other.env.cluster.network.vpc, other.claim.value)


def _sentence(new: _Held, taken: _Held) -> str:
    found, other = new.claim.value, taken.claim.value
    relation = "is already used by" if found == other else f"overlaps '{other}' of"
    where = f"{taken.document.where(taken.claim.key)} ({taken.claim.key})"
    return new.document.told(f"{new.claim.key}: '{found}' {relation} {where}; choose another {new.claim.own.kind}")
