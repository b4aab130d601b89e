"""What several tests share: environments to change, and synthesised stacks to look into."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from constructs_lib.environment import Environment, read
from constructs_lib.environment.applications import SERVICES

ROOT = Path(__file__).parents[1]
"""The project's folder."""


@cache
def _shipped(file: str) -> dict[str, Any]:
    return read(ROOT / "environments" / f"{file}.yaml").data


def environment_data(file: str = "sandbox", /, **changes: Any) -> dict[str, Any]:
    """Return the data of an environment file with `changes` on top: `cluster__name="x"` sets `cluster.name`.

    Clusters that are no longer there are no longer used.
    """
    data = copy.deepcopy(_shipped(file))
    for path, value in changes.items():
        *parents, last = path.split("__")
        target = data
        for parent in parents:
            target = target.setdefault(parent, {})
        target[last] = value
    if not any(path.startswith("applications") for path in changes):
        _use_what_is_there(data)
    return data


def _use_what_is_there(data: dict[str, Any]) -> None:
    """Let the file's own applications use no cluster that a test took away."""
    for app in data["applications"].values():
        for service, component in SERVICES.items():
            settings = data["platform"].get(component, {})
            clusters = settings.get("clusters", ()) if settings.get("enabled", True) else ()
            there = [one.get("name") for one in clusters]
            app["uses"][service] = {name: how for name, how in app["uses"].get(service, {}).items() if name in there}


def without_lines(text: str) -> str:
    """Return sentences without the lines of the files that they name."""
    return re.sub(r"(\.yaml):\d+", r"\1", text)


def environment(file: str = "sandbox", /, **changes: Any) -> Environment:
    """Return a valid environment: that of `file`, with `changes` on top."""
    return Environment.model_validate_json(json.dumps(environment_data(file, **changes)))


EXISTING: dict[str, Any] = {
    "provider": "existing",
    "name": "lab",
    "context": "kind-lab",
    "kubernetes_minor": "1.36",
    "storage_class": "quick",
    "kept_storage_class": "kept",
    "network": {"cluster_subnet": "10.244.0.0/16", "service_subnet": "10.96.0.0/16"},
    "pools": {"all": {"role": "system", "min_nodes": 3, "max_nodes": 3, "cpu": "6", "memory": "12Gi"}},
}
"""A cluster that is there already."""


ON_EXISTING: dict[str, Any] = {
    "cluster": EXISTING,
    "region": "lab",
    "vpc_range": "172.18.0.0/16",
    "state": None,
    "backups": {"bucket": "lab-backups", "region": "lab", "address": "https://s3.example.org"},
}
"""What a file says otherwise on it."""


def existing_data(**changes: Any) -> dict[str, Any]:
    """Return the data of a sandbox on a cluster that is there already, with `changes` on top."""
    return environment_data(**{**copy.deepcopy(ON_EXISTING), **changes})


def existing(**changes: Any) -> Environment:
    """Return such an environment."""
    return Environment.model_validate_json(json.dumps(existing_data(**changes)))


def another_environment(name: str, vpc_range: str, **changes: Any) -> dict[str, Any]:
    """Return the data of the sandbox with `changes` under another name, with which it shares nothing."""
    text = json.dumps(environment_data(**changes)).replace("sandbox", name)
    return {**json.loads(text), "tier": "sandbox", "vpc_range": vpc_range}


class Synthesised:
    """The JSON of one stack."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data = data

    def all(self, kind: str, *, block: str = "resource") -> dict[str, Any]:
        """Return every resource (or data source) of a type, by its OpenTofu name."""
        return self.data.get(block, {}).get(kind, {})

    def only(self, kind: str, *, block: str = "resource", **having: Any) -> dict[str, Any]:
        """Return the one resource of a type that has these arguments; the test fails if there is none or another."""
        found = [item for item in self.all(kind, block=block).values() if having.items() <= item.items()]
        assert len(found) == 1, f"{len(found)} of {kind} with {having}, expected 1"
        return found[0]

    @property
    def addresses(self) -> set[str]:
        """The addresses of all resources, as OpenTofu prints them."""
        return {f"{kind}.{name}" for kind, named in self.data.get("resource", {}).items() for name in named}


def synthesised(build: Callable[[Any], object]) -> Synthesised:
    """Return the JSON of a stack that `build` fills."""
    from cdktf import TerraformStack, Testing

    stack = TerraformStack(Testing.app(), "test")
    build(stack)
    return Synthesised(json.loads(str(Testing.synth(stack))))


def stack_of(build: Callable[[Any], Any]) -> Synthesised:
    """Return the JSON of the stack that `build` adds to an application."""
    from cdktf import Testing

    return Synthesised(json.loads(str(Testing.synth(build(Testing.app())))))


def run_python(*arguments: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Python in `folder` with the project importable, as a user does from the command line.

    How long it took is left out of what it said: that is the machine's.
    """
    environ = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environ, capture_output=True, text=True, timeout=600, check=False
    )
    done.stderr = without_times(done.stderr)
    return done


def without_times(text: str) -> str:
    """Return what a program said without how long it took."""
    return re.sub(r"^\S+: took \d+ s\n", "", text, flags=re.MULTILINE)


def parsed(data: bytes | str) -> Any:
    """Return what YAML holds, by libyaml: ten times as fast as the reader in Python."""
    return yaml.load(data, yaml.CSafeLoader)


EXAMPLE_SLO = {
    "name": "episodic-availability",
    "service": "episodic",
    "objective": 99.5,
    "ratio": {
        "good": 'rate(http_requests_total{app="episodic",code!~"5.."}[5m])',
        "total": 'rate(http_requests_total{app="episodic"}[5m])',
    },
}
"""An objective of an application, as a user adds it."""


def everything() -> Environment:
    """Return an environment with every component, backend and option on that the project's own leave off."""
    return environment(
        "production",
        name="everything",
        platform__external_dns={"enabled": True},
        platform__observability__influxdb={"enabled": True},
        platform__observability__slos={"additional": [EXAMPLE_SLO]},
        sops_recipient=f"age1{'q' * 58}",
    )
