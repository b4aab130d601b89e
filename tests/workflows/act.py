"""Workflows of this project under real `act` and without Docker: every step is a process of this machine."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer
from typing import Any, NamedTuple

import yaml

from tests.support import ROOT

BINARY = Path(sys.executable).with_name("act")
STUBS = Path(__file__).parent / "stubs"
ORIGIN = "https://github.com/df12-test/infrastructure.git"
LABELS = ("ubuntu-latest", "ubuntu-24.04", "episodic-production")
"""What `runs-on` may say: act skips a job with another label, and calls that a success."""

TAIL = 40
"""How many lines of a failing step's log a failing test shows."""

_LAUNCH = """
import ctypes, os, struct, sys
libc = ctypes.CDLL(None)
libc.prctl(36, 1)  # PR_SET_CHILD_SUBREAPER
ioctl = {"x86_64": 16, "aarch64": 29}[os.uname().machine]
rules = [
    (0x20, 0, 0, 0),  # load the number of the system call
    (0x15, 0, 3, ioctl),  # not ioctl: allow
    (0x20, 0, 0, 24),  # load its second argument
    (0x15, 0, 1, 0x80045430),  # not TIOCGPTN: allow
    (0x06, 0, 0, 0x00050000 | 25),  # refuse, with ENOTTY
    (0x06, 0, 0, 0x7FFF0000),  # allow
]
filter = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *rule) for rule in rules))
libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS, without which only root may filter
libc.prctl(22, 2, struct.pack("HxxxxxxP", len(rules), ctypes.addressof(filter)))  # PR_SET_SECCOMP
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Runs a command as the new parent of all orphans below it, so that none gets away, and unable to open a terminal.

act gives every step a terminal, as GitHub does not, and then loses the last output of a step that fails. Where it
cannot have one it uses pipes, and loses nothing.
"""


class Project:
    """A copy of a source tree, in a Git repository of its own."""

    def __init__(self, folder: Path, source: Path = ROOT, *, origin: str = ORIGIN) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        for name in filter(None, _git(source, "ls-files", "-coz", "--exclude-standard").split("\0")):
            if (source / name).is_symlink() or (source / name).is_file():
                self._copy(source / name, folder / name)
        _git(folder, "init", "--quiet", "--initial-branch=main")
        _git(folder, "config", "user.name", "Test")
        _git(folder, "config", "user.email", "test@example.com")
        _git(folder, "remote", "add", "origin", origin)
        _git(folder, "add", "--all", "--force")
        self.commit("Begin")

    @staticmethod
    def _copy(source: Path, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target, follow_symlinks=False)

    def write(self, name: str, text: str) -> Path:
        """Write a file of the tree, without committing it."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def commit(self, message: str) -> str:
        """Commit all that changed, or nothing, and return the commit's SHA."""
        _git(self.folder, "add", "--all")
        _git(self.folder, "commit", "--quiet", "--allow-empty", "--message", message)
        return _git(self.folder, "rev-parse", "HEAD").strip()

    def propose(self, name: str, text: str) -> str:
        """Commit a file in a branch of its own, which the work tree is not on afterwards, and return the commit."""
        _git(self.folder, "switch", "--quiet", "--force-create", "change", "main")
        self.write(name, text)
        commit = self.commit(f"Change {name}")
        _git(self.folder, "switch", "--quiet", "main")
        return commit


class Step(NamedTuple):
    """A step that ended; a step of a composite action is named `Step of the job / Step of the action`."""

    job: str
    name: str
    result: str


