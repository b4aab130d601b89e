"""An environment's stacks, planned and applied in stages.

Stacks of a later stage look up what an earlier one made, so they can be planned once it is there. Within a stage every
plan is made before anything is applied, and what is applied is the plan that was read.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ValidationError

from constructs_lib.base.bucket import BucketPurpose
from constructs_lib.base.errors import ConfigError
from constructs_lib.base.stacks import FLUX_DEPLOY_KEY, VAULT_SECRET_ID, given, state_key
from constructs_lib.environment import Environment, StackKind
from constructs_lib.environment.vault import AppRoleAuth
from operations.clients.digitalocean import DigitalOcean
from operations.clients.kubernetes import cluster_access
from operations.clients.spaces import Spaces
from operations.clients.tofu import Change, Json, Stack
from operations.clients.vault import Secrets
from operations.console import say, step
from operations.provisioning import vault_login
from operations.provisioning.adoption import in_digitalocean, remove_lost
from operations.provisioning.moves import CLUSTER
from operations.provisioning.needs import is_there, refuse_missing_zone
from operations.provisioning.planning import Planner, Reading
from operations.provisioning.running import cluster_variables
from operations.provisioning.stage import Stage
from operations.secrets.credentials import Credentials, credentials_of, secrets_of
from operations.secrets.entries import private_deploy_key

LIST = "plans.json"
"""The file in a folder of plans that says what is in it."""

EPHEMERAL = "eph-"
"""How the names of environments begin that tests make and remove."""

STAGES = {
    Stage.FOUNDATION: (StackKind.STATE, StackKind.CLUSTER),
    Stage.SERVICES: (StackKind.FLUX, StackKind.PLATFORM),
    Stage.DNS: (StackKind.DNS,),
}


class PlannedStack(BaseModel):
    """A plan file's stack, how many resources it changes, and whether Vault has to be told something."""

    stack: str
    changes: int
    publishes: bool = False


class Plans(BaseModel):
    """What is in a folder of plans."""

    environment: str
    stage: Stage
    destroy: bool
    prepared: bool = False
    stacks: list[PlannedStack]
    waiting: list[str] = []

    @property
    def changes(self) -> int:
        """How many things applying changes."""
        return sum(planned.changes + planned.publishes for planned in self.stacks)


