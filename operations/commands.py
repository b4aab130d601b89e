"""The commands. Each imports what it uses when it runs, so that asking for help takes no time."""

from __future__ import annotations

import json
import os
import signal
from contextlib import nullcontext
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from constructs_lib.base.errors import DIFFERENT, ConfigError, unknown
from constructs_lib.base.purpose import Purpose
from constructs_lib.base.stacks import GITOPS_REPOSITORY
from gitops_render.paths import TREE
from gitops_render.program import EXIT_CODES, program
from operations.console import say, step, summarise
from operations.provisioning.stage import Stage

if TYPE_CHECKING:
    from constructs_lib.environment import Environment
    from operations.secrets.trust import Trust

UNJUDGED = 3
"""The exit code of a report that could not judge all of a change."""

app = program("Bootstrap, provision and watch.", epilog=EXIT_CODES)
bootstrap = program("Bring up the GitOps repository; safe to run again at any point.")
provision = program("Plan an environment's stacks, and apply exactly that plan.")

rotate = program("A new secret for an old one; each run does the next step, and none cuts anybody off.")
vault = program("Whom Vault trusts with what: made from the environment files.")

PLANS = Path("plans.out")


class How(StrEnum):
    """How something is printed."""

    HCL = "hcl"
    JSON = "json"


EnvironmentName = Annotated[str, typer.Argument(metavar="ENVIRONMENT", help="The environment.")]
EnvironmentNames = Annotated[
    list[str] | None,
    typer.Option("--environment", envvar="ENVIRONMENTS", help="Only this environment; may be repeated."),
]
Folder = Annotated[Path, typer.Option(help="Where the encrypted plan files are.")]
DryRun = Annotated[bool, typer.Option("--dry-run", envvar="DRY_RUN", help="Change nothing; say what would be done.")]
Confirmed = Annotated[
    str | None, typer.Option("--confirm", envvar="CONFIRM", help="The environment's name, typed by who destroys it.")
]


@app.callback()
def commands() -> None:
    """Let a job that is stopped end as with Ctrl-C."""
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """Give OpenTofu the time to save its state and to release its lock."""
    raise KeyboardInterrupt


# The GitOps repository


@bootstrap.command()
def check(
    organisation: Annotated[str, typer.Option(help="Refuse to go on unless the files name this organisation.")] = "",
    repository: Annotated[str, typer.Option(help="Refuse to go on unless the files name this repository.")] = "",
    enforced: Annotated[
        bool, typer.Option("--enforced", help="After `settings`: refuse what guards the repositories, but not visibly.")
    ] = False,
) -> None:
    """Check the inputs, the credentials in Vault and the GitHub token before anything is changed."""
    from constructs_lib.environment import load_all
    from operations.bootstrap.bootstrap import Bootstrap

    Bootstrap(load_all()).check(organisation, repository, enforced=enforced)


@bootstrap.command()
def secrets(dry_run: DryRun = False) -> None:
    """Make what Vault has not got: deploy keys, age keys, passwords, state passphrases."""
    from constructs_lib.environment import load_all
    from operations.bootstrap.bootstrap import Bootstrap

    Bootstrap(load_all()).secrets(dry_run=dry_run)


@bootstrap.command()
def layout(environment: EnvironmentNames = None, dry_run: DryRun = False) -> None:
    """Make the repository and seed it, or propose what its layout lacks."""
    from constructs_lib.environment import chosen, load_all
    from operations.bootstrap.bootstrap import Bootstrap

    environments = load_all()
    Bootstrap(environments).layout(chosen(environments, environment or []), dry_run=dry_run)


@bootstrap.command()
def settings(
    plans: Annotated[Path, typer.Option(help="Where the plan is written.")] = PLANS / GITOPS_REPOSITORY,
    dry_run: DryRun = False,
) -> None:
    """Plan and apply the repository's settings: rulesets, deploy keys, environments with reviewers, variables."""
    from constructs_lib.environment import load_all
    from operations.bootstrap.bootstrap import Bootstrap

    Bootstrap(load_all()).settings(plans, dry_run=dry_run)


@app.command()
def deploy_key(environment: Annotated[str, typer.Argument(help="The environment.")]) -> None:
    """Print the public half of an environment's deploy key; make the key, and what else Vault lacks, if need be."""
    from operations.secrets.entries import ensure_entries, public_deploy_key

    env = _named(environment)
    ensure_entries(env)
    say(public_deploy_key(env))


# Environments


@app.command()
def lock_providers() -> None:
    """Write the official hashes of the providers into providers.lock.hcl; needs the registry."""
    from constructs_lib.base.stacks import OUTPUT, definitions
    from operations.clients.provider_lock import write_lock

    stacks = [json.loads(path.read_bytes()) for path in definitions(OUTPUT)]
    if not stacks:
        raise ConfigError(f"{OUTPUT}: holds no stack; run make synth")
    write_lock(stacks)


