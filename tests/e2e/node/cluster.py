"""A cluster with machines: the control plane in the middle, machines around it, and what DigitalOcean would add."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

from tests.e2e.cluster import BIN, Cluster
from tests.e2e.node import dns, machine, network, upstream, volumes
from tests.e2e.node.daemons import Daemons
from tests.e2e.node.groups import Group, end_left, own_name
from tests.e2e.node.images import COREDNS, PROBE, Image, write
from tests.e2e.node.machine import SYSTEM, WORKLOAD, Machine, Pool
from tests.e2e.node.namespaces import Namespaces
from tests.e2e.node.pki import Authority
from tests.support import ROOT

T = TypeVar("T")
TOOLS = (
    *("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"),
    *machine.TOOLS,
    *("coredns", "probe"),
)
NAMES = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
ISSUER = "https://kubernetes.default.svc.cluster.local"
PATIENCE = 1800.0
"""How many seconds a test waits for what has to come: no machine is that slow."""

BUSY = "Unable to connect to the server: net/http: TLS handshake timeout"
"""What kubectl says after ten seconds on a busy machine, before it asked for anything."""


class NodeCluster(Cluster):
    """An API server with machines on which pods run; the world has `hosts`, and knows the names of `zone`."""

    def __init__(
        self,
        folder: Path,
        pools: Sequence[Pool] = (SYSTEM, WORKLOAD),
        *,
        hosts: Mapping[str, str] | None = None,
        zone: str = "",
    ) -> None:
        super().__init__(folder)
        self._hosts, self._zone = hosts or {}, zone
        folder.mkdir(parents=True, exist_ok=True)
        self.took: dict[str, float] = {}
        self.upstream: set[str] = set()
        self.group = Group(own_name())
        self.middle = Namespaces(folder, self.group)
        self.daemons = Daemons(self.middle, self.group)
        self.authority = Authority(folder / "pki")
        self.public = Authority(folder / "public")
        self.kubeconfig = self.authority.folder / "admin.conf"
        self._started = time.monotonic()
        self.machines = {
            item.name: item for item in (Machine(folder, self.group, n, pool) for n, pool in enumerate(pools, start=1))
        }

    @property
    def ca(self) -> bytes:
        """The certificate of the authority by which the API server is known."""
        return self.authority.certificate.read_bytes()

    @property
    def url(self) -> str:
        """The address of the API server, in the cluster's own network."""
        return f"https://{network.CONTROL_PLANE}:6443"

    def __enter__(self) -> Self:
        end_left()
        self.group.create()
        self.group.child("daemons")
        try:
            self._start_control_plane()
            self._start_machines()
            self._add_services()
        except BaseException:
            self._stop()
            raise
        return self

    def kubectl(self, *arguments: str, text: str | None = None, code: int | None = 0) -> str:
        """Run kubectl, with `text` as its standard input, and return what it printed; the exit code must be `code`."""
        # Each cluster has this address, so that none may believe what another served.
        own = ("--kubeconfig", str(self.kubeconfig), "--cache-dir", str(self.folder / "kubectl"))
        command = self.middle.inside(str(BIN / "kubectl"), *own, *arguments)
        printed, returned = "", None
        for _ in range(10):
            result = subprocess.run(
                command, input=text, capture_output=True, text=True, timeout=PATIENCE + 60, check=False
            )
            printed, returned = result.stdout + result.stderr, result.returncode
            if BUSY not in printed:
                break
        assert code is None or returned == code, printed
        return printed

    def start(self, name: str, *arguments: str, tool: str | None = None, **variables: str) -> None:
        """Start one of the built tools beside the control plane; it is stopped with the cluster."""
        self.daemons.start(name, *arguments, program=BIN / (tool or name), **variables)

    def add_images(self, *images: Image) -> None:
        """Put images into the store of every machine: upstream's own where they are at hand."""
        archive = self.folder / "images.tar"
        found = {image.name: upstream.fetched(image.name) for image in images}
        self.upstream |= {name for name, image in found.items() if image}
        write(archive, (found[image.name] or image for image in images), self.public.certificate.read_bytes())
        for item in self.machines.values():
            item.add_images(archive)
        archive.unlink()

    def is_ready(self, name: str) -> bool:
        """Whether the API server calls a machine Ready."""
        conditions = (self.get("node", name) or {}).get("status", {}).get("conditions", ())
        return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)

    def said(self, namespace: str, pod: str) -> list[str]:
        """Return the lines of a pod's log."""
        return self.kubectl("logs", pod, "--namespace", namespace).splitlines()

    def probe(self, namespace: str, pod: str, *arguments: str, code: int | None = 0) -> str:
        """Run the probe in a pod and return what it printed."""
        return self.kubectl("exec", "--namespace", namespace, pod, "--", "/probe", *arguments, code=code)

    def reaches(self, namespace: str, pod: str, *targets: str) -> dict[str, bool]:
        """Return for each target (`tcp:host:port`) whether a pod can talk to it."""
        lines = self.probe(namespace, pod, "connect", *targets, code=None).splitlines()
        said = {line.split()[1]: line.startswith("open ") for line in lines if line.startswith(("open ", "closed "))}
        assert set(said) == set(targets), lines
        return said

    def from_machine(self, namespace: str, pod: str, use: Callable[[str], T]) -> T:
        """Call a function with a pod's address from its machine, to which it answers whatever policies say."""
        found = self.get("pod", pod, namespace)
        assert found is not None, f"no pod {pod} in {namespace}"
        place = self.machines[found["spec"]["nodeName"]].place
        return place.call(partial(use, found["status"]["podIP"]))

    def await_pods(self, namespace: str) -> None:
        """Wait until every pod of a namespace is Ready."""
        self.kubectl("wait", "pod", "--all", "-n", namespace, "--for=condition=Ready", f"--timeout={PATIENCE:.0f}s")

    def eventually(self, holds: Callable[[], bool], what: str) -> float:
        """Wait until `holds`, and return the seconds that it took; the test fails if a daemon stops meanwhile."""
        start = time.monotonic()
        while not holds():
            failures = [line for item in (self, *self.machines.values()) for line in item.daemons.failures()]
            assert not failures, "\n".join(failures)
            assert time.monotonic() - start < PATIENCE, f"not after {PATIENCE:.0f} s: {what}; logs in {self.folder}"
            time.sleep(0.2)
        return time.monotonic() - start

    def _start_control_plane(self) -> None:
        self.middle.hold(filtered=False)
        network.switch(self.middle)
        addresses = [network.CONTROL_PLANE, network.FIRST_SERVICE, "127.0.0.1"]
        self.authority.issue("kube-apiserver", "kube-apiserver", names=NAMES, addresses=addresses)
        self.authority.issue("admin", "admin", "system:masters")
        self.authority.issue("front-proxy", "front-proxy")
        for name in ("kube-controller-manager", "kube-scheduler", "kube-proxy"):
            self.authority.issue(name, f"system:{name}")
            self.authority.kubeconfig(name, self.url)
        self.authority.kubeconfig("admin", self.url)
        self._start_etcd()
        self._start_api_server()
        self._say("API server answers", lambda: self.kubectl("get", "--raw=/readyz", code=None) == "ok")
        self._start_controllers()
        conf = str(self.authority.folder / "kube-scheduler.conf")
        self.start("kube-scheduler", "--kubeconfig", conf, "--bind-address=127.0.0.1", "--leader-elect=false")

    def _start_api_server(self) -> None:
        private, public = self.authority.service_account_key()
        self.start(
            "kube-apiserver",
            *("--etcd-servers", f"http://127.0.0.1:{self._etcd}"),
            *("--bind-address", network.CONTROL_PLANE, "--advertise-address", network.CONTROL_PLANE),
            *self._certificates(
                tls_cert_file="kube-apiserver.crt",
                tls_private_key_file="kube-apiserver.key",
                client_ca_file="ca.crt",
                kubelet_certificate_authority="ca.crt",
                kubelet_client_certificate="admin.crt",
                kubelet_client_key="admin.key",
                requestheader_client_ca_file="ca.crt",
                proxy_client_cert_file="front-proxy.crt",
                proxy_client_key_file="front-proxy.key",
            ),
            *("--requestheader-allowed-names=front-proxy", "--requestheader-username-headers=X-Remote-User"),
            *("--requestheader-group-headers=X-Remote-Group", "--requestheader-extra-headers-prefix=X-Remote-Extra-"),
            *("--kubelet-preferred-address-types=InternalIP", "--service-cluster-ip-range", network.SERVICES),
            *("--service-account-issuer", ISSUER, "--service-account-key-file", str(public)),
            *("--service-account-signing-key-file", str(private), "--authorization-mode=Node,RBAC"),
            *("--enable-admission-plugins=NodeRestriction", "--allow-privileged=true"),
            # It is no pod, and kube-proxy does not run beside it: it calls webhooks by the addresses of their pods.
            "--enable-aggregator-routing=true",
        )

    def _start_controllers(self) -> None:
        self.start(
            "kube-controller-manager",
            *("--kubeconfig", str(self.authority.folder / "kube-controller-manager.conf")),
            *("--bind-address=127.0.0.1", "--leader-elect=false", "--use-service-account-credentials=true"),
            *self._certificates(
                service_account_private_key_file="sa.key",
                root_ca_file="ca.crt",
                cluster_signing_cert_file="ca.crt",
                cluster_signing_key_file="ca.key",
            ),
            *("--node-monitor-period=2s", "--node-monitor-grace-period=20s"),
            *("--flex-volume-plugin-dir", str(self.folder / "volume-plugins")),
        )

    def _certificates(self, **files: str) -> list[str]:
        return [f"--{option.replace('_', '-')}={self.authority.folder / file}" for option, file in files.items()]

    def _start_machines(self) -> None:
        machines = self.machines.values()
        for item in machines:
            item.connect(self.middle, len(machines))
            item.start_containers()
        self.eventually(lambda: all(item.has_containers for item in machines), "containerd listens")
        for item in machines:
            item.start_kubelet(self.authority, self.url)
        self.add_images(PROBE, COREDNS)
        self._say("machines are in the cluster", lambda: all(self.get("node", name) for name in self.machines))
        for item in machines:
            item.start_network(self.authority)
        self._say("machines are Ready", lambda: all(self.is_ready(name) for name in self.machines))

    def _add_services(self) -> None:
        self.apply(*volumes.CLASSES, *dns.objects(self._hosts, self._zone))
        module = (
            "-m",
            "tests.e2e.node.digitalocean",
            self.url,
            str(self.authority.folder),
            str(self.folder / "volumes"),
        )
        self.daemons.start("digitalocean", *module, program=sys.executable, PYTHONPATH=str(ROOT))
        outside = (f"tcp:{address}:80" for address in (network.METADATA, network.INTERNET))
        self.daemons.start("outside", "serve", *outside, program=BIN / "probe")
        ready = ("wait", "deployment/coredns", "-n", "kube-system", "--for=condition=Available", "--timeout=60s")
        self._say("DNS answers", lambda: "condition met" in self.kubectl(*ready, code=None))

    def _say(self, what: str, holds: Callable[[], bool]) -> None:
        self.eventually(holds, what)
        self.took[what] = time.monotonic() - self._started

    def _stop(self) -> None:
        """The logs stay; the data is thrown away, so nobody waits for a graceful end."""
        self.group.end()
        for folder in ("etcd", "volumes", *(f"{name}/varlib" for name in self.machines)):
            shutil.rmtree(self.folder / folder, ignore_errors=True)
