"""kubectl, on one context: it applies, deletes whole kinds, and leads from here to a Service."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from threading import Timer
from typing import Any

from constructs_lib.base.errors import ConfigError, shown
from constructs_lib.base.programs import installed, passed_on, run
from constructs_lib.kit import Manifest
from operations.clients.kubernetes import kubeconfig

MANAGER = "operations-try"
SECONDS = 600.0
"""How long a call may take; those that wait are told how long by a shorter one."""
LEADS_SECONDS = 120.0
"""How long a way to a Service may take to be there."""
LISTENS = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+) ")


class Kubectl:
    """The program, with a context. Raises `ConfigError` if it is not installed."""

    def __init__(self, context: str) -> None:
        program = installed("kubectl", "`try` reaches the cluster by it; install it (kubernetes.io, Install Tools)")
        self.context, self._command = context, [program, f"--context={context}"]
        self._environ = {**passed_on("KUBERNETES_"), "KUBECONFIG": kubeconfig()}

    def __call__(self, *arguments: str, text: str | None = None, refused: str | None = None) -> str:
        """Return what it printed. What fails is a `ConfigError`, but for answers with the text `refused`."""
        command = [*self._command, *arguments]
        done = run(
            command,
            doing=f"kubectl {arguments[0]}",
            deadline=SECONDS,
            env=self._environ,
            input=text,
            text=True,
        )
        if done.returncode and (refused is None or refused not in done.stderr):
            last = (done.stderr.strip().splitlines() or ["no word"])[-1]
            raise ConfigError(
                f"context {self.context}: kubectl {' '.join(arguments[:2])}: {shown(last)}; run this again"
            )
        return done.stdout

    def apply(self, objects: Iterable[Manifest]) -> None:
        """Apply objects, whoever changed them; they go in by the standard input, for some are Secrets."""
        text = "\n---\n".join(map(json.dumps, objects))
        self("apply", "--server-side", "--force-conflicts", f"--field-manager={MANAGER}", "-f", "-", text=text)

    def found(self, *arguments: str) -> list[dict[str, Any]]:
        """Return the objects that `get` lists; none of a kind that the cluster does not know."""
        printed = self("get", *arguments, "--output=json", refused="the server doesn't have a resource type")
        return json.loads(printed)["items"] if printed.strip() else []

    def kinds(self, *, namespaced: bool) -> list[str]:
        """Return what can be listed and deleted, as `plural.group`."""
        options = ("--verbs=list,delete", f"--namespaced={str(namespaced).lower()}", "--output=name")
        return self("api-resources", *options, refused="unable to retrieve the complete list").split()

    @contextmanager
    def forwarded(self, namespace: str, service: str, port: int) -> Generator[int]:
        """Let a port of this machine lead to a Service's meanwhile, and return its number."""
        command: Sequence[str] = [*self._command, "port-forward", "-n", namespace, f"service/{service}", f":{port}"]
        how: dict[str, Any] = {"env": self._environ, "text": True, "stdin": subprocess.DEVNULL}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **how)  # noqa: S603
        timer = Timer(LEADS_SECONDS, process.kill)
        timer.start()
        try:
            match = LISTENS.match(process.stdout.readline() if process.stdout else "")
            timer.cancel()
            if match is None:
                process.kill()
                last = (process.communicate()[1].strip().splitlines() or ["no word"])[-1]
                raise ConfigError(f"context {self.context}: no way to service {service}: {shown(last)}; run this again")
            yield int(match[1])
        finally:
            timer.cancel()
            process.kill()
            process.wait()
