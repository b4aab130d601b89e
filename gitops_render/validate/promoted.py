"""Promotions: what a change may make of a `source.yaml`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import yaml

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.transition import transitions
from constructs_lib.environment import TIERS, Environment
from gitops_render.paths import settings_file, source_file
from gitops_render.settings import impossible, parsed_settings, promoted
from gitops_render.validate.change import Change
from gitops_render.yaml_output import to_yaml

_COMMIT = re.compile(rb'^    commit: "?([0-9a-f]{40})"?$', re.MULTILINE)


def promotion_problems(
    change: Change, environments: Sequence[Environment], env: Environment, seed: bytes
) -> Iterator[str]:
    """Yield what keeps the new `source.yaml` of `env` from being a promotion: another pin, and no other change.

    It may also become `seed`, which is the file as it is rendered, with a pin. The commit has to be on the default
    branch, and to run or to have run in an environment of the tier before.
    """
    path = source_file(env.name)
    position, new = TIERS.index(env.tier), change.new(path)
    found = _COMMIT.search(new or b"")
    if new is None or found is None or position == 0:
        yield "may change by promotion alone, which pins a later tier to a commit; undo the change"
        return
    commit, branch = found[1].decode(), env.gitops.default_branch
    if new not in {_pinned(old, branch, commit) for old in (change.old(path), seed) if old is not None}:
        yield f"changes more than spec.ref, which names branch {branch} and a commit; write it with `promote`"
    before = [other for other in environments if other.tier == TIERS[position - 1]]
    refusals = [problem for other in before for problem in _refusals(change, other, commit)]
    if len(refusals) == len(before):
        yield from refusals or [f"no environment is of tier {TIERS[position - 1]}, from which {env.name} is promoted"]
    elif change.old(path) is not None:
        yield from _impossible(change, env, commit)


def _impossible(change: Change, env: Environment, commit: str) -> Iterator[str]:
    """Yield what `env` cannot become, or only after steps that are left out, by the settings of the two commits.

    Nothing is said where a commit has none: it is older than they are.
    """
    file = str(settings_file(env.name))
    try:
        running = change.history.running(env)
    except ConfigError:  # what it runs is broken, and may be mended
        return
    texts = [change.history.git.ask("show", f"{one}:./{file}") for one in (running, commit)]
    if all(text is not None for text in texts):
        old, new = (parsed_settings(file, str(text).encode()) for text in texts)
        yield from (
            f"cannot come to {env.name}: {one}" for one in impossible(promoted(transitions(Environment, old, new)))
        )


def _pinned(old: bytes, branch: str, commit: str) -> bytes:
    data = yaml.load(old, yaml.CSafeLoader)
    return to_yaml({**data, "spec": {**data["spec"], "ref": {"branch": branch, "commit": commit}}})


def _refusals(change: Change, env: Environment, commit: str) -> Iterator[str]:
    try:
        change.history.chosen(env, commit)
    except ConfigError as error:
        yield str(error)
