"""Whom Vault trusts: auth methods, roles and policies for CI and for each cluster, made from the environment files.

Claims of a job's token: docs.github.com, "OpenID Connect reference". A repository's number stays when it is renamed,
and nobody who takes a free name gets it; `job_workflow_ref` names the workflow's file and the branch it is read from.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.purpose import Purpose
from constructs_lib.base.quantities import Minutes
from constructs_lib.environment import Environment
from constructs_lib.environment.repository import GitOps
from constructs_lib.environment.vault import AppRoleAuth, ServiceAccountAuth, VaultLogin, VaultServer
from constructs_lib.platform.vault_eso import NAMESPACE, STORES, vault_role
from constructs_lib.platform.vault_eso.store import APP_ACCOUNT, store_of
from operations.secrets.policies import (
    ENVIRONMENT_PURPOSES,
    GITOPS_PURPOSES,
    Policies,
    environment_policies,
    gitops_policies,
    hcl,
    server_key,
    store_policy,
)

ISSUER = "https://token.actions.githubusercontent.com"
POLICIES = "sys/policies/acl"
LASTS = Minutes("20m")
"""How long a login lasts; External Secrets logs in anew for each reading."""

WORKFLOWS: dict[Purpose, tuple[str, ...]] = {
    Purpose.PLAN: ("provision-stage.yml", "provision-doks.yml"),
    Purpose.DRIFT: ("drift.yml",),
    Purpose.APPLY: ("provision-stage.yml",),
    Purpose.BOOTSTRAP: ("bootstrap-gitops-repo.yml",),
    Purpose.PROMOTE: ("promote.yml",),
    Purpose.INTEGRATION: ("integration.yml",),
}
"""The workflow files whose jobs may log in for a purpose."""

Data = dict[str, Any]


@dataclass
class Trust:
    """What one Vault holds of it. `methods` are the kinds of auth methods by mount; `writes` is data by path.

    `former` are roles of ours that no purpose has any more: they would open what the new ones close.
    """

    server: VaultServer
    methods: dict[str, str] = field(default_factory=dict[str, str])
    policies: Policies = field(default_factory=Policies)
    writes: dict[str, Data] = field(default_factory=dict[str, Data])
    former: set[str] = field(default_factory=set[str])
    begins: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    """What Vault lists somewhere and begins so is of an application: of former times, unless it is described here."""

    def as_json(self) -> Data:
        """Return all of it; each policy is one that Vault takes as it is."""
        blocks = {name: {"path": {rule.path: rule.block() for rule in rules}} for name, rules in self.policies.items()}
        where = {"address": self.server.address, "namespace": self.server.namespace}
        return {**where, "methods": self.methods, "policies": blocks, "writes": self.writes}

    def as_commands(self) -> str:
        """Return the commands that make all of it, with policies in HCL."""
        lines = [f"# Vault at {self.server.address}, namespace {self.server.namespace or 'root'}"]
        lines += [f"vault auth enable -path={mount} {kind}" for mount, kind in self.methods.items()]
        lines += [f"vault policy write {name} - <<'EOF'\n{hcl(rules)}EOF" for name, rules in self.policies.items()]
        writes = {path: json.dumps(data, indent=2) for path, data in self.writes.items()}
        lines += [f"vault write {path} - <<'EOF'\n{data}\nEOF" for path, data in writes.items()]
        return "\n".join(lines) + "\n"


def trusts(environments: Sequence[Environment]) -> list[Trust]:
    """Return what each Vault of the environments holds. Raises `ConfigError` if a number of GitHub's is missing."""
    gitops = environments[0].gitops
    _refuse_unknown_repository(gitops)
    found: dict[tuple[str, str | None], Trust] = {}
    for env in environments:
        trust = found.setdefault(server_key(env.vault), Trust(env.vault))
        _add_workflows(trust, env.vault, environment_policies(env), _environment_roles(env))
        trust.methods[env.vault.auth.mount] = env.vault.auth.method
        trust.writes |= _cluster_roles(env)
        trust.begins |= _of_applications(env)
    shared = found.setdefault(server_key(gitops.vault), Trust(gitops.vault))
    _add_workflows(shared, gitops.vault, gitops_policies(gitops), _gitops_roles(gitops, environments[0]))
    for trust in found.values():
        trust.former -= trust.writes.keys()
    return list(found.values())


def cluster_trust(env: Environment) -> Trust:
    """Return the part of it by which an environment's cluster logs in, where no workflow does."""
    workflows = {env.vault.ci.role_for(purpose) for purpose in ENVIRONMENT_PURPOSES}
    policies = {name: rules for name, rules in environment_policies(env).items() if name not in workflows}
    methods = {env.vault.auth.mount: env.vault.auth.method}
    return Trust(env.vault, methods, policies, _cluster_roles(env), begins=_of_applications(env))


