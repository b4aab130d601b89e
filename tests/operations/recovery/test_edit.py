"""A file is changed where it has to be, and nowhere else."""

from __future__ import annotations

import pytest

from constructs_lib.base.errors import ConfigError
from operations.recovery.edit import Text

FILE = """\
# What is said of all.
cluster: {name: a, generation: 1} # made once
platform:
  cloudnative_pg:
    clusters:
      - name: main # the shop's
        storage: 10Gi
        databases: [{name: shop, owner: shop}]

      - name: other
        databases:
          - {name: x}
          # the last
  valkey_operator:
    clusters: [{name: main, shards: 3}]
  rabbitmq_operator:
    clusters:
      - {name: main}
"""
POSTGRES = ("platform", "cloudnative_pg", "clusters")


def text() -> Text:
    return Text("environments/a.yaml", FILE)


def changes(found: Text) -> tuple[list[str], list[str]]:
    """Return the lines that went, and those that came."""
    old, new = FILE.splitlines(), found.text.splitlines()
    return [line for line in old if line not in new], [line for line in new if line not in old]


def test_a_value_is_replaced() -> None:
    found = text()
    found.set(("cluster",), "generation", 2)
    assert changes(found) == (
        ["cluster: {name: a, generation: 1} # made once"],
        ["cluster: {name: a, generation: 2} # made once"],
    )


@pytest.mark.parametrize(
    ("steps", "line"),
    [
        ((*POSTGRES, "main"), "        recover_from: {archive: main-1}"),
        ((*POSTGRES, "other"), "        recover_from: {archive: main-1}"),
        (
            ("platform", "valkey_operator", "clusters", "main"),
            "    clusters: [{name: main, shards: 3, recover_from: {archive: main-1}}]",
        ),
        (
            ("platform", "rabbitmq_operator", "clusters", 0),
            "      - {name: main, recover_from: {archive: main-1}}",
        ),
    ],
)
def test_a_key_comes_where_its_block_ends_and_goes_again(steps: tuple[str | int, ...], line: str) -> None:
    found = text()
    found.set(steps, "recover_from", {"archive": "main-1"})
    assert changes(found)[1] == [line]
    found.drop(steps, "recover_from")
    assert found.text == FILE


def test_an_entry_is_repeated_with_its_comments() -> None:
    found = text()
    place = found.repeat(POSTGRES, 0)
    found.set((*POSTGRES, place), "name", "restored")
    found.set((*POSTGRES, place), "recover_from", {"archive": "main-1", "until": "2026-01-31T04:00:00Z"})
    assert changes(found) == (
        [],
        [
            "      - name: restored # the shop's",
            "        recover_from: {archive: main-1, until: '2026-01-31T04:00:00Z'}",
        ],
    )
    assert found.text.count("databases: [{name: shop, owner: shop}]") == 2


def test_an_entry_of_a_list_in_one_line_is_repeated_too() -> None:
    found, steps = text(), ("platform", "valkey_operator", "clusters")
    place = found.repeat(steps, 0)
    found.set((*steps, place), "name", "restored")
    assert "clusters: [{name: main, shards: 3}, {name: restored, shards: 3}]" in found.text


@pytest.mark.parametrize("steps", [(*POSTGRES, "absent"), ("platform", "absent"), ("cluster", "name", "x")])
def test_what_the_file_does_not_have_is_told(steps: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="is not in this file itself; write it there first"):
        text().set(steps, "x", 1)


def test_a_layout_that_no_program_can_change_is_told_and_left_alone() -> None:
    found = Text("environments/a.yaml", "cluster: &it {name: a}\nother: *it\n")
    with pytest.raises(ConfigError, match="write by hand: , generation: 2"):
        found.set(("cluster",), "generation", 2)
