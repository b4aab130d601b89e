"""A file for a new environment, made from the one of another: what belongs to one alone carries its name."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from constructs_lib.base.errors import ConfigError
from constructs_lib.environment import ENVIRONMENTS, TIERS, Environment, Tier, load_all
from constructs_lib.environment.schema import file_schema
from gitops_render import journal


class Wanted(NamedTuple):
    """What must differ; what is not given is derived."""

    name: str
    tier: Tier | None = None
    domain: str | None = None
    vpc_range: str | None = None


def new_environment(environments: Sequence[Environment], like: Environment, wanted: Wanted) -> Path:
    """Write the file of a new environment and return its path.

    Raises `ConfigError`, with nothing written, if the file is there or would not load beside the others.
    """
    path = ENVIRONMENTS / f"{wanted.name}.yaml"
    with journal.alone(Path()):
        if path.exists():
            raise ConfigError(f"{path}: is there already; take another name, or edit it")
        text = _text((ENVIRONMENTS / f"{like.name}.yaml").read_text(encoding="utf-8"), environments, like, wanted)
        refuse(path, text)
        journal.replace(Path(), {PurePosixPath(path): text.encode()})
    return path


def _text(text: str, environments: Iterable[Environment], like: Environment, wanted: Wanted) -> str:
    values = {
        "name": wanted.name,
        "tier": wanted.tier or like.tier,
        "domain": wanted.domain or _domain(like, wanted.name),
        "vpc_range": wanted.vpc_range or str(_range(environments, like)),
    }
    choices, own = _choices(file_schema()) - {*TIERS}, re.compile(rf"(?<![a-z0-9]){re.escape(like.name)}(?![a-z0-9])")
    renamed = re.sub(r"[\w-]+", lambda word: word[0] if word[0] in choices else own.sub(wanted.name, word[0]), text)
    kept = [line for line in renamed.splitlines() if not line.startswith("sops_recipient:")]
    return "\n".join(_line(line, values) for line in kept) + "\n"


def _choices(schema: Any) -> set[str]:
    """Return the words of which a setting takes one, such as `letsencrypt-production`: they are nobody's name."""
    inner = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    own = schema.get("enum", ()) if isinstance(schema, dict) else ()
    return {word for word in own if isinstance(word, str)}.union(*map(_choices, inner))


def _line(line: str, values: dict[str, str]) -> str:
    key, colon, rest = line.partition(":")
    if not colon or key not in values:
        return line
    comment = re.search(r"\s+#.*$", rest)
    return f"{key}: {values[key]}{comment[0] if comment else ''}"


def _domain(like: Environment, name: str) -> str:
    labels = like.domain.split(".")
    own = [name if label == like.name else label for label in labels]
    return ".".join(own if own != labels else [name, *labels])


def _range(environments: Iterable[Environment], like: Environment) -> IPv4Network:
    """Return a range for the nodes; where the cluster is there already, nobody but its owner knows another."""
    if like.cluster.provider == "existing":
        return like.vpc_range
    return free_range(environments, like.vpc_range)


def free_range(environments: Iterable[Environment], near: IPv4Network) -> IPv4Network:
    """Return the next range of the size of `near` that overlaps none of any environment."""
    taken = [found for env in environments for found in env.ranges.values()]
    step = max(near.num_addresses, 2**16)
    for number in range(1, 256):
        first = int(near.network_address) + number * step
        found = IPv4Network((first, near.prefixlen))
        if not any(found.overlaps(other) for other in taken):
            return found
    raise ConfigError(f"vpc_range: none near {near} is free; give one with --vpc-range")


def refuse(path: Path, text: str) -> None:
    """Raise `ConfigError` if the file would not load beside the others, with the sentences about it."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / ENVIRONMENTS.name
        shutil.copytree(ENVIRONMENTS, folder)
        (folder / path.name).write_text(text, encoding="utf-8")
        try:
            load_all(folder)
        except ConfigError as error:
            there = f"{folder}{os.sep}"
            problems = (problem.replace(there, f"{ENVIRONMENTS}{os.sep}") for problem in error.problems)
            raise ConfigError(*problems, f"{path}: is not written; give what is said above, or edit a copy") from None
