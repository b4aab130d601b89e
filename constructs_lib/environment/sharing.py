"""What two environments may not share, and what all must share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from constructs_lib.base.belonging import Claim, claims
from constructs_lib.environment.model import Environment


class _Held(NamedTuple):
    """A claim, and the file and environment that make it."""

    file: Path
    env: Environment
    claim: Claim


def problems_between(folder: Path, environments: Sequence[Environment]) -> Iterator[str]:
    """Yield a sentence for each thing of its own that an environment names although it is taken already."""
    yield from _unnamed_subnets(folder, environments)
    held: dict[tuple[Any, ...], list[_Held]] = defaultdict(list)
    for env in environments:
        file = folder / f"{env.name}.yaml"
        for claim in claims(env):
            new, same = _Held(file, env, claim), held[claim.own.kind, claim.scope]
            taken = next((other for other in same if _collide(new, other)), None)
            if taken is not None:
                yield _sentence(new, taken)
            same.append(new)
        if env.gitops != environments[0].gitops:
            first = folder / f"{environments[0].name}.yaml"
            yield f"{file}: gitops: differs from {first}; all environments share one repository, make them equal"


def _unnamed_subnets(folder: Path, environments: Sequence[Environment]) -> Iterator[str]:
    """Yield a sentence for each subnet that is left to DigitalOcean in a VPC of several: it knows one default."""
    for env in environments:
        network = env.cluster.network
        others = [item for item in environments if item is not env and item.cluster.network.vpc == network.vpc]
        for key in ("cluster_subnet", "service_subnet"):
            if network.vpc is not None and others and getattr(network, key) is None:
                yield (
                    f"{folder / f'{env.name}.yaml'}: cluster.network.{key}: is missing, and "
                    f"{folder / f'{others[0].name}.yaml'} is in the same VPC; name a range that no other cluster has"
                )


def _collide(new: _Held, other: _Held) -> bool:
    common = new.claim.common and other.claim.common and new.claim.key == other.claim.key
    return not (common or _one_network(new, other)) and new.claim.meets(other.claim)


def _one_network(new: _Held, other: _Held) -> bool:
    """Return whether this is the range of one VPC that exists, in which both environments are."""
    if not new.claim.key == other.claim.key == "vpc_range" or new.env.cluster.network.vpc is None:
        return False
    return (new.env.cluster.network.vpc, new.claim.value) == (other.env.cluster.network.vpc, other.claim.value)


def _sentence(new: _Held, taken: _Held) -> str:
    found, other = new.claim.value, taken.claim.value
    relation = "is already used by" if found == other else f"overlaps '{other}' of"
    where = f"{taken.file} ({taken.claim.key})"
    return f"{new.file}: {new.claim.key}: '{found}' {relation} {where}; choose another {new.claim.own.kind}"
