"""The settings that trees were rendered from, and what a change of them does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import yaml

from constructs_lib.base.change import FREE, Effect, Plain, Rule, steps
from constructs_lib.base.errors import ConfigError, shown
from constructs_lib.base.transition import Block, Transition, transitions
from constructs_lib.environment import Environment
from gitops_render.paths import CLUSTER, Place, settings_file
from gitops_render.tree import Rendered

UNSAID = Rule(Effect.UNKNOWN, "the old tree does not say the settings that it was rendered from")
TOLD = (Effect.REPLACES, Effect.STEPS, Effect.REFUSED)
"""What rendering warns of: what a change loses, what has to be done beside it, and what cannot be."""

GONE = steps("its cluster runs on, and nobody describes it any more", "remove-an-environment")

PROVISIONED = ("cluster.", "dns.", "gitops.", "region", "reviewers.", "runner", "state.", "vpc_range")
"""Settings that provisioning brings to a cluster, whatever commit it runs."""


def read_settings(tree: Path) -> dict[str, dict[str, Plain]]:
    """Return the settings of each environment in a tree, by its name.

    Raises `ConfigError` for a file that cannot be read.
    """
    files = sorted((tree / settings_file("*").parent).glob(settings_file("*").name))
    return {file.name.removesuffix(settings_file("").name): _read(file) for file in files}


def settings_transitions(old: Path, new: Path) -> dict[str, list[Transition]]:
    """Return what differs between the settings of two trees, by environment; a new one is said to be new.

    Raises `ConfigError` as `read_settings` does.
    """
    before, after = read_settings(old), read_settings(new)
    gone = {name: [Transition("name", name, None, GONE)] for name in before.keys() - after.keys()}
    return dict(sorted({**{name: list(_differing(old, name, before, after[name])) for name in after}, **gone}.items()))


def promoted(changed: Iterable[Transition]) -> list[Transition]:
    """Return what of changed settings comes by another commit of the GitOps repository."""
    return [item for item in changed if not item.key.startswith(PROVISIONED)]


def impossible(changed: Iterable[Transition]) -> Iterator[str]:
    """Yield a sentence for each change that is refused, or that leaves out a step of which the file tells."""
    for item in changed:
        if item.rule.effect is Effect.REFUSED or item.rule.step is not None:
            yield f"{item.key}: {item.rule}"


def parsed_settings(where: str, data: bytes) -> dict[str, Plain]:
    """Return the settings in a file. Raises `ConfigError` if it cannot be read."""
    try:
        found = yaml.load(data, yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise ConfigError(f"{where}: cannot be read as settings; render again")
    return found


def warnings(output: Path, environment: str, rendered: Rendered) -> Iterator[str]:
    """Yield a sentence for each setting that differs from those that `output` was rendered from and is `TOLD`."""
    path = settings_file(environment)
    before = output / path
    if not before.is_file() or before.read_bytes() == rendered.about.get(path):
        return
    new = parsed_settings(str(path), rendered.about[path])
    for found in transitions(Environment, _read(before), new):
        if found.rule.effect in TOLD:
            yield f"{environment}: {found.key}: {shown(found.old)} -> {shown(found.new)} {found.rule}"


def _differing(old: Path, name: str, before: Mapping[str, Block], after: Block) -> Iterator[Transition]:
    if name in before:
        yield from transitions(Environment, before[name], after)
    elif (old / Place(name, CLUSTER).path).is_dir():
        yield Transition("settings", None, None, UNSAID)
    else:
        yield Transition("name", None, name, FREE)


def _read(file: Path) -> dict[str, Plain]:
    try:
        return parsed_settings(str(file), file.read_bytes())
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}; render again") from None