@dataclass(frozen=True)
class Run:
    """What is left of a run: act's exit code, and what it printed."""

    code: int
    output: str
    """All of stdout and stderr, as it is: lines of JSON."""
    killed: bool = False
    lines: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]], repr=False)
    """The JSON lines of stdout, read."""

    @property
    def steps(self) -> list[Step]:
        """Every step that ended, those in composite actions too, in order; a skipped one is not there."""
        return [_step(line) for line in self.lines if _ends_step(line)]

    @property
    def jobs(self) -> dict[str, str]:
        """The result of every job that ended, by name."""
        return {line["job"].strip(): line["jobResult"] for line in self.lines if "jobResult" in line}

    @property
    def summary(self) -> str:
        """What the steps wrote to `GITHUB_STEP_SUMMARY`."""
        return "".join(line["content"] for line in self.lines if line.get("command") == "summary")

    @property
    def succeeded(self) -> bool:
        """Whether act ended well, ran a step, and skipped no job for its `runs-on`."""
        skipped = any("Skipping unsupported platform" in line.get("msg", "") for line in self.lines)
        return self.code == 0 and not self.killed and bool(self.steps) and not skipped

    def log(self, step: str) -> str:
        """Return what the steps of this name printed, those within it and commands such as `::error::` too."""
        said = (line.get("raw") or line["msg"] for line in self.lines if _is_said(line) and line.get("step") == step)
        return "".join(said)

    def shows(self, text: str) -> bool:
        """Return whether the text, or a longer line of it, can be read anywhere but in an `::add-mask::`."""
        values = [str(value) for line in self.lines if line.get("command") != "add-mask" for value in line.values()]
        others = [line for line in self.output.splitlines() if '"command":"add-mask"' not in line]
        printed = "\n".join([*values, *others])
        return any(part in printed for part in {text, *(line for line in text.splitlines() if len(line) > 7)})

    def assert_succeeded(self) -> None:
        """Fail with the log of the steps that failed, unless the run succeeded."""
        assert self.succeeded, f"act: code {self.code}, killed: {self.killed}\n{self._failures() or self._tail()}"

    def _failures(self) -> str:
        failed = [line for line in self.lines if line.get("stepResult") == "failure" and len(line["stepID"]) == 1]
        return "\n".join(self._failure(line) for line in failed)

    def _failure(self, failed: Mapping[str, Any]) -> str:
        same = [line for line in self.lines if _place(line) == _place(failed)]
        return f"{failed['job'].strip()}: {failed['stage']} {failed['step']}:\n{_texts(same[-TAIL:])}"

    def _tail(self) -> str:
        return _texts(self.lines[-TAIL:]) + "\n" + "\n".join(self.output.splitlines()[-5:])


def main_steps(run: Run) -> list[Step]:
    """Return the steps that the jobs themselves list, in the order in which they ended."""
    return [_step(line) for line in run.lines if _ends_step(line) and len(line["stepID"]) == 1]


def local_repositories(project: Project, actions: Mapping[str, Path] | None = None) -> list[str]:
    """Return `owner/name@ref=folder` for every action that the workflows use; fail where one has no stub.

    `actions` are the folders of repositories that are no stubs, each by `owner/name@ref`.
    """
    found = {f"{name}={folder}" for name, folder in (actions or {}).items()}
    missing: set[str] = set()
    folders = [project.folder, *(actions or {}).values()]
    for uses, inputs in (found for folder in folders for found in _uses(folder)):
        action, _, ref = uses.partition("@")
        if not action.startswith("./") and not _is_plain_checkout(action, inputs):
            repository = "/".join(action.split("/")[:2])
            if f"{repository}@{ref}" in (actions or {}):
                continue
            found.add(f"{repository}@{ref}={STUBS / repository}")
            missing |= set() if _is_stub(STUBS / action) else {f"{uses}: no stub in {STUBS / action}"}
    assert not missing, "\n".join(sorted(missing))
    return sorted(found)


