"""Bringing up the GitOps repository, from an empty organisation or from whatever an earlier run left."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from constructs_lib.base.console import say, step
from constructs_lib.base.errors import ConfigError
from constructs_lib.base.purpose import Purpose
from constructs_lib.base.stacks import STATE_PASSPHRASE, deploy_key_variable, given
from constructs_lib.environment import GITOPS_REPOSITORY, Environment
from operations.bootstrap.gate import gate_problems
from operations.bootstrap.layout import broken_layout, ensure_layout, refuse_other_repository
from operations.clients.digitalocean import DigitalOcean
from operations.clients.github import GitHub
from operations.clients.github_api import provider_variables
from operations.clients.spaces import Spaces
from operations.clients.tofu import Stack
from operations.clients.vault import Secrets, open_vault
from operations.console import summarise
from operations.provisioning.adoption import in_digitalocean, in_github
from operations.provisioning.plan_report import readings_markdown
from operations.provisioning.planning import Planner
from operations.secrets.credentials import ACCOUNT, gitops_credentials, missing, secrets_of
from operations.secrets.entries import (
    FORMER_DEPLOY_KEY,
    ensure_entries,
    missing_entries,
    new_password,
    public_deploy_key,
)
from operations.secrets.gitops_client import gitops_client, missing_access
from operations.secrets.spaces_keys import ensure_buckets, ensure_keys


class Bootstrap:
    """The GitOps repository that `environments` share."""

    def __init__(self, environments: Sequence[Environment]) -> None:
        self.environments = environments
        self.gitops = environments[0].gitops

    def check(self, organisation: str, repository: str, *, enforced: bool = False) -> None:
        """Raise `ConfigError` with every input and secret that has to be fixed before a run can succeed.

        Where it has to be `enforced` too, also with every guard of the repositories that cannot be seen to be.
        """
        refuse_other_repository(self.environments, organisation, repository)
        checks: list[Callable[[], object]] = [self._refuse_missing]
        checks += [lambda env=env: missing_entries(env) for env in self.environments]
        problems = [problem for check in checks for problem in _refusals(check)]
        if problems:
            raise ConfigError(*problems)
        refuse_shared_team(self.environments)
        self._github.organisation(self.gitops.organisation)
        say(f"{self.gitops.full_name}: all that only you can bring is there")
        if enforced:
            self._refuse_open_gates()

    def secrets(self, *, dry_run: bool) -> None:
        """Make what Vault lacks, for the repository and for every environment, and the buckets that keys are for."""
        for env in self.environments:
            entries = missing_entries(env) if dry_run else ensure_entries(env)
            _report(env.name, env.vault.kv.mount, entries, dry_run=dry_run)
            self._make_keys(env, dry_run=dry_run)
        path, makers = self.gitops.vault.path, {STATE_PASSPHRASE: new_password}
        lacking = tuple(makers.keys() - self._secrets.read(path).keys())
        names = lacking if dry_run else self._secrets.add(path, makers)
        _report(GITOPS_REPOSITORY, self.gitops.vault.mount, {path: names} if names else {}, dry_run=dry_run)

    def layout(self, chosen: Sequence[Environment], *, dry_run: bool) -> None:
        """Make the repository and seed it, or propose what its layout lacks."""
        name = self.gitops.full_name
        if dry_run:
            exists = self._github.exists(name)
            for line in self._broken(chosen) if exists else ["would be made and seeded"]:
                say(f"{name}: {line}")
            return
        if not self._github.exists(name):
            self._github.create_repository(self.gitops)
            say(f"{name}: made")
        ensure_layout(self._github, self._github.repository(name), self.environments, chosen)

    def settings(self, folder: Path, *, dry_run: bool) -> None:
        """Plan and apply the repository's settings. Raises `ConfigError` if they would leave the branch open."""
        # A first dry run has no passphrase yet, and nothing that it encrypts is kept.
        unkept = new_password() if dry_run else None
        credentials = gitops_credentials(self._secrets, self.gitops.vault.path, unkept)
        github = {"GITHUB_TOKEN": self._github.token, **provider_variables()}
        variables = {**credentials.variables(), **github, **self._deploy_keys(dry_run)}
        stack = Stack(GITOPS_REPOSITORY, self.gitops.state, variables)
        api = DigitalOcean(credentials.digitalocean_token)
        spaces = Spaces(credentials.spaces_access_key_id, credentials.spaces_secret_access_key)
        lookups = in_digitalocean(api, spaces) | in_github(self._github, self.gitops.organisation)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        file = stack.plan_file(folder)
        with step(f"{stack.name}: plan"):
            reading = Planner(spaces, lookups).plan(stack, file, prepare=not dry_run)
        summarise("\n".join([f"## {self.gitops.full_name}", "", *readings_markdown([reading])]))
        say(f"{stack.name}: {len(reading.changes)} resources to change")
        if reading.changes and not dry_run:
            with step(f"{stack.name}: apply"):
                stack.apply(file)

    def _refuse_open_gates(self) -> None:
        problems = gate_problems(self._github, self.gitops)
        if problems:
            raise ConfigError(*problems)
        say(f"{self.gitops.full_name}: it and {self.gitops.infrastructure_repository} change by their gates alone")

    def _refuse_missing(self) -> None:
        vault = self.gitops.vault
        problems = missing(self._secrets, vault.path, ACCOUNT)
        for purpose in (Purpose.BOOTSTRAP, Purpose.PROMOTE, Purpose.DRIFT):
            problems += missing_access(self._secrets, vault.github(purpose))
        if problems:
            raise ConfigError(*problems)

    def _make_keys(self, env: Environment, *, dry_run: bool) -> None:
        """Make the environment's buckets and their keys, with the account that may."""
        if not env.buckets:
            return
        secrets = secrets_of(env, Purpose.BOOTSTRAP)
        account = secrets.read(env.vault.kv.provisioning)
        token, *key = (account[name] for name in ACCOUNT)
        ensure_buckets(env, Spaces(*key), dry_run=dry_run)
        ensure_keys(env, secrets, DigitalOcean(token), dry_run=dry_run)

    def _deploy_keys(self, dry_run: bool) -> dict[str, str]:
        """Return the public deploy keys as variables; before the first run, a dry run shows what is still to come."""
        keys: dict[str, str] = {}
        for env in (env for env in self.environments if env.source is None):
            refuse_rotation(env)
            waits = dry_run and env.vault.kv.flux in missing_entries(env)
            keys[given(deploy_key_variable(env.name))] = "to be made" if waits else public_deploy_key(env)
        return keys

    def _broken(self, chosen: Sequence[Environment]) -> list[str]:
        paths = broken_layout(self._github, self._github.repository(self.gitops.full_name), self.environments, chosen)
        return [f"{path} would be put right" for path in paths] or ["the layout is as it should be"]

    @cached_property
    def _secrets(self) -> Secrets:
        return open_vault(self.gitops.vault, self.gitops.vault.mount, Purpose.BOOTSTRAP)

    @cached_property
    def _github(self) -> GitHub:
        return gitops_client(self.gitops, Purpose.BOOTSTRAP)


