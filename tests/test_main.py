"""The application from the command line."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.constructs_lib.environment.test_environment import BAD_VALUES
from tests.support import ROOT, another_environment, environment_data, run_python, without_lines

Project = Callable[..., Path]
MAIN = str(ROOT / "main.py")


def output(folder: Path) -> dict[str, bytes]:
    """Return every file below `cdktf.out`, by its path there."""
    out = folder / "cdktf.out"
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the project's own environments were synthesised."""
    folder = tmp_path_factory.mktemp("first")
    shutil.copytree(ROOT / "environments", folder / "environments")
    result = run_python(MAIN, folder=folder)
    assert (result.returncode, result.stderr) == (0, "")
    *stacks, summary = result.stdout.splitlines()
    assert summary == "13 stacks in cdktf.out"
    assert {line.removesuffix(" …") for line in stacks} == {
        path.name for path in (folder / "cdktf.out/stacks").iterdir()
    }
    assert len(stacks) == 13
    return folder


def test_help_says_what_it_does_and_does_nothing(project: Project) -> None:
    folder = project()
    for option in ("--help", "-h"):
        result = run_python(MAIN, option, folder=folder)
        assert (result.returncode, result.stderr) == (0, "")
        assert {"environments/", "cdktf.out/", "CDKTF_OUTDIR", "Exit"} <= set(re.split(r"[\s,]+", result.stdout))
    assert [path.name for path in folder.iterdir()] == ["environments"]


def test_an_unknown_argument_is_refused_in_a_sentence(project: Project) -> None:
    folder = project()
    result = run_python(MAIN, "--env", "sandbox", folder=folder)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "main.py: takes no argument but --help and --version, found '--env sandbox'; leave it out\n"
    assert [path.name for path in folder.iterdir()] == ["environments"]


def test_the_output_is_the_same_from_run_to_run_and_from_folder_to_folder(first: Path, tmp_path: Path) -> None:
    before = output(first)
    assert len(before) == 20, "thirteen stacks and their list, and the two files of each Flux stack's embedded chart"
    assert run_python(MAIN, folder=first, PYTHONHASHSEED="7").returncode == 0
    assert output(first) == before
    elsewhere = tmp_path / "else where"
    shutil.copytree(first / "environments", elsewhere / "environments")
    assert run_python(MAIN, folder=elsewhere).returncode == 0
    assert output(elsewhere) == before


def test_lazy_loading_gives_what_plain_imports_give(first: Path, tmp_path: Path) -> None:
    shutil.copytree(first / "environments", tmp_path / "environments")
    plain = (
        "import constructs_lib, runpy, sys;"
        "import cdktf_cdktf_provider_digitalocean, cdktf_cdktf_provider_github;"
        "import cdktf_cdktf_provider_helm, cdktf_cdktf_provider_kubernetes;"
        f"runpy.run_path({MAIN!r}, run_name='__main__');"
        "assert 'cdktf_cdktf_provider_github.team' in sys.modules"
    )
    result = run_python("-c", plain, folder=tmp_path)
    assert result.returncode == 0, result.stderr
    assert output(tmp_path) == output(first)


def test_only_the_submodules_in_use_are_loaded(first: Path, tmp_path: Path) -> None:
    shutil.copytree(first / "environments", tmp_path / "environments")
    lazy = (
        f"import runpy, sys; runpy.run_path({MAIN!r}, run_name='__main__');"
        "assert 'cdktf_cdktf_provider_github.repository' in sys.modules;"
        "assert 'cdktf_cdktf_provider_github.team' not in sys.modules"
    )
    result = run_python("-c", lazy, folder=tmp_path)
    assert result.returncode == 0, result.stderr


PROBE = """
process.on("exit", () => {
  const packages = Object.keys(require.cache).filter((file) => file.includes("/@cdktf/provider-"));
  require("fs").appendFileSync(process.env.LOADED, packages.join("\\n") + "\\n");
});
"""


def loaded_by_node(folder: Path, *command: str, **variables: str) -> set[str]:
    """Run a command in `folder` and return what Node loaded of the providers, as `github/lib/team/index.js`."""
    (folder / "pro be.js").write_text(PROBE)
    own = f'--no-warnings --require "{folder}/pro be.js"'
    result = run_python(*command, folder=folder, NODE_OPTIONS=own, LOADED=str(folder / "loaded"), **variables)
    assert (result.returncode, result.stderr) == (0, "")
    files = (folder / "loaded").read_text().split()
    return {re.sub(r".*/@cdktf/provider-(\w+)/.*?lib/", r"\1/lib/", file) for file in files}


def test_node_too_loads_only_what_is_in_use_and_keeps_the_options_of_its_user(project: Project) -> None:
    loaded = loaded_by_node(project(), MAIN)
    assert {"github/lib/index.js", "github/lib/repository/index.js", "kubernetes/lib/secret-v1/index.js"} <= loaded
    assert not {"github/lib/team/index.js", "kubernetes/lib/deployment-v1/index.js"} & loaded
    assert len(loaded) < 60


