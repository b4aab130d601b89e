"""What only looks: policies, differences, and what environments consist of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from constructs_lib.base.console import done
from constructs_lib.base.errors import DIFFERENT
from constructs_lib.base.stacks import OUTPUT
from gitops_render.commands.options import AsJson, Chosen
from gitops_render.paths import TREE

if TYPE_CHECKING:
    from gitops_render.check.model import Finding


app = typer.Typer()


@app.command()
def check(
    tree: Annotated[Path, typer.Option(help="The folder of the GitOps repository.")] = TREE,
    stacks: Annotated[Path, typer.Option(help="The folder of the synthesised stacks.")] = OUTPUT,
    list_: Annotated[bool, typer.Option("--list", help="List the policies instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check every environment's tree and every stack against the policies, and exit 1 if one is broken."""
    from gitops_render.check import POLICIES, check_stacks, check_trees, read_stacks, read_trees
    from gitops_render.check.sealed import sealed_findings

    if list_:
        _list_policies(as_json=as_json)
        return
    findings = [*check_trees(read_trees(tree)), *check_stacks(read_stacks(stacks)), *_without_file(tree)]
    findings += sealed_findings(tree)
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        _print_findings(findings)
    done(f"{tree} and {stacks}: {len(POLICIES)} policies, {len(findings)} findings", data=as_json)
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
    lines = (f"{row['id']}  {row['reason']}. Fix: {row['fix']}." for row in rows)
    typer.echo(json.dumps(rows, indent=2) if as_json else "\n".join(lines))
    done(f"{len(rows)} policies", data=True)


def _print_findings(findings: Sequence[Finding]) -> None:
    for finding in findings:
        where = typer.style(f"{finding.policy} {finding.file}", bold=True)
        typer.echo(f"{where}: {finding.object} {finding.message}. Fix: {finding.fix}.")


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
    done(f"{old} and {new}: {len(differences)} objects differ", data=True)
    if differences:
        raise typer.Exit(DIFFERENT)


@app.command()
def graph(environment: Chosen = None) -> None:
    """Print the layers of each environment and what they wait for, as Mermaid flowcharts in Markdown."""
    from constructs_lib.environment import chosen, load_all
    from gitops_render.graph import graph as flowchart

    drawn = [f"## {env.name}\n\n```mermaid\n{flowchart(env)}\n```" for env in chosen(load_all(), environment or [])]
    typer.echo("\n\n".join(drawn))
    done(f"layers of {len(drawn)} environments", data=True)


@app.command()
def capacity(environment: Chosen = None, as_json: AsJson = False) -> None:
    """Print what pods ask for and what their pools have for them, of each environment or of those named."""
    from constructs_lib.environment import chosen, load_all
    from gitops_render.capacity import rows, to_json, to_text

    environments = chosen(load_all(), environment or [])
    found = rows(environments)
    typer.echo(to_json(found) if as_json else "\n".join(to_text(found)))
    done(f"capacity of {len(environments)} environments", data=True)


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
    done(f"{len(found)} pinned things", data=True)
