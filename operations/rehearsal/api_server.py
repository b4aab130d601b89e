"""A real Kubernetes API server on loopback: etcd, kube-apiserver and the controllers that need no node."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import requests
import yaml
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.programs import run
from constructs_lib.kit import Manifest

BIN = Path(__file__).parents[2] / "tools/bin"
"""Where `make tools` puts the programs."""
TOOLS = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")
COMMAND_SECONDS = 1200.0
READY_SECONDS = 300

CONTROLLERS = (
    "namespace-controller,garbage-collector-controller,clusterrole-aggregation-controller,serviceaccount-controller"
)


class ApiServer:
    """An API server that knows no node: objects are kept and checked, workloads never start."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kubeconfig = folder / "kubeconfig"
        self.token = secrets.token_hex(16)
        self._running: list[tuple[subprocess.Popen[bytes], Path]] = []
        self._etcd, self._peer, self._port, self._manager = free_ports(4)

    @property
    def ca(self) -> bytes:
        """The certificate by which the API server is known."""
        return (self.folder / "certs/apiserver.crt").read_bytes()

    @property
    def url(self) -> str:
        """The address of the API server."""
        return f"https://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "sa.key").write_bytes(_signing_key())
        (self.folder / "tokens.csv").write_text(f'{self.token},admin,admin,"system:masters"\n')
        try:
            self._start_etcd()
            self._start_api_server()
            self.write_kubeconfig(self.kubeconfig, self.token)
            self._await_ready()
            self._start_controllers()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop()

    def kubectl(self, *arguments: str, text: str | None = None, code: int | None = 0) -> str:
        """Run kubectl, with `text` as its standard input, and return what it printed.

        Raises `ConfigError` with that where the exit code is not `code`.
        """
        command = [str(BIN / "kubectl"), "--kubeconfig", str(self.kubeconfig), *arguments]
        doing = f"kubectl {' '.join(arguments[:3])}"
        result = run(command, doing=doing, deadline=COMMAND_SECONDS, input=text, text=True)
        printed = result.stdout + result.stderr
        if code is not None and result.returncode != code:
            raise ConfigError(f"{doing}: {printed.strip()}")
        return printed

    def apply(self, *items: Manifest, dry_run: bool = False, code: int | None = 0) -> str:
        """Apply objects on the server's side, strictly: an unknown field is an error."""
        mode = ["--dry-run=server"] if dry_run else []
        strict = ("--server-side", "--force-conflicts", "--validate=strict", *mode, "-f", "-")
        # One document each: in a List kubectl checks them itself, and asks for fields that the server fills in.
        text = "\n---\n".join(json.dumps(item, default=str) for item in items)
        return self.kubectl("apply", *strict, text=text, code=code)

    def list(self, *kinds: str) -> list[Manifest]:
        """Return the objects of these kinds (`kind.group`), in all namespaces."""
        return json.loads(self.kubectl("get", ",".join(kinds), "--all-namespaces", "--output=json"))["items"]

    def start(self, name: str, *arguments: str, tool: str | None = None, **variables: str) -> None:
        """Start one of the built tools as part of the cluster; it is stopped with it.

        A `tool` that is several programs is told which one by the `name` under which it is started.
        """
        environ = {"PATH": os.environ["PATH"], "HOME": str(self.folder), **variables}
        path = self.folder / f"{name}.log"
        with path.open("wb") as log:
            process = subprocess.Popen(  # noqa: S603
                [name, *arguments],
                executable=BIN / (tool or name),
                cwd=self.folder,
                env=environ,
                stdout=log,
                stderr=log,
            )
        self._running.append((process, path))

    def _start_etcd(self) -> None:
        clients, peers = f"http://127.0.0.1:{self._etcd}", f"http://127.0.0.1:{self._peer}"
        self.start(
            "etcd",
            *("--data-dir", "etcd", "--unsafe-no-fsync", "--log-level", "warn"),
            *("--listen-client-urls", clients, "--advertise-client-urls", clients),
            *("--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers),
            *("--initial-cluster", f"default={peers}"),
        )

    def _start_api_server(self) -> None:
        self.start(
            "kube-apiserver",
            *("--etcd-servers", f"http://127.0.0.1:{self._etcd}"),
            *("--bind-address", "127.0.0.1", "--advertise-address", "127.0.0.1", "--secure-port", str(self._port)),
            *("--cert-dir", "certs", "--endpoint-reconciler-type", "none", "--allow-privileged=true"),
            *("--service-cluster-ip-range", "10.0.0.0/24", "--enable-priority-and-fairness=false"),
            *("--service-account-issuer", "https://kubernetes.default.svc.cluster.local"),
            *("--service-account-key-file", "sa.key", "--service-account-signing-key-file", "sa.key"),
            *("--token-auth-file", "tokens.csv", "--authorization-mode", "RBAC"),
            *("--disable-admission-plugins", "ServiceAccount"),
        )

    def _start_controllers(self) -> None:
        self.start(
            "kube-controller-manager",
            *("--kubeconfig", str(self.kubeconfig), "--bind-address", "127.0.0.1"),
            *("--secure-port", str(self._manager), "--cert-dir", "certs", "--leader-elect=false"),
            *("--service-account-private-key-file", "sa.key", "--use-service-account-credentials=false"),
            *("--controllers", CONTROLLERS),
        )

    def write_kubeconfig(self, path: Path, token: str) -> None:
        """Write how the API server is reached by who has a token."""
        named = "test"
        cluster = {"server": self.url, "certificate-authority": str(self.folder / "certs/apiserver.crt")}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": named, "cluster": cluster}],
            "users": [{"name": named, "user": {"token": token}}],
            "contexts": [{"name": named, "context": {"cluster": named, "user": named}}],
            "current-context": named,
        }
        path.write_text(yaml.safe_dump(config))
        path.chmod(0o600)

    def _await_ready(self) -> None:
        headers = {"Authorization": f"Bearer {self.token}"}
        session = requests.Session()
        session.trust_env = False
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            self.refuse_ended()
            try:
                ca = str(self.folder / "certs/apiserver.crt")
                if session.get(f"{self.url}/readyz", headers=headers, verify=ca, timeout=1).text == "ok":
                    return
            except (requests.RequestException, OSError):
                pass
            time.sleep(0.1)
        raise ConfigError(f"kube-apiserver: is not ready after {READY_SECONDS} s; see the logs in {self.folder}")

    def refuse_ended(self) -> None:
        """Raise `ConfigError` with what it said last if one of the started programs has ended."""
        for process, log in self._running:
            if process.poll() is not None:
                said = log.read_text(errors="replace").strip().rpartition("\n")[2]
                raise ConfigError(f"{log.stem}: has ended: {said or 'it said nothing'}")

    def _stop(self) -> None:
        """The data is thrown away, so nobody waits for a graceful end."""
        for process, _ in reversed(self._running):
            process.kill()
        for process, _ in self._running:
            process.wait()


def _signing_key() -> bytes:
    """Return a key by which the tokens of accounts are signed."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


def free_ports(count: int) -> list[int]:
    """Return ports of loopback that nothing listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [item.getsockname()[1] for item in sockets]
    for item in sockets:
        item.close()
    return ports


def listens(port: int) -> bool:
    """Say whether somebody listens on a port of loopback."""
    with socket.socket() as tried:
        tried.settimeout(1)
        return tried.connect_ex(("127.0.0.1", port)) == 0
