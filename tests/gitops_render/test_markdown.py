"""Markdown that shows any text as it is."""

from __future__ import annotations

from gitops_render.markdown import block, bold, code, details, escaped, table

HOSTILE = "</details>| `x` <b>\"&'"
SHOWN = "&lt;/details&gt;&#124; `x` &lt;b&gt;&quot;&amp;&#x27;"


def test_text_is_shown_as_it_is() -> None:
    assert escaped(HOSTILE) == SHOWN
    assert code(HOSTILE) == f"<code>{SHOWN}</code>"
    assert bold(HOSTILE) == f"<b>{SHOWN}</b>"


def test_a_table_has_its_numbers_to_the_right_and_cannot_be_broken() -> None:
    assert list(table(("name", "count", "both"), [("a|b", 1, 1), ("<i>", 2, "x")])) == [
        "| name | count | both |",
        "| --- | ---: | --- |",
        "| a&#124;b | 1 | 1 |",
        "| &lt;i&gt; | 2 | x |",
    ]


def test_a_table_without_rows_is_a_header() -> None:
    assert list(table(("a", "b"), [])) == ["| a | b |", "| --- | --- |"]


def test_a_folded_block_has_the_empty_lines_that_markdown_inside_needs() -> None:
    assert list(details("<b>a</b>: 2", ["- x", "- y"])) == [
        *("", "<details>", "<summary><b>a</b>: 2</summary>", "", "- x", "- y", "", "</details>")
    ]


def test_a_block_ends_where_it_should() -> None:
    assert list(block("a\n```\nb")) == ["```text", "a\n'''\nb", "```"]