def refuse_rotation(env: Environment) -> None:
    """Raise `ConfigError` while two deploy keys are there: OpenTofu, which knows one, would remove the one in use."""
    if FORMER_DEPLOY_KEY in secrets_of(env, Purpose.BOOTSTRAP).read(env.vault.kv.flux):
        way = f"finish it with `bin/operations rotate deploy-key {env.name}`"
        raise ConfigError(f"{env.name}: the rotation of its deploy key is under way; {way}")


def refuse_shared_team(environments: Sequence[Environment]) -> None:
    """Raise `ConfigError` if production is in a DigitalOcean team with another environment, or plans in another team.

    The scopes of a token are for a whole team: sandbox's would delete production.
    """
    teams: dict[str, str] = {}
    problems: list[str] = []
    for env in (env for env in environments if env.cluster.provider == "digitalocean"):
        secrets, kv = secrets_of(env, Purpose.BOOTSTRAP), env.vault.kv
        own, plan = (DigitalOcean(secrets.read(path)[ACCOUNT[0]]).team() for path in (kv.provisioning, kv.plan))
        teams[env.name] = own
        if plan != own:
            where = f"Vault {kv.mount}/{kv.plan}: {ACCOUNT[0]}"
            problems.append(f"{where}: is of another DigitalOcean team than that of {kv.provisioning}; take one of it")
    for env in (env for env in environments if env.tier == "production" and env.name in teams):
        others = [name for name, team in teams.items() if name != env.name and team == teams[env.name]]
        if others:
            shared = f"{env.name} is in one DigitalOcean team with {', '.join(others)}, whose tokens may delete it"
            problems.append(f"{shared}; give it a team of its own")
    if problems:
        raise ConfigError(*problems)


def _report(whose: str, mount: str, entries: Mapping[str, Sequence[str]], *, dry_run: bool) -> None:
    """Say what was made in Vault, or would be."""
    for path, names in entries.items():
        say(f"{whose}: Vault {mount}/{path}: {', '.join(sorted(names))} {'would be made' if dry_run else 'made'}")
    if not entries:
        say(f"{whose}: Vault holds everything")


def _refusals(check: Callable[[], object]) -> tuple[str, ...]:
    """Return the problems for which a check refuses to go on."""
    try:
        check()
    except ConfigError as error:
        return error.problems
    return ()
