"""What starts a program or asks a server does so in one place each, and never without an end."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support import ROOT

ROOMS = ("constructs_lib", "stacks", "gitops_render", "operations")
CLIENTS = Path("operations/clients")
REHEARSAL = Path("operations/rehearsal/api_server.py")
"""What it starts and asks is its own, on loopback, and ends with it."""
DRILL = Path("constructs_lib/platform/cloudnative_pg/drill/fetch.py")
DEFINITIONS = Path("constructs_lib/platform/rabbitmq_operator/copies/definitions.py")
COPY = Path("constructs_lib/platform/recovery/bucket.py")
"""They run in pods of their own, which a deadline ends."""
FORWARDED = Path("operations/trying/kubectl.py")
"""A way to a Service, which ends with the block that uses it."""

PLACES = {
    "subprocess.run": {Path("constructs_lib/base/programs.py"), DRILL},
    "boto3.resource": {DRILL, COPY},
    "urllib.request.Request": {DEFINITIONS},
    "urllib.request.urlopen": {DEFINITIONS},
    "subprocess.Popen": {CLIENTS / "tofu_process.py", REHEARSAL, FORWARDED},
    "requests.Session": {CLIENTS / "http.py", REHEARSAL},
    "socket.socket": {REHEARSAL},
    "Retry": {CLIENTS / "http.py"},
    "Github": {CLIENTS / "github.py"},
    "GithubRetry": {CLIENTS / "github.py"},
    "boto3.client": {CLIENTS / "spaces.py"},
    "Config": {CLIENTS / "spaces.py"},
    "hvac.Client": {CLIENTS / "vault.py"},
    "kubernetes.ApiClient": {CLIENTS / "kubernetes.py"},
}
"""Where each is called that starts something which may take for ever."""

ENDS = {
    "subprocess.run": {"timeout"},
    "urllib.request.urlopen": {"timeout"},
    "Retry": {"total", "allowed_methods", "retry_after_max"},
    "Github": {"timeout", "retry"},
    "GithubRetry": {"total", "allowed_methods", "retry_after_max", "max_rate_limit_wait"},
    "boto3.client": {"config"},
    "Config": {"connect_timeout", "read_timeout", "retries"},
    "hvac.Client": {"timeout", "session"},
    "api.list_cluster_custom_object": {"_request_timeout"},
}
"""By which arguments each ends."""

OTHER_WAYS = (
    *("subprocess.", "os.system", "os.popen", "os.spawn", "os.exec", "asyncio.", "multiprocessing."),
    *(
        "requests.",
        "urllib3.",
        "urllib.request.",
        "http.client.",
        "socket.create_connection",
        "socket.socket",
        "boto3.",
    ),
)
"""How the names begin of all that starts a program or asks a server."""


class Call(NamedTuple):
    """A call in a file: of what, and with which arguments by name."""

    file: Path
    name: str
    arguments: frozenset[str]


def calls() -> Iterator[Call]:
    """Yield every call in the rooms."""
    for path in [ROOT / "main.py", *(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))]:
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Call):
                named = frozenset(item.arg or "" for item in node.keywords)
                yield Call(path.relative_to(ROOT), ast.unparse(node.func), named)


def test_each_way_out_is_in_one_place() -> None:
    found = {name: {call.file for call in calls() if call.name == name} for name in PLACES}
    assert found == PLACES
    others = {call for call in calls() if call.name.startswith(OTHER_WAYS) and call.name not in PLACES}
    assert others == set()


@pytest.mark.parametrize("name", ENDS)
def test_none_is_without_an_end(name: str) -> None:
    found = [call for call in calls() if call.name == name and "" not in call.arguments and call.file != DRILL]
    assert [(call.file, call.name) for call in found if not ENDS[name] <= call.arguments] == []
