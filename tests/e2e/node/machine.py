"""A machine of the cluster: containerd, kubelet, kube-proxy, and the engine that enforces network policies."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from constructs_lib.kit import POOL_LABEL, ROLE_LABEL, SYSTEM_ROLE, SYSTEM_TAINT, WORKLOAD_ROLE
from tests.e2e.cluster import BIN
from tests.e2e.node import network
from tests.e2e.node.daemons import Daemons
from tests.e2e.node.groups import Group
from tests.e2e.node.images import PROBE
from tests.e2e.node.namespaces import Namespaces
from tests.e2e.node.pki import Authority

TOOLS = ("containerd", "containerd-shim-runc-v2", "ctr", "kubelet", "kube-proxy", "kube-router")
SOCKET = "/run/containerd/containerd.sock"
CONTAINERD = f"""
version = 3
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.nri.v1.nri"]
[grpc]
address = "{SOCKET}"
[plugins.'io.containerd.internal.v1.opt']
path = "/var/lib/containerd/opt"
[plugins.'io.containerd.cri.v1.images']
snapshotter = "overlayfs"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = "{PROBE.name}"
[plugins.'io.containerd.cri.v1.runtime']
disable_apparmor = true
restrict_oom_score_adj = true
[plugins.'io.containerd.cri.v1.runtime'.containerd]
default_runtime_name = "runc"
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
BinaryName = "{{runc}}"
SystemdCgroup = false
[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = ["{network.PLUGINS}"]
conf_dir = "{{plugins}}"
"""
"""Machines of tests may not lower a process' OOM score, which `restrict_oom_score_adj` allows for."""


@dataclass(frozen=True)
class Pool:
    """What DigitalOcean gives the machines of a node pool."""

    name: str
    taints: tuple[Mapping[str, str], ...] = ()
    labels: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def all_labels(self) -> dict[str, str]:
        """The labels of this project, and those of DigitalOcean's own that people rely on."""
        return {
            POOL_LABEL: self.name,
            ROLE_LABEL: self.name,
            "doks.digitalocean.com/node-pool": self.name,
            "node.kubernetes.io/instance-type": "s-2vcpu-4gb",
            "topology.kubernetes.io/region": "lon1",
            **self.labels,
        }


SYSTEM = Pool(SYSTEM_ROLE, (SYSTEM_TAINT,))
WORKLOAD = Pool(WORKLOAD_ROLE)


class Machine:
    """One machine, in namespaces of its own."""

    def __init__(self, folder: Path, group: Group, number: int, pool: Pool) -> None:
        self.name = f"{pool.name}-{number}"
        self.pool = pool
        self.folder = folder / self.name
        self.folder.mkdir()
        self.number = number
        self.address = network.address(number)
        self.place = Namespaces(self.folder, group)
        self._group = group
        self.daemons = Daemons(self.place, group)

    def connect(self, middle: Namespaces, count: int) -> None:
        """Make the namespaces and connect them."""
        self.place.hold(filtered=True)
        network.connect(middle, self.place, self.number, count)

    def start_containers(self) -> None:
        """Start containerd."""
        config = self.folder / "containerd.toml"
        plugins = self.folder / "plugins"
        plugins.mkdir()
        (plugins / "pods.conflist").write_text(network.plugins(self.number))
        config.write_text(CONTAINERD.format(runc=shutil.which("runc"), plugins=plugins))
        self.daemons.start("containerd", "--config", str(config))

    @property
    def has_containers(self) -> bool:
        """Whether containerd listens."""
        return (self.folder / SOCKET.removeprefix("/")).exists()

    def start_kubelet(self, authority: Authority, server: str) -> None:
        """Start the kubelet, which adds the machine to the cluster."""
        authority.issue(self.name, f"system:node:{self.name}", "system:nodes", addresses=[self.address])
        config = self._write("kubelet", _kubelet(self, authority))
        labels = ",".join(f"{key}={value}" for key, value in self.pool.all_labels.items())
        self.daemons.start(
            "kubelet",
            *("--config", str(config), "--kubeconfig", str(authority.kubeconfig(self.name, server))),
            *("--root-dir", "/var/lib/kubelet", "--hostname-override", self.name, "--node-ip", self.address),
            *("--node-labels", labels),
        )

    def start_network(self, authority: Authority) -> None:
        """Start what makes Services and network policies true, once the machine is part of the cluster."""
        self.daemons.start("kube-proxy", "--config", str(self._write("kube-proxy", _proxy(self, authority))))
        self.daemons.start(
            "kube-router",
            *("--kubeconfig", str(authority.folder / "admin.conf"), "--hostname-override", self.name),
            *("--run-router=false", "--run-service-proxy=false", "--run-firewall=true"),
            *("--service-cluster-ip-range", network.SERVICES, "--iptables-sync-period", "1m"),
        )

    def lose(self) -> None:
        """End the machine for good and at once, as without power: what runs pods, and each of their processes."""
        self.daemons.kill()
        self._group.kill(self.name)

    def add_images(self, archive: Path) -> None:
        """Put the images of an archive into containerd's store."""
        self.place.run(str(BIN / "ctr"), "--namespace", "k8s.io", "images", "import", str(archive))

    def _write(self, name: str, settings: dict[str, Any]) -> Path:
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(settings))
        return path

    def cgroup(self) -> str:
        """Return the name of the control group under which the kubelet puts pods."""
        return self._group.child(self.name)


def _kubelet(machine: Machine, authority: Authority) -> dict[str, Any]:
    pki = authority.folder
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": machine.address,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(authority.certificate)},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(pki / f"{machine.name}.crt"),
        "tlsPrivateKeyFile": str(pki / f"{machine.name}.key"),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{machine.cgroup()}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "clusterDNS": [network.DNS],
        "clusterDomain": "cluster.local",
        "resolvConf": str(machine.folder / "resolv.conf"),
        "containerRuntimeEndpoint": f"unix://{SOCKET}",
        "volumePluginDir": "/var/lib/kubelet/volume-plugins",
        "registerWithTaints": [dict(taint) for taint in machine.pool.taints],
        "serializeImagePulls": False,
        # Changed Secrets reach the folders of pods sooner than within a minute and a half.
        "syncFrequency": "10s",
        # A machine that is gone shows within half a minute instead of a whole one.
        "nodeLeaseDurationSeconds": 20,
        "nodeStatusUpdateFrequency": "5s",
        "evictionHard": {"memory.available": "100Mi"},
        "imageGCHighThresholdPercent": 100,
    }


def _proxy(machine: Machine, authority: Authority) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(authority.folder / "kube-proxy.conf")},
        "clusterCIDR": network.PODS,
        "mode": "iptables",
        "hostnameOverride": machine.name,
        # The limits of the whole machine are not ours to change.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }
