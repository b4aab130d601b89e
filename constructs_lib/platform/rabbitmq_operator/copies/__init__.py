"""Copies of what applications declared in a broker: queues, exchanges and bindings. Messages are not in them.

Vhosts, users and policies come from the environment's file. What makes a copy logs in as a user that may look, and has
no right to any queue; a drill imports the copy into a broker that nobody reaches.
Upstream: rabbitmq/rabbitmq-server v4.2 `deps/rabbitmq_management/priv/www/api/index.html`, rabbitmqctl(8).
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from constructs_lib.kit import Manifest, ca_volume, resources
from constructs_lib.platform import recovery
from constructs_lib.platform.rabbitmq_operator.cluster import IMAGE
from constructs_lib.platform.rabbitmq_operator.settings import (
    BACKUPS,
    MANAGEMENT_PORT,
    NAMESPACE,
    RabbitmqCluster,
    administrator_secret,
)

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

PROGRAMS = tuple(Path(__file__).parent / name for name in ("definitions.py", "drill.sh"))
ROOM = "1Gi"
"""What definitions and a broker without messages need at most."""


def copied(env: Environment, cluster: RabbitmqCluster) -> recovery.Copied:
    """Return the copies of a broker."""
    check = [{"name": "PLUGINS", "value": ",".join(cluster.plugins)}]
    size = resources(cluster.cpu, cluster.memory)
    words = shlex.split(cluster.recovery.check)
    rehearsed = (
        recovery.step("broker", IMAGE, "sh", "/scripts/drill.sh", *words, environ=check, size=size),
        recovery.step("compare", recovery.IMAGE, *_does("compare"), environ=[], size=recovery.SIZE),
    )
    return recovery.Copied(
        service="rabbitmq",
        namespace=NAMESPACE,
        name=cluster.name,
        archive=f"{cluster.name}-{env.cluster.generation}",
        recovery=cluster.recovery,
        origin=cluster.recover_from,
        room=ROOM,
        made=(_asks(cluster, "look", cluster.secret_of(BACKUPS)),),
        rehearsed=rehearsed,
        recovered=(_asks(cluster, "declare", administrator_secret(cluster.name)),),
        sees={"ca": {"secret": ca_volume(cluster.certificate)}},
    )


def _does(what: str) -> tuple[str, ...]:
    return ("python3", "/scripts/definitions.py", what)


def _asks(cluster: RabbitmqCluster, what: str, secret: str) -> Manifest:
    """Return the step that asks the broker, with the credentials in a Secret."""
    environ: list[Manifest] = [{"name": "BROKER", "value": f"https://{cluster.host}:{MANAGEMENT_PORT}"}]
    for name, key in (("NAME", "username"), ("PASSWORD", "password")):
        environ.append({"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}})
    return recovery.step(what, recovery.IMAGE, *_does(what), environ=environ, size=recovery.SIZE, sees=("ca",))
