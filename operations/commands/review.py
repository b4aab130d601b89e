"""What people read before they agree: drift, promotions, reports."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from constructs_lib.base.console import done, say, step
from constructs_lib.base.errors import DIFFERENT, ConfigError
from constructs_lib.base.purpose import Purpose
from gitops_render.arguments import EnvironmentName, From, To
from operations.commands.options import named
from operations.console import summarise

app = typer.Typer()

UNJUDGED = 3
"""The exit code of a report that could not judge all of a change."""


@app.command()
def doctor(environment: EnvironmentName) -> None:
    """Look for what the next step of an environment needs, change nothing, and exit 1 with a list of what to do."""
    from operations.review.doctor import looks

    todo: list[str] = []
    for what, found, problems in looks(named(environment)):
        say(f"{what}: {found or f'{len(problems)} to do'}")
        todo += problems
    for number, sentence in enumerate(todo, 1):
        say(f"{number}. {sentence}")
    done(f"{environment}: {f'{len(todo)} to do' if todo else 'nothing to do'}")
    if todo:
        raise typer.Exit(DIFFERENT)


@app.command()
def status(environment: EnvironmentName) -> None:
    """Show in one screen what runs where: cluster, layers, version, charts, certificates, backups, alerts."""
    from operations.clients.digitalocean import DigitalOcean
    from operations.review.status import status as look
    from operations.secrets.credentials import credentials_of

    env = named(environment)
    with step(f"{env.name}: look"):
        found = [*look(env, DigitalOcean(credentials_of(env, Purpose.PLAN).digitalocean_token))]
    for what, seen in found:
        say(f"{what:<13}{seen}")
    done(f"{env.name}: looked at {len(found)} things, changed nothing")


@app.command()
def drift(
    environment: EnvironmentName,
    report: Annotated[str, typer.Option(help="The repository (owner/name) whose issue tells of drift.")] = "",
) -> None:
    """Plan an environment read-only, compare the GitOps repository, and exit 1 if anything differs.

    With --report, an issue is opened, updated or closed with the token in GITHUB_TOKEN, and the exit code is 0.
    """
    from constructs_lib.environment import chosen, load_all
    from operations.review.drift import find_drift, marker
    from operations.secrets.gitops_client import gitops_client, own_client

    environments = load_all()
    (env,) = chosen(environments, [environment])
    differences = find_drift(env, environments, gitops_client(env.gitops, Purpose.DRIFT))
    done(f"{env.name}: {'differs' if differences else 'is as it should be'}")
    summarise(differences or f"**{env.name}** is as it should be.")
    if report:
        github = own_client()
        issue = github.report(github.repository(report), marker(env), f"Drift in {env.name}", differences)
        if issue is not None:
            say(f"{env.name}: issue {issue.number}")
    elif differences:
        raise typer.Exit(DIFFERENT)


@app.command()
def promote(
    source: From,
    target: To,
    commit: Annotated[str, typer.Option(help="A commit that FROM runs or has run, instead of its own.")] = "",
) -> None:
    """Open the pull request that lets TO run what FROM runs, with what it changes."""
    from constructs_lib.environment import chosen, load_all
    from operations.review.promotion import propose_promotion
    from operations.secrets.gitops_client import gitops_client

    environments = load_all()
    (before,), (after,) = chosen(environments, [source]), chosen(environments, [target])
    github = gitops_client(before.gitops, Purpose.PROMOTE)
    repository = github.repository(before.gitops.full_name)
    with step(f"{target}: compare what it runs with what {source} runs"):
        summarise(propose_promotion(github, repository, before, after, commit or None))
    done(f"{repository.full_name}: {target} changes when a pull request is merged, and not before")


@app.command()
def report(
    base: Annotated[Path, typer.Argument(metavar="BASE", help="A checkout of what the change is compared with.")],
    output: Annotated[Path, typer.Option(help="Where the Markdown goes.")] = Path("report.md"),
) -> None:
    """Synthesise and render a checkout of the base and this one, and write what changes.

    With CHARTS, what charts make is compared too; where the test tools are built, the change is rehearsed.
    Exit 1 if a policy breaks or a change is refused, 3 if something could not be judged.
    """
    from operations.review.report import compared

    with step("synthesise and render both sides, and compare them"):
        comparison = compared(base, Path())
    text = comparison.markdown()
    output.write_text(text, encoding="utf-8")
    summarise(text)
    trees = comparison.trees
    stacks, objects, findings = map(len, (comparison.stacks, trees.objects, trees.findings))
    for verdict in comparison.verdicts:
        say(f"{verdict.environment}: {verdict.words}")
    done(f"{output}: {stacks} blocks and {objects} objects change, {findings} findings")
    if findings or comparison.is_refused:
        raise typer.Exit(DIFFERENT)
    if not comparison.is_judged:
        raise typer.Exit(UNJUDGED)


@app.command()
def rehearse(
    environment: EnvironmentName,
    base: Annotated[
        Path | None,
        typer.Argument(metavar="BASE", help="A rendered tree of what it runs; else the GitOps repository is asked."),
    ] = None,
    tree: Annotated[Path | None, typer.Option(help="The tree that it would run, if not that of `render`.")] = None,
) -> None:
    """Apply what an environment runs, then what it would run, to a real API server, and say what becomes of it.

    Exit 1 if something is refused, 3 if something could not be rehearsed. Needs the test tools (`make tools`).
    """
    from gitops_render.paths import TREE
    from operations.rehearsal.output import to_markdown
    from operations.rehearsal.rehearsal import rehearse as rehearsed
    from operations.review.running import running_tree

    env = named(environment)
    with running_tree(env) if base is None else nullcontext(base) as old, step(f"rehearse {env.name}"):
        found = rehearsed(env.name, old, tree or TREE)
    text = "\n".join(to_markdown([found]))
    summarise(text)
    say(text)
    done(f"{env.name}: {len(found.refused)} refused", data=True)
    if found.refused.keys() - found.before.keys():
        raise typer.Exit(DIFFERENT)
    if found.before:
        raise typer.Exit(UNJUDGED)


@app.command()
def comment(
    repository: Annotated[str, typer.Argument(metavar="REPOSITORY", help="The repository (owner/name).")],
    pull_request: Annotated[int, typer.Argument(metavar="NUMBER", help="The pull request's number.")],
    body: Annotated[Path, typer.Option(help="The Markdown.")] = Path("report.md"),
) -> None:
    """Keep one comment on a pull request, with the token in GITHUB_TOKEN."""
    from operations.review.report import MARKER
    from operations.secrets.gitops_client import own_client

    try:
        text = body.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{body}: cannot be read: {error.strerror}; write it with `report`") from None
    github = own_client()
    changed = github.comment(github.repository(repository), pull_request, MARKER, text)
    done(f"{repository}#{pull_request}: comment {'written' if changed else 'is as it should be'}")
