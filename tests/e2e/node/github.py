"""GitHub in the world of a cluster: one repository by SSH for who holds its key, others by HTTPS (`internet`)."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

from constructs_lib.environment import Environment
from operations.secrets.entries import new_deploy_key, public_half
from tests.e2e.node import network, upstream
from tests.e2e.node.cluster import NodeCluster
from tests.e2e.node.internet import GITHUB

SERVER = "dropbear"
"""The SSH server of Debian's package dropbear-bin, which brings no service."""

SERVE = """#!/bin/sh
# A deploy key that only reads: of all that a client may ask for, this.
[ "$SSH_ORIGINAL_COMMAND" = "git-upload-pack '{path}'" ] || exit 128
exec git-upload-pack {repository}
"""


def serve_by_https(sites: Path, url: str, commit: str) -> bool:
    """Serve a commit of upstream's repository at its address; return whether it is at hand."""
    found = upstream.repository(url, commit)
    if found is None:
        return False
    place = sites / str(urlsplit(url).hostname) / urlsplit(url).path.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(found)
    return True


def serve_by_ssh(cluster: NodeCluster, env: Environment, repository: Path) -> dict[str, str]:
    """Serve the environment's repository, and return what the Secret of a source needs to read it."""
    folder = cluster.folder / "github"
    (folder / ".ssh").mkdir(mode=0o700, parents=True)
    key = new_deploy_key()
    script = folder / "serve"
    script.write_text(SERVE.format(path=urlsplit(env.gitops.ssh_url).path, repository=repository))
    script.chmod(0o700)
    allowed = folder / ".ssh" / "authorized_keys"
    allowed.write_text(f'command="{script}" {public_half(key, "of a test")}\n')
    allowed.chmod(0o600)
    host_key = cluster.middle.run("dropbearkey", "-t", "ed25519", "-f", str(folder / "host"))
    (known,) = (line for line in host_key.splitlines() if line.startswith("ssh-ed25519 "))
    _add_user(cluster, folder)
    listen = ("-p", f"{network.INTERNET}:22", "-r", str(folder / "host"))
    cluster.daemons.start(SERVER, "-F", "-E", "-s", "-j", "-k", *listen, program=SERVER)
    return {"identity": key, "known_hosts": f"{GITHUB} {' '.join(known.split()[:2])}\n"}


def _add_user(cluster: NodeCluster, home: Path) -> None:
    """Let the server know the user of GitHub's addresses, who owns what the tests made."""
    users = home / "passwd"
    users.write_text(f"{Path('/etc/passwd').read_text()}git:*:{os.getuid()}:{os.getgid()}::{home}:/bin/sh\n")
    cluster.middle.run("mount", "--bind", str(users), "/etc/passwd")