@app.command()
def environments(
    environment: Annotated[
        list[str] | None, typer.Argument(metavar="ENVIRONMENT…", help="Only these; all if none is named.")
    ] = None,
) -> None:
    """List the environments as JSON, each with the label of its runners, and give the list to a job's later steps."""
    from constructs_lib.environment import chosen, load_all

    listed = [{"name": env.name, "runner": env.runner} for env in chosen(load_all(), environment or [])]
    say(json.dumps(listed))
    _output(environments=json.dumps(listed))


@provision.command()
def plan(  # noqa: PLR0913, PLR0917 - options of a command line
    environment: EnvironmentName,
    stage: Annotated[Stage, typer.Option(help="What to plan: services need the cluster, dns the balancer.")],
    plans: Folder = PLANS,
    prepare: Annotated[
        bool, typer.Option("--prepare", envvar="PREPARE", help="Plan what is to be applied, not only looked at.")
    ] = False,
    destroy: Annotated[
        bool, typer.Option("--destroy", envvar="DESTROY", help="Plan the end of the stage's stacks.")
    ] = False,
    confirm: Confirmed = None,
    wait: Annotated[
        float, typer.Option("--wait", envvar="WAIT", help="Seconds that what the stage needs may take to come.")
    ] = 0,
) -> None:
    """Write encrypted plan files, and a summary for people."""
    from operations.provisioning.needs import NEEDED
    from operations.provisioning.plan_report import plans_markdown
    from operations.provisioning.provision import Provisioner
    from operations.provisioning.refusals import refuse_destruction

    env = _named(environment)
    if destroy:
        refuse_destruction(env, confirm)
    planner = Provisioner(env, Purpose.PLAN)
    written, readings = planner.plan(stage, plans, destroy=destroy, prepare=prepare, wait_seconds=wait)
    summarise(plans_markdown(written, readings))
    for planned in written.stacks:
        say(f"{planned.stack}: {planned.changes} resources to change")
    for name in written.waiting:
        say(f"{name}: is planned once {NEEDED[stage]} is there")
    _output(changes=written.changes)


@provision.command()
def apply(environment: EnvironmentName, plans: Folder = PLANS, confirm: Confirmed = None) -> None:
    """Apply the plans in a folder, exactly as they are."""
    from operations.provisioning.plans import read_plans
    from operations.provisioning.provision import Provisioner
    from operations.provisioning.refusals import refuse_destruction

    env = _named(environment)
    written = read_plans(plans, env)
    if written.destroy:
        refuse_destruction(env, confirm)
    Provisioner(env, Purpose.APPLY).apply(written, plans)
    say(f"{env.name}: {written.stage} is as planned")


@app.command()
def state_migrate(stack: Annotated[str, typer.Argument(help="The stack, such as sandbox-state.")]) -> None:
    """Move the state that a run on this machine left in a stack's folder into its bucket."""
    from constructs_lib.environment import load_all
    from operations.provisioning.provision import Provisioner

    owners = {env.stack(kind): env for env in load_all() for kind in env.stacks}
    env = owners.get(stack)
    if env is None:
        raise ConfigError(unknown("stack", stack, list(owners)))
    Provisioner(env, Purpose.APPLY).migrate(stack)
    say(f"{stack}: state is in bucket {env.state.bucket}")


@app.command()
def wait_ready(
    environment: EnvironmentName,
    timeout: Annotated[float, typer.Option(help="Seconds to wait.")] = 1800,
    poll: Annotated[float, typer.Option(help="Seconds between two looks.")] = 10,
) -> None:
    """Wait until Flux has brought an environment up and its host answers over HTTPS, and say what is missing."""
    from operations.provisioning.ready import wait_ready as wait

    wait(_named(environment), timeout_seconds=timeout, poll_seconds=poll)


@app.command()
def sweep(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing; say what would be removed.")] = False,
) -> None:
    """Remove ephemeral resources that carry both the prefix eph- and an expired tag.

    The account is that of DIGITALOCEAN_TOKEN, or else the one that Vault has for the integration tests.
    """
    from constructs_lib.environment import load_all
    from operations.clients.digitalocean import DigitalOcean
    from operations.provisioning.sweep import expired, remove
    from operations.secrets.credentials import integration_token

    api = DigitalOcean(os.environ.get("DIGITALOCEAN_TOKEN") or integration_token(load_all()[0].gitops))
    leftovers = expired(api)
    if dry_run:
        for item in leftovers:
            say(f"{item.kind} {item.name}: would be removed")
    else:
        remove(api, leftovers)
    say(f"{len(leftovers)} expired")


# Vault, for its owner


@vault.command(name="print")
def print_(
    how: Annotated[How, typer.Option("--format", help="Commands with policies in HCL, or JSON.")] = How.HCL,
) -> None:
    """Print the auth methods, roles and policies that the environment files ask of each Vault."""
    found = _trusts()
    if how is How.JSON:
        say(json.dumps([trust.as_json() for trust in found], indent=2))
    else:
        say("\n".join(trust.as_commands() for trust in found).rstrip())


@vault.command(name="apply")
def apply_vault() -> None:
    """Make them, with the token of Vault's owner in VAULT_TOKEN, and remove the roles that were there before them."""
    from operations.secrets.owner import apply

    for trust in _trusts():
        if not apply(trust):
            say(f"Vault at {trust.server.address}: is as it should be")


