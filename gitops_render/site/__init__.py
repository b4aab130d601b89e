"""The site: every page of this repository, references from the model and the programs, and each environment's pictures.

Sphinx with the theme Furo makes HTML of it (docs/decisions/0048-site.md). It is a package of the tests, not of the
programs, and runs as a program of its own.
"""

from __future__ import annotations

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.programs import passed_on, run
from constructs_lib.environment import load_all
from gitops_render.markdown import block
from gitops_render.program import REFERENCE_OPTION
from gitops_render.site.environments import environment_pages, layers_page
from gitops_render.site.examples import examples
from gitops_render.site.glossary import glossary_page
from gitops_render.site.pages import Pages, linked, with_menu, written
from gitops_render.site.settings import settings_page

SOURCES, HTML, CACHE = "sources", "html", "cache"
DEADLINE = 600.0
"""Seconds: it takes a few."""

PROGRAMS = (
    ("-m", "gitops_render", REFERENCE_OPTION),
    ("-m", "operations", REFERENCE_OPTION),
)


def write_site(output: Path) -> Path:
    """Write the site into `output`, and return its front page.

    Raises `ConfigError` for a folder that holds anything else, where Sphinx is not installed, and for a page with a
    link that leads nowhere.
    """
    foreign = sorted({path.name for path in output.glob("*")} - {SOURCES, HTML, CACHE})
    if foreign:
        raise ConfigError(f"{output}: holds '{foreign[0]}', which is not of a site; name another folder")
    if find_spec("sphinx") is None:
        raise ConfigError("sphinx: is not installed; run make setup-tests")
    for name in (SOURCES, HTML, CACHE):
        shutil.rmtree(output / name, ignore_errors=True)
    for path, text in sources(Path()).items():
        file = output / SOURCES / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    _build(output)
    return output / HTML / "index.html"


def _build(output: Path) -> None:
    options = ("--fail-on-warning", "--keep-going", "--quiet", "--conf-dir", str(Path(__file__).parent))
    folders = ("--doctree-dir", str(output / CACHE), str(output / SOURCES), str(output / HTML))
    command = (sys.executable, "-m", "sphinx", *options, *folders)
    done = run(command, doing="sphinx", deadline=DEADLINE, text=True, env=passed_on("PYTHON"))
    if done.returncode:
        raise ConfigError(*(f"sphinx: {line}" for line in done.stderr.splitlines() if line.strip()))


def sources(root: Path) -> Pages:
    """Return every page and picture of the site by its path."""
    environments = load_all()
    made = {
        PurePosixPath("reference/settings.md"): settings_page(examples(root / "docs/how-to")),
        PurePosixPath("reference/commands.md"): _commands(root),
        PurePosixPath("reference/glossary.md"): glossary_page(),
        PurePosixPath("docs/layers.md"): layers_page(environments),
    }
    for env in environments:
        made |= environment_pages(env)
    return with_menu(linked({**written(root), **made}))


def _commands(root: Path) -> str:
    """Return what each program says of itself."""
    said = [_said(root, command) for command in PROGRAMS]
    main = block(_said(root, ("main.py", "--help")))
    return "\n".join(["# Commands", "", *said, "## `main.py`", "", *main, ""])


def _said(root: Path, command: tuple[str, ...]) -> str:
    name = " ".join(command)
    how = {"text": True, "cwd": root, "env": passed_on("PYTHON")}
    done = run((sys.executable, *command), doing=name, deadline=DEADLINE, **how)
    if done.returncode:
        raise ConfigError(f"{name}: ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout
