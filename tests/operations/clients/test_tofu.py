"""How OpenTofu is called, and what is made of its answers."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from constructs_lib.base.errors import ConfigError
from constructs_lib.environment.repository import StateBucket
from operations.clients import tofu, tofu_process
from operations.clients.tofu import Change, Stack, TransientError
from tests.fakes.tofu import FakeTofu, change

NAME = "sandbox-cluster"
STATE = StateBucket(bucket="my-state", region="lon1")
VPC = "digitalocean_vpc.main"
PROVIDERS = {"digitalocean": {"source": "digitalocean/digitalocean", "version": "2.71.0"}}


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeTofu:
    """A `tofu` in front of every other, and one synthesised stack."""
    program = FakeTofu(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{program.folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "cdktf.out/stacks" / NAME
    folder.mkdir(parents=True)
    backend = {"s3": {"bucket": "my-state", "key": f"{NAME}.tfstate"}}
    (folder / "cdk.tf.json").write_text(
        json.dumps({"terraform": {"backend": backend, "required_providers": PROVIDERS}})
    )
    program.save()
    return program


@pytest.fixture
def no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again at once."""
    monkeypatch.setattr(Stack._init.retry, "sleep", lambda _: None)  # pyright: ignore


def stack(**variables: str) -> Stack:
    return Stack(NAME, STATE, variables)


def test_a_stack_that_was_not_synthesised_is_told(fake: FakeTofu) -> None:
    with pytest.raises(ConfigError, match=r"cdktf\.out/stacks/other: is not there; run make synth"):
        Stack("other", STATE, {})


def test_a_plan_is_written_to_the_file_with_a_lock(fake: FakeTofu) -> None:
    file = Path("plans.tfplan").absolute()
    assert stack().plan(Path("plans.tfplan")) == []
    assert fake.calls("plan")[0].arguments == ["plan", "-json", f"-out={file}", "-lock=true"]


def test_a_plan_may_be_made_without_a_lock_or_for_the_end(fake: FakeTofu) -> None:
    stack().plan(Path("a"), lock=False)
    stack().plan(Path("a"), destroy=True)
    lockless, destroying = (call.arguments[3:] for call in fake.calls("plan"))
    assert lockless == ["-lock=false"]
    assert destroying == ["-lock=true", "-destroy"]


def test_only_what_changes_in_managed_resources_is_a_change(fake: FakeTofu) -> None:
    fake.changes[NAME] = [
        change(VPC, "create", name="v"),
        change("digitalocean_tag.same", "no-op"),
        change("digitalocean_tag.read", "read"),
        change("data.digitalocean_tag.d", "create", mode="data"),
        change("digitalocean_tag.swapped", "delete", "create"),
    ]
    fake.changes[NAME][1]["change"]["after"] = None
    adopted = change("digitalocean_tag.taken", "no-op")
    adopted["change"]["importing"] = {"id": "x"}
    fake.changes[NAME].append(adopted)
    fake.save()
    assert stack().plan(Path("a")) == [
        Change(VPC, "digitalocean_vpc", ("create",), {"name": "v"}, imported=False, before={}),
        Change("digitalocean_tag.swapped", "digitalocean_tag", ("delete", "create"), {}, imported=False, before={}),
        Change("digitalocean_tag.taken", "digitalocean_tag", ("no-op",), {}, imported=True, before={}),
    ]


def test_what_ends_has_no_values_afterwards(fake: FakeTofu) -> None:
    gone = change(VPC, "delete")
    gone["change"]["after"] = None
    fake.changes[NAME] = [gone]
    fake.save()
    assert stack().plan(Path("a"))[0].after == {}


def test_tofu_gets_the_variables_and_asks_nobody(fake: FakeTofu, monkeypatch: pytest.MonkeyPatch) -> None:
    stack(TF_VAR_state_passphrase="secret").init()
    (call,) = fake.calls("init")
    assert (
        call.environ.items()
        >= {
            "TF_VAR_state_passphrase": "secret",
            "TF_IN_AUTOMATION": "1",
            "TF_INPUT": "0",
            "CHECKPOINT_DISABLE": "1",
            "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
            "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
        }.items()
    )
    assert call.arguments == ["init", "-json", "-reconfigure"]


