"""What a change of this repository does: stacks, rendered objects and policies, as Markdown for a pull request."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.stacks import OUTPUT, definitions
from gitops_render.capacity import Row, to_markdown
from gitops_render.diff import Field, fields
from gitops_render.diff_output import field_markdown
from gitops_render.markdown import bold, code, details, escaped, table
from gitops_render.paths import TREE
from gitops_render.review import Review, review
from gitops_render.versions.output import to_markdown as versions_markdown

MARKER = "<!-- synth-and-diff -->"
REPLACING: dict[str, frozenset[str]] = {
    "digitalocean_kubernetes_cluster": frozenset(
        {"region", "vpc_uuid", "cluster_subnet", "service_subnet", "node_pool.size"}
    ),
    "digitalocean_kubernetes_node_pool": frozenset({"cluster_id", "size"}),
    "digitalocean_project_resources": frozenset({"project"}),
    "digitalocean_record": frozenset({"domain", "type"}),
    "digitalocean_spaces_bucket": frozenset({"region"}),
    "digitalocean_tag": frozenset({"name"}),
    "digitalocean_vpc": frozenset({"ip_range", "region"}),
    "github_actions_environment_variable": frozenset({"environment", "variable_name"}),
    "github_actions_secret": frozenset({"encrypted_value", "repository", "secret_name"}),
    "github_repository_deploy_key": frozenset({"key", "read_only", "repository", "title"}),
    "github_repository_environment": frozenset({"environment", "repository"}),
    "github_repository_environment_deployment_policy": frozenset({"environment", "repository"}),
    "helm_release": frozenset({"name", "namespace"}),
    "kubernetes_config_map_v1": frozenset({"metadata.name", "metadata.namespace"}),
    "kubernetes_namespace_v1": frozenset({"metadata.name"}),
    "kubernetes_secret_v1": frozenset({"metadata.name", "metadata.namespace", "type"}),
}
"""Fields whose change makes OpenTofu replace the resource: `ForceNew` in the sources of the pinned providers."""

UNBUILT = "The base cannot be built with this change's packages, so nothing is compared"
KNOWN_LATER = "(known after apply)"

StackAddress = tuple[str, str]
"""A stack and an address in it."""

ACTIONS = ("added", "changed", "replaced", "destroyed")

LOSING = ("replaced", "destroyed")
"""The actions after which what was there is gone."""


class StackChange(NamedTuple):
    """How one resource of a stack differs between two syntheses."""

    stack: str
    address: str
    action: str
    fields: tuple[Field, ...] = ()


class Comparison(NamedTuple):
    """What a change does to stacks and trees; `unbuilt` says why the base cannot be built, if it cannot.

    `capacity` is what pods ask for and have before and after it, `pinned` what is pinned.
    """

    stacks: Sequence[StackChange]
    trees: Review
    unbuilt: str | None = None
    capacity: tuple[Sequence[Row], Sequence[Row]] = ((), ())
    pinned: tuple[Sequence[Row], Sequence[Row]] = ((), ())

    def markdown(self) -> str:
        """Return the pull request's comment."""
        lines = [MARKER, "## What this change does", ""]
        if self.unbuilt is not None:
            lines += [f"> {UNBUILT}: {escaped(self.unbuilt)}", ""]
        lines += [*versions_markdown(*self.pinned), "### OpenTofu", "", *_stacks(self.stacks), ""]
        lines += [*to_markdown(*self.capacity), *self.trees.markdown()]
        return "\n".join(lines) + "\n"


def compared(base: Path, head: Path) -> Comparison:
    """Build the checkouts `base` and `head` side by side, each with its own code, and return what `head` changes.

    Raises `ConfigError` if `base` is no checkout of this project, and if `head` cannot be built.
    """
    if not (base / "main.py").is_file():
        raise ConfigError(f"{base}: is no checkout of this project; name the folder of one")
    with ThreadPoolExecutor(max_workers=2) as pool:
        unbuilt, problem = pool.map(_build, (base, head))
    if problem is not None:
        raise ConfigError(problem)
    before = None if unbuilt else base
    trees = review(before and before / TREE, head / TREE, head / OUTPUT)
    changes = stack_changes(before / OUTPUT, head / OUTPUT) if before else []
    capacity, pinned = (
        (_said(base, *command) if before else [], _said(head, *command))
        for command in (("capacity", "--json"), ("versions", "--format", "json"))
    )
    return Comparison(changes, trees, unbuilt, capacity, pinned)


