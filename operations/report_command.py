"""The commands behind the comment on a pull request."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from constructs_lib.base.errors import ConfigError, exit_on_bad_input
from gitops_render.check import check_stacks, check_trees, read_stacks, read_trees
from gitops_render.diff import diff
from operations.app import DIFFERENT, app
from operations.clients.github import own_client
from operations.console import say, step, summarise
from operations.review.report import MARKER, build, stack_changes, to_report


@app.command()
def report(
    base: Annotated[Path, typer.Argument(help="A checkout of what the change is compared with.")],
    output: Annotated[Path, typer.Option(help="Where the Markdown goes.")] = Path("report.md"),
) -> None:
    """Synthesise and render a checkout of the base and this one, and write what changes; exit 1 if a policy breaks."""
    with exit_on_bad_input():
        head = Path()
        with step("synthesise and render both sides"):
            problem = build(head)
            if problem is not None:
                raise ConfigError(problem)
            problem = build(base)
        note = f"The base cannot be built with this change's packages, so nothing is compared: {problem}"
        findings = [*check_trees(read_trees(head / "gitops.out")), *check_stacks(read_stacks(head / "cdktf.out"))]
        changes = [] if problem else stack_changes(base / "cdktf.out", head / "cdktf.out")
        objects = [] if problem else diff(base / "gitops.out", head / "gitops.out")
        text = to_report(changes, objects, findings, note if problem else "")
        output.write_text(text, encoding="utf-8")
    summarise(text)
    say(f"{len(changes)} resources and {len(objects)} objects change, {len(findings)} findings")
    if findings:
        raise typer.Exit(DIFFERENT)


@app.command()
def comment(
    repository: Annotated[str, typer.Argument(help="The repository (owner/name).")],
    pull_request: Annotated[int, typer.Argument(help="The pull request's number.")],
    body: Annotated[Path, typer.Option(help="The Markdown.")] = Path("report.md"),
) -> None:
    """Keep one comment on a pull request, with the token in GITHUB_TOKEN."""
    with exit_on_bad_input():
        github = own_client()
        changed = github.comment(github.repository(repository), pull_request, MARKER, body.read_text(encoding="utf-8"))
        say(f"{repository}#{pull_request}: comment {'written' if changed else 'is as it should be'}")
