"""Pairs of environments at random: no change is without a verdict, and none is called less than it is."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from constructs_lib.base.change import Effect
from constructs_lib.base.errors import ConfigError
from constructs_lib.base.stacks import OUTPUT, definitions
from constructs_lib.environment import Environment
from constructs_lib.kit import Manifest
from gitops_render.diff import diff
from gitops_render.helm import Asked, Charts
from gitops_render.losses import is_data
from gitops_render.releases import made_differently, releases
from gitops_render.settings import settings_transitions
from gitops_render.tree import render
from gitops_render.write import changed_files, write
from operations.review.stack_changes import LOSING, stack_changes
from operations.review.verdict import NOTHING, SAFE, SHARED, Changes, verdicts
from stacks.synthesis import synthesise
from tests.support import environment

POSTGRES = {"name": "main", "roles": [{"name": "a"}, {"name": "b"}], "databases": [{"name": "a", "owner": "a"}]}
VALUES: dict[str, list[Any]] = {
    "mode": ["render", "apply"],
    "backups__bucket": ["backups-one", "backups-two"],
    "cluster__kubernetes_minor": ["1.36", "1.37"],
    "cluster__tags": [[], ["x"]],
    "cluster__maintenance_window__day": ["any", "sunday"],
    "applications": [
        {},
        {"shop": {"owner": "a"}},
        {"shop": {"owner": "a", "retired": True}},
        {"shop": {"owner": "b", "quota": {"cpu": "2"}}, "blog": {"owner": "a", "hosts": {"www": {"port": 80}}}},
    ],
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
    "platform__observability__traces__storage": ["10Gi", "20Gi"],
}
OF_STACKS: dict[str, list[Any]] = {
    "cluster__kubernetes_minor": ["1.36", "1.37"],
    "cluster__pools__workload__size": ["s-2vcpu-4gb", "s-4vcpu-8gb"],
    "cluster__pools__workload__max_nodes": [3, 4],
    "cluster__tags": [[], ["x"]],
    "backups__bucket": ["backups-one", "backups-two"],
    "region": ["lon1", "ams3"],
    "state__use_lockfile": [True, False],
    "vpc_range": ["10.20.0.0/20", "10.60.0.0/20"],
}
"""What stacks are made of; one that Flux does not fill takes seconds, so these pairs are few."""
LASTING = {"digitalocean_kubernetes_cluster", "digitalocean_spaces_bucket", "digitalocean_vpc"}
"""What is in a stack and holds data, or is what that lies in."""


def edits_of(values: dict[str, list[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional={key: st.sampled_from(held) for key, held in values.items()})


edits = edits_of(VALUES)


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


class MadeUp(Charts):
    """Charts whose objects follow from what is asked for: what holds a version, and what holds a volume."""

    def made(self, asked: Asked) -> Iterator[Manifest]:
        values = json.loads(asked.values)
        claim = {"spec": {"resources": values.get("persistence", {}).get("size")}}
        for kind, spec in (
            ("Deployment", {"chart": asked.version, "values": values, "kubernetes": asked.kubernetes}),
            ("StatefulSet", {"volumeClaimTemplates": [claim]}),
        ):
            metadata = {"name": asked.name, "namespace": asked.namespace}
            yield {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec}


@given(edits, edits)
@settings(max_examples=15, deadline=None)
def test_what_a_chart_makes_is_told_and_its_volumes_are_judged(before: dict[str, Any], after: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        old, new = Path(folder, "old"), Path(folder, "new")
        for tree, changes in ((old, before), (new, after)):
            write(tree, "sandbox", render(valid(**changes)))
        made = made_differently(old, new, MadeUp("", ""))
        was, now = (releases(tree)["sandbox"] for tree in (old, new))
        rules = settings_transitions(old, new)["sandbox"]
    told = {one.identity.name for one in made.objects if one.identity.kind == "Deployment"}
    kept = {name for name in was.keys() - now.keys() if was[name].stays}
    assert (told, made.unjudged) == ({name for name in {*was, *now} if was.get(name) != now.get(name)} - kept, {})
    (verdict,) = verdicts(Changes({"sandbox": []}, [], made.objects, {}))
    if any(item.refused for item in made.objects):
        assert verdict.effect is Effect.REFUSED
        assert any(item.rule.effect.rank >= Effect.STEPS.rank for item in rules)


class Side(NamedTuple):
    """One of a pair: the tree and the stacks of an environment."""

    tree: Path
    stacks: Path

    @property
    def documents(self) -> dict[str, Any]:
        """The blocks of each stack, without what cdktf writes for itself."""
        found = {path.parent.name: json.loads(path.read_bytes()) for path in definitions(self.stacks)}
        return json.loads(json.dumps(found), object_hook=lambda held: {k: v for k, v in held.items() if k != "//"})

    @property
    def lasting(self) -> dict[tuple[str, str, str], Any]:
        """What lasts, by stack, type and name."""
        return {
            (stack, kind, name): held
            for stack, document in self.documents.items()
            for kind in LASTING & document.get("resource", {}).keys()
            for name, held in document["resource"][kind].items()
        }


def side(folder: Path, env: Environment) -> Side:
    found = Side(folder / "tree", folder / OUTPUT)
    write(found.tree, env.name, render(env))
    with patch.dict(os.environ, CDKTF_OUTDIR=str(found.stacks)):
        synthesise([env])
    return found


@given(st.lists(edits_of(OF_STACKS), min_size=3, max_size=3))
@settings(max_examples=2, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_differs_in_a_stack_is_told_and_what_lasts_is_not_lost_unseen(changes: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        sides = [side(Path(folder, str(number)), valid(**one)) for number, one in enumerate(changes)]
        for old, new in permutations(sides, 2):
            assert_told(old, new)


def assert_told(old: Side, new: Side) -> None:
    rules, stacks = settings_transitions(old.tree, new.tree)["sandbox"], stack_changes(old.stacks, new.stacks)
    before, after = old.documents, new.documents
    differing = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    assert {one.stack for one in stacks} == differing
    # The stacks alone tell it, whatever settings and objects tell besides.
    told = {one.environment: one for one in verdicts(Changes({"sandbox": []}, stacks, [], {}))}
    own = {name for name in differing if name.startswith("sandbox-")}
    assert (told["sandbox"].words == NOTHING, SHARED in told) == (not own, bool(differing - own))
    lost = {(one.stack, *one.address.split(".")) for one in stacks if one.action in LOSING}
    assert not lost or told["sandbox"].effect.rank >= Effect.REPLACES.rank, lost
    was, now = old.lasting, new.lasting
    gone = {key for key in was if key not in now or was[key].get("region") != now[key].get("region")}
    assert lost >= gone
    assert not gone or any(item.rule.effect.rank >= Effect.REPLACES.rank for item in rules), gone
