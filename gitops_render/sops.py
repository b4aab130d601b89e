"""The program SOPS, with the repository's rules and no setting from outside but an age key."""

from __future__ import annotations

import os
from pathlib import Path

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.programs import installed, passed_on, run
from gitops_render.paths import SOPS_FILE

KEY = "SOPS_AGE_KEY"
KEY_VARIABLES = ("SOPS_AGE_KEY_FILE", KEY)
"""Where SOPS takes the age key from that decrypts."""

SOPS_SECONDS = 60.0
"""How long SOPS may take with one file; with age keys it asks no server."""


def sops(output: Path, about: Path, *arguments: str, given: bytes = b"", key: str | None = None) -> bytes:
    """Return what `sops` prints; `output` is the GitOps repository, `given` its input, `key` age keys, one a line.

    Without `key`, the environment variables may give one. Raises `ConfigError` with what SOPS says.
    """
    program = installed("sops", "put it on PATH, or set SOPS to where it is", command=os.environ.get("SOPS"))
    named = {name: os.environ[name] for name in KEY_VARIABLES if name in os.environ}
    kept = passed_on() | (named if key is None else {KEY: key})
    command = [program, "--config", str(output / SOPS_FILE), *arguments]
    result = run(command, doing=f"{about}: sops {arguments[0]}", deadline=SOPS_SECONDS, input=given, env=kept)
    if result.returncode:
        why = result.stderr.decode(errors="replace").partition("\n")[0].rstrip(".")
        raise ConfigError(f"{about}: sops cannot {arguments[0]} it: {why}; check the key and {SOPS_FILE}")
    return result.stdout
