"""The command that removes what tests left behind."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from constructs_lib.base.errors import exit_on_bad_input
from constructs_lib.environment import load_all
from operations.app import app
from operations.clients.digitalocean import DigitalOcean
from operations.console import say
from operations.provisioning.sweep import expired
from operations.provisioning.sweep import sweep as remove
from operations.secrets.credentials import credentials_of


@app.command()
def sweep(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing; say what would be removed.")] = False,
) -> None:
    """Remove ephemeral resources that carry both the prefix eph- and an expired tag.

    The account is that of DIGITALOCEAN_TOKEN, or else the one that Vault has for the first environment.
    """
    with exit_on_bad_input():
        token = os.environ.get("DIGITALOCEAN_TOKEN")
        api = DigitalOcean(token or credentials_of(load_all()[0]).digitalocean_token)
        found = expired(api)
        if dry_run:
            for item in found:
                say(f"{item.kind} {item.name}: would be removed")
        else:
            remove(api, found)
        say(f"{len(found)} expired")
