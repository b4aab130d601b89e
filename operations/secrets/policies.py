"""What each purpose of a workflow, and each store of a cluster, may do in Vault: policies, as values and as HCL.

Upstream: HashiCorp Vault's documentation, "Policies": `allowed_parameters` names the only parameters of a write.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from constructs_lib.base.bucket import BucketPurpose
from constructs_lib.base.purpose import Purpose
from constructs_lib.environment import Environment
from constructs_lib.environment.repository import GitOps
from constructs_lib.environment.vault import AppRoleAuth, VaultServer
from constructs_lib.platform.applications import entries
from constructs_lib.platform.vault_eso import FLUX_STORE, PLATFORM_STORE, STORES, vault_role
from constructs_lib.platform.vault_eso.store import store_of
from operations.secrets.entries import brought

READ = ("read",)
MAKE = ("create", "read", "update")
KEYS: dict[str, dict[str, list[Any]]] = {
    "jwt": {"jwt_validation_pubkeys": [], "bound_issuer": []},
    "kubernetes": {"kubernetes_host": [], "kubernetes_ca_cert": [], "disable_local_ca_jwt": [True]},
}
"""What provisioning may write of a cluster's auth method: how its tokens are known, which only the cluster can say."""


class Rule(NamedTuple):
    """What may be done at a path; `parameters` are the only ones of a write, each with its values if not any may be."""

    path: str
    capabilities: tuple[str, ...]
    parameters: Mapping[str, list[Any]] | None = None

    def block(self) -> dict[str, Any]:
        """Return the rule as Vault reads it in JSON."""
        limits = {} if self.parameters is None else {"allowed_parameters": dict(self.parameters)}
        return {"capabilities": list(self.capabilities), **limits}


Policies = dict[str, tuple[Rule, ...]]
"""The rules of each policy, by its name."""

WATCHED = (Purpose.BOOTSTRAP, Purpose.PROMOTE, Purpose.DRIFT, Purpose.INTEGRATION)
"""The purposes of which something may expire, and is told of before."""


def watched(env: Environment) -> tuple[str, ...]:
    """Return the entries of an environment of which it is told when something in them expires."""
    kv = env.vault.kv
    return tuple(dict.fromkeys((kv.provisioning, kv.plan, kv.state, kv.flux, *(path for path, _ in brought(env)))))


ENVIRONMENT_PURPOSES = (Purpose.PLAN, Purpose.DRIFT, Purpose.APPLY, Purpose.BOOTSTRAP)
GITOPS_PURPOSES = (Purpose.BOOTSTRAP, Purpose.PROMOTE, Purpose.DRIFT, Purpose.INTEGRATION)


def environment_policies(env: Environment) -> Policies:
    """Return the policies of an environment: one for each purpose, each store of its cluster and each application."""
    ci = env.vault.ci
    workflows = {ci.role_for(purpose): tuple(_environment_rules(env, purpose)) for purpose in ENVIRONMENT_PURPOSES}
    stores = {store_policy(env, store): (_store_rule(env, store),) for store in STORES}
    return workflows | stores | dict(_application_policies(env))


def _application_policies(env: Environment) -> Iterator[tuple[str, tuple[Rule, ...]]]:
    """Yield what each application reads: its own entries, and those of the services that it uses.

    With an AppRole the stores have one role for all, which reads these anyway.
    """
    if isinstance(env.vault.auth, AppRoleAuth):
        return
    for app in env.applications.values():
        own = env.vault.kv.application(app.name)
        used = (entry.path for _, entry in entries(env, app))
        paths = [f"{own}/*", *(path for path in used if not path.startswith(f"{own}/"))]
        yield store_policy(env, store_of(app.name)), tuple(_data(env.vault.kv.mount, READ, *paths))


def gitops_policies(gitops: GitOps) -> Policies:
    """Return the policies of the GitOps repository, one for each purpose."""
    role_for = gitops.vault.ci.role_for
    return {role_for(purpose): tuple(_gitops_rules(gitops, purpose)) for purpose in GITOPS_PURPOSES}


