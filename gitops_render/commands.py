"""The command line. A command imports what it needs when it runs, so that help and wrong usage cost nothing.

Bad input leaves a command as a `ConfigError`, which `__main__` tells.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from constructs_lib.base.errors import DIFFERENT, ConfigError
from constructs_lib.base.stacks import OUTPUT
from gitops_render.paths import TREE
from gitops_render.program import EXIT_CODES, program

if TYPE_CHECKING:
    from gitops_render.check.model import Finding
    from gitops_render.pin import Pin
    from gitops_render.tree import Rendered

SHOWN = 50
"""How many commits `pin` prints for people; `--json` gives all."""

app = program("Render the GitOps repository.", epilog=EXIT_CODES)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Chosen = Annotated[list[str] | None, typer.Option("--environment", help="Only this environment; may be repeated.")]
Output = Annotated[Path, typer.Option(help="The folder of the GitOps repository.")]
ReadBy = Annotated[str, typer.Option("--environment", help="The environment whose cluster reads the Secret.")]


@app.command()
def render(
    output: Output,
    environment: Chosen = None,
    overwrite: Annotated[bool, typer.Option(help="Replace files that were edited by hand.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; show what would change, and exit 1.")] = False,
) -> None:
    """Write the Flux tree of every environment, or of those named, and the files that all share."""
    from constructs_lib.environment import chosen, load_all
    from gitops_render.repository import INDEX_NAME, render_repository
    from gitops_render.tree import render as render_environment
    from gitops_render.write import write_all

    environments = load_all()
    trees = {env.name: render_environment(env) for env in chosen(environments, environment or [])}
    trees[INDEX_NAME] = render_repository(environments)
    if check:
        _show_difference(output, trees)
        return
    for name, (changed, removed) in write_all(output, trees, overwrite=overwrite).items():
        typer.echo(f"{name}: {len(trees[name].written)} files, {len(changed)} written, {len(removed)} removed")


def _show_difference(output: Path, trees: dict[str, Rendered]) -> None:
    from gitops_render.write import cut_before, difference

    lines = cut_before(output) or [
        line for name, rendered in trees.items() for line in difference(output, name, rendered)
    ]
    if lines:
        typer.echo("\n".join(lines))
        raise typer.Exit(DIFFERENT)


@app.command()
def schema() -> None:
    """Print the JSON Schema of the environment files, which editors use."""
    from constructs_lib.environment import Environment

    typer.echo(json.dumps(Environment.model_json_schema(), indent=2))


@app.command()
def codeowners() -> None:
    """Print this repository's CODEOWNERS: an environment's reviewers own its file, and together all else."""
    from constructs_lib.environment import load_all
    from gitops_render.paths import environment_files
    from gitops_render.repository import code_owners

    typer.echo(code_owners(load_all(), environment_files).decode(), nl=False)


@app.command()
def check(
    tree: Annotated[Path, typer.Option(help="The folder of the GitOps repository.")] = TREE,
    stacks: Annotated[Path, typer.Option(help="The folder of the synthesised stacks.")] = OUTPUT,
    list_: Annotated[bool, typer.Option("--list", help="List the policies instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check every environment's tree and every stack against the policies, and exit 1 if one is broken."""
    from gitops_render.check import check_stacks, check_trees, read_stacks, read_trees

    if list_:
        _list_policies(as_json=as_json)
        return
    findings = [*check_trees(read_trees(tree)), *check_stacks(read_stacks(stacks)), *_without_file(tree)]
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        _print_findings(findings)
    if findings:
        raise typer.Exit(DIFFERENT)


def _without_file(tree: Path) -> list[Finding]:
    """Return a finding for each environment in a tree of which no file is in `environments/`."""
    from constructs_lib.environment import ENVIRONMENTS
    from gitops_render.check.model import Finding
    from gitops_render.paths import CLUSTER, Place
    from gitops_render.repository import without_file

    ended = without_file(tree, (path.stem for path in ENVIRONMENTS.glob("*.yaml")))
    fix = "end it, as docs/how-to/remove-an-environment.md says"
    return [Finding("ENV001", str(Place(name, CLUSTER).path), name, "has no environment file", fix) for name in ended]


def _list_policies(*, as_json: bool) -> None:
    from gitops_render.check import POLICIES

    rows = [{"id": policy.id, "reason": policy.reason, "fix": policy.fix} for policy in POLICIES]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        typer.echo(f"{row['id']}  {row['reason']}. Fix: {row['fix']}.")


def _print_findings(findings: Sequence[Finding]) -> None:
    from gitops_render.check import POLICIES

    for finding in findings:
        where = typer.style(f"{finding.policy} {finding.file}", bold=True)
        typer.echo(f"{where}: {finding.object} {finding.message}. Fix: {finding.fix}.")
    typer.echo(f"{len(POLICIES)} policies, {len(findings)} findings")


