"""What a change of a setting is said to do."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from constructs_lib.base.change import FREE, Change, Effect, Rule, refused, replaces, rolls, steps

RULE, LARGER, SMALLER, ADDED, REMOVED = (rolls(name) for name in ("any", "larger", "smaller", "added", "removed"))
CHANGE = Change(RULE, larger=LARGER, smaller=SMALLER, added=ADDED, removed=REMOVED)


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        (1, 2, LARGER),
        (2, 1, SMALLER),
        ("9Gi", "10Gi", LARGER),
        ("1Gi", "512Mi", SMALLER),
        ("1Gi", "1024Mi", RULE),
        ("500m", "1", LARGER),
        ("7d", "30d", LARGER),
        ("30d", "7d", SMALLER),
        (0.5, 0.25, SMALLER),
        ("lon1", "ams3", RULE),
        (["a"], ["b"], RULE),
        (None, 1, ADDED),
        (1, None, REMOVED),
        (False, True, ADDED),
        (True, False, REMOVED),
        (0, 1, LARGER),
        (1, 0, SMALLER),
    ],
)
def test_the_rule_is_that_of_the_way_a_value_goes(old: Any, new: Any, rule: Rule) -> None:
    assert CHANGE.of(old, new) is rule


def test_a_way_without_a_rule_of_its_own_has_the_common_one() -> None:
    assert {Change(RULE).of(*values) for values in ((1, 2), (2, 1), (None, 1), (1, None))} == {RULE}


def test_a_judge_decides_between_two_values_alone() -> None:
    def judge(old: str, new: str) -> Rule:
        """Follow the letters."""
        return FREE if old < new else refused("back")

    change = Change(RULE, removed=REMOVED, judge=judge)
    assert [change.of("a", "b"), change.of("b", "a")] == [FREE, refused("back")]
    assert change.of("a", None) is REMOVED
    assert change.words() == {"otherwise": "rolls: any", "removed": "rolls: removed", "judged": "Follow the letters."}


def test_a_step_that_was_done_before_counts() -> None:
    rule = steps("first retire it", "retire", after=("retired", "deletable"), done=replaces("it"))
    assert rule.after({"retired": "deletable"}) == replaces("it")
    assert rule.after({"retired": None}) is rule
    assert rule.after({}) is rule
    assert steps("x", "y").after({}) == steps("x", "y")


def test_effects_are_in_their_order() -> None:
    order = [Effect.FREE, Effect.ROLLS, Effect.REPLACES, Effect.STEPS, Effect.UNKNOWN, Effect.REFUSED]
    assert sorted(Effect, key=lambda effect: effect.rank) == order


def test_the_schema_says_what_a_change_does() -> None:
    class Block(BaseModel):
        size: Annotated[int, Change(FREE, smaller=steps("copy it", "shrink"))]
        name: Annotated[str, Change(refused("make another"))]

    fields = Block.model_json_schema()["properties"]
    assert fields["size"]["x-change"] == {
        "otherwise": "free",
        "smaller": "needs steps: copy it (docs/how-to/shrink.md)",
    }
    assert fields["name"] == {"title": "Name", "type": "string", "x-change": {"any": "refused: make another"}}
