"""The command that checks the rendered tree and the synthesised JSON against the policies."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from constructs_lib.base.errors import exit_on_bad_input
from gitops_render.app import DIFFERENT, app
from gitops_render.check import POLICIES, check_stacks, check_trees, read_stacks, read_trees
from gitops_render.check.model import Finding


@app.command()
def check(
    tree: Annotated[Path, typer.Option(help="The folder of the GitOps repository.")] = Path("gitops.out"),
    stacks: Annotated[Path, typer.Option(help="The folder of the synthesised stacks.")] = Path("cdktf.out"),
    list_: Annotated[bool, typer.Option("--list", help="List the policies instead.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check every environment's tree and every stack against the policies, and exit 1 if one is broken."""
    if list_:
        _list_policies(as_json=as_json)
        return
    with exit_on_bad_input():
        findings = [*check_trees(read_trees(tree)), *check_stacks(read_stacks(stacks))]
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        _print(findings)
    if findings:
        raise typer.Exit(DIFFERENT)


def _list_policies(*, as_json: bool) -> None:
    rows = [{"id": policy.id, "reason": policy.reason, "fix": policy.fix} for policy in POLICIES]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        typer.echo(f"{row['id']}  {row['reason']}. Fix: {row['fix']}.")


def _print(findings: Sequence[Finding]) -> None:
    for finding in findings:
        where = typer.style(f"{finding.policy} {finding.file}", bold=True)
        typer.echo(f"{where}: {finding.object} {finding.message}. Fix: {finding.fix}.")
    typer.echo(f"{len(POLICIES)} policies, {len(findings)} findings")
