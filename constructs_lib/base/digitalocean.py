"""What DigitalOcean offers, by the names that its API takes. What is new there is added here.

Sources: docs.digitalocean.com, Regional availability and Droplet plans; answers of `/v2/regions` and `/v2/sizes` that
people show in public.
"""

from __future__ import annotations

import re

REGIONS = (
    *("ams3", "atl1", "blr1", "fra1", "lon1", "mem1", "mkc1", "nyc1", "nyc2", "nyc3", "ric1", "sfo2", "sfo3", "sgp1"),
    *("syd1", "tor1"),
)

GPU_SIZE = "gpu-"
"""How the names of sizes with GPUs begin; which there are changes too often to be listed."""

_GENERAL = ((2, 8), (4, 16), (8, 32), (16, 64), (32, 128), (40, 160), (48, 192), (60, 240))
_OPTIMISED = ((2, 4), (4, 8), (8, 16), (16, 32), (32, 64), (48, 96), (60, 120))
_SHARED = ((1, 2), (1, 3), (2, 2), (2, 4), (2, 8), (4, 8), (4, 16), (6, 16), (8, 16), (8, 32), (12, 48), (16, 64))
_SHARED_BEFORE = ((20, 96), (24, 128), (32, 192))
_WITH_MEMORY = ((2, 16), (4, 32), (8, 64), (16, 128), (24, 192), (32, 256))

CORES_AND_GIB = {
    f"{family}-{cores}vcpu-{gib}gb": (cores, gib)
    for family, sizes in {
        "s": (*_SHARED, *_SHARED_BEFORE),
        "g": _GENERAL,
        "gd": _GENERAL,
        "c2": _OPTIMISED,
        "m": _WITH_MEMORY,
        "m3": _WITH_MEMORY,
        "m6": _WITH_MEMORY,
        "so": _WITH_MEMORY,
        "so1_5": _WITH_MEMORY,
    }.items()
    for cores, gib in sizes
} | {f"c-{cores}": (cores, gib) for cores, gib in _OPTIMISED}
"""The cores and the GiB of each Droplet size."""

_PROCESSOR = re.compile(r"((?<=gb)-\d+gb)?-(amd|intel)$")
"""How the name of a size ends that says who made its processors, and how large its disk is."""


def cores_and_gib(size: str) -> tuple[int, int] | None:
    """Return the cores and the GiB of a Droplet size; nothing for one that is not listed."""
    return CORES_AND_GIB.get(_PROCESSOR.sub("", size))


def is_offered(size: str) -> bool:
    """Say whether a Droplet size is listed, or has GPUs."""
    return size.startswith(GPU_SIZE) or cores_and_gib(size) is not None
