"""What differs between the settings of two trees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from constructs_lib.base.change import FREE
from constructs_lib.base.errors import ConfigError
from constructs_lib.base.transition import Transition
from gitops_render.settings import GONE, UNSAID, read_settings, settings_transitions
from gitops_render.tree import render
from gitops_render.write import write
from tests.support import another_environment, environment, environment_data, run_python


def tree(folder: Path, **changes: Any) -> Path:
    """Render the sandbox with `changes` into `folder`."""
    write(folder, "sandbox", render(environment(**changes)))
    return folder


def test_a_tree_says_the_settings_that_it_was_rendered_from_with_every_default(tmp_path: Path) -> None:
    env = environment()
    assert read_settings(tree(tmp_path)) == {"sandbox": env.model_dump(mode="json")}
    assert read_settings(tmp_path / "none") == {}


def test_what_differs_is_told_by_its_key(tmp_path: Path) -> None:
    old, new = tree(tmp_path / "old"), tree(tmp_path / "new", platform__traefik__replicas=2)
    ((name, (found,)),) = settings_transitions(old, new).items()
    assert (name, found.key, found.old, found.new) == ("sandbox", "platform.traefik.replicas", 1, 2)
    assert settings_transitions(old, old) == {"sandbox": []}


def test_an_environment_that_comes_or_goes_is_told(tmp_path: Path) -> None:
    some, none = tree(tmp_path / "some"), tmp_path / "none"
    assert settings_transitions(none, some) == {"sandbox": [Transition("name", None, "sandbox", FREE)]}
    assert settings_transitions(some, none) == {"sandbox": [Transition("name", "sandbox", None, GONE)]}


def test_a_tree_that_does_not_say_its_settings_is_not_judged(tmp_path: Path) -> None:
    old, new = tree(tmp_path / "old"), tree(tmp_path / "new")
    (old / ".render/sandbox.settings.yaml").unlink()
    assert settings_transitions(old, new) == {"sandbox": [Transition("settings", None, None, UNSAID)]}


@pytest.mark.parametrize("text", ["[", "- a", ""])
def test_settings_that_cannot_be_read_are_refused(tmp_path: Path, text: str) -> None:
    path = tree(tmp_path) / ".render/sandbox.settings.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=f"^{path}: cannot be read as settings; render again$"):
        read_settings(tmp_path)


def test_rendering_warns_of_what_a_change_loses_and_of_what_stays(tmp_path: Path) -> None:
    (tmp_path / "environments").mkdir()

    def rendered(**files: Any) -> tuple[str, str]:
        for path in (tmp_path / "environments").glob("*.yaml"):
            path.unlink()
        for name, data in files.items():
            (tmp_path / f"environments/{name}.yaml").write_text(yaml.safe_dump(data))
        result = run_python("-m", "gitops_render", "render", "--tree", "out", folder=tmp_path)
        assert result.returncode == 0, result.stderr
        return result.stdout, result.stderr

    assert rendered(sandbox=environment_data())[1] == ""
    assert rendered(sandbox=environment_data(platform__traefik={"replicas": 3}))[1] == "", "nothing is lost"
    printed, said = rendered(second=another_environment("second", "10.30.0.0/20", mode="apply"))
    assert (
        said
        == "warning: sandbox: has no environment file, and its tree stays; see docs/how-to/remove-an-environment.md\n"
    )
    assert "second: " in printed
    said = rendered(second=another_environment("second", "10.30.0.0/20"))[1]
    assert "warning: second: mode: apply -> render needs steps: what OpenTofu applied has to end first" in said