class Provisioner:
    """The stacks of one environment."""

    def __init__(self, env: Environment) -> None:
        self.env = env
        self._credentials: Credentials = credentials_of(env)
        self._api = DigitalOcean(self._credentials.digitalocean_token)
        self._spaces = Spaces(self._credentials.spaces_access_key_id, self._credentials.spaces_secret_access_key)
        self._planner = Planner(self._spaces, in_digitalocean(self._api, self._spaces))

    def plan(
        self, stage: Stage, folder: Path, *, destroy: bool, prepare: bool, wait_seconds: float = 0
    ) -> tuple[Plans, list[Reading]]:
        """Write the plans of a stage into `folder`, and return what is in them.

        With `prepare`, a missing bucket for the state is made: it is all that is made before a plan is read. Without
        it, a first plan is made as if it existed. What the stage needs may take `wait_seconds` to come.
        """
        plans = Plans(environment=self.env.name, stage=stage, destroy=destroy, prepared=prepare, stacks=[])
        readings: list[Reading] = []
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        names = stacks_of(self.env, stage, destroy=destroy)
        if names and not self._can_plan(stage, destroy=destroy, prepare=prepare, wait_seconds=wait_seconds):
            plans.waiting, names = names, []
        for name in names:
            stack = self._stack(name, **self._running(name, destroy=destroy))
            with step(f"{name}: plan"):
                reading = self._plan(stack, folder, destroy=destroy, prepare=prepare)
            publishes = prepare and not destroy and self._publishes(stack, reading)
            plans.stacks.append(PlannedStack(stack=name, changes=len(reading.changes), publishes=publishes))
            readings.append(reading)
        (folder / LIST).write_text(plans.model_dump_json(indent=2) + "\n")
        return plans, readings

    def apply(self, plans: Plans, folder: Path) -> None:
        """Apply the plans in `folder`, exactly as they are."""
        for entry in plans.stacks:
            stack = self._stack(entry.stack)
            if entry.publishes and self._logs_in(stack):  # first, or External Secrets finds Vault closed
                vault_login.tell(self.env, self._api)
            if entry.changes:
                with step(f"{stack.name}: apply"):
                    stack.init()
                    shutil.copy(_lock_file(folder, stack), stack.lock_file)
                    remove_lost(stack, self._api, self._spaces, self.env.cluster.name)
                    stack.apply(stack.plan_file(folder))
                    remove_lost(stack, self._api, self._spaces)
            if entry.publishes and not self._logs_in(stack):
                stack.init()
                self._publish_keys(stack)

    def drift(self, folder: Path) -> list[Reading]:
        """Plan every stack without a lock and without writing anything, and return those that would change."""
        changed: list[Reading] = []
        for stage in Stage:
            _, readings = self.plan(stage, folder / stage, destroy=False, prepare=False)
            changed += [reading for reading in readings if reading.changes]
        return changed

    def migrate(self, name: str) -> None:
        """Move a state that a run on this machine left in the stack's folder into the bucket.

        Raises `ConfigError` if there is no such state, or if the bucket holds one already.
        """
        stack = Stack(name, self.env.state, self._credentials.variables())
        if not stack.local_state.exists():
            raise ConfigError(f"{stack.local_state}: is not there; nothing to migrate")
        if not self._spaces.exists(stack.state):
            self._spaces.create(stack.state)
        elif self._spaces.holds(stack.state, state_key(name)):
            raise ConfigError(
                f"bucket {stack.state.bucket}: holds a state of {name} already; remove the one you want less"
            )
        stack.migrate()

    def _running(self, name: str, *, destroy: bool) -> dict[str, str]:
        """Return what the plan of a stack has to know of what runs."""
        if name == self.env.stack(StackKind.CLUSTER):
            return cluster_variables(self.env, self._api, destroy=destroy)
        return {}

    def _stack(self, name: str, **more: str) -> Stack:
        """Return a stack with what a plan or an apply of it has to be given, made anew for each."""
        variables = {**self._credentials.variables(), **more}
        if name == self.env.stack(StackKind.FLUX):
            variables[given(FLUX_DEPLOY_KEY)] = private_deploy_key(self.env)
            if isinstance(self.env.vault.auth, AppRoleAuth):
                entry = secrets_of(self.env).read(self.env.vault.kv.provisioning)
                variables[given(VAULT_SECRET_ID)] = entry[VAULT_SECRET_ID]
        if name in {self.env.stack(kind) for kind in STAGES[Stage.SERVICES]}:
            variables |= cluster_access(self._api, self.env).variables()
        return Stack(name, self.env.state, variables)

    def _can_plan(self, stage: Stage, *, destroy: bool, prepare: bool, wait_seconds: float) -> bool:
        """Return whether the stage's stacks find what they look up; the end of records needs no balancer."""
        if stage is not Stage.DNS:
            return is_there(stage, self.env, self._api)
        if not destroy and (prepare or is_there(stage, self.env, self._api)):
            refuse_missing_zone(self.env, self._api)
        return destroy or is_there(stage, self.env, self._api, wait_seconds=wait_seconds)

    def _plan(self, stack: Stack, folder: Path, *, destroy: bool, prepare: bool) -> Reading:
        # The balancer may be gone before its records.
        refresh = not (destroy and stack.name == self.env.stack(StackKind.DNS))
        file = stack.plan_file(folder)
        reading = self._planner.plan(stack, file, prepare=prepare, destroy=destroy, refresh=refresh)
        shutil.copy(stack.lock_file, _lock_file(folder, stack))
        if prepare:
            refuse_replacement(self.env, reading.changes)
        return reading

    def _publishes(self, stack: Stack, reading: Reading) -> bool:
        """Return whether Vault lacks keys of buckets, or how the cluster logs in."""
        if stack.name == self.env.stack(StackKind.STATE):
            return bool(reading.changes or self._unpublished(stack, secrets_of(self.env)))
        return self._logs_in(stack) and vault_login.has_to_be_told(self.env, self._api)

    def _logs_in(self, stack: Stack) -> bool:
        """Return whether what the stack makes needs the cluster's login in Vault."""
        return stack.name == self.env.stack(StackKind.FLUX)

    def _publish_keys(self, stack: Stack) -> None:
        secrets = secrets_of(self.env)
        for path, key in self._unpublished(stack, secrets).items():
            secrets.put(path, key)
            say(f"Vault {secrets.mount}/{path}: access_key_id, secret_access_key written")

    def _unpublished(self, stack: Stack, secrets: Secrets) -> dict[str, Mapping[str, str]]:
        """Return the keys of buckets that Vault has not got where the cluster's services read them, by path."""
        keys = bucket_keys(self.env, stack.resources())
        return {path: key for path, key in keys.items() if not secrets.read(path).items() >= key.items()}


def stacks_of(env: Environment, stage: Stage, *, destroy: bool) -> list[str]:
    """Return the stacks of a stage in the order in which they are made, or in which they end."""
    kinds = [kind for kind in env.stacks if kind in STAGES[stage]]
    if destroy:  # the state outlives what it tells of
        kinds = [kind for kind in reversed(kinds) if kind is not StackKind.STATE]
    return [env.stack(kind) for kind in kinds]


def bucket_keys(env: Environment, resources: Iterable[Json]) -> dict[str, Mapping[str, str]]:
    """Return the keys of buckets in a state, by the path in Vault at which the cluster's services read them."""
    keys: dict[str, Mapping[str, str]] = {}
    purposes = {env.key_name(purpose): purpose for purpose in BucketPurpose if purpose is not BucketPurpose.STATE}
    for values in (item["values"] for item in resources if item["type"] == "digitalocean_spaces_key"):
        purpose = purposes.get(values["name"])
        if purpose is not None:
            path = f"{env.vault.kv.platform}/{purpose}"
            keys[path] = {"access_key_id": values["access_key"], "secret_access_key": values["secret_key"]}
    return keys


def read_plans(folder: Path, env: Environment) -> Plans:
    """Return what is in a folder of plans. Raises `ConfigError` if none of them may be applied to it."""
    path = folder / LIST
    try:
        plans = Plans.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        raise ConfigError(f"{path}: is no list of plans; plan first") from None
    if plans.environment != env.name:
        raise ConfigError(f"{path}: is of environment {plans.environment}, not of {env.name}; plan that one")
    if not (plans.prepared or plans.destroy):
        raise ConfigError(f"{path}: was planned to be looked at alone; plan with --prepare what is to be applied")
    return plans


def refuse_destruction(env: Environment, confirmed: str | None) -> None:
    """Raise `ConfigError` unless an environment may be destroyed: it is not protected, and meant."""
    if env.cluster.protected:
        raise ConfigError(
            f"environments/{env.name}.yaml: cluster.protected is true; set it to false and apply that first"
        )
    if env.tier != "sandbox" and not env.name.startswith(EPHEMERAL) and confirmed != env.name:
        raise ConfigError(f"destroying {env.name}: has to be confirmed by its name, found '{confirmed or ''}'")


def refuse_replacement(env: Environment, changes: Sequence[Change]) -> None:
    """Raise `ConfigError` if a plan replaces the cluster, which no two of one name let happen one after the other."""
    if any(change.kind == CLUSTER and len(change.actions) > 1 for change in changes):
        raise ConfigError(
            f"environments/{env.name}.yaml: region, vpc_range and cluster.network of a cluster cannot change; "
            "change them back, or destroy the environment and provision it anew"
        )


def _lock_file(folder: Path, stack: Stack) -> Path:
    return folder / f"{stack.name}.lock.hcl"
