"""The images with which CloudNativePG and its Barman plugin really run."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from typing import TYPE_CHECKING

from constructs_lib.kit import Manifest
from constructs_lib.platform.cloudnative_pg import drill
from constructs_lib.platform.cloudnative_pg.settings import IMAGE, NAMESPACE
from tests.e2e.node.images import Image

if TYPE_CHECKING:
    from tests.e2e.node.cluster import NodeCluster

POSTGRES_FILES, BARMAN_FILES, POOLER_FILES = "postgres.tar", "barman.tar", "pgbouncer.tar"
PATH = "/usr/lib/postgresql/18/bin:/usr/bin:/usr/sbin"
USER = 26
"""As whom CloudNativePG starts Postgres (v1.30.0 `pkg/specs/pods.go`)."""

POSTGRES = Image(IMAGE.partition("@")[0], base=POSTGRES_FILES, path=PATH, user=USER)
"""Without the digest of the published image, which this one cannot have."""
POOLER = Image(
    "ghcr.io/cloudnative-pg/pgbouncer:1.25.1",
    base=POOLER_FILES,
    user=998,
    links=(("usr/bin/pgbouncer", "../sbin/pgbouncer"),),
)
"""The operator names it, runs it as this user and starts the program there (v1.30.0 `pkg/versions/versions.go`,
`pkg/specs/pgbouncer/deployments.go`, `internal/cmd/manager/pgbouncer/run/cmd.go`)."""

DRILL = Image(drill.IMAGE, "plugin-barman-cloud", files=("manager",), base=BARMAN_FILES, path=PATH, user=USER)
"""What reads the bucket in a drill: the plugin's part, by the name that it has in a release."""

SIDECAR = "SIDECAR_IMAGE"
MANAGER = ("manager", "operator/manager_amd64")
"""Where the operator's program is, and where it looks for those that it hands to instances (v1.30.0 `Dockerfile`)."""


def operands(items: list[Manifest]) -> Iterator[Image]:
    """Yield the image of the plugin's part beside Postgres, which a ConfigMap or a Secret of the plugin names."""
    for item in items:
        named = (item.get("data") or {}).get(SIDECAR)
        if named:
            name = b64decode(named).decode() if item["kind"] == "Secret" else named
            yield Image(name, "plugin-barman-cloud", files=("manager",), base=BARMAN_FILES, path=PATH, user=USER)


def superuser(cluster: NodeCluster, primary: str, command: str) -> str:
    """Run an SQL command inside the primary, and return what it printed."""
    inside = ("exec", primary, "-n", NAMESPACE, "-c", "postgres", "--", "psql", "-XAtqc")
    return cluster.kubectl(*inside, command).strip()


def switched(cluster: NodeCluster, primary: str) -> str:
    """Let Postgres begin a new file of its log, and return the key by which the bucket gets the one that is full."""
    name = superuser(cluster, primary, "select pg_walfile_name(pg_switch_wal())")
    return f"postgres/{primary}/wals/{name[:16]}/{name}.gz"