@vault.command()
def compare() -> None:
    """Say where a Vault differs, with a token in VAULT_TOKEN that may read its settings; exit 1 if one does."""
    from operations.secrets.owner import differences

    found = [sentence for trust in _trusts() for sentence in differences(trust)]
    for sentence in found:
        say(sentence)
    if found:
        raise typer.Exit(DIFFERENT)
    say("Vault is as it should be")


# Rotation


@rotate.command()
def spaces_key(
    environment: EnvironmentName,
    which: Annotated[str, typer.Argument(metavar="KEY", help="state, plan, backups or traces.")],
) -> None:
    """Make a new Spaces key; run again later, end the one before it."""
    from operations.rotation.spaces_key import rotate_spaces_key

    rotate_spaces_key(_named(environment), which)


@rotate.command()
def state_passphrase(
    environment: Annotated[str, typer.Argument(help=f"The environment, or {GITOPS_REPOSITORY}.")],
) -> None:
    """Encrypt every state with a new passphrase; no other run may change them meanwhile."""
    from constructs_lib.environment import load_all
    from operations.rotation.passphrase import gitops_place, place_of, rotate_passphrase

    own = environment == GITOPS_REPOSITORY
    rotate_passphrase(gitops_place(load_all()[0]) if own else place_of(_named(environment)))


@rotate.command(name="deploy-key")
def rotate_key(environment: EnvironmentName) -> None:
    """Make a new deploy key beside the old one; run again once it is provisioned, end the old one."""
    from operations.rotation.deploy_key import rotate_deploy_key

    rotate_deploy_key(_named(environment))


# What people read before they agree


@app.command()
def drift(
    environment: Annotated[str, typer.Argument(help="The environment.")],
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
    say(f"{env.name}: {'differs' if differences else 'is as it should be'}")
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
    source: Annotated[str, typer.Argument(metavar="FROM", help="The environment whose commit is taken.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="The environment that is to run it.")],
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
    summarise(propose_promotion(github, repository, before, after, commit or None))


@app.command()
def report(
    base: Annotated[Path, typer.Argument(help="A checkout of what the change is compared with.")],
    output: Annotated[Path, typer.Option(help="Where the Markdown goes.")] = Path("report.md"),
) -> None:
    """Synthesise and render a checkout of the base and this one, and write what changes.

    Exit 1 if a policy breaks or a change is refused, 3 if something could not be judged.
    """
    from operations.review.report import compared

    with step("synthesise and render both sides"):
        comparison = compared(base, Path())
    text = comparison.markdown()
    output.write_text(text, encoding="utf-8")
    summarise(text)
    trees = comparison.trees
    stacks, objects, findings = map(len, (comparison.stacks, trees.objects, trees.findings))
    say(f"{stacks} blocks and {objects} objects change, {findings} findings")
    for verdict in comparison.verdicts:
        say(f"{verdict.environment}: {verdict.words}")
    if findings or comparison.is_refused:
        raise typer.Exit(DIFFERENT)
    if not comparison.is_judged:
        raise typer.Exit(UNJUDGED)


@app.command()
def rehearse(
    environment: EnvironmentName,
    base: Annotated[
        Path | None, typer.Argument(help="A rendered tree of what it runs; else the GitOps repository is asked.")
    ] = None,
    tree: Annotated[Path, typer.Option(help="The tree that it would run.")] = TREE,
) -> None:
    """Apply what an environment runs, then what it would run, to a real API server, and say what becomes of it.

    Exit 1 if something is refused, 3 if something could not be rehearsed. Needs the test tools (`make tools`).
    """
    from operations.rehearsal.output import to_markdown
    from operations.rehearsal.rehearsal import rehearse as rehearsed
    from operations.review.running import running_tree

    env = _named(environment)
    with running_tree(env) if base is None else nullcontext(base) as old, step(f"rehearse {env.name}"):
        found = rehearsed(env.name, old, tree)
    text = "\n".join(to_markdown([found]))
    summarise(text)
    say(text)
    if found.refused.keys() - found.before.keys():
        raise typer.Exit(DIFFERENT)
    if found.before:
        raise typer.Exit(UNJUDGED)


@app.command()
def comment(
    repository: Annotated[str, typer.Argument(help="The repository (owner/name).")],
    pull_request: Annotated[int, typer.Argument(help="The pull request's number.")],
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
    say(f"{repository}#{pull_request}: comment {'written' if changed else 'is as it should be'}")


app.add_typer(bootstrap, name="bootstrap")
app.add_typer(provision, name="provision")
app.add_typer(vault, name="vault")
app.add_typer(rotate, name="rotate")


def _trusts() -> list[Trust]:
    from constructs_lib.environment import load_all
    from operations.secrets.trust import trusts

    return trusts(load_all())


def _named(name: str) -> Environment:
    from constructs_lib.environment import chosen, load_all

    (env,) = chosen(load_all(), [name])
    return env


def _output(**values: object) -> None:
    """Give values to later steps of a job of GitHub Actions."""
    path = os.environ.get("GITHUB_OUTPUT")
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.writelines(f"{name}={value}\n" for name, value in values.items())
