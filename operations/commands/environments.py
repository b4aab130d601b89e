"""Commands about environments that stand for themselves: their names, keys, states, and what is up or left."""

from __future__ import annotations

import json
import os
from typing import Annotated

import typer

from constructs_lib.base.console import done, say, step
from constructs_lib.base.errors import ConfigError, unknown
from constructs_lib.base.purpose import Purpose
from gitops_render.arguments import EnvironmentName, environment_names, stack_names
from operations.commands.options import named, output

app = typer.Typer()


@app.command()
def environments(
    environment: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="ENVIRONMENT", autocompletion=environment_names, help="Only these; all if none is named."
        ),
    ] = None,
) -> None:
    """List the environments as JSON, each with the label of its runners, and give the list to a job's later steps."""
    from constructs_lib.environment import chosen, load_all

    listed = [{"name": env.name, "runner": env.runner} for env in chosen(load_all(), environment or [])]
    say(json.dumps(listed))
    output(environments=json.dumps(listed))
    done(f"{len(listed)} environments", data=True)


@app.command()
def deploy_key(
    environment: EnvironmentName,
) -> None:
    """Print the public half of an environment's deploy key; make the key, and what else Vault lacks, if need be."""
    from operations.secrets.entries import ensure_entries, public_deploy_key

    env = named(environment)
    ensure_entries(env)
    say(public_deploy_key(env))
    done(f"{env.name}: the public half of its deploy key", data=True)


@app.command()
def lock_providers() -> None:
    """Write the official hashes of the providers into providers.lock.hcl; needs the registry."""
    from constructs_lib.base.stacks import OUTPUT, definitions
    from operations.clients.provider_lock import LOCK, write_lock

    stacks = [json.loads(path.read_bytes()) for path in definitions(OUTPUT)]
    if not stacks:
        raise ConfigError(f"{OUTPUT}: holds no stack; run make synth")
    with step("look the providers up in OpenTofu's registry"):
        write_lock(stacks)
    done(f"{LOCK}: the hashes of what {len(stacks)} stacks ask for")


@app.command()
def state_migrate(
    stack: Annotated[
        str, typer.Argument(metavar="STACK", autocompletion=stack_names, help="The stack, such as sandbox-state.")
    ],
) -> None:
    """Move the state that a run on this machine left in a stack's folder into its bucket."""
    from constructs_lib.environment import load_all
    from operations.provisioning.provision import Provisioner

    owners = {env.stack(kind): env for env in load_all() for kind in env.stacks}
    env = owners.get(stack)
    if env is None:
        raise ConfigError(unknown("stack", stack, list(owners)))
    bucket = Provisioner(env, Purpose.APPLY).migrate(stack)
    done(f"{stack}: state is in bucket {bucket.bucket}")


@app.command()
def wait_ready(
    environment: EnvironmentName,
    timeout: Annotated[float, typer.Option(help="Seconds to wait.")] = 1800,
    poll: Annotated[float, typer.Option(help="Seconds between two looks.")] = 10,
) -> None:
    """Wait until Flux has brought an environment up and its host answers over HTTPS, and say what is missing."""
    from operations.provisioning.ready import wait_ready as wait

    wait(named(environment), timeout_seconds=timeout, poll_seconds=poll)
    done(f"{environment}: is up")


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
    done(f"{len(leftovers)} expired")
