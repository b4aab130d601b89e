"""Stacks that an environment had before its file changed: what their states hold is nobody's until it ends."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.stacks import DEFINITION, OUTPUT, StackKind, local_state_seen, stack_folder, state_key
from constructs_lib.environment import Environment
from operations.clients.tofu import Stack
from operations.provisioning.planning import Reading

FOLDER = OUTPUT / "ended"
"""Where their JSON goes: beside that of the stacks that an environment has."""


def ended_stack(env: Environment, name: str, variables: Mapping[str, str]) -> Stack:
    """Return a stack without resources on the state of one that the environment has no more: its plan ends all of it.

    It keeps its state as the environment's others do, so the rest of its JSON is that of the first of them.
    """
    like = Stack(env.stack(env.stacks[0]), env.state, variables).definition
    where = {"path": local_state_seen(name)} if env.state is None else {"key": state_key(name)}
    for backend in like["terraform"]["backend"].values():
        backend.update(where)
    definition = {**{key: like[key] for key in ("terraform", "provider", "variable") if key in like}, "resource": {}}
    path = stack_folder(FOLDER, name) / DEFINITION
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(definition, indent=1))
    return Stack(name, env.state, variables, output=FOLDER)


def ends_by_plan(kind: StackKind) -> bool:
    """Return whether the end of a stack is planned like any change: what a person reads and agrees to is the plan."""
    return kind is not StackKind.PLATFORM


def in_the_way(env: Environment, kinds: Iterable[StackKind], *, looked_at: bool) -> list[Reading]:
    """Return what people read of stacks that only a stage of their own can end, unless something is to be done.

    Raises `ConfigError` then. What mode apply made are the services themselves, in whose place Flux would put its own.
    """
    stacks = {env.stack(kind): _sentence(env, kind) for kind in kinds if not ends_by_plan(kind)}
    if stacks and not looked_at:
        raise ConfigError(*stacks.values())
    return [Reading(name, [], "", (sentence,)) for name, sentence in stacks.items()]


def _sentence(env: Environment, kind: StackKind) -> str:
    return (
        f"environments/{env.name}.yaml: mode: is {env.mode}, and {env.stack(kind)} still holds what mode apply made; "
        f"set it back to apply, end the services (bin/operations provision plan {env.name} --stage services --destroy, "
        "then provision apply), and change it then"
    )