def test_the_projects_own_folder_may_have_any_name(project: Project, tmp_path: Path) -> None:
    own = tmp_path / "my prö ject"
    for room in ("constructs_lib", "stacks"):
        shutil.copytree(ROOT / room, own / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(MAIN, own)
    assert "github/lib/team/index.js" not in loaded_by_node(project(), str(own / "main.py"), PYTHONPATH=str(own))


def test_node_loads_everything_for_plain_imports(project: Project) -> None:
    plain = "import constructs_lib, cdktf_cdktf_provider_github, jsii"
    assert {"github/lib/team/index.js", "github/lib/repository/index.js"} <= loaded_by_node(project(), "-c", plain)


@pytest.mark.parametrize("before", [None, "--no-warnings"])
def test_the_option_for_node_is_for_its_start_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, before: str | None
) -> None:
    monkeypatch.delenv("NODE_OPTIONS", raising=False)
    variables = {} if before is None else {"NODE_OPTIONS": before}
    shown = "import constructs_lib.cloud.providers, os; print(os.environ.get('NODE_OPTIONS'))"
    result = run_python("-c", shown, folder=tmp_path, **variables)
    assert result.stdout == f"{before}\n"


def test_what_tofu_keeps_beside_the_json_stays_and_stale_stacks_go(first: Path, tmp_path: Path) -> None:
    shutil.copytree(first, tmp_path / "project")
    folder = tmp_path / "project"
    kept = folder / "cdktf.out/stacks/sandbox-cluster/.terraform/marker"
    kept.parent.mkdir()
    kept.write_text("kept")
    for name in ("staging", "production"):
        (folder / f"environments/{name}.yaml").unlink()
    assert run_python(MAIN, folder=folder).returncode == 0
    assert kept.read_text() == "kept"
    stacks = {path.parent.name for path in folder.glob("cdktf.out/stacks/*/cdk.tf.json")}
    assert stacks == {"sandbox-state", "sandbox-cluster", "sandbox-flux", "sandbox-dns", "gitops-repository"}
    assert not (folder / "cdktf.out.partial").exists()


def test_an_output_folder_that_is_a_file_is_one_sentence(project: Project) -> None:
    folder = project()
    (folder / "cdktf.out").write_text("a file\n")
    result = run_python(MAIN, folder=folder)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "cdktf.out: cannot be written: File exists; make room for the output\n"
    assert (folder / "cdktf.out").read_text() == "a file\n"
    assert not (folder / "cdktf.out.partial").exists()


def test_many_environments_are_written_by_several_processes(project: Project) -> None:
    names = [f"env{number:02}" for number in range(20)]
    folder = project(**{name: another_environment(name, f"10.1.{number}.0/24") for number, name in enumerate(names)})
    (folder / "count.js").write_text('require("fs").appendFileSync("nodes", "x");')
    assert run_python(MAIN, folder=folder, NODE_OPTIONS=f'--require "{folder}/count.js"').returncode == 0
    jsii_starts_two = 2
    assert len((folder / "nodes").read_text()) == jsii_starts_two * min(2, os.cpu_count() or 1)
    stacks = {f"{name}-{kind}" for name in names for kind in ("state", "cluster", "flux", "dns")} | {
        "gitops-repository"
    }
    assert {path.parent.name for path in folder.glob("cdktf.out/stacks/*/cdk.tf.json")} == stacks
    assert json.loads((folder / "cdktf.out/manifest.json").read_text())["stacks"].keys() == stacks
    repository = json.loads((folder / "cdktf.out/stacks/gitops-repository/cdk.tf.json").read_text())
    assert len(repository["resource"]["github_repository_deploy_key"]) == len(names)


def test_cdktf_may_choose_the_output_folder(project: Project) -> None:
    folder = project()
    result = run_python(MAIN, folder=folder, CDKTF_OUTDIR="elsewhere")
    assert (result.returncode, result.stdout.splitlines()[-1]) == (0, "5 stacks in elsewhere")
    assert not (folder / "cdktf.out").exists()
    assert json.loads((folder / "elsewhere/manifest.json").read_text())["stacks"].keys() >= {"sandbox-cluster"}


@pytest.mark.parametrize(
    ("environments", "sentence"),
    [
        ({"sandbox": environment_data(regoin="x")}, "environments/sandbox.yaml: regoin: is not a known key"),
        ({"sandbox": "a: b: c\n"}, "environments/sandbox.yaml: cannot be read as YAML at line 1, column 5"),
        (
            {"sandbox": environment_data(), "second": environment_data(name="second")},
            "environments/second.yaml: domain: 'sandbox.episodic.example' is already used by environments/sandbox.yaml",
        ),
    ],
)
@pytest.mark.parametrize("command", [(MAIN,), ("-m", "gitops_render", "render", "--tree", "out")])
def test_bad_input_is_one_sentence_and_nothing_is_written(
    project: Project, command: tuple[str, ...], environments: dict[str, object], sentence: str
) -> None:
    folder = project(**environments)
    (folder / "cdktf.out").mkdir()
    (folder / "cdktf.out/earlier").write_text("whole")
    before = sorted(folder.rglob("*"))
    result = run_python(*command, folder=folder)
    assert result.returncode == 2
    assert without_lines(result.stderr).startswith(sentence)
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(("changes", "sentence"), BAD_VALUES, ids=[sentence[:40] for _, sentence in BAD_VALUES])
def test_every_bad_value_from_the_command_line(project: Project, changes: dict[str, Any], sentence: str) -> None:
    folder = project(sandbox=environment_data(**changes))
    result = run_python(MAIN, folder=folder)
    assert (result.returncode, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert without_lines(line).startswith("environments/sandbox.yaml: ")
    assert sentence in line
    assert [path.name for path in folder.iterdir()] == ["environments"]


def test_no_environments_at_all(tmp_path: Path) -> None:
    result = run_python(MAIN, folder=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("environments: no environment file found; add environments/<name>.yaml")
    assert list(tmp_path.iterdir()) == []
