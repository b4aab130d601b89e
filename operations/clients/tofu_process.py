"""A run of OpenTofu, which ends in any case: by itself, interrupted so that it saves its state, or by force."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Event, Timer

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.programs import installed

DEADLINES = {"init": 600, "plan": 1200, "apply": 4500}
OTHERS = 300
"""Seconds that a command may take. Providers give a cluster or a pool half an hour each, jobs an hour and a half."""

GRACE = 300
"""Seconds from the interrupt, after which the state is saved, to the end by force."""


@contextmanager
def running(  # noqa: PLR0913, PLR0917 - what a process is started with
    stack: str,
    arguments: Sequence[str],
    folder: Path,
    environ: Mapping[str, str],
    stderr: int,
    stdin: int | None = None,
) -> Generator[subprocess.Popen[str]]:
    """Run `tofu` in a folder until it ends. Raises `ConfigError` if it had to be stopped since that took too long."""
    seconds, late = DEADLINES.get(arguments[0], OTHERS), Event()
    with ExitStack() as timers, _started(arguments, folder, environ, stderr, stdin) as process:
        for after, end in ((seconds, _interrupt), (seconds + GRACE, _kill)):
            timer = Timer(after, end, (process, late))
            timer.start()
            timers.callback(timer.cancel)
        yield process
        process.wait()
    if late.is_set() and process.returncode:
        raise ConfigError(
            f"{stack}: tofu {arguments[0]} did not end within {seconds // 60:.0f} min and was stopped; see which "
            "server does not answer, and run this again"
        )


def _started(
    arguments: Sequence[str], folder: Path, environ: Mapping[str, str], stderr: int, stdin: int | None
) -> subprocess.Popen[str]:
    tofu = installed("tofu", "install OpenTofu 1.11 or newer")
    return subprocess.Popen(  # noqa: S603
        [tofu, *arguments],
        cwd=folder,
        env=environ,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        # A terminal's Ctrl-C must reach OpenTofu once: a second one makes it drop its state.
        start_new_session=True,
    )


def _interrupt(process: subprocess.Popen[str], late: Event) -> None:
    """Ask `tofu` to save its state and end."""
    late.set()
    process.send_signal(signal.SIGINT)


def _kill(process: subprocess.Popen[str], _late: Event) -> None:
    """End `tofu` and its providers."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
