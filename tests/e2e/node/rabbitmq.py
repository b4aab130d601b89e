"""The images with which RabbitMQ and its operators really run, and the releases of these that Flux applies."""

from __future__ import annotations

from pathlib import Path

from constructs_lib.platform.rabbitmq_operator.cluster import IMAGE
from constructs_lib.platform.rabbitmq_operator.operators import CLUSTER_OPERATOR, TOPOLOGY_OPERATOR
from tests.e2e.cluster import BIN
from tests.e2e.node.images import Image

RABBITMQ_FILES = "rabbitmq.tar"
HOME = "/var/lib/rabbitmq"
RABBITMQ = Image(
    IMAGE,
    arguments=("rabbitmq-server",),
    base=RABBITMQ_FILES,
    path="/usr/lib/rabbitmq/lib/rabbitmq_server-4.3.6/sbin:/usr/bin",
    user=999,
    environ=(f"HOME={HOME}", "RABBITMQ_LOGS=-"),
)
"""It is as the official one (docker-library/rabbitmq 4.2 `Dockerfile`), from which the operator expects all that."""

TOOLS = {"cluster-operator": CLUSTER_OPERATOR, "messaging-topology-operator": TOPOLOGY_OPERATOR}
"""What each built program is: the cluster operator's is v2.22.1, the newest that the Go proxy serves."""

OPERATORS = tuple(
    Image(f"{operator.image}:{operator.version}", tool, files=("manager",)) for tool, operator in TOOLS.items()
)


def releases() -> dict[str, Path]:
    """Return the folder with what each operator's repository has in `config/`."""
    return {operator.repository: BIN / "releases" / tool for tool, operator in TOOLS.items()}
