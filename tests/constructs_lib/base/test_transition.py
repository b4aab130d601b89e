"""What differs between two settings, and by which rule."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from constructs_lib.base.change import FREE, Change, refused, replaces, rolls, steps
from constructs_lib.base.transition import SILENT, STRANGE, Transition, transitions

POD, DISK, KEY = rolls("the pod"), refused("a disk never shrinks"), rolls("all")
EMPTY = steps("empty it", "empty", after=("tags", []), done=POD)
GONE = steps("retire it", "retire", after=("retired", True), done=replaces("its data"))


class Token(BaseModel):
    """A login by token."""

    method: Literal["token"]
    role: str


class Password(BaseModel):
    """A login by password."""

    method: Literal["password"]
    user: Annotated[str, Change(FREE)]


class Inner(BaseModel):
    """A block in a block."""

    memory: int = 1


class Member(BaseModel):
    """An entry with a name."""

    name: str
    disk: Annotated[int, Change(POD, smaller=DISK)] = 1
    retired: bool = False
    inner: Inner = Inner()


class Whole(BaseModel):
    """Settings of every shape."""

    members: Annotated[tuple[Member, ...], Change(POD, added=FREE, removed=GONE)] = ()
    pools: Annotated[dict[str, Member], Change(KEY, removed=GONE)] = Field(default_factory=dict)
    tags: Annotated[tuple[str, ...], Change(KEY, added=FREE)] = ()
    labels: Annotated[dict[str, str], Change(KEY)] = Field(default_factory=dict)
    login: Annotated[Token | Password | None, Change(KEY, removed=DISK)] = None
    silent: int = 0
    switch: Annotated[bool, Change(FREE, removed=EMPTY)] = True


def judged(old: dict[str, Any], new: dict[str, Any]) -> list[Transition]:
    return list(transitions(Whole, old, new))


def test_equal_settings_differ_in_nothing_however_a_default_is_said() -> None:
    whole = Whole(members=(Member(name="a"),)).model_dump(mode="json")
    assert judged(whole, whole) == []
    assert judged({}, Whole().model_dump(mode="json")) == []
    assert judged(Whole().model_dump(mode="json"), {}) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"silent": 0}, {"silent": 1}, Transition("silent", 0, 1, SILENT.rule)),
        ({}, {"silent": 2}, Transition("silent", 0, 2, SILENT.rule)),
        ({"tags": ["a"]}, {"tags": ["a", "b"]}, Transition("tags[b]", None, "b", FREE)),
        ({"tags": ["a", "b"]}, {"tags": ["b"]}, Transition("tags[a]", "a", None, KEY)),
        ({"tags": ["a", "b"]}, {"tags": ["b", "a"]}, Transition("tags", ["a", "b"], ["b", "a"], FREE)),
        ({"labels": {"a": "x"}}, {"labels": {"a": "y"}}, Transition("labels[a]", "x", "y", KEY)),
        ({"gone": 1}, {}, Transition("gone", 1, None, STRANGE)),
        ({}, {"new": 1}, Transition("new", None, 1, STRANGE)),
        ({"switch": True, "tags": ["a"]}, {"switch": False, "tags": ["a"]}, Transition("switch", True, False, EMPTY)),
        ({"switch": True, "tags": []}, {"switch": False, "tags": []}, Transition("switch", True, False, POD)),
    ],
)
def test_each_value_is_judged(old: dict[str, Any], new: dict[str, Any], expected: Transition) -> None:
    assert judged(old, new) == [expected]


def member(name: str = "a", **changes: Any) -> dict[str, Any]:
    return {**Member(name=name).model_dump(mode="json"), **changes}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ([member(disk=2)], [member(disk=3)], Transition("members[a].disk", 2, 3, POD)),
        ([member(disk=2)], [member(disk=1)], Transition("members[a].disk", 2, 1, DISK)),
        ([member()], [member(), member("b")], Transition("members[b]", None, member("b"), FREE)),
        ([member("b"), member()], [member()], Transition("members[b]", member("b"), None, GONE)),
        ([member(retired=True)], [], Transition("members[a]", member(retired=True), None, replaces("its data"))),
        ([member()], [member(retired=True)], Transition("members[a].retired", False, True, POD)),
        ([member()], [member(inner={"memory": 2})], Transition("members[a].inner.memory", 1, 2, POD)),
    ],
)
def test_entries_are_known_by_name_and_what_says_nothing_is_judged_as_its_block(
    old: list[Any], new: list[Any], expected: Transition
) -> None:
    assert judged({"members": old}, {"members": new}) == [expected]


def test_a_map_of_blocks_is_judged_by_its_keys() -> None:
    old, new = {"pools": {"x": member(), "y": member()}}, {"pools": {"x": member(disk=0)}}
    assert judged(old, new) == [
        Transition("pools[x].disk", 1, 0, DISK),
        Transition("pools[y]", member(), None, GONE),
    ]


def test_a_choice_of_blocks_is_judged_inside_while_it_stays_and_whole_when_it_goes() -> None:
    token, password = {"method": "token", "role": "r"}, {"method": "password", "user": "u"}
    assert judged({"login": token}, {"login": {**token, "role": "s"}}) == [Transition("login.role", "r", "s", KEY)]
    assert judged({"login": password}, {"login": {**password, "user": "v"}}) == [
        Transition("login.user", "u", "v", FREE)
    ]
    assert judged({"login": token}, {"login": password}) == [Transition("login", token, password, KEY)]
    assert judged({"login": token}, {"login": None}) == [Transition("login", token, None, DISK)]
