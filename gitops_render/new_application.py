"""An entry for a new application in the environments' files, and an example of one in the GitOps repository."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from constructs_lib.base.errors import ConfigError, quoted
from constructs_lib.environment import ENVIRONMENTS, Environment
from constructs_lib.environment.applications import SERVICES
from gitops_render import journal
from gitops_render.example import PORT, example, missing
from gitops_render.new import refuse
from gitops_render.paths import root_file

SHARED = ENVIRONMENTS / "_shared.yaml"


class Wanted(NamedTuple):
    """What is asked for: the name, and the team that answers for it."""

    name: str
    owner: str


def new_application(environments: Sequence[Environment], wanted: Wanted, tree: Path) -> list[Path]:
    """Write the example for the first environment into `tree`, then the entry for all, and return what was written.

    Raises `ConfigError`, with nothing written, for a name that is taken or that would not load, a file that is there
    and holds something else, and a folder that holds no tree of the environment.
    """
    if any(wanted.name in env.applications for env in environments):
        raise ConfigError(
            f"NAME: {quoted(wanted.name)} is an application already; take another name, or edit its entry"
        )
    uses, first = _used(environments), environments[0].name
    entry = _with_entry(SHARED.read_text(encoding="utf-8"), _entry(wanted, uses))
    refuse(SHARED, entry)
    if not (root := tree / root_file(first)).exists():
        raise ConfigError(f"{root}: is not there; name the folder of the GitOps repository with --tree")
    files = example(wanted.name, uses, first)
    with journal.alone(tree):
        journal.replace(tree, missing(tree, files))
    with journal.alone(Path()):
        journal.replace(Path(), {PurePosixPath(SHARED): entry.encode()})
    return [*(tree / path for path in files), SHARED]


def _used(environments: Sequence[Environment]) -> dict[str, str]:
    """Return of each service a cluster that all environments have, where there is one."""
    found: dict[str, str] = {}
    for service, component in SERVICES.items():
        have = [_open(env, component) for env in environments]
        both = [name for name in have[0] if all(name in names for names in have)]
        if both:
            found[service] = both[0]
    return found


def _open(env: Environment, component: str) -> list[str]:
    clusters = getattr(env.platform, component).clusters if component in env.platform.enabled else ()
    return [cluster.name for cluster in clusters if cluster.is_open]


def _entry(wanted: Wanted, uses: Mapping[str, str]) -> list[str]:
    """Return the lines of the entry, with what each means."""
    shared = {"valkey": "shared: true"}  # as those have to say who use a cluster already
    named = [f"    {service}: {{{cluster}: {{{shared.get(service, '')}}}}}" for service, cluster in uses.items()]
    return [
        f"{wanted.name}: # its namespace too",
        f"  owner: {wanted.owner} # the team that reviews it and hears of its alerts",
        f"  hosts: {{{wanted.name}: {{port: {PORT}}}}} # it answers at {wanted.name}.<domain>",
        *(["  uses: # nothing else is reached", *named] if named else []),
        "  slo: {availability: 99.5} # of what its host is asked",
    ]


def _with_entry(text: str, entry: Sequence[str]) -> str:
    """Return the file with the entry after the others. Raises `ConfigError` where they are not a block of lines."""
    lines = text.splitlines()
    heads = [number for number, line in enumerate(lines) if re.match(r"applications\s*:", line)]
    if not heads:
        return "\n".join([*lines, "", "applications:", *(f"  {line}" for line in entry)]) + "\n"
    if not re.fullmatch(r"applications\s*:\s*(#.*|\{\}\s*(#.*)?)?", lines[heads[0]]):
        raise ConfigError(f"{SHARED}:{heads[0] + 1}: applications are written in one line; write one line for each key")
    lines[heads[0]] = lines[heads[0]].replace("{}", "").rstrip()
    inner = next((n for n in range(heads[0] + 1, len(lines)) if re.match(r"\S", lines[n])), len(lines))
    while not lines[inner - 1].strip():
        inner -= 1
    first = next((line for line in lines[heads[0] + 1 : inner] if re.match(r"\s+[^\s#]", line)), "  ")
    indented = " " * (len(first) - len(first.lstrip()) or 2)
    return "\n".join([*lines[:inner], *(indented + line for line in entry), *lines[inner:]]) + "\n"
