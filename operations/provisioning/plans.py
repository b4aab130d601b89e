"""What is in a folder of plans."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ValidationError

from constructs_lib.base.errors import ConfigError
from constructs_lib.environment import Environment
from operations.provisioning.stage import Stage

LIST = "plans.json"
"""The file in a folder of plans that says what is in it."""


class PlannedStack(BaseModel):
    """A plan file's stack, how many resources it changes, whether Vault has to be told something, and what is lost."""

    stack: str
    changes: int
    publishes: bool = False
    lost: int = 0


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
        return sum(planned.changes + planned.publishes + planned.lost for planned in self.stacks)


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
