"""All stacks of all environments as OpenTofu JSON."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from errno import EEXIST
from multiprocessing import get_context
from pathlib import Path

from cdktf import App

from constructs_lib.base.console import step
from constructs_lib.base.errors import ConfigError
from constructs_lib.base.stacks import DEFINITION, OUTPUT, definitions
from constructs_lib.environment import GITOPS_REPOSITORY, Environment, StackKind
from stacks.cluster import ClusterStack
from stacks.dns import DnsStack
from stacks.flux import FluxStack
from stacks.gitops_repository import GitOpsRepositoryStack
from stacks.platform import PlatformStack
from stacks.state import StateStack

ENVIRONMENTS_A_PROCESS = 10
"""From this number on, another process, with a Node of its own, is worth its start."""

MANIFEST = Path("manifest.json")

STACKS = {
    StackKind.STATE: StateStack,
    StackKind.CLUSTER: ClusterStack,
    StackKind.FLUX: FluxStack,
    StackKind.PLATFORM: PlatformStack,
    StackKind.DNS: DnsStack,
}


def output_folder() -> Path:
    """Return the folder that the JSON goes to."""
    return Path(os.environ.get("CDKTF_OUTDIR", OUTPUT))


def synthesise(environments: Sequence[Environment]) -> tuple[str, ...]:
    """Write every stack as OpenTofu JSON, and return the stacks' names.

    The JSON is written beside the output folder first and then moved into it file by file, so that a run that is cut
    short leaves whole files. What `tofu` keeps next to the JSON stays; the JSON of stacks that are gone does not.
    Raises `ConfigError` if the folder cannot be written.
    """
    output = output_folder()
    staged = output.with_name(f"{output.name}.partial")
    try:
        files = _replace(output, staged, environments)
    except OSError as error:
        raise ConfigError(f"{error.filename}: cannot be written: {error.strerror}; make room for the output") from None
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return tuple(path.parent.name for path in files if path.name == DEFINITION)


def _replace(output: Path, staged: Path, environments: Sequence[Environment]) -> Iterable[Path]:
    if output.exists() and not output.is_dir():
        raise FileExistsError(EEXIST, os.strerror(EEXIST), str(output))
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    files = _write_all(staged, environments)
    for stale in set(definitions(output)) - {output / path for path in files}:
        stale.unlink()
    for path, written in files.items():
        (output / path).parent.mkdir(parents=True, exist_ok=True)
        written.replace(output / path)
    return files


def _write_all(folder: Path, environments: Sequence[Environment]) -> dict[Path, Path]:
    """Write all stacks below `folder` and return where each file of the output is.

    A process with its jsii uses one core, so many environments are shared out among several.
    """
    processes = max(1, min(os.cpu_count() or 1, len(environments) // ENVIRONMENTS_A_PROCESS))
    folders = [folder / str(number) for number in range(processes)]
    shares = [environments[number::processes] for number in range(processes)]
    if processes == 1:
        _write(folders[0], environments, environments)
    else:
        with ProcessPoolExecutor(processes - 1, get_context("spawn")) as pool:
            others = [pool.submit(_write, *share) for share in zip(folders[1:], shares[1:], strict=True)]
            _write(folders[0], shares[0], environments)
            for other in others:
                other.result()
    manifests = [json.loads((share / MANIFEST).read_text()) for share in folders]
    stacks = {name: stack for manifest in manifests for name, stack in manifest["stacks"].items()}
    (folders[0] / MANIFEST).write_text(json.dumps({**manifests[0], "stacks": stacks}, indent=2, sort_keys=True) + "\n")
    found = [(share, path) for share in reversed(folders) for path in sorted(share.rglob("*")) if path.is_file()]
    return {path.relative_to(share): path for share, path in found}


def _write(folder: Path, environments: Sequence[Environment], sharing: Sequence[Environment] = ()) -> None:
    """Write the stacks of `environments` into `folder`, and that of the repository which others are `sharing`."""
    app = App(outdir=str(folder))
    for env in environments:
        for kind in env.stacks:
            with step(env.stack(kind)):
                STACKS[kind](app, env.stack(kind), env=env)
    if sharing:
        with step(GITOPS_REPOSITORY):
            GitOpsRepositoryStack(app, GITOPS_REPOSITORY, environments=sharing)
    app.synth()
