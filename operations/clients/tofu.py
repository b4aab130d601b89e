"""OpenTofu, working on a synthesised stack. Its output is read as JSON (opentofu.org, "Machine-Readable UI")."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_exponential

from constructs_lib.base.bucket import NO_CHECKSUMS
from constructs_lib.base.console import say
from constructs_lib.base.errors import ConfigError
from constructs_lib.base.programs import passed_on
from constructs_lib.base.stacks import DEFINITION, OUTPUT, stack_folder
from constructs_lib.environment.repository import StateBucket
from operations.clients.provider_lock import LOCK_OF_A_STACK, lock_of
from operations.clients.spaces import endpoint
from operations.clients.tofu_errors import Diagnostic, explained, is_transient
from operations.clients.tofu_process import running

PROGRESS = {"apply_start", "apply_complete", "apply_errored", "change_summary"}
"""The messages that are progress (their text holds no value)."""

READ = ("TF_", "DIGITALOCEAN_API_", "DIGITALOCEAN_HTTP_", "SPACES_ENDPOINT_")
"""How the variables begin that OpenTofu and its providers may take from whoever calls us: settings, no credentials."""

Json = dict[str, Any]


class TransientError(ConfigError):
    """A failure that another try may not meet."""


class Change(NamedTuple):
    """What a plan does to one resource; `imported` says that it takes over what is there."""

    address: str
    kind: str
    actions: tuple[str, ...]
    after: Json
    imported: bool
    before: Json

    @property
    def changes(self) -> bool:
        """Whether applying does anything."""
        return self.imported or self.actions not in {("no-op",), ("read",)}


class Stack:
    """A stack's folder below `cdktf.out`, and the variables that `tofu` gets beside `PATH` and the like."""

    def __init__(
        self, name: str, state: StateBucket | None, variables: Mapping[str, str], *, output: Path = OUTPUT
    ) -> None:
        self.name, self.state, self.folder = name, state, stack_folder(output, name)
        if not (self.folder / DEFINITION).exists():
            raise ConfigError(f"{self.folder}: is not there; run make synth")
        quiet = {"TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1"}
        self._environ = {**passed_on(*READ), **NO_CHECKSUMS, **quiet, **variables}

    @property
    def definition(self) -> Json:
        """The stack's JSON."""
        return json.loads((self.folder / DEFINITION).read_bytes())

    @property
    def local_state(self) -> Path:
        """Where a run without a bucket keeps its state."""
        return self.folder / "terraform.tfstate"

    @property
    def lock_file(self) -> Path:
        """The providers that `init` chose."""
        return self.folder / LOCK_OF_A_STACK

    def plan_file(self, folder: Path) -> Path:
        """Return where the stack's plan is in a folder of plans."""
        return folder / f"{self.name}.tfplan"

    def init(self) -> None:
        """Connect to where the state is. Raises `ConfigError` if it is still in the stack's folder."""
        if self.local_state.exists():
            raise ConfigError(f"{self.local_state}: holds state; run `bin/operations state-migrate {self.name}`")
        self._use_bucket()
        self._init("-reconfigure")

    def migrate(self) -> None:
        """Move the state in the stack's folder into the bucket."""
        self._use_bucket()
        self._init("-migrate-state", "-force-copy")
        for path in self.folder.glob("terraform.tfstate*"):
            path.unlink()

    def plan(self, file: Path, *, destroy: bool = False, lock: bool = True, refresh: bool = True) -> list[Change]:
        """Write a plan, which OpenTofu encrypts, and return what it changes.

        Without `refresh` it is made of the state alone, and what the stack looks up may be gone.
        """
        ends = [*(["-destroy"] if destroy else []), *([] if refresh else ["-refresh=false"])]
        self._run("plan", f"-out={file.absolute()}", f"-lock={json.dumps(lock)}", *ends)
        shown = self._ask("show", "-json", str(file.absolute()))
        changes = (_change(item) for item in shown.get("resource_changes", []) if item["mode"] == "managed")
        return [change for change in changes if change.changes]

    def plan_without_state(self, file: Path) -> list[Change]:
        """Plan as if nothing existed: there is no bucket yet. The plan is only to be read."""
        self._use({"local": {"path": ".unused.tfstate"}})
        self._init("-reconfigure")
        return self.plan(file)

    def describe(self, file: Path) -> str:
        """Return a plan as OpenTofu prints it for people, without the values of secrets."""
        return self._output("show", "-no-color", str(file.absolute()))

    def apply(self, file: Path) -> None:
        """Apply exactly this plan."""
        self._run("apply", str(file.absolute()))

    def resources(self) -> list[Json]:
        """Return the resources in the state, with their values: they may hold secrets."""
        values = self._ask("show", "-json").get("values", {})
        return values.get("root_module", {}).get("resources", [])

    def pull(self) -> Json:
        """Return the whole state in clear text: it may hold secrets."""
        return self._ask("state", "pull")

    def push(self, state: Json) -> None:
        """Write a state that was pulled, encrypted as the stack says now. No file has it in clear text."""
        text = json.dumps({**state, "serial": state["serial"] + 1})
        with self._running("state", "push", "-", stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            _, errors = process.communicate(text)
        if process.returncode:
            raise ConfigError(explained(self.name, str(self.folder), Diagnostic(" ".join(errors.split()), "")))

    def forget(self, address: str) -> None:
        """Remove a resource from the state, and nothing else."""
        self._output("state", "rm", address)

    @contextmanager
    def imports(self, ids: Mapping[str, str]) -> Generator[None]:
        """Let plans take over what is there already: an import block for each address."""
        file = self.folder / "adopt.tf.json"
        file.write_text(json.dumps({"import": [{"to": address, "id": id_} for address, id_ in ids.items()]}))
        try:
            yield
        finally:
            file.unlink()

    def _use_bucket(self) -> None:
        """Keep the state in the bucket, whose address may not be that of its region."""
        if self.state is None:
            self._use(None)
            return
        block = {**self.definition["terraform"]["backend"]["s3"], "endpoints": {"s3": endpoint(self.state)}}
        self._use(None if endpoint(self.state) == self.state.endpoint else {"s3": block})

    def _use(self, backend: Json | None) -> None:
        """Use another backend than the stack's JSON says, or that one."""
        file = self.folder / "backend_override.tf.json"
        if backend is None:
            file.unlink(missing_ok=True)
        else:
            file.write_text(json.dumps({"terraform": {"backend": backend}}))

    @retry(
        retry=retry_if_exception_type(TransientError),
        stop=stop_after_attempt(4),
        wait=wait_exponential(max=30),
        reraise=True,
    )
    def _init(self, *options: str) -> None:
        allowed = lock_of(self.definition)
        if allowed is not None:
            self.lock_file.write_text(allowed, encoding="utf-8")
            options = (*options, "-lockfile=readonly")
        self._run("init", *options)

    def _run(self, command: str, *arguments: str) -> None:
        """Run `tofu` and relay its progress. An interrupt gives it the time to save its state."""
        with self._running(command, "-json", *arguments) as process:
            problems: list[Diagnostic] = []
            try:
                for line in process.stdout or ():
                    problems += _relay(self.name, line)
            except KeyboardInterrupt:
                say(f"{self.name}: stopping OpenTofu, which saves its state first")
                process.send_signal(signal.SIGINT)
                process.communicate()
                raise
        if process.returncode:
            raise self._failure(problems, command)

    def _failure(self, problems: list[Diagnostic], command: str) -> ConfigError:
        kind = TransientError if any(map(is_transient, problems)) else ConfigError
        sentences = [explained(self.name, str(self.folder), problem) for problem in problems]
        return kind(*sentences or [f"{self.name}: tofu {command} failed without a word; run it in {self.folder}"])

    def _ask(self, *arguments: str) -> Json:
        return json.loads(self._output(*arguments))

    def _output(self, *arguments: str) -> str:
        with self._running(*arguments, stderr=subprocess.PIPE) as process:
            printed, errors = process.communicate()
        if process.returncode:
            raise ConfigError(explained(self.name, str(self.folder), Diagnostic(" ".join(errors.split()), "")))
        return printed

    def _running(
        self, *arguments: str, stderr: int = subprocess.STDOUT, stdin: int | None = None
    ) -> AbstractContextManager[subprocess.Popen[str]]:
        return running(self.name, arguments, self.folder, self._environ, stderr, stdin)


Process = AbstractContextManager[subprocess.Popen[str]]


def _relay(name: str, line: str) -> list[Diagnostic]:
    """Print a message of OpenTofu if it is progress, and return the error in it, if it is one."""
    try:
        message = json.loads(line)
    except ValueError:
        return []
    if message.get("type") in PROGRESS and message.get("hook", {}).get("action") != "read":
        say(f"{name}: {message['@message']}")
    diagnostic = message.get("diagnostic", {})
    if diagnostic.get("severity") != "error":
        return []
    return [Diagnostic(diagnostic["summary"], diagnostic.get("detail", ""))]


def _change(item: Json) -> Change:
    change = item["change"]
    return Change(
        item["address"],
        item["type"],
        tuple(change["actions"]),
        change.get("after") or {},
        "importing" in change,
        change.get("before") or {},
    )