class Format(StrEnum):
    """How a difference is printed."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"


@app.command()
def diff(
    old: Annotated[Path, typer.Argument(metavar="A", help="A rendered tree.")],
    new: Annotated[Path, typer.Argument(metavar="B", help="The tree to compare with it.")],
    format_: Annotated[Format, typer.Option("--format", help="How to print it.")] = Format.TEXT,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Show the objects that differ between two rendered trees, and exit 1 if there are any."""
    from gitops_render.diff import diff as compare
    from gitops_render.diff_output import to_json, to_markdown, to_text

    printers = {Format.TEXT: to_text, Format.MARKDOWN: to_markdown, Format.JSON: to_json}
    differences = compare(old, new)
    typer.echo(printers[Format.JSON if as_json else format_](differences).rstrip("\n"))
    if differences:
        raise typer.Exit(DIFFERENT)


@app.command()
def graph(environment: Chosen = None) -> None:
    """Print the layers of each environment and what they wait for, as Mermaid flowcharts in Markdown."""
    from constructs_lib.environment import chosen, load_all
    from gitops_render.graph import graph as flowchart

    drawn = [f"## {env.name}\n\n```mermaid\n{flowchart(env)}\n```" for env in chosen(load_all(), environment or [])]
    typer.echo("\n\n".join(drawn))


@app.command()
def capacity(environment: Chosen = None, as_json: AsJson = False) -> None:
    """Print what pods ask for and what their pools have for them, of each environment or of those named."""
    from constructs_lib.environment import chosen, load_all
    from gitops_render.capacity import rows, to_json, to_text

    found = rows(chosen(load_all(), environment or []))
    typer.echo(to_json(found) if as_json else "\n".join(to_text(found)))


class Listing(StrEnum):
    """How pinned things are printed."""

    TEXT = "text"
    JSON = "json"
    CYCLONEDX = "cyclonedx"


@app.command()
def versions(
    format_: Annotated[Listing, typer.Option("--format", help="cyclonedx is a bill of materials.")] = Listing.TEXT,
) -> None:
    """List every chart, image, source, provider, action, package and tool that is pinned, and where."""
    from gitops_render.versions import locked, output
    from gitops_render.versions import versions as pinned

    found = pinned(Path())
    if format_ is Listing.CYCLONEDX:
        typer.echo(output.to_cyclonedx(found, output.packages(locked(Path()))))
    else:
        typer.echo(output.to_json(found) if format_ is Listing.JSON else "\n".join(output.to_text(found)))


@app.command()
def pin(
    source: Annotated[str, typer.Argument(metavar="FROM", help="The environment whose commit is taken.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="The environment that is to run it.")],
    repository: Annotated[Path, typer.Option(help="A clone of the GitOps repository, fetched just now.")] = Path(),
    commit: Annotated[str | None, typer.Option(help="A commit that FROM runs or has run, instead of its own.")] = None,
    as_json: AsJson = False,
) -> None:
    """Pin TO to the commit that FROM runs, by one line in its source.yaml; commit that line to promote."""
    from constructs_lib.environment import chosen, load_all
    from gitops_render.pin import pin as pin_to

    environments = load_all()
    (before,), (after,) = chosen(environments, [source]), chosen(environments, [target])
    pinned = pin_to(repository, before, after, commit)
    if as_json:
        typer.echo(json.dumps({"source": source, "target": target, **asdict(pinned)}, indent=2))
    else:
        typer.echo("\n".join(_pin_lines(target, pinned)))


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
    change: Annotated[str, typer.Argument(metavar="COMMIT", help="The change's last commit, by its full name.")],
    repository: Annotated[Path, typer.Option(help="A clone of the GitOps repository, fetched just now.")] = Path(),
) -> None:
    """Check that a change of the GitOps repository is rendered, sealed, promoted or an application's own, or exit 1."""
    from constructs_lib.environment import load_all
    from gitops_render.validate import Allowed
    from gitops_render.validate.change import Change

    environments = load_all()
    proposed = Change(repository, environments[0].gitops.default_branch, change)
    found = Allowed(environments).problems(proposed)
    for problem in found:
        typer.echo(problem)
    typer.echo(f"{len(proposed.paths)} files change, {len(found)} findings")
    if found:
        raise typer.Exit(DIFFERENT)


@app.command()
def seal(
    files: Annotated[list[str], typer.Argument(metavar="FILE…", help="YAML with Secrets; - reads stdin.")],
    environment: ReadBy,
    output: Output,
    overwrite: Annotated[bool, typer.Option(help="Replace a Secret of the same name.")] = False,
) -> None:
    """Encrypt Secrets with SOPS and list them in the environment's sealed layer."""
    from gitops_render.seal import seal as seal_secrets

    inputs = {file: _clear_text(output, file) for file in files}
    for path in seal_secrets(output, environment, inputs, overwrite=overwrite):
        typer.echo(f"{environment}: {path}")


@app.command()
def unseal(
    name: Annotated[str, typer.Argument(help="The Secret's name.")], environment: ReadBy, output: Output
) -> None:
    """Print a sealed Secret in clear text; needs the age key in SOPS_AGE_KEY_FILE or SOPS_AGE_KEY."""
    from gitops_render.seal import refuse_stream_into
    from gitops_render.seal import unseal as unseal_secret

    refuse_stream_into(output, sys.stdout.fileno())
    typer.echo(unseal_secret(output, environment, name), nl=False)


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
