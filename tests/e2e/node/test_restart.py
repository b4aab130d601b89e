"""A container restarts with a new password once its Secret has one: by the probe that the page prints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from constructs_lib.kit import Manifest, manifest
from tests.e2e.node.cluster import NodeCluster
from tests.e2e.node.conftest import require_node
from tests.e2e.node.images import APPLICATION
from tests.e2e.node.pods import RESTRICTED
from tests.restart_probe import restarting


def secret(room: str, name: str, password: str) -> Manifest:
    return manifest("v1", "Secret", name, room, stringData={"PGPASSWORD": password})


def test_a_container_restarts_with_the_new_password(node: NodeCluster, rooms: Callable[..., str]) -> None:
    require_node(APPLICATION.base)
    node.add_images(APPLICATION)
    room, said = rooms("restart"), restarting()
    (volume,) = said["volumes"]
    name = volume["secret"]["secretName"]
    (container,) = said["containers"]
    own: dict[str, Any] = {"image": APPLICATION.name, "command": ["sleep", "infinity"], "securityContext": RESTRICTED}
    spec = {**said, "containers": [{**container, **own}], "terminationGracePeriodSeconds": 1}
    node.apply(secret(room, name, "old"), manifest("v1", "Pod", "shop", room, spec=spec))
    node.await_pods(room)

    def held() -> str:
        return node.kubectl("exec", "shop", "-n", room, "--", "sh", "-c", "echo $PGPASSWORD", code=None).strip()

    def restarts() -> int:
        return int(
            node.kubectl("get", "pod", "shop", "-n", room, "-o", "jsonpath={.status.containerStatuses[0].restartCount}")
        )

    node.eventually(lambda: held() == "old", "the container has its password")
    assert restarts() == 0
    node.apply(secret(room, name, "new"))
    node.eventually(lambda: held() == "new", "the container has the new password")
    assert restarts() == 1