def run_workflow(
    project: Project,
    workflow: str,
    *,
    job: str | None = None,
    event: str = "workflow_dispatch",
    payload: Mapping[str, Any] | None = None,
    inputs: Mapping[str, str | bool] | None = None,
    secrets: Mapping[str, str] | None = None,
    variables: Mapping[str, str] | None = None,
    env: Mapping[str, str] | None = None,
    path: Sequence[Path] = (),
    actions: Mapping[str, Path] | None = None,
    insecure_secrets: bool = False,
    kill_after: int | str | None = None,
    timeout: float = 900,
) -> Run:
    """Run the workflow file of this name, or one `job` of it, on the project's working tree, and return how it went.

    The steps get `PATH` (with the folders of `path` first), `HOME` and `env`, and nothing else of the caller's.
    `inputs` become part of the payload, as on GitHub; act reads its own `--input` only where there is no payload.
    The payload of a pull request needs its `number` at the top too, from which act makes `github.ref`.
    `kill_after` kills act and all its processes as soon as the step of this name (or `job/name`), or the Nth of
    `Run.steps`, ends; by then the next step may have begun. `insecure_secrets` leaves the secrets in the output
    unmasked. Raises `TimeoutError` after `timeout`, which a process can cause that a step leaves behind with the step's
    output. No step can gain rights (`sudo`). `actions` are those of `local_repositories`.
    """
    folder = Path(tempfile.mkdtemp(prefix="act-", dir=project.folder.parent))
    command = [
        *(BINARY, event, "--workflows", _known(project, workflow, folder), "--json", "--defaultbranch", "main"),
        *("--no-cache-server", "--action-cache-path", folder / "cache"),
        *("--eventpath", _write_event(folder, payload, inputs)),
        *(f"--{kind}-file={os.devnull}" for kind in ("env", "input", "secret", "var")),
        *(f"--platform={label}=-self-hosted" for label in LABELS),
        *(f"--local-repository={mapped}" for mapped in local_repositories(project, actions)),
        *(["--job", job] if job else []),
        *_flags("secret", secrets),
        *_flags("var", variables),
        *_flags("env", env),
        *(["--insecure-secrets"] if insecure_secrets else []),
    ]
    search = os.pathsep.join([*map(str, path), os.environ["PATH"]])
    process = _Process([str(part) for part in command], project.folder, search, folder / "stderr")
    return process.watch(kill_after, timeout)


class _Process:
    """A running act."""

    def __init__(self, command: list[str], folder: Path, path: str, stderr: Path) -> None:
        self.stderr, self.expired = stderr, False
        self.printed: list[str] = []
        self.lines: list[dict[str, Any]] = []
        mark = str(uuid.uuid4())
        self.mark = f"ACT_RUN={mark}".encode()
        """Stands in the environment of every process of the run, so that none outlives it unseen."""
        with stderr.open("wb") as errors:
            self.popen = subprocess.Popen(
                [sys.executable, "-I", "-c", _LAUNCH, *command],
                cwd=folder,
                env={"PATH": path, "HOME": os.environ["HOME"], "ACT_RUN": mark},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )

    def watch(self, kill_after: int | str | None, timeout: float) -> Run:
        """Read what act prints until it ends, by itself or killed."""
        timer = Timer(timeout, self.expire)
        timer.start()
        try:
            self._read(kill_after)
            code = self.popen.wait()
        finally:
            timer.cancel()
            self.kill()
        if self.expired:
            raise TimeoutError(f"act ran for more than {timeout} s\n{_texts(self.lines[-TAIL:])}")
        output = "".join(self.printed) + self.stderr.read_text(encoding="utf-8", errors="replace")
        return Run(code, output, code == -signal.SIGKILL, self.lines)

    def _read(self, kill_after: int | str | None) -> None:
        ended = 0
        assert self.popen.stdout is not None
        with self.popen.stdout as stdout:
            for text in stdout:
                line = _parse(text)
                self.printed.append(text)
                self.lines.append(line)
                ended += _ends_step(line)
                if _ends_step(line) and kill_after in {ended, *_names(_step(line))}:
                    self.kill()

    def expire(self) -> None:
        """Kill all, as the time is over."""
        self.expired = True
        self.kill()

    def kill(self) -> None:
        """Kill act, stopped first so that it begins nothing new, and all that it started, in whichever group."""
        act = self.popen.pid
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGSTOP)
            _kill_all(lambda: _descendants(act))
            self.popen.kill()
            self.popen.wait()
        _kill_all(lambda: _marked(self.mark))


def _kill_all(find: Callable[[], set[int]]) -> None:
    """Kill what is found until nothing is."""
    while found := find():
        for process in found:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.01)


