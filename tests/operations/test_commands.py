"""The command line: what it asks for, what it prints, and how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import constructs_lib.environment
from constructs_lib.base.errors import ConfigError, exit_on_bad_input
from operations.bootstrap.layout import ensure_layout
from operations.clients.github import GitHub
from operations.commands import app
from tests.fakes.tofu import change
from tests.operations.conftest import Outside
from tests.support import ROOT, run_python

HEAVY = ("boto3", "botocore", "cdktf", "github", "hvac", "jwt", "kubernetes", "requests", "rich", "yaml")
OURS = ("constructs_lib.environment", "constructs_lib.platform", "gitops_render.paths", "gitops_render.tree")
Run = Callable[..., str]


def names(command: Any) -> set[str]:
    """Return the names of all commands below this one."""
    below = getattr(command, "commands", {})
    return {f"{name} {rest}".strip() for name, item in below.items() for rest in (names(item) or {""})}


@pytest.fixture
def run(outside: Outside, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Return a function that runs a command in this process and returns what it printed."""
    environments = [outside.environment(), outside.environment("staging")]
    outside.synthesise(*environments)
    monkeypatch.setattr(constructs_lib.environment, "load_all", lambda: environments)
    handler = signal.getsignal(signal.SIGTERM)

    def run_here(*arguments: str, code: int = 0) -> str:
        with pytest.raises(SystemExit) as ended, exit_on_bad_input():
            app(arguments, prog_name="operations")
        printed = capsys.readouterr()
        assert (ended.value.code or 0) == code, printed
        return printed.out + printed.err

    yield run_here
    signal.signal(signal.SIGTERM, handler)


def test_the_commands_are_those_that_workflows_and_people_know() -> None:
    assert names(typer.main.get_command(app)) == {
        *(f"bootstrap {step}" for step in ("check", "secrets", "layout", "settings")),
        *("provision plan", "provision apply", "deploy-key", "state-migrate", "wait-ready", "sweep"),
        *("environments", "doctor", "status", "drift", "promote", "report", "rehearse", "comment", "lock-providers"),
        *("try", "recover beside", "recover lost", "rebuild"),
        *("rotate spaces-key", "rotate state-passphrase", "rotate deploy-key"),
        *("rotate age-key", "rotate approle", "rotate password"),
        *("vault print", "vault apply", "vault compare"),
    }


