"""Which programs are asked in a rehearsal; tests/e2e/test_webhooks.py asks the real ones."""

from __future__ import annotations

import base64
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from constructs_lib.base.errors import ConfigError
from constructs_lib.kit import Manifest
from operations.rehearsal import webhooks
from operations.rehearsal.webhooks import PROGRAMS, Program, ask, brought


class Server:
    """Stands for an API server: it takes what is applied, and what is started listens or ends."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.ended = folder, False
        self.applied: list[Manifest] = []
        self.started: dict[str, tuple[Any, ...]] = {}
        self.listening: list[socket.socket] = []
        self.token = ""

    def start(self, name: str, *arguments: str, tool: str, **variables: str) -> None:
        self.started[name] = (arguments, tool, variables)
        if not self.ended:
            port = re.search(r"port=(\d+)", " ".join(arguments))
            self.listening.append(socket.create_server(("127.0.0.1", int(port[1]) if port else FIXED)))

    def apply(self, *items: Manifest) -> str:
        self.applied += items
        return ""

    def kubectl(self, *arguments: str) -> str:
        return f"{' '.join(arguments)}\n"

    def write_kubeconfig(self, path: Path, token: str) -> None:
        self.token = token

    def refuse_ended(self) -> None:
        if self.ended:
            raise ConfigError("one: has ended")


with socket.create_server(("127.0.0.1", 0)) as free:
    FIXED = free.getsockname()[1]
ONE = Program("one", frozenset({"one.io", "more.one.io"}), "serve --port={port} --certs={certs}", name="one-webhook")
TWO = Program("two", frozenset({"two.io"}), "--anywhere", ("came/*.yaml",), fixed=FIXED)
THREE = Program("three", frozenset({"three.io"}), "--port={port}")


def configuration(*groups: tuple[str, ...], kind: str = "ValidatingWebhookConfiguration") -> Manifest:
    hooks = [
        {
            "name": f"{'-'.join(held)}.example.org",
            "failurePolicy": "Fail",
            "rules": [{"apiGroups": [group]} for group in held],
            "clientConfig": {"service": {"name": "x", "namespace": "y", "path": f"/{held[0]}"}, "caBundle": "eA=="},
        }
        for held in groups
    ]
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "x", "annotations": {"a": "b"}}, "webhooks": hooks}


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """An API server beside programs of which two are built."""
    monkeypatch.setattr(webhooks, "BIN", tmp_path / "bin")
    monkeypatch.setattr(webhooks, "PROGRAMS", (ONE, TWO, THREE))
    (tmp_path / "bin/came").mkdir(parents=True)
    for name in ("one", "two"):
        (tmp_path / "bin" / name).touch()
    (tmp_path / "cluster").mkdir()
    made = Server(tmp_path / "cluster")
    yield made
    for item in made.listening:
        item.close()


def test_a_built_program_is_asked_where_it_listens_and_nobody_else_is(server: Server) -> None:
    held = configuration(("one.io", "more.one.io"), ("two.io",), ("three.io",), ("one.io", "two.io"), ("*",))
    assert ask(server, [held, configuration(("three.io",)), {"kind": "Deployment"}]) == ("one", "two")  # pyright: ignore
    (arguments, tool, variables) = server.started["one-webhook"]
    assert (tool, arguments[0], arguments[2]) == ("one", "serve", f"--certs={server.folder}/webhooks")
    assert variables["KUBECONFIG"] == str(server.folder / "reader")
    assert server.token == "create token webhooks -n flux-system"
    wired = server.applied[-1]
    assert wired["metadata"] == {"name": "x"}
    one, two = (hook["clientConfig"] for hook in wired["webhooks"])
    port = arguments[1].removeprefix("--port=")
    assert (one["url"], two["url"]) == (f"https://127.0.0.1:{port}/one.io", f"https://127.0.0.1:{FIXED}/two.io")
    assert base64.b64decode(one["caBundle"]) == (server.folder / "webhooks/tls.crt").read_bytes()
    assert wired["webhooks"][0]["failurePolicy"] == "Fail"
    kinds = [item["kind"] for item in server.applied]
    assert kinds == ["ServiceAccount", "ClusterRole", "ClusterRoleBinding", "ValidatingWebhookConfiguration"]
    assert server.applied[1]["rules"] == [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]}]


def test_a_program_whose_port_is_taken_is_not_asked(server: Server) -> None:
    with socket.create_server(("127.0.0.1", FIXED)):
        assert ask(server, [configuration(("two.io",))]) == ()  # pyright: ignore
    assert (server.started, server.applied) == ({}, [])


def test_a_program_that_ends_is_told(server: Server) -> None:
    server.ended = True
    with pytest.raises(ConfigError, match="one: has ended"):
        ask(server, [configuration(("one.io",))])  # pyright: ignore


def test_what_came_with_a_program_is_its_crds_and_configurations(server: Server, tmp_path: Path) -> None:
    items = [{"kind": kind} for kind in ("Namespace", "CustomResourceDefinition", "MutatingWebhookConfiguration")]
    (tmp_path / "bin/came/a.yaml").write_text(yaml.safe_dump_all([*items, None]))
    assert [*brought(["two.io", "other"])] == items[1:]
    assert [*brought(["one.io"])] == []
    (tmp_path / "bin/two").unlink()
    assert [*brought(["two.io"])] == []


def test_each_program_judges_other_kinds_and_has_a_port_of_its_own() -> None:
    groups = [group for program in PROGRAMS for group in program.groups]
    assert len(groups) == len(set(groups))
    assert all(("{port}" in program.arguments) is (program.fixed is None) for program in PROGRAMS)
    assert len([program for program in PROGRAMS if program.fixed]) == 1