def stack_changes(old: Path, new: Path) -> list[StackChange]:
    """Return how the resources below `new/stacks` differ from those below `old/stacks`, by stack and address.

    A resource is replaced too if one of its replacing fields holds the id of one that is.
    """
    before, after = _resources(old), _resources(new)
    keys = sorted({*before, *after})
    changes = {key: change for key in keys if (change := _change(*key, before.get(key), after.get(key)))}
    while more := dict(_carried_along(changes, before, after)):
        changes |= more
    return [changes[key] for key in keys if key in changes]


def _change(stack: str, address: str, old: Any, new: Any) -> StackChange | None:
    if old == new:
        return None
    if old is None or new is None:
        return StackChange(stack, address, "added" if old is None else "destroyed")
    differing = tuple(fields(old, new))
    replaced = any(_is_replacing(address, field.path) for field in differing)
    return StackChange(stack, address, "replaced" if replaced else "changed", differing)


def _carried_along(
    changes: Mapping[StackAddress, StackChange], before: Mapping[StackAddress, Any], after: Mapping[StackAddress, Any]
) -> Iterator[tuple[StackAddress, StackChange]]:
    """Yield what is replaced since a field that replaces it holds the id of something replaced."""
    replaced = {(key[0], f"${{{key[1]}.id}}") for key, change in changes.items() if change.action == "replaced"}
    for key in before.keys() & after.keys():
        change = changes.get(key, StackChange(*key, "changed"))
        values = tuple(fields({}, after[key])) if change.action == "changed" else ()
        new = tuple(
            Field(field.path, field.new, KNOWN_LATER)
            for field in values
            if _is_replacing(key[1], field.path) and (key[0], field.new) in replaced
        )
        if new:
            yield key, change._replace(action="replaced", fields=(*change.fields, *new))


def _is_replacing(address: str, path: str) -> bool:
    names = REPLACING.get(address.partition(".")[0], frozenset())
    return any(path == name or path.startswith(f"{name}.") for name in names)


def _resources(folder: Path) -> dict[StackAddress, Any]:
    paths = definitions(folder)
    if not paths:
        raise ConfigError(f"{folder}: holds no stack; synthesise them first")
    return {
        (path.parent.name, f"{kind}.{name}"): {key: value for key, value in resource.items() if key != "//"}
        for path in paths
        for kind, named in json.loads(path.read_bytes()).get("resource", {}).items()
        for name, resource in named.items()
    }


def _stacks(changes: Sequence[StackChange]) -> Iterator[str]:
    if not changes:
        yield "No stack changes."
        return
    stacks = {name: list(items) for name, items in groupby(changes, key=lambda change: change.stack)}
    counts = [
        (name, *(sum(item.action == action for item in items) for action in ACTIONS)) for name, items in stacks.items()
    ]
    yield from table(("stack", *ACTIONS), counts)
    for name, items in stacks.items():
        yield from details(f"{bold(name)}: {len(items)} resources", _resource_lines(items))


def _resource_lines(changes: Sequence[StackChange]) -> Iterator[str]:
    for change in changes:
        action = bold(change.action) if change.action in LOSING else change.action
        yield f"- {action} {code(change.address)}"
        yield from (f"  - {field_markdown(field)}" for field in change.fields)


def _build(folder: Path) -> str | None:
    """Synthesise and render the checkout in `folder` with its own code, and return why that failed, if it did."""
    for command in (["main.py"], ["-m", "gitops_render", "render", "--output", str(TREE)]):
        result = _run(folder, command)
        if result.returncode:
            return " ".join(result.stderr.strip().splitlines()[-1:]) or f"exit code {result.returncode}"
    return None


def _said(folder: Path, *command: str) -> list[Row]:
    """Return what a checkout says of its pools, or of what it pins; nothing where its code does not know that."""
    result = _run(folder, ["-m", "gitops_render", *command])
    return [] if result.returncode else json.loads(result.stdout)


def _run(folder: Path, command: list[str]) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": str(folder.absolute())}
    return subprocess.run(  # noqa: S603
        [sys.executable, *command], cwd=folder, env=environ, capture_output=True, text=True, check=False
    )
