"""A real RabbitMQ with the users and permissions that are rendered: no application gets into another's vhost."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from constructs_lib.kit import Manifest
from operations.rehearsal.api_server import free_ports
from tests.e2e.amqp import Connection, RefusedError
from tests.e2e.cluster import BIN
from tests.e2e.node.rabbitmq import RABBITMQ, RABBITMQ_FILES
from tests.e2e.servers import Root, eventually
from tests.support import environment

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="a root folder of one's own needs root on Linux"),
    pytest.mark.skipif(not (BIN / RABBITMQ_FILES).exists(), reason="RabbitMQ is not built (make -C tools node)"),
]
HOME = "/tmp"  # noqa: S108 - in the root folder
VHOSTS = {"shop": "shop", "blog": "/blog", "reader": "shop"}
"""The vhost of each application: two share one, in which one of them may declare nothing."""
PASSWORD = "of-the-tests"


def rendered() -> list[Manifest]:
    """Return what is rendered for RabbitMQ where applications use one broker."""
    uses: dict[str, dict[str, Any]] = {name: {"vhost": vhost} for name, vhost in VHOSTS.items()}
    uses["reader"] |= {"configure": "^$", "write": "^$"}
    apps = {name: {"owner": "a", "uses": {"rabbitmq": {"main": one}}} for name, one in uses.items()}
    return [item for layer in environment(applications=apps).layers for item in layer.manifests]


def definitions() -> dict[str, list[dict[str, Any]]]:
    """Return what the topology operator makes of that, as a broker reads it when it starts."""
    specs = {kind: [item["spec"] for item in rendered() if item["kind"] == kind] for kind in ("Vhost", "Permission")}
    users = {f"main-{name}": name for name in VHOSTS}
    found = [(users.get(one["userReference"]["name"]), one) for one in specs["Permission"]]
    may = [{"user": user, "vhost": one["vhost"], **one["permissions"]} for user, one in found if user]
    return {
        "users": [{"name": name, "password": PASSWORD, "tags": []} for name in VHOSTS],
        "vhosts": [{"name": one["name"]} for one in specs["Vhost"]],
        "permissions": may,
    }


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a broker that began with them."""
    root = Root(tmp_path_factory.mktemp("rabbitmq"), RABBITMQ_FILES, RABBITMQ.path, ())
    port, between = free_ports(2)
    settings = f"listeners.tcp.local = 127.0.0.1:{port}\nload_definitions = {HOME}/first.json\n"
    for name, text in (("rabbitmq.conf", settings), ("first.json", json.dumps(definitions())), ("plugins", "[].")):
        (root.folder / "tmp" / name).write_text(text)
    environ = {
        "HOME": HOME,
        "RABBITMQ_NODENAME": "apart@localhost",
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_DIST_PORT": str(between),
        "RABBITMQ_MNESIA_BASE": f"{HOME}/apart",
        "RABBITMQ_CONFIG_FILE": f"{HOME}/rabbitmq.conf",
        "RABBITMQ_ENABLED_PLUGINS_FILE": f"{HOME}/plugins",
    }

    def lets_in() -> bool:
        try:
            return said(port, "shop", "shop") == ""
        except OSError:
            return False

    with root.running("rabbitmq-server", log=tmp_path_factory.mktemp("logs") / "broker.log", **environ):
        eventually(lets_in, "the broker lets an application in")
        yield port
    root.run("epmd", "-kill")  # it is started beside the broker, and stays


def said(port: int, user: str, vhost: str, queue: str = "", password: str = PASSWORD) -> str:
    """Return what the broker says to a user who enters a vhost, and declares a queue there if one is named."""
    try:
        with Connection(port, user, password, vhost) as connection:
            if queue:
                connection.declare(queue)
    except RefusedError as refused:
        return str(refused)
    return ""


def test_an_application_gets_into_its_own_vhost_alone(port: int) -> None:
    found = {(user, vhost): said(port, user, vhost) for user, vhost in product(VHOSTS, VHOSTS.values())}
    assert {way for way, answer in found.items() if not answer} == set(VHOSTS.items())
    assert all(answer.startswith("530 NOT_ALLOWED - access to vhost") for answer in found.values() if answer), found


def test_in_a_shared_vhost_each_does_what_it_may(port: int) -> None:
    assert said(port, "shop", "shop", "orders") == ""
    assert said(port, "reader", "shop", "orders").startswith("403 ACCESS_REFUSED")


def test_nobody_gets_in_with_another_password(port: int) -> None:
    assert said(port, "shop", "shop", password="guessed")
