"""Pairs of environments at random: no change is without a verdict, and none is called less than it is."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from constructs_lib.base.change import Effect
from constructs_lib.base.errors import ConfigError
from constructs_lib.environment import Environment
from gitops_render.diff import diff
from gitops_render.losses import is_data
from gitops_render.settings import settings_transitions
from gitops_render.tree import render
from gitops_render.write import changed_files, write
from operations.review.verdict import NOTHING, SAFE, Changes, verdicts
from tests.support import environment

POSTGRES = {"name": "main", "roles": [{"name": "a"}, {"name": "b"}], "databases": [{"name": "a", "owner": "a"}]}
VALUES: dict[str, list[Any]] = {
    "mode": ["render", "apply"],
    "backups__bucket": ["backups-one", "backups-two"],
    "cluster__kubernetes_minor": ["1.36", "1.37"],
    "cluster__tags": [[], ["x"]],
    "cluster__maintenance_window__day": ["any", "sunday"],
    "platform__baseline__apps": [[], [{"name": "shop"}], [{"name": "shop"}, {"name": "blog", "http_port": 80}]],
    "platform__cloudnative_pg__enabled": [True, False],
    "platform__cloudnative_pg__clusters": [
        [],
        [POSTGRES],
        [POSTGRES | {"storage": "20Gi", "instances": 2}],
        [POSTGRES | {"retired": "closed"}],
        [POSTGRES | {"retired": "deletable"}],
        [POSTGRES | {"name": "other"}, POSTGRES],
        [POSTGRES | {"roles": [{"name": "a"}], "backup_schedule": "0 0 3 * * *"}],
    ],
    "platform__valkey_operator__clusters": [[], [{"name": "main"}], [{"name": "main", "shards": 3}]],
    "platform__traefik__enabled": [True, False],
    "platform__traefik__replicas": [1, 2, 3],
    "platform__observability__metrics__storage": ["20Gi", "30Gi"],
    "platform__observability__slos__window": [None, "2d"],
}

edits = st.fixed_dictionaries({}, optional={key: st.sampled_from(values) for key, values in VALUES.items()})


def valid(**changes: Any) -> Environment:
    """Return the sandbox with `changes`, or give the example up."""
    try:
        env = environment("sandbox", **changes)
        _ = env.layers
    except (ConfigError, ValidationError):
        assume(False)
        raise
    return env


@given(edits, edits)
@settings(max_examples=40, deadline=None)
def test_a_verdict_says_no_less_than_what_differs(before: dict[str, Any], after: dict[str, Any]) -> None:
    old_env, new_env = valid(**before), valid(**after)
    with tempfile.TemporaryDirectory() as folder:
        old, new = Path(folder, "old"), Path(folder, "new")
        for tree, env in ((old, old_env), (new, new_env)):
            write(tree, env.name, render(env))
        found = settings_transitions(old, new)["sandbox"]
        objects, files = diff(old, new), changed_files(old, new)
        (verdict,) = verdicts(Changes({"sandbox": found}, [], objects, files))
    assert all(item.rule.effect is not Effect.UNKNOWN for item in found), found
    assert bool(found) == (old_env != new_env)
    assert (verdict.words == NOTHING) == (old_env == new_env)
    gone = [item for item in objects if is_data(item) and item.change in {"kept", "removed"}]
    if gone:
        assert verdict.effect.rank >= Effect.REPLACES.rank, gone
        told = [item for item in found if item.rule.effect.rank >= Effect.REPLACES.rank]
        assert told, f"no rule says that {gone} goes"
    if verdict.words == SAFE:
        assert all(item.rule.effect is Effect.FREE for item in found)
