"""An environment's stacks, planned and applied in stages.

Stacks of the later stage look the cluster up, so they can be planned once it is there. Within a stage every plan is
made before anything is applied, and what is applied is the plan that was read.
"""

from __future__ import annotations

import shutil
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ValidationError

from constructs_lib.base.errors import ConfigError
from constructs_lib.environment import Environment
from constructs_lib.environment.vault import AppRoleAuth
from operations.clients.digitalocean import DigitalOcean
from operations.clients.spaces import Spaces
from operations.clients.tofu import Change, Stack
from operations.console import say, step
from operations.provisioning.adoption import in_digitalocean, plan_with_adoption, remove_lost_keys
from operations.secrets.credentials import Credentials, credentials_of, secrets_of
from operations.secrets.entries import SECRET_ID, private_deploy_key

EPHEMERAL = "eph-"
"""How the names of environments begin that tests make and remove."""


class Stage(StrEnum):
    """What can be planned at once."""

    FOUNDATION = "foundation"
    SERVICES = "services"


class PlannedStack(BaseModel):
    """A plan file's stack, how many resources it changes, and whether keys have to be put into Vault afterwards."""

    stack: str
    changes: int
    publishes: bool = False


class Plans(BaseModel):
    """What is in a folder of plans."""

    environment: str
    stage: Stage
    destroy: bool
    stacks: list[PlannedStack]
    waiting: list[str] = []

    @property
    def changes(self) -> int:
        """How many things applying changes."""
        return sum(planned.changes + planned.publishes for planned in self.stacks)


class Reading(BaseModel):
    """What people read of one plan."""

    stack: str
    changes: list[Change]
    text: str


