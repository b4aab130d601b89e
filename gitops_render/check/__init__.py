"""Policies over the rendered tree and the synthesised JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.stacks import definitions
from constructs_lib.environment import Environment
from gitops_render.check import flux, provenance, safety, stacks, upgrade
from gitops_render.check.model import STACK_POLICIES, TREE_POLICIES, Checked, Finding, Policy, StackFile, Tree
from gitops_render.objects import Item, items_of, read_tree
from gitops_render.tree import render

REGISTERED = (flux, provenance, safety, stacks, upgrade)
"""The modules of policies: importing one registers what is in it."""

POLICIES = (*TREE_POLICIES, *STACK_POLICIES)


def check_trees(trees: Iterable[Tree]) -> list[Finding]:
    """Return what breaks a policy in these trees."""
    return _findings(TREE_POLICIES, trees)


def upgrade_findings(env: Environment) -> list[Finding]:
    """Return what in the rendered tree of an environment stands in the way of an upgrade of Kubernetes."""
    items = tuple(items_of(render(env).owned))
    policies = [policy for policy in TREE_POLICIES if policy.id.startswith("UPG")]
    return _findings(policies, [Tree(env.name, items)])


def check_stacks(stacks_: Iterable[StackFile]) -> list[Finding]:
    """Return what breaks a policy in these stacks."""
    return _findings(STACK_POLICIES, stacks_)


def _findings(policies: Sequence[Policy[Checked]], checked: Iterable[Checked]) -> list[Finding]:
    return [
        Finding(policy.id, str(found.path), found.subject, found.message, policy.fix)
        for one in checked
        for policy in policies
        for found in policy.check(one)
    ]


def read_trees(root: Path) -> list[Tree]:
    """Return the trees of all environments in a rendered repository. Raises `ConfigError` if one cannot be read."""
    if not (root / "clusters").is_dir():
        raise ConfigError(f"{root}: holds no rendered tree; render one, or name another with --tree")
    items: dict[str, list[Item]] = {}
    for place, found in read_tree(root):
        items.setdefault(place.environment, []).extend(found)
    return [Tree(name, tuple(_placed(found))) for name, found in sorted(items.items())]


def _placed(items: list[Item]) -> Iterator[Item]:
    """Yield the objects, each in the namespace that its folder's kustomize file puts it into, if that says one."""
    said = {item.path.parent: item.data["namespace"] for item in items if "namespace" in item.data}
    for item in items:
        namespace, about = said.get(item.path.parent), item.data.get("metadata")
        if namespace is None or about is None:
            yield item
        else:
            yield item._replace(data={**item.data, "metadata": {**about, "namespace": namespace}})


def read_stacks(root: Path) -> list[StackFile]:
    """Return the synthesised stacks in a folder. Raises `ConfigError` if there is none or one cannot be read."""
    paths = definitions(root)
    if not paths:
        raise ConfigError(f"{root}: holds no stack; synthesise them, or name another folder with --stacks")
    return [StackFile(PurePosixPath(path.relative_to(root)), _read_json(path)) for path in paths]


def _read_json(path: Path) -> dict[str, object]:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        raise ConfigError(f"{path}: cannot be read as JSON; synthesise again") from None