def store_policy(env: Environment, store: str) -> str:
    """Return the name of the policy of a store."""
    return f"{env.cluster.name}-{store}"


def hcl(rules: Iterable[Rule]) -> str:
    """Return a policy in HCL."""
    return "".join(f'path "{rule.path}" {{\n{"".join(_attributes(rule))}}}\n' for rule in rules)


def _environment_rules(env: Environment, purpose: Purpose) -> Iterator[Rule]:
    kv = env.vault.kv
    match purpose:
        case Purpose.PLAN:
            yield from _data(kv.mount, READ, kv.state, kv.plan)
            yield from _login(env, READ, limited=False)
        case Purpose.DRIFT:
            yield from _data(kv.mount, READ, kv.state, kv.plan)
            yield from _notes(kv.mount, *watched(env))
            yield from _ends(env)
        case Purpose.APPLY:
            elsewhere = [f"{kv.platform}/{BucketPurpose.BACKUPS}"] if env.backups.elsewhere else []
            yield from _data(kv.mount, READ, kv.provisioning, kv.state, kv.flux, *elsewhere)
            yield from _login(env, MAKE, limited=True)
        case _:
            yield from _data(kv.mount, READ, kv.provisioning)
            yield from _data(kv.mount, MAKE, kv.state, kv.plan, kv.flux, f"{kv.platform}/*")


def _gitops_rules(gitops: GitOps, purpose: Purpose) -> Iterator[Rule]:
    vault = gitops.vault
    if purpose is Purpose.BOOTSTRAP:
        yield from _data(vault.mount, MAKE, vault.path)
        others = (vault.github(other) for other in (Purpose.PROMOTE, Purpose.DRIFT))
        yield from _data(vault.mount, READ, *others)
    else:
        yield from _data(vault.mount, READ, vault.github(purpose))
    if purpose is Purpose.DRIFT:
        yield from _notes(vault.mount, *(vault.github(other) for other in WATCHED))


def _data(mount: str, capabilities: tuple[str, ...], *paths: str) -> Iterator[Rule]:
    yield from (Rule(f"{mount}/data/{path}", capabilities) for path in paths)


def _notes(mount: str, *paths: str) -> Iterator[Rule]:
    """Yield the right to read what properties there are and when they expire, which opens no value."""
    yield from (Rule(f"{mount}/{part}/{path}", READ) for path in paths for part in ("metadata", "subkeys"))


def _login(env: Environment, capabilities: tuple[str, ...], *, limited: bool) -> Iterator[Rule]:
    """Yield what may be done about the keys by which the cluster's tokens are known; an AppRole has none."""
    auth = env.vault.auth
    if not isinstance(auth, AppRoleAuth):
        yield Rule(f"auth/{auth.mount}/config", capabilities, KEYS[auth.method] if limited else None)


def _ends(env: Environment) -> Iterator[Rule]:
    """Yield the right to read by accessors when secret IDs end: that makes none, ends none and opens nothing."""
    auth = env.vault.auth
    if isinstance(auth, AppRoleAuth):
        role = f"auth/{auth.mount}/role/{vault_role(env, STORES[0])}"
        yield Rule(f"{role}/secret-id", ("list",))
        yield Rule(f"{role}/secret-id-accessor/lookup", ("update",))


def _store_rule(env: Environment, store: str) -> Rule:
    kv = env.vault.kv
    paths = {PLATFORM_STORE: f"{kv.platform}/*", FLUX_STORE: kv.flux}
    return next(_data(kv.mount, READ, paths[store]))


def _attributes(rule: Rule) -> Iterator[str]:
    yield f"  capabilities = {json.dumps(list(rule.capabilities))}\n"
    if rule.parameters is not None:
        yield "  allowed_parameters = {\n"
        yield from (f"    {json.dumps(name)} = {json.dumps(values)}\n" for name, values in rule.parameters.items())
        yield "  }\n"


def server_key(server: VaultServer) -> tuple[str, str | None]:
    """Return what tells one Vault, or one namespace of it, from another."""
    return server.address, server.namespace
