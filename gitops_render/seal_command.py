"""The commands that encrypt Secrets into the GitOps repository, and show one again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from constructs_lib.base.errors import ConfigError, exit_on_bad_input
from gitops_render.app import app
from gitops_render.seal import refuse_stream_into
from gitops_render.seal import seal as seal_secrets
from gitops_render.seal import unseal as unseal_secret

Output = Annotated[Path, typer.Option(help="The folder of the GitOps repository.")]
Environment = Annotated[str, typer.Option(help="The environment whose cluster reads the Secret.")]


@app.command()
def seal(
    files: Annotated[list[str], typer.Argument(metavar="FILE…", help="YAML with Secrets; - reads stdin.")],
    environment: Environment,
    output: Output,
    overwrite: Annotated[bool, typer.Option(help="Replace a Secret of the same name.")] = False,
) -> None:
    """Encrypt Secrets with SOPS and list them in the environment's sealed layer."""
    with exit_on_bad_input():
        inputs = {file: _read(output, file) for file in files}
        for path in seal_secrets(output, environment, inputs, overwrite=overwrite):
            typer.echo(f"{environment}: {path}")


@app.command()
def unseal(
    name: Annotated[str, typer.Argument(help="The Secret's name.")], environment: Environment, output: Output
) -> None:
    """Print a sealed Secret in clear text; needs the age key in SOPS_AGE_KEY_FILE or SOPS_AGE_KEY."""
    with exit_on_bad_input():
        refuse_stream_into(output, sys.stdout.fileno())
        typer.echo(unseal_secret(output, environment, name), nl=False)


def _read(output: Path, file: str) -> str:
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
