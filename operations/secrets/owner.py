"""What Vault's owner does: make what the environment files describe, or say where Vault differs from it."""

from __future__ import annotations

from collections.abc import Iterator

from constructs_lib.base.console import say
from operations.clients.vault_paths import VaultPaths
from operations.secrets.policies import hcl
from operations.secrets.trust import POLICIES, Trust


def apply(trust: Trust) -> int:
    """Make what a Vault lacks, write what it holds otherwise, remove what is of former times; return how much it was.

    Policies come before the roles that name them, and former roles go last: nobody is cut off in between.
    """
    vault = VaultPaths(trust.server, None)
    done = 0
    for mount, kind in [*vault.unmounted(trust.methods)]:
        vault.enable(mount, kind)
        done += _told(trust, f"auth/{mount}", "enabled")
    for writes in (_policies(trust), trust.writes):
        done += sum(_told(trust, path, "written") for path in vault.write(writes))
    for path in _former(trust, vault):
        vault.delete(path)
        done += _told(trust, path, "removed")
    return done


def differences(trust: Trust) -> Iterator[str]:
    """Yield a sentence for each thing in which a Vault is not as the environment files describe it."""
    vault = VaultPaths(trust.server, None)
    unmounted = dict(vault.unmounted(trust.methods))
    where = f"Vault at {trust.server.address}"
    yield from (f"{where}: auth/{mount}: {kind} is not enabled" for mount, kind in unmounted.items())
    for path in vault.lacking(_policies(trust) | trust.writes):
        how = "differs" if vault.there(path) else "is missing"
        yield f"{where}: {path}: {how}"
    for path in _former(trust, vault):
        yield f"{where}: {path}: is of former times, and opens what no purpose may"


def _former(trust: Trust, vault: VaultPaths) -> list[str]:
    """Return what is to go, roles before their policies: of old, and of applications that left the file."""
    known = {*trust.writes, *_policies(trust), *trust.former}
    listed = (f"{where}/{name}" for where, begin in trust.begins for name in vault.names(where, begin))
    return sorted([*filter(vault.there, trust.former), *(path for path in listed if path not in known)])


def _policies(trust: Trust) -> dict[str, dict[str, str]]:
    return {f"{POLICIES}/{name}": {"policy": hcl(rules)} for name, rules in trust.policies.items()}


def _told(trust: Trust, path: str, what: str) -> int:
    say(f"Vault at {trust.server.address}: {path}: {what}")
    return 1
