"""`vault`: what Vault's owner does."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from constructs_lib.base.console import done, say
from constructs_lib.base.errors import DIFFERENT
from gitops_render.program import program

if TYPE_CHECKING:
    from operations.secrets.trust import Trust


app = program("Whom Vault trusts with what: made from the environment files.")


class How(StrEnum):
    """How something is printed."""

    HCL = "hcl"
    JSON = "json"


@app.command(name="print")
def print_(
    how: Annotated[How, typer.Option("--format", help="Commands with policies in HCL, or JSON.")] = How.HCL,
) -> None:
    """Print the auth methods, roles and policies that the environment files ask of each Vault."""
    found = _trusts()
    if how is How.JSON:
        say(json.dumps([trust.as_json() for trust in found], indent=2))
    else:
        say("\n".join(trust.as_commands() for trust in found).rstrip())
    done(f"{len(found)} Vaults", data=True)


@app.command(name="apply")
def apply_vault() -> None:
    """Make them, with the token of Vault's owner in VAULT_TOKEN, and remove the roles that were there before them."""
    from operations.secrets.owner import apply

    for trust in _trusts():
        done(f"Vault at {trust.server.address}: {apply(trust) or 'nothing'} changed, is as it should be")


@app.command()
def compare() -> None:
    """Say where a Vault differs, with a token in VAULT_TOKEN that may read its settings; exit 1 if one does."""
    from operations.secrets.owner import differences

    found = [sentence for trust in _trusts() for sentence in differences(trust)]
    for sentence in found:
        say(sentence)
    done(f"{len(found)} differences" if found else "Vault is as it should be")
    if found:
        raise typer.Exit(DIFFERENT)


def _trusts() -> list[Trust]:
    from constructs_lib.environment import load_all
    from operations.secrets.trust import trusts

    return trusts(load_all())
