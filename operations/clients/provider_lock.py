"""The providers that OpenTofu may install: their official hashes, as `providers.lock.hcl` has them in Git.

One file holds all providers. A lock file of OpenTofu (opentofu.org, "Dependency Lock File") belongs to one stack, and
`init` refuses one that names others. Without our file, `init` trusts what the registry signs, anew each time.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.programs import installed, run

LOCK = Path("providers.lock.hcl")
LOCK_OF_A_STACK = ".terraform.lock.hcl"
PLATFORMS = ("linux_amd64", "linux_arm64")
"""What GitHub's and others' runners are."""
LOOK_UP_SECONDS = 1800.0
"""How long the look-up may take, which downloads every provider for each platform."""
ADVICE = "run make providers-lock where OpenTofu reaches its registry, and commit the file"

BLOCK = re.compile(
    r'^provider "[^"/]+/(?P<name>[^"]+)" \{\n  version += "(?P<version>[^"]+)"\n(?:.*\n)*?\}\n', re.MULTILINE
)

Stack = Mapping[str, Any]
"""The JSON of a stack."""


def required(stacks: Iterable[Stack]) -> dict[str, str]:
    """Return the version of each provider that stacks ask for, by `owner/name`."""
    asked = (asks for stack in stacks for asks in stack["terraform"]["required_providers"].values())
    return {_full(provider["source"]): provider["version"] for provider in asked}


def lock_of(stack: Stack) -> str | None:
    """Return what `init` may install for a stack, as OpenTofu reads it, or nothing where no file says it.

    Raises `ConfigError` if the file has a provider at another version, or not at all.
    """
    if not LOCK.exists():
        return None
    blocks = {block["name"]: block for block in BLOCK.finditer(LOCK.read_text(encoding="utf-8"))}
    wanted = required([stack])
    problems = list(_problems(wanted, {name: block["version"] for name, block in blocks.items()}))
    if problems:
        raise ConfigError(*problems)
    return "\n".join(blocks[name][0] for name in sorted(wanted))


def _problems(wanted: Mapping[str, str], locked: Mapping[str, str]) -> Iterator[str]:
    for name, version in sorted(wanted.items()):
        if locked.get(name) != version:
            yield f"{LOCK}: has {name} {locked.get(name, 'not at all')}, the stacks ask for {version}; {ADVICE}"


def write_lock(stacks: Iterable[Stack]) -> None:
    """Write the file anew, with the hashes that the registry gives for every platform, of what `stacks` ask for."""
    wanted = {
        name.replace("/", "-"): {"source": name, "version": version} for name, version in required(stacks).items()
    }
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "providers.tf.json").write_text(json.dumps({"terraform": {"required_providers": wanted}}))
        tofu = installed("tofu", "install OpenTofu 1.11 or newer")
        command = [tofu, "providers", "lock", *(f"-platform={platform}" for platform in PLATFORMS)]
        if run(command, doing="tofu providers lock", deadline=LOOK_UP_SECONDS, cwd=folder).returncode:
            raise ConfigError(f"{LOCK}: OpenTofu could not look the providers up, and the file stays as it was")
        LOCK.write_bytes(Path(folder, LOCK_OF_A_STACK).read_bytes())


def _full(source: str) -> str:
    """Return the owner too, which a provider of HashiCorp's goes without."""
    return source if "/" in source else f"hashicorp/{source}"
