"""What a node has for pods, by its Droplet size, and what DigitalOcean's own pods ask of it.

Sources: docs.digitalocean.com, Kubernetes limits (Allocatable memory, edited on 10 November 2025) and Droplet plans;
nodes that people show in public (`kubectl describe node` of DOKS 1.24 to 1.36) where they say it in MiB.
"""

from __future__ import annotations

from constructs_lib.base.digitalocean import cores_and_gib
from constructs_lib.environment.pools import DEFAULT_POOL, Pool
from constructs_lib.kit import POOL_LABEL, Room, Workload, workload

VOLUMES = 7
"""What DigitalOcean's driver lets a node attach (csi-digitalocean v4.16.0 `driver/driver.go`, issues 128 and 314)."""

ALLOCATABLE_MEMORY = {
    2: 1574,
    4: 3110,
    8: 6694,
    16: 13639,  # shown by nodes
    3: 1699,
    32: 28672,
    48: 44032,
    64: 59392,
    96: 90624,
    128: 122368,
    160: 154624,
    192: 186368,  # documented
}
"""MiB that pods may ask for, by the GiB of the Droplet; those that are documented are a little less than nodes show."""

RESERVED_CPU = {1: 100, 2: 100, 4: 100, 8: 120}
"""What is not for pods, in thousandths of a core, by the Droplet's cores, as nodes show it."""
RESERVED_CPU_ELSEWHERE = 200
"""The same of other sizes, of which nobody shows a node: more than any that is known."""

_EVERYWHERE = {"tolerations": [{"operator": "Exists"}]}
_ON_DEFAULT_POOL = {"nodeSelector": {POOL_LABEL: DEFAULT_POOL.name}}


def _own(name: str, cpu: str, memory: str, *, pods: int | None = None) -> Workload:
    used = {"requests": {"cpu": cpu, "memory": memory}}
    placed = _EVERYWHERE if pods is None else _ON_DEFAULT_POOL
    return workload("kube-system", name, placed, used, pods=pods, every_node=pods is None)


DIGITALOCEANS_OWN = (
    _own("DaemonSet/cilium", "500m", "410Mi"),
    _own("DaemonSet/kube-proxy", "0", "125Mi"),
    _own("DaemonSet/do-node-agent", "102m", "80Mi"),
    _own("DaemonSet/cpc-bridge-proxy", "100m", "75Mi"),
    _own("Deployment/coredns", "100m", "170Mi", pods=2),
    _own("Deployment/cilium-operator", "100m", "150M", pods=1),
)
"""The pods of DOKS that ask for something, the most that nodes of 1.24 to 1.36 show (cilium began with 300 MiB).

The Deployments may run anywhere; they are counted where decision 27 makes room for them.
"""


def allocatable(size: str) -> Room | None:
    """Return what a node of a Droplet size has for pods; nothing where the size is not known."""
    found = cores_and_gib(size)
    if found is None or found[1] not in ALLOCATABLE_MEMORY:
        return None
    cores, gib = found
    return Room(1000 * cores - RESERVED_CPU.get(cores, RESERVED_CPU_ELSEWHERE), ALLOCATABLE_MEMORY[gib], VOLUMES)


def room_of(pool: Pool) -> Room | None:
    """Return what a node of a pool has for pods; nothing where its size is not known."""
    return allocatable(pool.size) if pool.room is None else pool.room