def _parents() -> dict[int, int]:
    """Return the parent of every process of the machine that is not dead."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, parent = stat.read_text(errors="replace").rpartition(")")[2].split()[:2]
            if state not in "XZ":
                parents[int(stat.parent.name)] = int(parent)
    return parents


def _descendants(ancestor: int) -> set[int]:
    parents = _parents()
    found: set[int] = set()
    while more := {process for process, parent in parents.items() if parent in {ancestor, *found}} - found:
        found |= more
    return found


def _marked(mark: bytes) -> set[int]:
    found: set[int] = set()
    for process in _parents():
        with suppress(OSError):
            if mark in Path(f"/proc/{process}/environ").read_bytes().split(b"\0"):
                found.add(process)
    return found


def _git(folder: Path, *arguments: str) -> str:
    environ = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]}
    result = subprocess.run(["git", *arguments], cwd=folder, env=environ, capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"git {' '.join(arguments)}: {result.stderr}"
    return result.stdout


def _uses(folder: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Return every `uses` of a project's workflows and actions, with its inputs."""
    files = [*folder.glob(".github/workflows/*.y*ml"), *folder.glob(".github/actions/**/action.y*ml")]
    for file in files:
        waiting = [yaml.safe_load(file.read_text(encoding="utf-8"))]
        while waiting:
            node = waiting.pop()
            if isinstance(node, dict) and isinstance(node.get("uses"), str):
                yield node["uses"], node.get("with") or {}
            if isinstance(node, dict | list):
                waiting.extend(node.values() if isinstance(node, dict) else node)


def _is_plain_checkout(action: str, inputs: Mapping[str, Any]) -> bool:
    """Return whether act copies the working tree itself, as it does for a checkout that names no other commit."""
    return action == "actions/checkout" and not {"repository", "ref"} & set(inputs)


def _is_stub(path: Path) -> bool:
    return path.is_file() if path.suffix in {".yml", ".yaml"} else (path / "action.yml").is_file()


def _write_event(folder: Path, payload: Mapping[str, Any] | None, inputs: Mapping[str, str | bool] | None) -> Path:
    data = dict(payload or {})
    if inputs is not None:
        given = {name: str(value).lower() if isinstance(value, bool) else value for name, value in inputs.items()}
        data["inputs"] = {**data.get("inputs", {}), **given}
    path = folder / "event.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def _known(project: Project, workflow: str, folder: Path) -> Path:
    """Return a workflow without `concurrency.queue`, which act 0.2.89 takes for a mistake; it queues nothing anyway."""
    text = (project.folder / ".github/workflows" / workflow).read_text(encoding="utf-8")
    path = folder / workflow
    path.write_text(re.sub(r"^  queue: max\b.*\n", "", text, flags=re.MULTILINE), encoding="utf-8")
    return path


def _flags(name: str, values: Mapping[str, str] | None) -> list[str]:
    return [f"--{name}={key}={value}" for key, value in (values or {}).items()]


def _parse(text: str) -> dict[str, Any]:
    """Return a line of act's JSON; another line is the message of none."""
    with suppress(ValueError):
        line = json.loads(text)
        if isinstance(line, dict):
            return line
    return {"msg": text}


def _ends_step(line: Mapping[str, Any]) -> bool:
    return line.get("stage") == "Main" and "stepResult" in line


def _is_said(line: Mapping[str, Any]) -> bool:
    """Return whether the step printed the line, and act does not just say what it does."""
    return bool(line.get("raw_output") or "raw" in line)


def _step(line: Mapping[str, Any]) -> Step:
    """Return the step that a line ends; only the message names one that is part of a composite action."""
    inner = re.search(r" - Main (.*) \[[^]]*\]$", line["msg"], re.DOTALL) if len(line["stepID"]) > 1 else None
    return Step(line["job"].strip(), f"{line['step']} / {inner[1]}" if inner else line["step"], line["stepResult"])


def _names(step: Step) -> tuple[str, str]:
    return step.name, f"{step.job}/{step.name}"


def _place(line: Mapping[str, Any]) -> tuple[Any, ...]:
    return line.get("job"), line.get("stage"), line.get("stepID", [None])[0]


def _texts(lines: Sequence[Mapping[str, Any]]) -> str:
    return "\n".join(str(line.get("msg", "")).rstrip("\n") for line in lines)
