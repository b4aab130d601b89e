"""Network and mount namespaces, each held by one process and gone with its last one."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from tests.e2e.node.groups import Group

T = TypeVar("T")
CLONE_NEWNET = 0x40000000
"""The number by which setns(2) knows a network namespace."""

PRIVATE = {"varlib": "/var/lib", "varlog": "/var/log", "run": "/run"}
"""Folders of its own that each namespace has."""

KERNEL = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}
"""What a kubelet sets in the whole machine's kernel unless it is so (v1.37 `pkg/kubelet/cm`): files hide it."""

HOLD = """
mount --make-rshared /
{mounts}
ip link set lo up
for key in {sysctls}; do echo "${{key#*=}}" > "/proc/sys/net/${{key%%=*}}"; done
echo held
exec sleep infinity
"""

SYSCTLS = (
    "ipv4/ip_forward=1",
    "ipv4/conf/all/rp_filter=0",
    "ipv4/conf/default/rp_filter=0",
    "bridge/bridge-nf-call-iptables={filtered}",
)


class Namespaces:
    """One network namespace and one mount namespace, in which commands and daemons run."""

    def __init__(self, folder: Path, group: Group) -> None:
        self.folder = folder
        self._group = group
        self._holder: subprocess.Popen[str] | None = None

    @property
    def process(self) -> int:
        """The id of the process that holds the namespaces."""
        assert self._holder is not None, f"nobody holds the namespaces of {self.folder}"
        return self._holder.pid

    def hold(self, *, filtered: bool) -> None:
        """Make the namespaces; `filtered` is whether the kernel's rules see what passes a bridge."""
        script = HOLD.format(
            mounts="\n".join(f"mount --bind {source} {target}" for source, target in self._mounts()),
            sysctls=" ".join(SYSCTLS).format(filtered=int(filtered)),
        )
        unshare = ["unshare", "--net", "--mount", "--propagation", "private", "sh", "-euc", script]
        with (self.folder / "holder.log").open("wb") as log:
            self._holder = subprocess.Popen(unshare, stdout=subprocess.PIPE, stderr=log, text=True)
        self._group.add(self._holder.pid)
        assert self._holder.stdout is not None
        held = self._holder.stdout.readline()
        assert held == "held\n", (self.folder / "holder.log").read_text()

    def inside(self, *command: str) -> list[str]:
        """Return the command that runs `command` in the namespaces, and in their folder."""
        enter = ["nsenter", f"--target={self.process}", "--net", "--mount", "--"]
        return [*enter, "env", f"--chdir={self.folder}", *command]

    def run(self, *command: str) -> str:
        """Run a command in the namespaces and return what it printed."""
        result = subprocess.run(self.inside(*command), capture_output=True, text=True, timeout=120, check=False)
        assert result.returncode == 0, f"{' '.join(command)}: {result.stdout}{result.stderr}"
        return result.stdout

    def call(self, function: Callable[[], T]) -> T:
        """Call a function in a thread of the network namespace; sockets that it makes stay there."""

        def inside() -> T:
            self.enter()
            return function()

        with ThreadPoolExecutor(1) as threads:
            return threads.submit(inside).result()

    def enter(self) -> None:
        """Let this thread, and no other, go into the network namespace for good."""
        libc = ctypes.CDLL(None, use_errno=True)
        with Path(f"/proc/{self.process}/ns/net").open("rb") as namespace:
            assert libc.setns(namespace.fileno(), CLONE_NEWNET) == 0, ctypes.get_errno()

    def ip(self, line: str) -> None:
        """Run `ip` with the words of a line."""
        self.run("ip", *line.split())

    def _mounts(self) -> list[tuple[Path, str]]:
        made: list[tuple[Path, str]] = []
        for name, target in PRIVATE.items():
            (self.folder / name).mkdir(parents=True)
            made.append((self.folder / name, target))
        for key, value in KERNEL.items():
            file = self.folder / f"kernel-{Path(key).name}"
            file.write_text(f"{value}\n")
            made.append((file, f"/proc/sys/{key}"))
        nobody = self.folder / "resolv.conf"
        nobody.write_text("nameserver 127.0.0.1\n")  # so that an image that is not here fails at once
        made.append((nobody, "/etc/resolv.conf"))
        return made
