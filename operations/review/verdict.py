"""Whether a change may be merged, and what it then does, in words: one verdict for each environment."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from types import MappingProxyType
from typing import NamedTuple

from constructs_lib.base.change import Effect, Plain
from constructs_lib.base.transition import Transition
from gitops_render.diff import Difference
from gitops_render.losses import GUARDS, is_data
from gitops_render.markdown import bold, code, escaped, listed
from operations.rehearsal.output import shown
from operations.rehearsal.rehearsal import Rehearsal
from operations.review.stack_changes import LOSING, StackChange

SHARED = "all environments"
"""What belongs to no environment alone: the GitOps repository and its stack."""
SAFE = "safe to merge"
NOTHING = "nothing changes"
LONGEST = 60
SHOWN = 4
"""How many reasons are shown; the tables below have all."""

INSTALLS = frozenset({"HelmRelease", "OCIRepository", "Deployment", "StatefulSet", "DaemonSet", "GitRepository"})
"""The kinds of objects whose change restarts pods."""


class Reason(NamedTuple):
    """What a change does, as Markdown, and how far that reaches."""

    effect: Effect
    text: str


class Verdict(NamedTuple):
    """What a change does to an environment; no reasons, and not `changed`, if it does nothing."""

    environment: str
    changed: bool
    reasons: tuple[Reason, ...]

    @property
    def effect(self) -> Effect:
        """The farthest of all that it does."""
        return max((reason.effect for reason in self.reasons), key=lambda effect: effect.rank, default=Effect.FREE)

    @property
    def words(self) -> str:
        """The verdict in two or three words."""
        if not self.changed:
            return NOTHING
        return SAFE if self.effect is Effect.FREE else self.effect

    def markdown(self) -> Iterator[str]:
        """Yield a line with the verdict, and one for each of the farthest reasons."""
        yield f"- {bold(self.environment)}: {bold(self.words)}"
        reasons = sorted(dict.fromkeys(self.reasons), key=lambda reason: -reason.effect.rank)
        yield from (f"  - {reason.text}" for reason in reasons[:SHOWN])
        if len(reasons) > SHOWN:
            yield f"  - and {len(reasons) - SHOWN} more"


class Changes(NamedTuple):
    """All that a change does: settings and files by environment, stacks, and objects of the trees.

    `unjudged` says by environment what could not be compared.
    """

    settings: Mapping[str, Sequence[Transition]]
    stacks: Sequence[StackChange]
    objects: Sequence[Difference]
    files: Mapping[str, Sequence[str]]
    unjudged: Mapping[str, Sequence[str]] = MappingProxyType({})
    rehearsals: Sequence[Rehearsal] = ()


def verdicts(changes: Changes) -> list[Verdict]:
    """Return the verdict on each environment of the settings, and on what all share if that changes."""
    names = list(changes.settings)
    stacks = {name: [item for item in changes.stacks if _environment(item.stack, names) == name] for name in names}
    found = [_verdict(name, changes, stacks[name]) for name in names]
    rest = [item for item in changes.stacks if _environment(item.stack, names) is None]
    files = [name for index, held in changes.files.items() if index not in names for name in held]
    if rest or files:
        told = (Reason(Effect.FREE, f"file {code(name)}") for name in files)
        found.append(Verdict(SHARED, changed=True, reasons=(*_of_stacks(rest), *told)))
    return found


def unjudged_verdict(environment: str, why: str) -> Verdict:
    """Return the verdict on an environment that cannot be compared."""
    return Verdict(environment, changed=True, reasons=(Reason(Effect.UNKNOWN, why),))


def _environment(stack: str, names: Sequence[str]) -> str | None:
    return max((name for name in names if stack.startswith(f"{name}-")), key=len, default=None)


def _verdict(name: str, changes: Changes, stacks: Sequence[StackChange]) -> Verdict:
    settings = changes.settings[name]
    objects = [item for item in changes.objects if item.environment == name]
    rehearsed = [reason for item in changes.rehearsals if item.environment == name for reason in _of_rehearsal(item)]
    unjudged = [Reason(Effect.UNKNOWN, escaped(sentence)) for sentence in changes.unjudged.get(name, ())]
    reasons = (*map(_of_setting, settings), *_of_stacks(stacks), *_of_objects(objects), *rehearsed, *unjudged)
    changed = bool(settings or stacks or objects or unjudged or changes.files.get(name))
    return Verdict(name, changed, reasons)


def _of_setting(item: Transition) -> Reason:
    """Return what a setting's change does; a step that the file tells, and that was left out, refuses it."""
    effect = Effect.REFUSED if item.rule.step is not None else item.rule.effect
    return Reason(effect, _setting(item, effect))


def _setting(item: Transition, effect: Effect) -> str:
    rule = item.rule
    page = f" (docs/how-to/{rule.page}.md)" if rule.page else ""
    does = f"{effect}, {escaped(rule.what)}" if rule.what else effect
    return f"{code(item.key)} {_way(item)}: {does}{page}"


def _way(item: Transition) -> str:
    """Return how a setting changes; of a block that comes or goes, that it does."""
    if isinstance(item.old, dict) and item.new is None:
        return "goes"
    if isinstance(item.new, dict) and item.old is None:
        return "comes"
    return f"{_shown(item.old)} → {_shown(item.new)}"


def _of_stacks(changes: Sequence[StackChange]) -> Iterator[Reason]:
    for item in changes:
        if item.action in LOSING:
            yield Reason(Effect.REPLACES, f"{code(item.address)} of {code(item.stack)} is {item.action}")


def _of_objects(objects: Sequence[Difference]) -> Iterator[Reason]:
    yield from (Reason(Effect.REFUSED, _refusal(item)) for item in objects if item.refused)
    rolled = [
        item for item in objects if item.change == "changed" and (item.identity.kind in INSTALLS or is_data(item))
    ]
    if rolled:
        yield Reason(Effect.ROLLS, f"may restart what {_named(rolled)} runs")
    lost = [item for item in objects if item.change == "removed" and item.identity.kind in {*INSTALLS, *GUARDS}]
    if lost:
        yield Reason(Effect.REPLACES, f"removes {_named(lost)}")
    for change, held in groupby(filter(is_data, objects), key=lambda item: item.change):
        for item in held:
            if change == "removed":
                yield Reason(Effect.REPLACES, f"deletes {code(str(item.identity))} with its data")
            elif change == "kept":
                yield Reason(Effect.STEPS, f"the cluster keeps {code(str(item.identity))}, which nobody describes")


def _of_rehearsal(item: Rehearsal) -> Iterator[Reason]:
    for name, why in item.refused.items():
        if name not in item.before:
            yield Reason(Effect.REFUSED, f"rehearsed: {code(name)} is refused: {shown(why)}")
    for name, why in item.before.items():
        yield Reason(Effect.UNKNOWN, f"{code(name)} of what runs cannot be rehearsed: {shown(why)}")
    if "replaced" in item.fates:
        yield Reason(Effect.REPLACES, f"rehearsed: makes anew {listed(item.fates['replaced'], SHOWN)}")


def _refusal(item: Difference) -> str:
    return f"the API server never changes {code(', '.join(item.refused))} of {code(str(item.identity))}"


def _named(objects: Sequence[Difference]) -> str:
    return listed([str(item.identity) for item in objects], SHOWN)


def _shown(value: Plain) -> str:
    text = "nothing" if value is None else value if isinstance(value, str) else json.dumps(value)
    return code(text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…")
