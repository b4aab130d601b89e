"""The pages of the site lead to each other, and all of them are in the menu."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path, PurePosixPath
from subprocess import CompletedProcess

import pytest

from constructs_lib.base.errors import ConfigError
from gitops_render.site import sources, write_site
from gitops_render.site.glossary import terms
from gitops_render.site.pages import FRONT, Pages, linked, with_menu
from tests.support import ROOT

MENU = re.compile(r"```\{toctree\}\n(.*?)```", re.DOTALL)


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@cache
def pages() -> Pages:
    return sources(Path())


def in_menu(page: str) -> list[str]:
    lines = [line for menu in MENU.findall(page) for line in menu.splitlines()]
    return [line for line in lines if line and not line.startswith(":")]


def test_every_page_is_in_the_menu_once() -> None:
    menu = in_menu(pages()[FRONT])
    assert sorted(menu) == sorted(str(path) for path in pages() if path.suffix == ".md" and path != FRONT)
    assert menu[0] == "docs/tutorial.md"
    assert {"reference/settings.md", "reference/commands.md", "environments/sandbox.md"} <= set(menu)


def test_the_commands_of_both_programs_and_main_are_there() -> None:
    page = pages()[PurePosixPath("reference/commands.md")]
    assert "### `bin/gitops_render pin FROM TO`" in page
    assert "### `bin/operations provision apply ENVIRONMENT`" in page
    assert "usage: python main.py" in page
    assert (
        "| <code>--format</code> | <code>text</code> | How to print it. One of <code>text</code>, <code>markdown</code>"
        in page
    )
    assert "Also by <code>DRY_RUN</code>." in page
    assert page.count("Exit codes: 0 done") == 3


def test_an_environment_has_its_pictures_and_its_whole_file() -> None:
    page = pages()[PurePosixPath("environments/production.md")]
    for name in ("platform", "layers", "links", "alerts", "capacity"):
        assert f"../pictures/production-{name}.svg" in page
        assert pages()[PurePosixPath(f"pictures/production-{name}.svg")].startswith("<svg")
    assert "name: production" in page
    assert "- The application episodic of episodic has the database episodic in Postgres main, " in page
    assert "s-8vcpu-16gb" in page
    assert "mermaid" not in pages()[PurePosixPath("docs/layers.md")]


def test_links_lead_to_pages_and_what_is_none_is_named() -> None:
    made: Pages = {
        FRONT: "",
        PurePosixPath(
            "docs/a.md"
        ): "[b](b.md#x) [front](../README.md) [c](c) [t](../tests/t.py) [`docs/x`](x) ![p](p.svg) [w](https://x)",
        PurePosixPath("docs/b.md"): "",
        PurePosixPath("docs/c/README.md"): "",
        PurePosixPath("docs/p.svg"): "[b](b.md)",
    }
    shown = linked(made)
    assert shown[PurePosixPath("docs/a.md")] == (
        "[b](b.md#x) [front](../index.md) [c](c/README.md) t (`tests/t.py`) `docs/x` ![p](p.svg) [w](https://x)"
    )
    assert shown[PurePosixPath("docs/p.svg")] == "[b](b.md)", "a picture is left as it is"


def test_a_page_stands_below_the_first_caption_that_names_it() -> None:
    made: Pages = dict.fromkeys(
        map(PurePosixPath, ("index.md", "docs/tutorial.md", "docs/how-to/x.md", "docs/y.md")), ""
    )
    front = with_menu(made)[FRONT]
    assert in_menu(front) == ["docs/tutorial.md", "docs/how-to/x.md", "docs/y.md"]
    assert front.count(":hidden:") == len(MENU.findall(front)), "the menu stands beside the page, not in it"
    assert in_menu(with_menu({FRONT: "", PurePosixPath("other/SECURITY.md"): ""})[FRONT]) == []


def test_pictures_of_the_repository_are_there() -> None:
    assert {PurePosixPath("docs/overview.svg"), PurePosixPath("docs/layers.md")} <= pages().keys()


def test_a_link_that_leads_nowhere_is_refused_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []

    def run(command: tuple[str, ...], **_: object) -> CompletedProcess[str]:
        asked.append(command)
        return CompletedProcess(command, len(asked) - 1, "", "\na.md:1: no such page\n")

    def made(_root: Path) -> Pages:
        return {PurePosixPath("docs/a.md"): "# A\n"}

    monkeypatch.setattr("gitops_render.site.sources", made)
    monkeypatch.setattr("gitops_render.site.run", run)
    (tmp_path / "cache").mkdir()
    assert write_site(tmp_path) == tmp_path / "html/index.html"
    assert (tmp_path / "sources/docs/a.md").read_text() == "# A\n"
    with pytest.raises(ConfigError, match=r"^sphinx: a\.md:1: no such page$"):
        write_site(tmp_path)
    assert {"--fail-on-warning", "--keep-going"} <= set(asked[0])


def test_the_glossary_says_what_the_code_says() -> None:
    assert (
        terms()["layer"] == "Objects that are applied together and waited for: one Flux Kustomization, one apply step."
    )
    assert list(terms()) == sorted(terms(), key=str.lower)
    assert [word for word, meaning in terms().items() if not meaning.endswith(".")] == []


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "html").mkdir()
    (tmp_path / "thesis.txt").write_text("years")
    with pytest.raises(ConfigError, match=r"holds 'thesis\.txt', which is not of a site; name another folder"):
        write_site(tmp_path)
    assert (tmp_path / "html").is_dir()


def test_without_sphinx_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gitops_render.site.find_spec", {}.get)
    with pytest.raises(ConfigError, match="sphinx: is not installed; run make setup-tests"):
        write_site(tmp_path / "site")
    assert not (tmp_path / "site").exists()
