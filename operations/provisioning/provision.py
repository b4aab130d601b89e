"""An environment's stacks, planned and applied in stages.

Stacks of a later stage look up what an earlier one made, so they can be planned once it is there. Within a stage every
plan is made before anything is applied, and what is applied is the plan that was read.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from constructs_lib.base.console import step
from constructs_lib.base.errors import ConfigError
from constructs_lib.base.purpose import Purpose
from constructs_lib.base.stacks import (
    FLUX_DEPLOY_KEY,
    SECRETS_REVISION,
    SOURCE_KEY,
    VAULT_SECRET_ID,
    given,
    local_state,
    state_key,
)
from constructs_lib.environment import Environment, StackKind
from constructs_lib.environment.repository import StateBucket
from constructs_lib.environment.vault import AppRoleAuth
from gitops_render.markdown import code
from operations.clients.digitalocean import DigitalOcean
from operations.clients.kubernetes import cluster_client, way_in
from operations.clients.spaces import Spaces
from operations.clients.tofu import Stack
from operations.provisioning import vault_login
from operations.provisioning.adoption import in_digitalocean
from operations.provisioning.adoption_in_cluster import in_kubernetes
from operations.provisioning.archives import refuse_old_archives
from operations.provisioning.ended import ended_stack, ends_by_plan, in_the_way
from operations.provisioning.lost import apply_and_tidy, lost_pools
from operations.provisioning.needs import is_there, refuse_missing_zone
from operations.provisioning.planning import Planner, Reading
from operations.provisioning.plans import LIST, PlannedStack, Plans
from operations.provisioning.refusals import refuse_replacement
from operations.provisioning.running import cluster_variables
from operations.provisioning.stage import Stage
from operations.secrets.credentials import Credentials, credentials_of, secrets_of
from operations.secrets.entries import private_deploy_key, source_key

STAGES = {
    Stage.FOUNDATION: (StackKind.STATE, StackKind.CLUSTER),
    Stage.SERVICES: (StackKind.FLUX, StackKind.PLATFORM),
    Stage.DNS: (StackKind.DNS,),
}


class Provisioner:
    """The stacks of one environment."""

    def __init__(self, env: Environment, purpose: Purpose) -> None:
        self.env, self._purpose = env, purpose
        self._credentials: Credentials = credentials_of(env, purpose)
        self._api = DigitalOcean(self._credentials.digitalocean_token)
        self._spaces = Spaces(self._credentials.spaces_access_key_id, self._credentials.spaces_secret_access_key)
        inside = in_kubernetes(lambda: cluster_client(self._api, env))
        self._planner = Planner(self._spaces, in_digitalocean(self._api, self._spaces) | inside)

    def plan(
        self, stage: Stage, folder: Path, *, destroy: bool, prepare: bool, wait_seconds: float = 0
    ) -> tuple[Plans, list[Reading]]:
        """Write the plans of a stage into `folder`, and return what is in them.

        With `prepare`, a missing bucket for the state is made: it is all that is made before a plan is read. Without
        it, a first plan is made as if it existed. What the stage needs may take `wait_seconds` to come.
        """
        plans = Plans(environment=self.env.name, stage=stage, destroy=destroy, prepared=prepare, stacks=[])
        if prepare and not destroy and self._makes_cluster(stage) and not self.env.backups.elsewhere:
            refuse_old_archives(self.env, self._api, self._spaces)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        ended = self._ended(stage)
        readings = in_the_way(self.env, ended, looked_at=not (prepare or destroy))
        names = stacks_of(self.env, stage, destroy=destroy)
        if names and not self._can_plan(stage, destroy=destroy, prepare=prepare, wait_seconds=wait_seconds):
            plans.waiting, names = names, []
        for name in [*names, *(self.env.stack(kind) for kind in ended if ends_by_plan(kind))]:
            entry, reading = self._planned(name, folder, destroy=destroy, prepare=prepare)
            plans.stacks.append(entry)
            readings.append(reading)
        (folder / LIST).write_text(plans.model_dump_json(indent=2) + "\n")
        return plans, readings

    def _planned(self, name: str, folder: Path, *, destroy: bool, prepare: bool) -> tuple[PlannedStack, Reading]:
        stack = self._stack(name, **self._running(name, destroy=destroy))
        with step(f"{name}: plan"):
            reading = self._plan(stack, folder, destroy=destroy, prepare=prepare)
        lost = [] if destroy else lost_pools(stack, self._api, self.env.cluster.name, reading.changes)
        entry = PlannedStack(
            stack=name,
            changes=len(reading.changes),
            publishes=prepare and not destroy and self._publishes(stack),
            lost=len(lost),
        )
        return entry, reading._replace(
            notes=tuple(f"pool {code(pool.name)} goes: a killed run left it" for pool in lost)
        )

    def apply(self, plans: Plans, folder: Path) -> None:
        """Apply the plans in `folder`, exactly as they are."""
        if self._makes_cluster(plans.stage) and not plans.destroy and self.env.backups.elsewhere:
            refuse_old_archives(self.env, self._api, self._spaces)
        for entry in plans.stacks:
            stack = self._stack(entry.stack)
            if entry.publishes:  # first, or External Secrets finds Vault closed
                vault_login.tell(self.env, self._api)
            if entry.changes or entry.lost:
                with step(f"{stack.name}: apply"):
                    stack.init()
                    shutil.copy(_lock_file(folder, stack), stack.lock_file)
                    file = stack.plan_file(folder)
                    apply_and_tidy(stack, file, self._api, self._spaces, self.env.cluster.name)

    def drift(self, folder: Path) -> list[Reading]:
        """Plan every stack without a lock and without writing anything, and return those that would change."""
        changed: list[Reading] = []
        for stage in Stage:
            _, readings = self.plan(stage, folder / stage, destroy=False, prepare=False)
            changed += [reading for reading in readings if reading.differs]
        return changed

    def migrate(self, name: str) -> StateBucket:
        """Move a state that a run on this machine left in the stack's folder into the bucket, and return that.

        Raises `ConfigError` if there is no such state, or if the bucket holds one already.
        """
        stack = Stack(name, self.env.state, self._credentials.variables())
        if stack.state is None:
            raise ConfigError(
                f"environments/{self.env.name}.yaml: state is null, so it stays in the folder states; keep it"
            )
        if not stack.local_state.exists():
            raise ConfigError(f"{stack.local_state}: is not there; nothing to migrate")
        if not self._spaces.exists(stack.state):
            self._spaces.create(stack.state)
        elif self._spaces.holds(stack.state, state_key(name)):
            raise ConfigError(
                f"bucket {stack.state.bucket}: holds a state of {name} already; remove the one you want less"
            )
        stack.migrate()
        return stack.state

    def _makes_cluster(self, stage: Stage) -> bool:
        return stage is Stage.FOUNDATION and StackKind.CLUSTER in self.env.stacks

    def _ended(self, stage: Stage) -> list[StackKind]:
        """Return which stacks of a stage the file has no more although their states hold something."""
        gone = [kind for kind in STAGES[stage] if kind not in self.env.stacks]
        written = [kind for kind in gone if self._is_written(self.env.stack(kind))]
        return [kind for kind in written if self._holds(self._stack(self.env.stack(kind)))]

    def _is_written(self, name: str) -> bool:
        state = self.env.state
        if state is None:
            return local_state(name).exists()
        return self._spaces.exists(state) and self._spaces.holds(state, state_key(name))

    def _holds(self, stack: Stack) -> bool:
        stack.init()
        return bool(stack.resources())

    def _running(self, name: str, *, destroy: bool) -> dict[str, str]:
        """Return what the plan of a stack has to know of what runs."""
        if name == self.env.stack(StackKind.CLUSTER):
            return cluster_variables(self.env, self._api, destroy=destroy)
        return {}

    def _stack(self, name: str, **more: str) -> Stack:
        """Return a stack with what a plan or an apply of it has to be given, made anew for each."""
        variables = {**self._credentials.variables(), **more}
        if name not in {self.env.stack(kind) for kind in self.env.stacks}:
            return ended_stack(self.env, name, variables)
        if name == self.env.stack(StackKind.FLUX):
            variables |= self._for_flux()
        if name in {self.env.stack(kind) for kind in STAGES[Stage.SERVICES]}:
            variables |= way_in(self._api, self.env)
        return Stack(name, self.env.state, variables)

    def _for_flux(self) -> dict[str, str]:
        """Return the secrets that Flux's stack writes into the cluster; what only plans is not given them.

        They are ephemeral and write-only, so no plan holds them, and what applies one gives its own.
        """
        revision = self._revision()
        source = (FLUX_DEPLOY_KEY,) if self.env.source is None else SOURCE_KEY
        names = [*source, *([VAULT_SECRET_ID] if isinstance(self.env.vault.auth, AppRoleAuth) else [])]
        if self._purpose is not Purpose.APPLY:
            return revision | dict.fromkeys(map(given, names), "given when it is applied")
        values = secrets_of(self.env, self._purpose).read(self.env.vault.kv.provisioning) | self._source_key()
        return revision | {given(name): values[name] for name in names}

    def _source_key(self) -> dict[str, str]:
        if self.env.source is None:
            return {FLUX_DEPLOY_KEY: private_deploy_key(self.env, self._purpose)}
        return dict(zip(SOURCE_KEY, source_key(self.env, self._purpose), strict=True))

    def _revision(self) -> dict[str, str]:
        """Return the number by which a rotation has the secrets written anew, the same for each plan after it."""
        entry = secrets_of(self.env, self._purpose).read(self.env.vault.kv.state)
        return {given(SECRETS_REVISION): entry[SECRETS_REVISION]} if SECRETS_REVISION in entry else {}

    def _can_plan(self, stage: Stage, *, destroy: bool, prepare: bool, wait_seconds: float) -> bool:
        """Return whether the stage's stacks find what they look up; the end of records needs no balancer."""
        if stage is not Stage.DNS:
            return is_there(stage, self.env, self._api)
        if destroy:
            return True
        if prepare:  # before the wait
            refuse_missing_zone(self.env, self._api)
        found = is_there(stage, self.env, self._api, wait_seconds=wait_seconds)
        if found and not prepare:
            refuse_missing_zone(self.env, self._api)
        return found

    def _plan(self, stack: Stack, folder: Path, *, destroy: bool, prepare: bool) -> Reading:
        # The balancer may be gone before its records.
        refresh = not (destroy and stack.name == self.env.stack(StackKind.DNS))
        file = stack.plan_file(folder)
        reading = self._planner.plan(stack, file, prepare=prepare, destroy=destroy, refresh=refresh)
        shutil.copy(stack.lock_file, _lock_file(folder, stack))
        if prepare:
            refuse_replacement(self.env, reading.changes)
        return reading

    def _publishes(self, stack: Stack) -> bool:
        """Return whether Vault does not know the cluster, whose services need the login."""
        is_flux = stack.name == self.env.stack(StackKind.FLUX)
        return is_flux and vault_login.has_to_be_told(self.env, self._api, self._purpose)


def stacks_of(env: Environment, stage: Stage, *, destroy: bool) -> list[str]:
    """Return the stacks of a stage in the order in which they are made, or in which they end."""
    kinds = [kind for kind in env.stacks if kind in STAGES[stage]]
    if destroy:  # the state outlives what it tells of
        kinds = [kind for kind in reversed(kinds) if kind is not StackKind.STATE]
    return [env.stack(kind) for kind in kinds]


def _lock_file(folder: Path, stack: Stack) -> Path:
    return folder / f"{stack.name}.lock.hcl"
