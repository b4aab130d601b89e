"""Programs of the archives of tools/bin in a root folder of their own, as in a container of that image."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.cluster import BIN
from tests.e2e.node.images import LINKS

ENTER = 'mount --rbind /dev "$0/dev" && mount -t proc proc "$0/proc" && exec chroot "$0" "$@"'
"""What is mounted goes with the process (unshare(1))."""


class Root:
    """A root folder with an archive's programs, and `room`, `scripts` and other folders beside them."""

    def __init__(self, folder: Path, archive: str, path: str, scripts: Sequence[Path]) -> None:
        self.folder, self._path = folder, path
        subprocess.run(("tar", "-xf", BIN / archive, "-C", folder), check=True)
        for name, target in LINKS.items():
            if not (folder / name).exists():
                (folder / name).symlink_to(target)
        for name in ("dev", "proc", "tmp", "etc", "room", "scripts", "tls", "ca"):
            (folder / name).mkdir(exist_ok=True)
        (folder / "etc/hosts").write_text("127.0.0.1 localhost\n")
        for script in scripts:
            (folder / "scripts" / script.name).write_bytes(script.read_bytes())

    @property
    def room(self) -> Path:
        """What the steps of a job share."""
        return self.folder / "room"

    def _command(self, *words: str) -> tuple[str, ...]:
        return ("unshare", "-m", "sh", "-c", ENTER, str(self.folder), *words)

    def run(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a program to its end, and return what it printed."""
        return subprocess.run(self._command(*words), env=self._environ(environ), text=True, capture_output=True)  # noqa: PLW1510

    @contextmanager
    def running(self, *words: str, log: Path, **environ: str) -> Generator[subprocess.Popen[bytes]]:
        """Run a server, whose log goes to a file, until the end of the block."""
        with log.open("ab") as file:
            process = subprocess.Popen(self._command(*words), env=self._environ(environ), stdout=file, stderr=file)
        try:
            yield process
        finally:
            process.terminate()
            process.wait()

    def _environ(self, more: dict[str, str]) -> dict[str, str]:
        return {"PATH": f"{self._path}:/usr/bin:{os.environ['PATH']}", "LC_ALL": "C", **more}


def eventually(is_so: Callable[[], bool], what: str) -> None:
    """Wait with long patience until something is so."""
    end = time.monotonic() + 900
    while not is_so():
        assert time.monotonic() < end, f"it never came to pass that {what}"
        time.sleep(1)
