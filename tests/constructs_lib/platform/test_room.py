"""What the platform of the sandbox asks for has room on the nodes that its system pool always has.

An estimate that errs on the large side: every request in values and objects once (in the sandbox each has one pod), and
what no file here says: Flux, RabbitMQ's operators (`requests` of their releases) and DigitalOcean's own pods.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from constructs_lib.base.quantities import Memory
from tests.support import environment

CORES_FREE, MEMORY_FREE = 0.95, 0.75
"""The share of a small node that DigitalOcean leaves to pods; rounded down, to be measured on a live node."""
ELSEWHERE = (1200, 1800)
"""Millicores and MiB: Flux 500 and 384, RabbitMQ's operators 300 and 600, DigitalOcean's pods the rest."""


def requests(data: Any) -> Iterator[dict[str, str]]:
    """Yield every `requests` of CPU and memory below some data."""
    if isinstance(data, dict):
        found = data.get("requests")
        if isinstance(found, dict) and "memory" in found:
            yield found
        for value in data.values():
            yield from requests(value)
    elif isinstance(data, list):
        for value in data:
            yield from requests(value)


def millicores(text: str) -> int:
    """Return an amount of CPU such as `50m` or `2` in thousandths of a core."""
    return int(text.removesuffix("m")) if text.endswith("m") else 1000 * int(text)


def test_the_platform_of_the_sandbox_fits_on_its_nodes() -> None:
    env = environment()
    (pool,) = env.doks.with_role("system").values()
    cores, gibibytes = (int(part.rstrip("vcpugb")) for part in pool.size.split("-")[1:])
    lasting = [layer.manifests for layer in env.layers]
    items: list[Any] = [item for found in lasting for item in found if item["kind"] not in ("CronJob", "Job")]
    items += [one.values for layer in env.layers for one in layer.releases]
    asked = [one for item in items for one in requests(item)]
    assert len(asked) > 20
    cpu = sum(millicores(one["cpu"]) for one in asked) + ELSEWHERE[0]
    memory = sum(Memory(one["memory"]).mebibytes for one in asked) + ELSEWHERE[1]
    assert cpu <= pool.min_nodes * cores * 1000 * CORES_FREE
    assert memory <= pool.min_nodes * gibibytes * 1024 * MEMORY_FREE