def _refuse_unknown_repository(gitops: GitOps) -> None:
    names = ("organisation_id", "infrastructure_repository", "infrastructure_repository_id")
    lacking = [name for name in names if getattr(gitops, name) is None]
    if lacking:
        how = "`gh api orgs/<organisation> --jq .id` and `gh api repos/<organisation>/<repository> --jq .id` tell them"
        raise ConfigError(*(f"environments/*.yaml: gitops.{name}: is missing; set it: {how}" for name in lacking))


def _add_workflows(trust: Trust, server: VaultServer, policies: Policies, roles: Mapping[str, Data]) -> None:
    mount = server.ci.mount
    trust.methods[mount] = "jwt"
    trust.policies |= policies
    trust.writes[f"auth/{mount}/config"] = {"oidc_discovery_url": ISSUER, "bound_issuer": ISSUER}
    trust.writes |= {f"auth/{mount}/role/{name}": data for name, data in roles.items()}
    trust.former |= {f"auth/{mount}/role/{name}" for name in _names(server.ci)}
    trust.former |= {f"{POLICIES}/{server.ci.role}"}


def _names(ci: VaultLogin) -> Iterator[str]:
    """Yield the names that roles of ours may have, that of the one role for everything among them."""
    yield ci.role
    yield from (ci.role_for(purpose) for purpose in Purpose)


def _environment_roles(env: Environment) -> dict[str, Data]:
    return {
        env.vault.ci.role_for(purpose): _workflow_role(
            env.vault, purpose, {**_claims(env.gitops, purpose), "environment": env.github_environment(purpose)}
        )
        for purpose in ENVIRONMENT_PURPOSES
    }


def _gitops_roles(gitops: GitOps, env: Environment) -> dict[str, Data]:
    reviewed = {Purpose.BOOTSTRAP: {"environment": env.github_environment(Purpose.BOOTSTRAP)}}
    return {
        gitops.vault.ci.role_for(purpose): _workflow_role(
            gitops.vault, purpose, {**_claims(gitops, purpose), **reviewed.get(purpose, {})}
        )
        for purpose in GITOPS_PURPOSES
    }


def _claims(gitops: GitOps, purpose: Purpose) -> Data:
    place = f"{gitops.organisation}/{gitops.infrastructure_repository}/.github/workflows"
    return {
        "repository_id": str(gitops.infrastructure_repository_id),
        "repository_owner_id": str(gitops.organisation_id),
        "job_workflow_ref": [f"{place}/{file}@refs/heads/{gitops.default_branch}" for file in WORKFLOWS[purpose]],
    }


def _workflow_role(server: VaultServer, purpose: Purpose, claims: Data) -> Data:
    return {
        "role_type": "jwt",
        "user_claim": "sub",
        "bound_audiences": [server.address],
        "bound_claims_type": "string",
        "bound_claims": claims,
        **_tokens(server.ci.role_for(purpose)),
    }


def _cluster_roles(env: Environment) -> dict[str, Data]:
    """Return the roles by which the stores of a cluster log in; its keys are written by provisioning."""
    auth = env.vault.auth
    if isinstance(auth, AppRoleAuth):
        policies = [store_policy(env, store) for store in STORES]
        where = f"auth/{auth.mount}/role/{vault_role(env, STORES[0])}"
        return {where: _tokens(*policies), f"{where}/role-id": {"role_id": auth.role_id}}
    accounts = {store: (store, NAMESPACE) for store in STORES}
    accounts |= {store_of(name): (APP_ACCOUNT, name) for name in env.applications}
    return {
        f"auth/{auth.mount}/role/{vault_role(env, store)}": _bound(auth, *account) | _tokens(store_policy(env, store))
        for store, account in accounts.items()
    }


def _of_applications(env: Environment) -> set[tuple[str, str]]:
    """Return how the roles and policies of applications begin, and where; with an AppRole they have none."""
    if isinstance(env.vault.auth, AppRoleAuth):
        return set()
    any_store = store_of("")
    role = (f"auth/{env.vault.auth.mount}/role", vault_role(env, any_store))
    return {role, (POLICIES, store_policy(env, any_store))}


def _bound(auth: ServiceAccountAuth, account: str, namespace: str) -> Data:
    """Return what binds a role to one service account."""
    if auth.method == "kubernetes":
        accounts = {"bound_service_account_names": [account], "bound_service_account_namespaces": [namespace]}
        return {**accounts, "audience": auth.audiences[0]}
    return {
        "role_type": "jwt",
        "user_claim": "sub",
        "bound_audiences": [*auth.audiences],
        "bound_subject": f"system:serviceaccount:{namespace}:{account}",
    }


def _tokens(*policies: str) -> Data:
    return {"token_policies": sorted(policies), "token_ttl": LASTS.seconds, "token_max_ttl": LASTS.seconds}