def test_the_backend_is_the_stacks_own_unless_the_address_is_another(
    fake: FakeTofu, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPACES_ENDPOINT_URL", "http://here")
    stack().init()
    monkeypatch.delenv("SPACES_ENDPOINT_URL")
    stack().init()
    elsewhere, own = (call.files for call in fake.calls("init"))
    backend = {"bucket": "my-state", "key": f"{NAME}.tfstate", "endpoints": {"s3": "http://here"}}
    assert elsewhere == {"backend_override.tf.json": {"terraform": {"backend": {"s3": backend}}}}
    assert own == {}


def test_a_plan_without_a_bucket_keeps_its_state_nowhere(fake: FakeTofu) -> None:
    fake.changes[NAME] = [change(VPC)]
    fake.save()
    assert [item.address for item in stack().plan_without_state(Path("a"))] == [VPC]
    local = {"terraform": {"backend": {"local": {"path": ".unused.tfstate"}}}}
    assert fake.calls("init")[0].files == {"backend_override.tf.json": local}
    assert fake.calls("init")[0].arguments[-1] == "-reconfigure"
    assert fake.commands() == [f"{NAME}: init", f"{NAME}: plan"]


def test_a_state_in_the_folder_has_to_be_moved_first(fake: FakeTofu) -> None:
    stack().local_state.write_text("{}")
    with pytest.raises(ConfigError, match=f"holds state; run `bin/operations state-migrate {NAME}`"):
        stack().init()
    assert fake.calls() == []
    backup = stack().folder / "terraform.tfstate.backup"
    backup.write_text("{}")
    stack().migrate()
    assert fake.calls("init")[0].arguments == ["init", "-json", "-migrate-state", "-force-copy"]
    assert not stack().local_state.exists()
    assert not backup.exists()


def test_a_state_is_kept_if_it_could_not_be_moved(fake: FakeTofu) -> None:
    stack().local_state.write_text("{}")
    fake.errors["init"] = [["Odd"]]
    fake.save()
    with pytest.raises(ConfigError, match=f"{NAME}: Odd"):
        stack().migrate()
    assert stack().local_state.exists()


def test_imports_are_there_for_one_plan(fake: FakeTofu) -> None:
    with stack().imports({VPC: "id-1"}):
        stack().plan(Path("a"))
    stack().plan(Path("a"))
    first, second = (call.files for call in fake.calls("plan"))
    assert first == {"adopt.tf.json": {"import": [{"to": VPC, "id": "id-1"}]}}
    assert second == {}


def test_imports_go_even_if_the_plan_fails(fake: FakeTofu) -> None:
    fake.errors["plan"] = [["Odd"]]
    fake.save()
    with pytest.raises(ConfigError, match="Odd"), stack().imports({VPC: "id-1"}):
        stack().plan(Path("a"))
    assert not (stack().folder / "adopt.tf.json").exists()


def test_exactly_the_plan_is_applied(fake: FakeTofu) -> None:
    stack().apply(Path("a.tfplan"))
    assert fake.calls("apply")[0].arguments == ["apply", "-json", str(Path("a.tfplan").absolute())]


def test_a_plan_is_described_without_colours(fake: FakeTofu) -> None:
    assert stack().describe(Path("a.tfplan")) == "Plan of a\n"


def test_a_state_without_anything_has_no_resources(fake: FakeTofu) -> None:
    assert stack().resources() == []
    fake.resources[NAME] = [{"type": "digitalocean_tag", "values": {}}]
    fake.save()
    assert stack().resources() == fake.resources[NAME]


def test_all_errors_are_told_and_a_silent_failure_too(fake: FakeTofu) -> None:
    fake.errors["apply"] = [["First", "Second"]]
    fake.save()
    with pytest.raises(ConfigError) as told:
        stack().apply(Path("a"))
    assert told.value.problems == (f"{NAME}: First", f"{NAME}: Second")
    (fake.folder / "tofu").write_text("#!/bin/sh\necho not-json; exit 1\n")
    with pytest.raises(ConfigError, match=f"{NAME}: tofu apply failed without a word; run it in cdktf.out"):
        stack().apply(Path("a"))


def test_a_question_that_fails_is_told(fake: FakeTofu) -> None:
    (fake.folder / "tofu").write_text("#!/bin/sh\necho 'no  such\nplan' >&2; exit 1\n")
    with pytest.raises(ConfigError, match=f"{NAME}: no such plan"):
        stack().describe(Path("a"))


@pytest.mark.parametrize("failures", [3, 4])
def test_init_is_tried_four_times_if_another_try_may_help(fake: FakeTofu, no_wait: None, failures: int) -> None:
    fake.errors["init"] = [["connection reset by peer"]] * failures
    fake.save()
    if failures < 4:
        stack().init()
    else:
        with pytest.raises(TransientError, match="connection reset"):
            stack().init()
    assert len(fake.calls("init")) == 4


def test_nothing_else_is_tried_twice(fake: FakeTofu, no_wait: None) -> None:
    fake.errors = {"init": [["Odd"]], "apply": [["connection reset by peer"]]}
    fake.save()
    with pytest.raises(ConfigError, match="Odd"):
        stack().init()
    with pytest.raises(ConfigError, match="connection reset"):
        stack().apply(Path("a"))
    assert fake.commands() == [f"{NAME}: init", f"{NAME}: apply"]


def test_only_progress_is_relayed(fake: FakeTofu, capsys: pytest.CaptureFixture[str]) -> None:
    lines: list[dict[str, Any]] = [
        {"type": "apply_start", "@message": "making it", "hook": {"action": "create"}},
        {"type": "apply_start", "@message": "looking", "hook": {"action": "read"}},
        {"type": "outputs", "@message": "secret"},
        {"type": "change_summary", "@message": "1 added"},
    ]
    text = "\n".join(map(json.dumps, lines))
    (fake.folder / "tofu").write_text(f"#!/bin/sh\ncat <<'EOF'\n{text}\nEOF\n")
    stack().apply(Path("a"))
    assert capsys.readouterr().out == f"{NAME}: making it\n{NAME}: 1 added\n"


def test_a_warning_is_no_failure(fake: FakeTofu) -> None:
    warning = {"diagnostic": {"severity": "warning", "summary": "Old"}}
    (fake.folder / "tofu").write_text(f"#!/bin/sh\necho '{json.dumps(warning)}'; exit 1\n")
    with pytest.raises(ConfigError, match="without a word"):
        stack().apply(Path("a"))


def test_a_missing_program_is_told(fake: FakeTofu, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(fake.folder.parent))
    with pytest.raises(ConfigError, match=r"tofu: is not installed; install OpenTofu 1\.11 or newer"):
        stack().init()


def test_a_terminals_interrupt_does_not_reach_tofu_itself(fake: FakeTofu) -> None:
    """Ctrl-C goes to all of a terminal's processes; a second signal makes OpenTofu drop its state."""
    (fake.folder / "tofu").write_text(f"#!/bin/sh\nexec {sys.executable} -c 'import os; print(os.getsid(0))'\n")
    assert int(stack().describe(Path("a"))) != os.getsid(0)


def test_an_interrupt_is_passed_on_once_and_waited_for(
    fake: FakeTofu, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = fake.folder / "saved"
    program = f"""
import json, pathlib, signal, sys, time
def stop(number, frame):
    time.sleep(0.3)
    with open({str(saved)!r}, "a") as file:
        file.write(signal.Signals(number).name)
    sys.exit(1)
signal.signal(signal.SIGINT, stop)
signal.signal(signal.SIGTERM, stop)
print(json.dumps({{"type": "apply_start", "@message": "begin"}}), flush=True)
for _ in range(100):
    time.sleep(0.2)
    print(flush=True)
"""
    script = fake.folder / "slow.py"
    script.write_text(program)
    (fake.folder / "tofu").write_text(f"#!/bin/sh\nexec {sys.executable} {script}\n")

    begun = threading.Event()
    said = tofu.say

    def say(text: str) -> None:
        said(text)
        begun.set()

    def interrupt() -> None:
        if begun.wait(10):
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(tofu, "say", say)
    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        stack().apply(Path("a"))
    assert saved.read_text() == "SIGINT"
    assert "stopping OpenTofu, which saves its state first" in capsys.readouterr().out


LATE = (
    f"{NAME}: tofu apply did not end within 75 min and was stopped; see which server does not answer, and run this "
    "again"
)


class Timers:
    """Timers that a test lets ring: each time that `tofu` says something, the next one does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.waits: list[float] = []
        self._ends: list[Callable[[], None]] = []
        monkeypatch.setattr(tofu_process, "Timer", self._timer)
        monkeypatch.setattr(tofu, "say", self._ring)

    def _timer(self, seconds: float, end: Callable[..., None], arguments: tuple[Any, ...]) -> Any:
        self.waits.append(seconds)
        start = lambda: self._ends.append(lambda: end(*arguments))  # noqa: E731
        return SimpleNamespace(start=start, cancel=self._ends.clear)

    def _ring(self, _: str) -> None:
        self._ends.pop(0)()


@pytest.fixture
def timers(monkeypatch: pytest.MonkeyPatch) -> Generator[Timers]:
    # What a shell starts in the background ignores SIGINT, and no shell below it can trap what is ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield Timers(monkeypatch)
    signal.signal(signal.SIGINT, before)


def progress(text: str) -> str:
    return f"echo '{json.dumps({'type': 'apply_start', '@message': text})}'"


def test_what_takes_too_long_is_interrupted_and_may_save_its_state(fake: FakeTofu, timers: Timers) -> None:
    saved = fake.folder / "saved"
    (fake.folder / "tofu").write_text(
        f"#!/bin/sh\ntrap 'echo saved > {saved}; exit 1' INT\n{progress('begin')}\nwhile :; do sleep 0.1; done\n"
    )
    with pytest.raises(ConfigError) as told:
        stack().apply(Path("a"))
    assert (str(told.value), saved.read_text()) == (LATE, "saved\n")
    assert timers.waits == [4500, 4800]


def test_what_does_not_end_even_then_is_ended_with_all_that_it_started(fake: FakeTofu, timers: Timers) -> None:
    below = fake.folder / "below"
    (fake.folder / "tofu").write_text(
        f"#!/bin/sh\ntrap '' INT\nsleep 600 & echo $! > {below}\n{progress('begin')}\n{progress('on')}\nwait\n"
    )
    with pytest.raises(ConfigError) as told:
        stack().apply(Path("a"))
    assert str(told.value) == LATE
    state = Path(f"/proc/{below.read_text().strip()}/stat")
    for _ in range(600):
        if not state.exists() or state.read_text().split()[2] == "Z":
            return
        time.sleep(0.1)
    pytest.fail("what it started runs on")


def test_what_ends_well_after_an_interrupt_has_ended_well(fake: FakeTofu, timers: Timers) -> None:
    (fake.folder / "tofu").write_text(
        f"#!/bin/sh\ntrap 'exit 0' INT\n{progress('begin')}\nwhile :; do sleep 0.1; done\n"
    )
    stack().apply(Path("a"))


def test_each_command_has_a_deadline_and_a_silent_one_is_ended(fake: FakeTofu, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tofu_process.DEADLINES == {"init": 600, "plan": 1200, "apply": 4500}
    monkeypatch.setattr(tofu_process, "DEADLINES", {"plan": 0.2})
    monkeypatch.setattr(tofu_process, "OTHERS", 0.2)
    (fake.folder / "tofu").write_text("#!/bin/sh\nexec sleep 600\n")
    for command, call in (("show", stack().resources), ("plan", lambda: stack().plan(Path("a")))):
        with pytest.raises(ConfigError, match=f"tofu {command} did not end within 0 min and was stopped"):
            call()
