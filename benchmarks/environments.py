"""Environments that differ in everything that may differ: names, tiers, domains, sizes, clusters and users."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from constructs_lib.environment import TIERS, read

ROOT = Path(__file__).parents[1]
SIZES = ("s-8vcpu-16gb", "g-4vcpu-16gb", "s-8vcpu-32gb", "g-8vcpu-32gb")

Data = dict[str, Any]


def write_environments(folder: Path, number: int, *, growth: int = 0) -> Path:
    """Write `number` environments, with `growth` GiB more storage in each, and return the folder to run in."""
    bases = [read(ROOT / f"environments/{tier}.yaml").data for tier in TIERS]
    (folder / "environments").mkdir(parents=True)
    for position in range(number):
        own = _environment(bases[position % len(bases)], position, growth)
        (folder / f"environments/{own['name']}.yaml").write_text(yaml.dump(own, Dumper=yaml.CSafeDumper))
    return folder


def _environment(base: Data, position: int, growth: int) -> Data:
    name = f"env{position:03}"
    return base | {
        "name": name,
        "region": ("lon1", "ams3", "fra1")[position % 3],
        "domain": f"{name}.episodic.example",
        "vpc_range": f"10.{position // 16}.{position % 16 * 16}.0/20",
        "cluster": _cluster(base["cluster"], name, position),
        "vault": _vault(base["vault"], name),
        "state": base["state"] | {"bucket": f"{name}-state"},
        "backups": base["backups"] | {"bucket": f"{name}-backups"},
        "applications": {f"app-{name}": _application(position)},
        "platform": base["platform"] | dict(_components(base["platform"], name, position, growth)),
    }


def _vault(base: Data, name: str) -> Data:
    paths = {key: f"{name}/{key}" for key in ("flux", "platform", "provisioning")}
    own = {"auth": base["auth"] | {"mount": f"jwt-{name}"}, "ci": base["ci"] | {"role": name}}
    return base | own | {"kv": base["kv"] | paths}


def _cluster(base: Data, name: str, position: int) -> Data:
    pool = {"size": SIZES[position % len(SIZES)], "min_nodes": 6 + position % 4, "max_nodes": 10 + position % 16}
    return base | {"name": name, "pools": {role: {"role": role, **pool} for role in ("system", "workload")}}


def _application(position: int) -> Data:
    return {"owner": f"team-{position}", "hosts": {"www": {"port": 8000 + position}}}


def _components(base: Data, name: str, position: int, growth: int) -> Iterator[tuple[str, Data]]:
    storage = f"{10 + position % 90 + growth}Gi"
    user = f"user_{name}"
    yield "traefik", base["traefik"] | {"requests_per_second": 100 + position}
    postgres = {
        "name": f"pg-{name}",
        "storage": storage,
        "roles": [{"name": user}],
        "databases": [{"name": f"db_{name}", "owner": user}],
    }
    yield "cloudnative_pg", base["cloudnative_pg"] | {"clusters": _with(base["cloudnative_pg"]["clusters"], postgres)}
    rabbitmq = {
        "name": f"mq-{name}",
        "storage": storage,
        "vhosts": [name],
        "users": [{"name": f"user-{name}", "permissions": [{"vhost": name}]}],
        "policies": [{"name": "limit", "vhost": name, "definition": {"delivery-limit": 5 + position}}],
    }
    brokers = base["rabbitmq_operator"] | {"clusters": _with(base["rabbitmq_operator"]["clusters"], rabbitmq)}
    yield "rabbitmq_operator", brokers
    cache = {"name": f"cache-{name}", "shards": 1 + position % 5, "storage": storage}
    yield "valkey_operator", {"clusters": _with(base["valkey_operator"]["clusters"], cache)}
    yield "observability", _observability(base["observability"], name, storage)


def _with(clusters: Sequence[Data], own: Data) -> list[Data]:
    return [cluster | own for cluster in clusters]


def _observability(base: Data, name: str, storage: str) -> Data:
    own = base | {"metrics": base["metrics"] | {"storage": storage}}
    if "bucket" in base.get("traces", {}):
        own["traces"] = base["traces"] | {"bucket": base["traces"]["bucket"] | {"bucket": f"{name}-traces"}}
    return own
