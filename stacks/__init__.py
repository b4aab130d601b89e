"""One file for each stack: it wires constructs for an environment and holds no logic."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from cdktf import App

from constructs_lib.environment import Environment
from stacks.cluster import ClusterStack
from stacks.flux import FluxStack
from stacks.gitops_repository import GitOpsRepositoryStack
from stacks.state import StateStack

OUTPUT = Path("cdktf.out")
"""Where the JSON goes, unless cdktf's own command line says otherwise (`CDKTF_OUTDIR`)."""


def add_stacks(app: App, environments: Sequence[Environment]) -> None:
    """Add every stack of every environment to `app`, and the GitOps repository that they share."""
    for env in environments:
        StateStack(app, f"{env.name}-state", env=env)
        ClusterStack(app, f"{env.name}-cluster", env=env)
        FluxStack(app, f"{env.name}-flux", env=env)
    GitOpsRepositoryStack(app, "gitops-repository", environments=environments)


def synthesise(environments: Sequence[Environment]) -> None:
    """Write every stack as OpenTofu JSON.

    The JSON is written beside the output folder first and then moved into it file by file, so that a run that is cut
    short leaves whole files. What `tofu` keeps next to the JSON stays; the JSON of stacks that are gone does not.
    """
    output = Path(os.environ.get("CDKTF_OUTDIR", OUTPUT))
    staged = output.with_name(f"{output.name}.partial")
    shutil.rmtree(staged, ignore_errors=True)
    app = App(outdir=str(staged))
    add_stacks(app, environments)
    app.synth()
    for stale in set(output.glob("stacks/*/cdk.tf.json")) - {
        output / path.relative_to(staged) for path in _files(staged)
    }:
        stale.unlink()
    for path in _files(staged):
        target = output / path.relative_to(staged)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)
    shutil.rmtree(staged)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
