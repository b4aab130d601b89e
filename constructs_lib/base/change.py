"""What a change of a setting does to what runs already.

The type of each setting says it, by `Change`; a block says it for all in it that says nothing itself, and a test holds
that none is silent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from constructs_lib.base.quantities import comparable

Plain = Any
"""Plain data, as JSON has it."""


class Effect(StrEnum):
    """How far a change reaches, from the least to the most."""

    FREE = "free"
    ROLLS = "rolls"
    REPLACES = "replaces"
    STEPS = "needs steps"
    UNKNOWN = "not judged"
    REFUSED = "refused"

    @property
    def rank(self) -> int:
        """Its place in the order of this class."""
        return list(Effect).index(self)


class Rule(NamedTuple):
    """What a change does. `what` restarts, or is lost or moved; or says why it is refused, and what to do instead.

    `page` names the page of docs/how-to with the steps. Once `step`, a key beside the setting and the value that it
    had before, is done, `done` counts instead.
    """

    effect: Effect
    what: str = ""
    page: str = ""
    step: tuple[str, Plain] | None = None
    done: Rule | None = None

    def __str__(self) -> str:
        page = f" (docs/how-to/{self.page}.md)" if self.page else ""
        return f"{self.effect}: {self.what}{page}" if self.what else self.effect

    def after(self, beside: Mapping[str, Plain]) -> Rule:
        """Return the rule for a setting with these others `beside` it before the change."""
        if self.step is None or self.done is None or beside.get(self.step[0]) != self.step[1]:
            return self
        return self.done


FREE = Rule(Effect.FREE)


def rolls(what: str) -> Rule:
    """Return the rule of a change after which `what` restarts, and loses nothing."""
    return Rule(Effect.ROLLS, what)


def replaces(what: str) -> Rule:
    """Return the rule of a change that makes `what` anew; it says what is lost."""
    return Rule(Effect.REPLACES, what)


def steps(what: str, page: str, *, after: tuple[str, Plain] | None = None, done: Rule | None = None) -> Rule:
    """Return the rule of a change that goes wrong unless the steps of a `page` of docs/how-to are taken."""
    return Rule(Effect.STEPS, what, page, after, done)


def refused(why: str) -> Rule:
    """Return the rule of a change that nobody can make; `why` says what to do instead."""
    return Rule(Effect.REFUSED, why)


Judge = Callable[[Plain, Plain], Rule]


@dataclass(frozen=True)
class Change:
    """What changing a setting does: `rule`, unless another is given for the way that it changes.

    A number or amount gets `larger` or `smaller`. What was null or false, or an entry that a list or map did not have,
    is `added`; `removed` is the opposite. Entries of a list are known by the field `by`. `judge` decides for itself,
    as its docstring says.
    """

    rule: Rule
    larger: Rule | None = None
    smaller: Rule | None = None
    added: Rule | None = None
    removed: Rule | None = None
    by: str = "name"
    judge: Judge | None = field(default=None, compare=False)

    def of(self, old: Plain, new: Plain) -> Rule:
        """Return the rule of a change of one value."""
        if self.judge is not None and old is not None and new is not None:
            return self.judge(old, new)
        return self._ways.get(_way(old, new)) or self.rule

    @property
    def _ways(self) -> dict[str, Rule | None]:
        return {"larger": self.larger, "smaller": self.smaller, "added": self.added, "removed": self.removed}

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return the schema of the setting with `x-change`, for editors and the reference of settings."""
        return {**handler(schema), "x-change": self.words()}

    def words(self) -> dict[str, str]:
        """Return each way to change it with what that does."""
        judged = {} if self.judge is None else {"judged": " ".join((self.judge.__doc__ or "").split())}
        ways = {way: str(rule) for way, rule in self._ways.items() if rule is not None}
        return {"any" if not ways and not judged else "otherwise": str(self.rule), **ways, **judged}


FREELY = Change(FREE)
ANOTHER_CLUSTER = Change(refused("the cluster would be made anew; add another environment and move to it"))
VOLUME_GROWS = Change(FREE, smaller=refused("a volume never shrinks; keep its size, or make another beside it"))
VOLUME_STAYS = Change(steps("a StatefulSet's volumes keep their size until it is made anew", "resize-volumes"))


def _way(old: Plain, new: Plain) -> str:
    if old is None or old is False:
        return "added"
    if new is None or new is False:
        return "removed"
    before, after = comparable(old), comparable(new)
    if before is None or after is None or before == after:
        return ""
    return "larger" if after > before else "smaller"
