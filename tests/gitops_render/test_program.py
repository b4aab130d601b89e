"""What both programs have in common: help, completion, and a summary at the end of each command."""

from __future__ import annotations

import inspect
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer

import gitops_render.commands
import operations.commands
from gitops_render.arguments import component_names, environment_names, stack_names
from gitops_render.program import run
from tests.support import ROOT

PROGRAMS = {"gitops_render": gitops_render.commands.app, "operations": operations.commands.app}


class Known(NamedTuple):
    """A command, or a group of some, by the words that call it."""

    words: tuple[str, ...]
    command: Any


def below(words: tuple[str, ...], command: Any) -> Iterator[Known]:
    yield Known(words, command)
    for name, inner in getattr(command, "commands", {}).items():
        yield from below((*words, name), inner)


COMMANDS = [known for name, app in PROGRAMS.items() for known in below((name,), typer.main.get_command(app))]
LEAVES = [known for known in COMMANDS if not hasattr(known.command, "commands")]
each_command = pytest.mark.parametrize("words", [known.words for known in COMMANDS], ids=" ".join)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Return a function that returns the help of a command as it is on a terminal of so many columns."""

    def helped(words: tuple[str, ...], columns: int) -> str:
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setattr(sys, "argv", [*words, "--help"])
        with pytest.raises(SystemExit) as ended:
            run(PROGRAMS[words[0]], words[0])
        assert ended.value.code == 0
        return capsys.readouterr().out

    return helped


@each_command
def test_help_reads_well_at_60_columns(words: tuple[str, ...], shown: Callable[..., str]) -> None:
    text = shown(words, 60)
    assert [line for line in text.splitlines() if len(line) > 60] == []
    assert "..." not in text.replace("[ARGS]...", "").replace("}...", "").replace("]...", ""), "a sentence is cut"
    assert sorted(text.split()) == sorted(shown(words, 120).split()), "a word is cut"


@pytest.mark.parametrize("known", LEAVES, ids=lambda known: " ".join(known.words))
def test_help_says_exit_codes_and_what_every_argument_is(known: Known, shown: Callable[..., str]) -> None:
    text = " ".join(shown(known.words, 60).split())
    assert "Exit codes: 0 done, 1 a difference or a finding, 2 something has to be fixed" in text
    assert [parameter.name for parameter in known.command.params if not parameter.help] == []


def test_one_option_names_the_folder_of_the_repository() -> None:
    options = {
        (" ".join(known.words), name)
        for known in LEAVES
        for parameter in known.command.params
        for name in (*parameter.opts, *parameter.secondary_opts)
        if name.startswith("--")
    }
    folders = {command for command, name in options if name == "--tree"}
    assert folders == {
        *(
            f"gitops_render {name}"
            for name in ("new application", "render", "check", "pin", "validate", "remove", "seal", "unseal")
        ),
        "operations rehearse",
    }
    others = {(command, name) for command, name in options if name in ("--output", "--repository", "--folder", "--dir")}
    assert others == {
        ("operations report", "--output"),
        ("operations bootstrap check", "--repository"),
        ("operations recover beside", "--repository"),
        ("operations rebuild", "--repository"),
        ("operations recover lost", "--repository"),
        ("gitops_render site", "--output"),
    }
    assert not [name for _, name in options if name.startswith("--no-")]


@pytest.mark.parametrize("known", LEAVES, ids=lambda known: " ".join(known.words))
def test_every_command_ends_in_a_summary(known: Known) -> None:
    callback = inspect.unwrap(known.command.callback)
    says = inspect.getsource(callback).count("done(")
    by_its_own_words = known.words[:2] == ("operations", "rotate")
    assert bool(says) != by_its_own_words, "rotations end in what has to be done next, and only they"


@pytest.fixture
def project_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(ROOT / "environments", tmp_path / "environments")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_names_are_completed(project_folder: Path) -> None:
    assert environment_names("s") == ["sandbox", "staging"]
    assert environment_names("x") == []
    assert component_names("cer") == ["cert_manager"]
    assert stack_names("staging-c") == ["staging-cluster"]
    assert "gitops-repository" not in stack_names("")


def test_files_that_nobody_can_read_complete_nothing(project_folder: Path) -> None:
    (project_folder / "environments/sandbox.yaml").write_text("a: [")
    assert stack_names("") == []
    (project_folder / "environments/other.yml").write_text("")
    assert environment_names("") == []


def test_what_names_an_environment_is_completed() -> None:
    lacking = {
        " ".join((*known.words, parameter.name))
        for known in LEAVES
        for parameter in known.command.params
        if parameter.name in ("environment", "source", "target", "component", "stack", "like")
        and parameter._custom_shell_complete is None
    }
    assert lacking == set()


BASH = shutil.which("bash")


@pytest.mark.skipif(BASH is None, reason="no bash")
@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (("gitops_render", "sho"), {"show"}),
        (("gitops_render", "show", "sta"), {"staging"}),
        (("gitops_render", "show", "staging", "t"), {"traefik"}),
        (("gitops_render", "render", "--environment", "p"), {"production"}),
        (("operations", "provision", "plan", "sa"), {"sandbox"}),
        (("operations", "rotate", "age-"), {"age-key"}),
    ],
)
def test_what_is_installed_from_bin_completes_in_bash(
    project_folder: Path, words: tuple[str, ...], completed: set[str]
) -> None:
    name, path = words[0], str(ROOT / "bin" / words[0])
    script = f"""
        {path!r} --install-completion
        source "$HOME/.bashrc"
        complete -p {name} || exit 1
        COMP_WORDS=({" ".join([path, *words[1:]])})
        COMP_CWORD={len(words) - 1}
        _{name}_completion {path!r}
        printf 'COMPLETED %s\\n' "${{COMPREPLY[@]}}"
    """
    assert BASH is not None
    environ = {**os.environ, "HOME": str(project_folder)}
    done = subprocess.run(
        [BASH, "--norc", "-c", script], env=environ, cwd=project_folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert {line[10:] for line in done.stdout.splitlines() if line.startswith("COMPLETED ")} == completed
