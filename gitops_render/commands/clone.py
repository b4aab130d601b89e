"""What is done in a clone of the GitOps repository: promotions, the check of a change, sealed Secrets."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from constructs_lib.base.console import done
from constructs_lib.base.errors import DIFFERENT, ConfigError
from gitops_render.arguments import From, To, environment_names
from gitops_render.commands.options import AsJson, Clone, Output

if TYPE_CHECKING:
    from gitops_render.pin import Pin


app = typer.Typer()

SHOWN = 50
"""How many commits `pin` prints for people; `--json` gives all."""

ReadBy = Annotated[
    str,
    typer.Option(
        "--environment",
        metavar="NAME",
        autocompletion=environment_names,
        help="The environment whose cluster reads the Secret.",
    ),
]


@app.command()
def pin(
    source: From,
    target: To,
    repository: Clone = Path(),
    commit: Annotated[str | None, typer.Option(help="A commit that FROM runs or has run, instead of its own.")] = None,
    as_json: AsJson = False,
) -> None:
    """Pin TO to the commit that FROM runs, by one line in its source.yaml; commit that line to promote."""
    from constructs_lib.environment import chosen, load_all
    from gitops_render.paths import source_file
    from gitops_render.pin import pin as pin_to

    environments = load_all()
    (before,), (after,) = chosen(environments, [source]), chosen(environments, [target])
    pinned = pin_to(repository, before, after, commit)
    if as_json:
        typer.echo(json.dumps({"source": source, "target": target, **asdict(pinned)}, indent=2))
    else:
        typer.echo("\n".join(_pin_lines(target, pinned)))
    file = repository / source_file(after.name)
    done(f"{file}: {'changed; commit it to promote' if pinned.changed else 'as it was'}", data=as_json)


def _pin_lines(target: str, pinned: Pin) -> Iterator[str]:
    if not pinned.changed:
        yield f"{target}: runs {pinned.new} already, nothing changed"
        return
    yield f"{target}: {pinned.old} -> {pinned.new}"
    yield from (f"  {line}" for line in pinned.commits[:SHOWN] or ("no further commit comes in",))
    if len(pinned.commits) > SHOWN:
        yield f"  … and {len(pinned.commits) - SHOWN} more"


@app.command()
def validate(
    change: Annotated[
        str | None, typer.Argument(metavar="COMMIT", help="A change's last commit, by its full name.")
    ] = None,
    repository: Clone = Path(),
) -> None:
    """Check the environment files alone: quick, for editors and pre-commit.

    With COMMIT, check that this change of the GitOps repository is rendered, sealed, promoted or an application's own,
    or exit 1.
    """
    from constructs_lib.environment import load_all

    environments = load_all()
    if change is None:
        done(f"{len(environments)} environments, no problem")
        return

    from gitops_render.validate import Allowed
    from gitops_render.validate.change import Change

    proposed = Change(repository, environments[0].gitops.default_branch, change)
    found = Allowed(environments).problems(proposed)
    for problem in found:
        typer.echo(problem)
    done(f"{len(proposed.paths)} files change, {len(found)} findings")
    if found:
        raise typer.Exit(DIFFERENT)


@app.command()
def remove(
    ended: Annotated[str, typer.Argument(metavar="ENVIRONMENT", help="The environment that has ended.")],
    repository: Clone = Path(),
) -> None:
    """Remove the tree of an environment that has no file any more, with its applications; commit that to end it."""
    from constructs_lib.environment import environment_paths
    from gitops_render.remove import remove as remove_tree

    removed = remove_tree(repository, ended, [path.stem for path in environment_paths()])
    done(f"{repository}: {len(removed)} files of {ended} removed; commit it, and let it be reviewed")


@app.command()
def seal(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="YAML with Secrets; - reads stdin.")],
    environment: ReadBy,
    output: Output,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a Secret of the same name.")] = False,
) -> None:
    """Encrypt Secrets with SOPS and list them in the environment's sealed layer."""
    from gitops_render.seal import seal as seal_secrets

    inputs = {file: _clear_text(output, file) for file in files}
    paths = seal_secrets(output, environment, inputs, overwrite=overwrite)
    for path in paths:
        typer.echo(f"{environment}: {path}")
    done(f"{output}: {len(paths)} Secrets sealed for {environment}; commit them")


@app.command()
def unseal(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The Secret's name.")], environment: ReadBy, output: Output
) -> None:
    """Print a sealed Secret in clear text; needs the age key in SOPS_AGE_KEY_FILE or SOPS_AGE_KEY."""
    from gitops_render.seal import refuse_stream_into
    from gitops_render.seal import unseal as unseal_secret

    refuse_stream_into(output, sys.stdout.fileno())
    typer.echo(unseal_secret(output, environment, name), nl=False)
    done(f"{environment}: Secret {name} in clear text", data=True)


def _clear_text(output: Path, file: str) -> str:
    if file == "-":
        return sys.stdin.read()
    path = Path(file)
    if path.resolve().is_relative_to(output.resolve()):
        raise ConfigError(f"{path}: is clear text in the GitOps repository; remove it, from Git's history too")
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}; correct the path") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8 text; save it as UTF-8") from None
