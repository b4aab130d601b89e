"""The site is built by the real Sphinx: every link leads somewhere, nothing is asked of anybody else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from constructs_lib.base.errors import ConfigError
from gitops_render.site import sources, write_site
from tests.support import ROOT

pytestmark = pytest.mark.e2e

LOADED = re.compile(r'''(?:<link[^>]*\bhref|<script[^>]*\bsrc|<img[^>]*\bsrc)="([^"#]+)"''')
SEEN = re.compile(r'href="([^"#:]*)(?:#([^"]*))?"')


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_every_page_is_there_and_leads_to_what_there_is(tmp_path: Path) -> None:
    front = write_site(tmp_path / "site")
    pages = {path: path.read_text("utf-8") for path in front.parent.rglob("*.html")}
    wanted = {path.with_suffix(".html") for path in sources(Path()) if path.suffix == ".md"}
    assert {front.parent / path for path in wanted} <= pages.keys()
    assert "--environment" in pages[front.parent / "reference/commands.html"], "a dash would be no option"
    assert "pools.&lt;name&gt;" in pages[front.parent / "reference/settings.html"]
    loaded = {(page, address) for page, text in pages.items() for address in LOADED.findall(text)}
    assert len(loaded) > len(pages)
    assert {(page, address) for page, address in loaded if re.match("[a-z]+:|//", address)} == set()
    assert {
        (page, address) for page, address in loaded if not (page.parent / address.partition("?")[0]).exists()
    } == set()
    followed = {(page, link) for page, text in pages.items() for link, _ in SEEN.findall(text) if link}
    assert {(page, link) for page, link in followed if not (page.parent / link.partition("?")[0]).exists()} == set()
    assert {
        page for page, text in pages.items() if '<meta name="viewport" content="width=device-width' not in text
    } == set()


@pytest.mark.parametrize(("text", "said"), [("[x](#nowhere)", "nowhere"), ("![x](none.svg)", "none.svg")])
def test_a_link_that_leads_nowhere_is_an_error(
    text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = {
        path: f"{page}\n\n{text}\n" if path.name == "index.md" else page for path, page in sources(Path()).items()
    }
    monkeypatch.setattr("gitops_render.site.sources", {Path(): broken}.get)
    with pytest.raises(ConfigError, match=said):
        write_site(tmp_path / "site")
