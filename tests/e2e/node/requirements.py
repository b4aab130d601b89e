"""What a machine needs to hold a cluster of its own; run as a program it says what is missing, and fails then."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.e2e.node.groups import Group, own_name
from tests.e2e.node.network import PLUGINS

PROGRAMS = ("conntrack", "ip", "ipset", "iptables", "mmdebstrap", "nsenter", "runc", "unshare")
PACKAGES = "tools/packages installs it"
TRIAL = """
mount --make-rshared /
mount -t tmpfs none /mnt && mkdir /mnt/lower /mnt/upper /mnt/work /mnt/whole
mount -t overlay none -o lowerdir=/mnt/lower,upperdir=/mnt/upper,workdir=/mnt/work /mnt/whole
ip link add one type bridge
ip link add two type veth peer name three
ipset create four hash:ip
iptables -w -A FORWARD -m physdev --physdev-is-bridged -m set --match-set four src -m mark --mark 1/1 -j REJECT
iptables -w -t nat -A POSTROUTING -m conntrack --ctstate NEW -m statistic --mode random --probability 0.5 -j MASQUERADE
iptables -w -A FORWARD -m addrtype --dst-type LOCAL -m limit --limit 1/s -j NFLOG
echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables
"""
"""What kubelet, runc, kube-proxy and kube-router ask of the kernel, tried in namespaces that go with it."""


def why_not() -> str | None:
    """Return what this machine lacks, in a sentence; nothing if it has everything."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "a real node needs root on Linux"
    for program in PROGRAMS:
        if shutil.which(program) is None:
            return f"a real node needs {program} ({PACKAGES})"
    if not Path(PLUGINS, "bridge").exists():
        return f"a real node needs {PLUGINS}/bridge ({PACKAGES})"
    trial = ["unshare", "--net", "--mount", "--propagation", "private", "sh", "-euc", TRIAL]
    result = subprocess.run(trial, capture_output=True, text=True, timeout=60, check=False)
    if result.returncode != 0:
        return f"a real node needs more of this kernel: {result.stderr.strip()}"
    return _why_no_group()


def _why_no_group() -> str | None:
    group = Group(own_name())
    try:
        group.create()
        group.end()
    except OSError as error:
        return f"a real node needs control groups of its own: {error}"
    return None


if __name__ == "__main__":
    sys.exit(why_not())