class Provisioner:
    """The stacks of one environment."""

    def __init__(self, env: Environment) -> None:
        self.env = env
        self._credentials: Credentials = credentials_of(env)
        self._api = DigitalOcean(self._credentials.digitalocean_token)
        self._spaces = Spaces(self._credentials)

    def plan(self, stage: Stage, folder: Path, *, destroy: bool, prepare: bool) -> tuple[Plans, list[Reading]]:
        """Write the plans of a stage into `folder`, and return what is in them.

        With `prepare`, a missing bucket for the state is made: it is all that is made before a plan is read. Without
        it, a first plan is made as if it existed.
        """
        names = self._names(stage, destroy=destroy)
        plans = Plans(environment=self.env.name, stage=stage, destroy=destroy, stacks=[])
        readings: list[Reading] = []
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in names:
            if stage is Stage.SERVICES and self._api.cluster(self.env.cluster.name) is None:
                plans.waiting.append(name)
                continue
            with step(f"{name}: plan"):
                reading = self._plan(name, folder, destroy=destroy, prepare=prepare)
            publishes = name == f"{self.env.name}-state" and prepare and self._publishes(name, reading)
            plans.stacks.append(PlannedStack(stack=name, changes=len(reading.changes), publishes=publishes))
            readings.append(reading)
        (folder / "plans.json").write_text(plans.model_dump_json(indent=2) + "\n")
        return plans, readings

    def apply(self, plans: Plans, folder: Path) -> None:
        """Apply the plans in `folder`, exactly as they are."""
        for planned in plans.stacks:
            stack = self._stack(planned.stack)
            if planned.changes:
                with step(f"{stack.name}: apply"):
                    stack.init()
                    shutil.copy(_lock_file(folder, stack), stack.lock_file)
                    remove_lost_keys(stack, self._api)
                    stack.apply(_plan_file(folder, stack))
            if planned.publishes:
                stack.init()
                self._publish_keys(stack)

    def drift(self, folder: Path) -> list[Reading]:
        """Plan every stack without a lock and without writing anything, and return those that would change."""
        readings: list[Reading] = []
        for stage in Stage:
            _, found = self.plan(stage, folder / stage, destroy=False, prepare=False)
            readings += [reading for reading in found if reading.changes]
        return readings

    def migrate(self, name: str) -> None:
        """Move a state that a run on this machine left in the stack's folder into the bucket."""
        stack = self._stack(name)
        if not stack.local_state.exists():
            raise ConfigError(f"{stack.local_state}: is not there; nothing to migrate")
        if not self._spaces.exists(stack.state):
            self._spaces.create(stack.state)
        elif self._spaces.holds(stack.state, f"{name}.tfstate"):
            raise ConfigError(
                f"bucket {stack.state.bucket}: holds a state of {name} already; remove the one you want less"
            )
        stack.migrate()

    def _names(self, stage: Stage, *, destroy: bool) -> list[str]:
        services = ["flux", "platform"] if self.env.mode == "apply" else ["flux"]
        kinds = ["state", "cluster"] if stage is Stage.FOUNDATION else services
        if destroy:  # the state outlives what it tells of
            kinds = [kind for kind in reversed(kinds) if kind != "state"]
        return [f"{self.env.name}-{kind}" for kind in kinds]

    def _stack(self, name: str) -> Stack:
        variables = self._credentials.variables()
        if name == f"{self.env.name}-flux":
            variables["TF_VAR_flux_deploy_key"] = private_deploy_key(self.env)
            if isinstance(self.env.vault.auth, AppRoleAuth):
                entry = secrets_of(self.env).read(self.env.vault.kv.provisioning)
                variables["TF_VAR_vault_secret_id"] = entry[SECRET_ID]
        return Stack(name, self.env.state, variables)

    def _plan(self, name: str, folder: Path, *, destroy: bool, prepare: bool) -> Reading:
        stack = self._stack(name)
        file = _plan_file(folder, stack)
        if not self._spaces.exists(stack.state):
            if not prepare:
                return Reading(stack=name, changes=stack.plan_without_state(file), text=stack.describe(file))
            say(f"bucket {stack.state.bucket}: made, to keep the state in")
            self._spaces.create(stack.state)
        stack.init()
        if destroy:
            changes = stack.plan(file, destroy=True)
        else:
            changes = plan_with_adoption(stack, file, in_digitalocean(self._api, self._spaces), lock=prepare)
        shutil.copy(stack.lock_file, _lock_file(folder, stack))
        return Reading(stack=name, changes=changes, text=stack.describe(file))

    def _publishes(self, name: str, reading: Reading) -> bool:
        return bool(reading.changes or self._unpublished(self._stack(name)))

    def _unpublished(self, stack: Stack) -> dict[str, dict[str, str]]:
        """Return the keys of buckets that Vault has not got where the cluster's services read them, by path."""
        held, found = secrets_of(self.env), dict[str, dict[str, str]]()
        for item in stack.resources():
            part = item["values"].get("name", "").removeprefix(f"{self.env.cluster.name}-")
            if item["type"] == "digitalocean_spaces_key" and part != "state":
                path = f"{self.env.vault.kv.platform}/{part}"
                key = {
                    "access_key_id": item["values"]["access_key"],
                    "secret_access_key": item["values"]["secret_key"],
                }
                if not held.read(path).items() >= key.items():
                    found[path] = key
        return found

    def _publish_keys(self, stack: Stack) -> None:
        held = secrets_of(self.env)
        for path, key in self._unpublished(stack).items():
            held.put(path, key)
            say(f"Vault {held.mount}/{path}: access_key_id, secret_access_key written")


def read_plans(folder: Path, env: Environment) -> Plans:
    """Return what is in a folder of plans. Raises `ConfigError` if they are not of this environment."""
    path = folder / "plans.json"
    try:
        plans = Plans.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        raise ConfigError(f"{path}: is no list of plans; plan first") from None
    if plans.environment != env.name:
        raise ConfigError(f"{path}: is of environment {plans.environment}, not of {env.name}; plan that one")
    return plans


def refuse_destruction(env: Environment, confirmed: str | None) -> None:
    """Raise `ConfigError` unless an environment may be destroyed: it is not protected, and meant."""
    if env.cluster.protected:
        raise ConfigError(
            f"environments/{env.name}.yaml: cluster.protected is true; set it to false and apply that first"
        )
    if env.tier != "sandbox" and not env.name.startswith(EPHEMERAL) and confirmed != env.name:
        raise ConfigError(f"destroying {env.name}: has to be confirmed by its name, found '{confirmed or ''}'")


def _plan_file(folder: Path, stack: Stack) -> Path:
    return folder / f"{stack.name}.tfplan"


def _lock_file(folder: Path, stack: Stack) -> Path:
    return folder / f"{stack.name}.lock.hcl"