@pytest.mark.parametrize(
    "arguments", [(), ("provision",), ("provision", "plan"), ("bootstrap", "layout"), ("vault", "print")]
)
def test_help_imports_nothing_that_takes_time(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    code = (
        "import sys\nfrom operations.commands import app\n"
        f"try: app({[*arguments, '--help']!r}, prog_name='operations')\n"
        f"finally: print('IMPORTED', [name for name in {[*HEAVY, *OURS]!r} if name in sys.modules])"
    )
    done = run_python("-c", code, folder=tmp_path)
    assert done.stdout.endswith("IMPORTED []\n"), done.stdout + done.stderr
    assert "╭" not in done.stdout


def test_help_names_the_exit_codes(tmp_path: Path) -> None:
    done = run_python("-m", "operations", "--help", folder=tmp_path)
    text = " ".join(done.stdout.split())
    assert "Exit codes: 0 done, 1 a difference or a finding, 2 something has to be fixed" in text


def test_options_and_their_variables_are_a_contract_with_the_workflows() -> None:
    command: Any = typer.main.get_command(app)
    known = {
        f"{path} {option}": parameter.envvar
        for path in names(command)
        for parameter in _leaf(command, path).params
        for option in parameter.opts
        if option.startswith("--")
    }
    assert known == {
        "bootstrap check --organisation": None,
        "bootstrap check --repository": None,
        "bootstrap check --enforced": None,
        "bootstrap secrets --dry-run": "DRY_RUN",
        "bootstrap layout --environment": "ENVIRONMENTS",
        "bootstrap layout --dry-run": "DRY_RUN",
        "bootstrap settings --plans": None,
        "bootstrap settings --dry-run": "DRY_RUN",
        "provision plan --stage": None,
        "provision plan --plans": None,
        "provision plan --prepare": "PREPARE",
        "provision plan --destroy": "DESTROY",
        "provision plan --confirm": "CONFIRM",
        "provision plan --wait": "WAIT",
        "provision apply --plans": None,
        "provision apply --confirm": "CONFIRM",
        "wait-ready --timeout": None,
        "wait-ready --poll": None,
        "sweep --dry-run": None,
        "drift --report": None,
        "promote --commit": None,
        "report --output": None,
        "rehearse --tree": None,
        "comment --body": None,
        "try --context": None,
        "try --yes": None,
        "try --remove": None,
        "vault print --format": None,
        "recover beside --as": None,
        "recover beside --until": None,
        "recover beside --repository": None,
        "recover beside --finish": None,
        "rebuild --repository": None,
        "rebuild --plans": None,
        "rebuild --balancer": None,
        "rebuild --timeout": None,
        "rebuild --finish": None,
        "recover lost --repository": None,
        "recover lost --finish": None,
    }


def _leaf(command: Any, path: str) -> Any:
    for name in path.split():
        command = command.commands[name]
    return command


def test_bad_input_is_one_sentence_on_stderr_and_exit_code_2(tmp_path: Path) -> None:
    done = run_python("-m", "operations", "drift", "sandbox", folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("environments: no environment file found; add environments/<name>.yaml")
    assert done.stderr.count("\n") == 1


def test_an_unknown_environment_is_told_with_those_that_are_known(run: Run) -> None:
    for command in (("deploy-key", "stagin"), ("provision", "apply", "stagin"), ("drift", "stagin")):
        printed = run(*command, code=2)
        assert printed == "unknown environment 'stagin', known are sandbox, staging; did you mean 'staging'?\n"


def test_a_job_that_is_stopped_ends_as_with_ctrl_c(tmp_path: Path) -> None:
    code = "\n".join(
        [
            "import time",
            "from operations import commands",
            "commands.commands()",
            "print('ready', flush=True)",
            "time.sleep(30)",
        ]
    )
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", code], env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=20)
    assert "KeyboardInterrupt" in errors


def test_a_plan_is_said_summarised_and_counted_for_later_steps(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    monkeypatch.setenv("GITHUB_OUTPUT", "output")
    printed = run("provision", "plan", "sandbox", "--stage", "services")
    assert "sandbox-flux: is planned once the cluster is there\n" in printed
    printed = run("provision", "plan", "sandbox", "--stage", "foundation", "--plans", "here")
    assert "sandbox-state: 0 resources to change\nsandbox-cluster: 0 resources to change\n" in printed
    assert Path("here/plans.json").exists()
    assert Path("summary.md").read_text().startswith("## Provisioning sandbox: services\n")
    assert Path("output").read_text() == "changes=0\nchanges=0\n"


def test_what_may_not_be_destroyed_is_neither_planned_nor_applied(run: Run, outside: Outside) -> None:
    plan = ("provision", "plan", "staging", "--stage", "foundation", "--destroy")
    protected = "environments/staging.yaml: cluster.protected is true; set it to false and apply that first\n"
    for arguments in (plan, (*plan, "--confirm", "staging")):
        assert run(*arguments, code=2) == protected
    environments: Any = constructs_lib.environment.load_all()
    environments[1] = outside.environment("staging", cluster__protected=False)
    assert "destroying staging: has to be confirmed by its name, found ''\n" in run(*plan, code=2)
    assert outside.tofu.calls() == []
    run(*plan, "--confirm", "staging")
    calls = len(outside.tofu.calls())
    assert "has to be confirmed by its name, found 'sandbox'" in run(
        "provision", "apply", "staging", "--confirm", "sandbox", code=2
    )
    assert len(outside.tofu.calls()) == calls
    assert run("provision", "apply", "staging", "--confirm", "staging") == "staging: foundation is as planned\n"


def test_plans_are_applied_and_that_is_said(run: Run, outside: Outside) -> None:
    outside.tofu.changes["sandbox-cluster"] = [change("digitalocean_tag.x")]
    outside.tofu.save()
    run("provision", "plan", "sandbox", "--stage", "foundation", "--prepare")
    printed = run("provision", "apply", "sandbox")
    assert printed.endswith("sandbox: foundation is as planned\n")
    assert [call.stack for call in outside.tofu.calls("apply")] == ["sandbox-cluster"]


def test_a_stack_is_looked_up_among_those_of_all_environments(run: Run) -> None:
    kinds = ("state", "cluster", "flux", "dns")
    known = ", ".join(f"{env}-{kind}" for env in ("sandbox", "staging") for kind in kinds)
    printed = run("state-migrate", "staging-stat", code=2)
    assert printed == f"unknown stack 'staging-stat', known are {known}; did you mean 'staging-state'?\n"
    Path("cdktf.out/stacks/staging-state/terraform.tfstate").write_text("{}")
    assert run("state-migrate", "staging-state") == "staging-state: state is in bucket episodic-staging-state\n"


def test_environments_are_listed_for_people_and_for_later_steps(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_OUTPUT", "output")
    both = [{"name": name, "runner": "ubuntu-24.04"} for name in ("sandbox", "staging")]
    for arguments, listed in (((), both), (("staging",), both[1:])):
        printed, summary = run("environments", *arguments).splitlines()
        assert (json.loads(printed), summary) == (listed, f"{len(listed)} environments")
    assert Path("output").read_text() == f"environments={json.dumps(both)}\nenvironments={json.dumps(both[1:])}\n"
    assert "unknown environment 'stagin', known are sandbox, staging; did you mean 'staging'?" in run(
        "environments", "stagin", code=2
    )


def test_a_deploy_key_is_made_and_printed(run: Run, outside: Outside) -> None:
    first = run("deploy-key", "sandbox")
    assert re.fullmatch(r"ssh-ed25519 \S+\nsandbox: the public half of its deploy key\n", first)
    assert run("deploy-key", "sandbox") == first


def test_waiting_has_its_environment_and_its_times(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from operations.provisioning import ready

    waits: list[tuple[str, float, float]] = []

    def wait(env: Any, *, timeout_seconds: float, poll_seconds: float) -> None:
        waits.append((env.name, timeout_seconds, poll_seconds))

    monkeypatch.setattr(ready, "wait_ready", wait)
    run("wait-ready", "sandbox")
    run("wait-ready", "staging", "--timeout", "60", "--poll", "1")
    assert waits == [("sandbox", 1800, 10), ("staging", 60, 1)]


def test_a_sweep_may_be_looked_at_first(run: Run, outside: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = outside.digitalocean.add_cluster("eph-1")
    cluster["tags"] = ["expires:1000000000"]
    outside.vault.put("episodic/gitops/provisioning/integration", digitalocean_token=outside.digitalocean.token)
    assert run("sweep", "--dry-run") == "cluster eph-1: would be removed\n1 expired\n"
    assert outside.digitalocean.clusters
    monkeypatch.setenv("DIGITALOCEAN_TOKEN", "another")
    assert "correct digitalocean_token" in run("sweep", code=2)
    monkeypatch.setenv("DIGITALOCEAN_TOKEN", outside.digitalocean.token)
    outside.vault.entries.clear()
    assert run("sweep") == "cluster eph-1: remove\n1 expired\n"
    assert outside.digitalocean.clusters == {}


def test_drift_is_exit_code_1_or_an_issue(run: Run, outside: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    for name in ("episodic-gitops", "infrastructure"):
        outside.github.add_repository(name)
    environments: Any = constructs_lib.environment.load_all()
    github = GitHub(outside.github.token)
    ensure_layout(github, github.repository("df12-test/episodic-gitops"), environments, environments)
    outside.tofu.changes["sandbox-cluster"] = [change("digitalocean_tag.x", "update")]
    outside.tofu.save()
    assert "sandbox: differs\n" in run("drift", "sandbox", code=1)
    assert "<!-- drift:sandbox -->" in Path("summary.md").read_text()
    report = ("drift", "sandbox", "--report", "df12-test/infrastructure")
    assert "GITHUB_TOKEN: is not set" in run(*report, code=2)
    monkeypatch.setenv("GITHUB_TOKEN", outside.github.token)
    assert "sandbox: differs\nsandbox: issue 1\n" in run(*report)
    (issue,) = outside.github.repositories["infrastructure"]["issues"].values()
    assert issue["title"] == "Drift in sandbox"
    outside.tofu.changes = {}
    outside.tofu.save()
    assert "sandbox: is as it should be\n" in run(*report)
    assert issue["state"] == "closed"
    assert Path("summary.md").read_text().endswith("**sandbox** is as it should be.\n\n")
    assert "sandbox: is as it should be\n" in run("drift", "sandbox")


def test_an_open_gate_is_refused_where_it_has_to_be_enforced(run: Run, outside: Outside) -> None:
    for name in ("episodic-gitops", "infrastructure"):
        outside.github.add_repository(name)
    assert "branch main: can be deleted; run `bootstrap settings`" in run("bootstrap", "check", "--enforced", code=2)


def test_the_steps_of_the_bootstrap_follow_each_other(run: Run, outside: Outside) -> None:
    assert "all that only you can bring is there" in run("bootstrap", "check", "--organisation", "df12-test")
    assert "asked for was 'acme'" in run("bootstrap", "check", "--organisation", "acme", code=2)
    assert "asked for was 'x'" in run("bootstrap", "check", "--repository", "x", code=2)
    assert "would be made" in run("bootstrap", "secrets", "--dry-run")
    assert outside.vault.writes == []
    run("bootstrap", "secrets")
    assert "would be made and seeded" in run("bootstrap", "layout", "--dry-run")
    run("bootstrap", "layout", "--environment", "sandbox")
    folders = {path.split("/")[1] for path in outside.github.git.files("episodic-gitops") if path[:9] == "clusters/"}
    assert folders == {"sandbox"}
    outside.tofu.changes["gitops-repository"] = [change("github_repository.r", name="other")]
    outside.tofu.save()
    run("bootstrap", "settings", "--dry-run")
    assert outside.tofu.calls("apply") == []
    run("bootstrap", "settings")
    assert Path("plans.out/gitops-repository/gitops-repository.tfplan").exists()
    assert len(outside.tofu.calls("apply")) == 1


def test_a_promotion_goes_from_one_environment_to_the_next(
    run: Run, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    run("bootstrap", "secrets")
    run("bootstrap", "layout")
    new, old = outside.github.git.log("episodic-gitops")
    printed = run("promote", "sandbox", "staging")
    assert f"staging: pull request 1 opened: {old.id} -> {new.id}\n" in printed
    assert "Lets <b>staging</b> run what <b>sandbox</b> runs" in Path("summary.md").read_text()
    assert f"staging: runs {old.id} already\n" in run("promote", "sandbox", "staging", "--commit", old.id)


def test_a_report_is_written_and_ends_with_1_if_a_policy_breaks(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from gitops_render.check.model import Finding
    from gitops_render.review import Review
    from operations.review import report

    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    finding = Finding("FLUX001", "a.yaml", "b", "is odd", "mend it")
    comparisons = [report.Comparison([], [], Review([], [])), report.Comparison([], [], Review([], [finding]))]
    asked: list[tuple[Path, Path]] = []

    def compared(base: Path, head: Path) -> report.Comparison:
        asked.append((base, head))
        return comparisons.pop(0)

    monkeypatch.setattr(report, "compared", compared)
    assert "0 blocks and 0 objects change, 0 findings\n" in run("report", "base")
    assert "0 blocks and 0 objects change, 1 findings\n" in run("report", "base", "--output", "r.md", code=1)
    assert asked == [(Path("base"), Path())] * 2
    assert "Every policy is kept." in Path("report.md").read_text()
    assert "| FLUX001 | a.yaml | b | is odd | mend it |" in Path("r.md").read_text()
    assert Path("summary.md").read_text().count(report.MARKER) == 2


@pytest.mark.parametrize(
    ("effects", "code"),
    [
        (["free", "rolls", "replaces", "needs steps"], 0),
        (["free", "refused"], 1),
        (["not judged", "free"], 3),
        (["not judged", "refused"], 1),
    ],
)
def test_a_report_ends_with_1_if_a_change_is_refused_and_3_if_it_could_not_be_judged(
    run: Run, monkeypatch: pytest.MonkeyPatch, effects: list[str], code: int
) -> None:
    from constructs_lib.base.change import Effect
    from gitops_render.review import Review
    from operations.review import report
    from operations.review.verdict import Reason

    found = [report.Verdict("sandbox", changed=True, reasons=(Reason(Effect(item), "why"),)) for item in effects]

    def compared(*_: Path) -> report.Comparison:
        return report.Comparison(found, [], Review([], []))

    monkeypatch.setattr(report, "compared", compared)
    run("report", "base", code=code)


def test_a_rehearsal_ends_with_1_if_something_is_refused_and_3_if_it_could_not_be_seen(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from operations.rehearsal import rehearsal

    asked: list[tuple[str, Path, Path]] = []
    done = rehearsal.Rehearsal("sandbox", ("a",), {}, (), {}, {}, ())
    found = [
        done,
        done._replace(refused={"layer x": "why"}),
        done._replace(refused={"layer x": "w"}, before={"layer x": "w"}),
    ]

    def rehearse(*of: Any) -> rehearsal.Rehearsal:
        asked.append(of)
        return found.pop(0)

    monkeypatch.setattr(rehearsal, "rehearse", rehearse)
    assert "- <b>sandbox</b>: nothing happens\n" in run("rehearse", "sandbox", "base")
    assert "refused: <code>layer x</code>: why" in run("rehearse", "sandbox", "base", "--tree", "other", code=1)
    run("rehearse", "sandbox", "base", code=3)
    assert asked == [("sandbox", Path("base"), Path(name)) for name in ("gitops.out", "other", "gitops.out")]


def test_a_change_that_cannot_be_built_has_no_report(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from operations.review import report

    def compared(*_: Path) -> None:
        raise ConfigError("it is broken")

    monkeypatch.setattr(report, "compared", compared)
    assert run("report", "base", code=2).endswith("it is broken\n")
    assert not Path("report.md").exists()


def test_the_report_is_kept_as_one_comment(run: Run, outside: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    from operations.review.report import MARKER

    monkeypatch.setenv("GITHUB_TOKEN", outside.github.token)
    scope = outside.github.add_repository("infrastructure")
    outside.github.talk.add_pull(scope, "topic")
    Path("report.md").write_text(f"{MARKER}\none")
    command = ("comment", "df12-test/infrastructure", "1")
    assert run(*command) == "df12-test/infrastructure#1: comment written\n"
    assert run(*command) == "df12-test/infrastructure#1: comment is as it should be\n"
    Path("other.md").write_text(f"{MARKER}\ntwo")
    assert run(*command, "--body", "other.md") == "df12-test/infrastructure#1: comment written\n"
    assert [item["body"] for item in scope["pulls"][1]["comments"].values()] == [f"{MARKER}\ntwo"]
