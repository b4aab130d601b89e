"""The network of a cluster: what exists already, and the ranges of its pods and Services."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network
from typing import Annotated, Self

from pydantic import Field, model_validator

from constructs_lib.base.belonging import COMMON, Own
from constructs_lib.base.change import FREE, Change, rolls
from constructs_lib.base.fields import Range, Uuid, VpcName
from constructs_lib.base.settings import Settings
from constructs_lib.kit import Inside

PRIVATE_RANGES = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
RESERVED_RANGES = tuple(map(IPv4Network, ("10.229.0.0/16", "10.244.0.0/16", "10.245.0.0/16", "10.246.0.0/24")))
"""Ranges that DigitalOcean keeps for itself, see docs/decisions/0004-networks.md."""

ADDRESSES_PER_NODE = 128
"""How much of `cluster_subnet` a node takes, see docs/decisions/0004-networks.md."""

SIZES = {"vpc_range": (16, 24), "cluster.network.cluster_subnet": (10, 20), "cluster.network.service_subnet": (12, 24)}
"""The largest and the smallest prefix of each range, see docs/decisions/0004-networks.md."""


class ExistingVpc(Settings):
    """A VPC that is there already, in the same region."""

    name: Annotated[VpcName | None, COMMON] = None
    id: Annotated[Uuid | None, COMMON] = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.name is None) == (self.id is None):
            raise ValueError("needs either name or id")
        return self


class Network(Settings):
    """What a cluster finds instead of making it, and its own ranges, which cannot be changed later."""

    vpc: ExistingVpc | None = Field(
        default=None, description="A VPC that exists, whose range is vpc_range; without it one is made."
    )
    cluster_subnet: Annotated[Range | None, Own("range")] = Field(
        default=None, description="Range of the pods; if not set, DigitalOcean chooses."
    )
    service_subnet: Annotated[Range | None, Own("range")] = Field(
        default=None, description="Range of the Services; if not set, DigitalOcean chooses."
    )
    neighbours: Annotated[
        tuple[Range, ...], COMMON, Change(FREE, removed=rolls("nothing, but pods no longer reach it"))
    ] = Field(
        default=(), description="Parts of vpc_range that pods may reach, for they hold no nodes but, say, a Vault."
    )

    def check_nodes(self, most: int) -> None:
        """Raise `ValueError` unless the pods of `most` nodes find addresses."""
        subnet = self.cluster_subnet
        if subnet is not None and subnet.num_addresses // ADDRESSES_PER_NODE < most:
            raise ValueError(
                f"network.cluster_subnet {subnet} has room for {subnet.num_addresses // ADDRESSES_PER_NODE} nodes, "
                f"and pools may grow to {most}; widen it or lower max_nodes"
            )

    def subnets(self) -> dict[str, IPv4Network]:
        """Return the ranges that are named, by their key in the file."""
        found = {"cluster_subnet": self.cluster_subnet, "service_subnet": self.service_subnet}
        return {f"cluster.network.{key}": subnet for key, subnet in found.items() if subnet is not None}


def inside(vpc_range: IPv4Network, network: Network, reserved: Iterable[IPv4Network]) -> Inside:
    """Return what is not the internet: nodes, pods and Services, also in what the cluster's maker keeps for itself."""
    ranges = (vpc_range, *network.subnets().values(), *reserved)
    return Inside(tuple(map(str, ranges)), tuple(map(str, network.neighbours)))


def neighbour_problems(vpc_range: IPv4Network, network: Network) -> list[str]:
    """Return what is wrong with the neighbours of a cluster."""
    key = "cluster.network.neighbours"
    outside = (found for found in network.neighbours if found == vpc_range or not found.subnet_of(vpc_range))
    return [
        f"{key} must be a part of vpc_range {vpc_range}, found {found}; leave it out: what is elsewhere is reached"
        for found in outside
    ]


def range_problems(ranges: dict[str, IPv4Network]) -> list[str]:
    """Return what is wrong with the ranges of a cluster, by their keys in the file."""
    return [problem for key in ranges if (problem := next(_problems(key, ranges), None))]


def _problems(key: str, ranges: dict[str, IPv4Network]) -> Iterator[str]:
    found, (largest, smallest) = ranges[key], SIZES[key]
    if not any(found.subnet_of(private) for private in PRIVATE_RANGES):
        yield f"{key} must be private (RFC 1918), found {found}"
    if not largest <= found.prefixlen <= smallest:
        yield f"{key} must be a /{largest} to /{smallest}, found {found}"
    for taken in RESERVED_RANGES:
        if found.overlaps(taken):
            yield f"{key} {found} overlaps {taken}, which DigitalOcean reserves"
    for other in list(ranges)[: list(ranges).index(key)]:
        if found.overlaps(ranges[other]):
            yield f"{key} {found} overlaps {other} {ranges[other]}; choose another range"
