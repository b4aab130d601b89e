"""The renderer from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from constructs_lib.base.version import LABEL, VERSION
from gitops_render.check import POLICIES
from tests.support import ROOT, environment_data, run_python

Project = Callable[..., Path]


def cli(folder: Path, *arguments: str, **variables: str) -> tuple[int, str, str]:
    result = run_python("-m", "gitops_render", *arguments, folder=folder, **variables)
    return result.returncode, result.stdout, result.stderr


def test_rendering_twice_changes_no_byte(tmp_path: Path) -> None:
    def tree() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}

    (tmp_path / "environments").symlink_to(ROOT / "environments")
    trees: list[dict[Path, bytes]] = []
    for seed in ("1", "2"):
        assert cli(tmp_path, "render", "--tree", "out", PYTHONHASHSEED=seed)[0] == 0
        trees.append(tree())
    assert trees[0] == trees[1]
    assert {path.name for path in (tmp_path / "out/clusters").iterdir()} == {"sandbox", "staging", "production"}


def test_one_environment_alone(tmp_path: Path) -> None:
    (tmp_path / "environments").symlink_to(ROOT / "environments")
    code, out, _ = cli(tmp_path, "render", "--tree", "out", "--environment", "staging")
    assert code == 0
    assert out.startswith("staging: ")
    assert [path.name for path in (tmp_path / "out/clusters").iterdir()] == ["staging"]


@pytest.mark.parametrize("cause", ["unknown environment", "output is a file"])
def test_bad_arguments_are_one_sentence(project: Project, cause: str) -> None:
    folder = project()
    (folder / "file").write_text("")
    arguments = ("--environment", "sandbx") if cause == "unknown environment" else ()
    code, out, err = cli(folder, "render", "--tree", "file", *arguments)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    expected = (
        "unknown environment 'sandbx', known are sandbox; did you mean 'sandbox'?" if arguments else "Not a directory"
    )
    assert expected in err


def test_help_says_what_an_exit_code_means_and_imports_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import runpy, sys; sys.argv = ['gitops_render', '--help']\n"
        "try: runpy.run_module('gitops_render', run_name='__main__')\n"
        "except SystemExit as end: print(end.code)\n"
        "print(sorted({'constructs_lib.environment', 'constructs_lib.kit', 'pydantic.main', 'rich', 'yaml', 'cdktf'}"
        " & set(sys.modules)))"
    )
    *shown, ended, heavy = run_python("-c", code, folder=tmp_path).stdout.splitlines()
    assert (ended, heavy) == ("0", "[]")
    text = " ".join("\n".join(shown).split())
    assert "Exit codes: 0 done, 1 a difference or a finding, 2 something has to be fixed" in text
    for command in (
        "render",
        "schema",
        "check",
        "diff",
        "graph",
        "capacity",
        "versions",
        "pin",
        "validate",
        "remove",
        "seal",
        "unseal",
    ):
        assert f" {command} " in text


@pytest.mark.parametrize("arguments", [("promote", "a", "b"), ("render",), ("diff", "a"), ("graph", "--nothing")])
def test_wrong_usage_is_told_as_bad_input(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    code, out, err = cli(tmp_path, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("Usage: gitops_render")


def test_what_would_change_in_a_file_is_told_in_one_sentence(project: Project) -> None:
    folder = project()
    (folder / "file").write_text("")
    code, out, err = cli(folder, "render", "--tree", "file", "--check")
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert "Not a directory" in err


def test_rendering_imports_neither_cdktf_nor_jsii(project: Project) -> None:
    code = (
        "import sys; from gitops_render.commands import app; app(['render', '--tree', 'out'], standalone_mode=False);"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'cdktf', 'jsii', 'constructs'}))"
    )
    result = run_python("-c", code, folder=project())
    assert result.stdout.splitlines()[-1] == "[]"


def test_the_schema_is_printed(tmp_path: Path) -> None:
    code, out, _ = cli(tmp_path, "schema")
    assert code == 0
    assert json.loads(out)["properties"].keys() >= {"region", "cluster", "vault", "platform"}


def test_check_shows_what_would_change_and_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "environments").symlink_to(ROOT / "environments")
    code, printed, _ = cli(tmp_path, "render", "--tree", "out", "--check")
    assert (code, (tmp_path / "out").exists()) == (1, False)
    assert "+++ b/clusters/sandbox/layers.yaml" in printed
    assert cli(tmp_path, "render", "--tree", "out")[0] == 0
    as_rendered = "out: 3 environments and what all share are as rendered\n"
    assert cli(tmp_path, "render", "--tree", "out", "--check") == (0, "", as_rendered)
    path = tmp_path / "out/clusters/sandbox/layers.yaml"
    before = path.read_text()
    path.write_text(before.replace("prune: true", "prune: false"))
    code, printed, said = cli(tmp_path, "render", "--tree", "out", "--check")
    assert (code, "-  prune: false\n" in printed, "+  prune: true\n" in printed) == (1, True, True)
    assert said == "out: 1 files are not as rendered; render writes them\n"
    assert path.read_text() != before


def test_check_shows_files_that_are_left_over(tmp_path: Path, project: Project) -> None:
    folder = project()
    assert cli(folder, "render", "--tree", "out")[0] == 0
    data = environment_data(platform__rabbitmq_operator={"enabled": False})
    project(sandbox=data)
    code, printed, _ = cli(folder, "render", "--tree", "out", "--check")
    assert code == 1
    assert "--- a/platform/messaging/sandbox/configs/rabbitmqcluster-messaging-main.yaml\n+++ /dev/null" in printed


def test_the_shared_files_know_every_recipient(project: Project) -> None:
    keys = {name: f"age1{letter * 58}" for name, letter in (("env", "q"), ("recovery", "p"))}
    data = environment_data(sops_recipient=keys["env"], gitops__recovery_recipient=keys["recovery"])
    folder = project(sandbox=data)
    assert cli(folder, "render", "--tree", "out")[0] == 0
    (rule,) = yaml.safe_load((folder / "out/.sops.yaml").read_text())["creation_rules"]
    assert rule["path_regex"] == r"^platform/secrets/sandbox/sealed/secret-.*\.yaml$"
    assert rule["age"] == f"{keys['env']},{keys['recovery']}"
    assert "/.github" in (folder / "out/.sourceignore").read_text()


def test_the_version_stands_once_and_every_command_says_its_exit_codes(tmp_path: Path) -> None:
    assert cli(tmp_path, "--version") == (0, f"gitops_render {VERSION}\n", "")
    for arguments in (("render",), ("new", "environment"), ("validate",)):
        code, text, _ = cli(tmp_path, *arguments, "--help")
        assert code == 0
        assert "Exit codes: 0 done, 1 a difference or a finding, 2 something has to be fixed" in " ".join(text.split())


def test_a_cluster_shows_the_version(project: Project) -> None:
    folder = project()
    code, printed, _ = cli(folder, "render", "--tree", "out")
    assert (code, printed.splitlines()[-1]) == (0, "out: 1 environments and what all share rendered, 2 changed")
    assert cli(folder, "render", "--tree", "out")[1].endswith(" rendered, 0 changed\n")
    layers = (folder / "out/clusters/sandbox/layers.yaml").read_text()
    assert f'{LABEL}: "{VERSION}"' in layers or f"{LABEL}: {VERSION}" in layers


@pytest.mark.parametrize(
    ("arguments", "summary"),
    [
        (("schema",), "JSON Schema of environments/*.yaml, 19 keys at its top"),
        (("codeowners",), "owners of the files of 1 environments"),
        (("graph",), "layers of 1 environments"),
        (("capacity",), "capacity of 1 environments"),
        (("capacity", "--json"), "capacity of 1 environments"),
        (("check", "--list"), f"{len(POLICIES)} policies"),
        (("diff", "environments", "environments"), "environments and environments: 0 objects differ"),
    ],
)
def test_a_summary_is_no_part_of_the_data(project: Project, arguments: tuple[str, ...], summary: str) -> None:
    code, printed, said = cli(project(), *arguments)
    assert (code, said) == (0, f"{summary}\n")
    assert printed
    assert summary not in printed
