"""Taking the tree of an environment that has ended out of the repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from constructs_lib.base.errors import ConfigError
from gitops_render.remove import remove
from gitops_render.repository import without_file
from gitops_render.tree import render
from gitops_render.write import write
from tests.support import environment


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The trees of two environments, of which one has an application of its team's own."""
    for env in (environment(), environment("staging")):
        write(tmp_path, env.name, render(env))
    (tmp_path / "apps/staging/episodic/own.yaml").write_text("kind: ConfigMap\n")
    (tmp_path / "README.md").write_text("staging")
    return tmp_path


def files(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()}


def test_all_of_an_environment_goes_and_nothing_of_another(tree: Path) -> None:
    before = files(tree)
    of_staging = {name for name in before if "staging" in name.split("/")[:3] or name.startswith(".render/staging.")}
    assert {"apps/staging/episodic/own.yaml", ".render/staging.json", ".render/staging.settings.yaml"} <= of_staging
    removed = remove(tree, "staging", ["sandbox"])
    assert {str(path) for path in removed} == of_staging
    assert files(tree) == before - of_staging
    assert [path for path in tree.rglob("*") if path.is_dir() and not any(path.iterdir())] == [], "no empty folders"
    assert without_file(tree, ["sandbox"]) == []


def test_an_environment_with_a_file_stays(tree: Path) -> None:
    before = files(tree)
    with pytest.raises(ConfigError, match=r"^environments/staging\.yaml: is there; end the environment and remove"):
        remove(tree, "staging", ["sandbox", "staging"])
    assert files(tree) == before


@pytest.mark.parametrize("name", ["stagin", "platform", "..", ""])
def test_what_is_not_there_is_told_with_what_is(tree: Path, name: str) -> None:
    before = files(tree)
    with pytest.raises(ConfigError, match=r"unknown tree without an environment file '.*', known are staging"):
        remove(tree, name, ["sandbox"])
    assert files(tree) == before


def test_a_link_on_the_way_belongs_to_somebody_else(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "kept").write_text("x")
    (tree / "apps/staging/linked").symlink_to(elsewhere)
    with pytest.raises(ConfigError, match="apps/staging/linked: is a link"):
        remove(tree, "staging", ["sandbox"])
    assert files(tree) >= {"clusters/staging/source.yaml"}
    assert (elsewhere / "kept").exists()
