"""The commands of the pages, run in a cluster as they stand there, and the jobs that people begin with them."""

from __future__ import annotations

import re
import shlex
from typing import NamedTuple

from tests.e2e.node.cluster import NodeCluster
from tests.support import ROOT

IN_TEXT = re.compile(r"(?<!`)`(kubectl [^`]+)`(?!`)")
IN_BLOCKS = re.compile(r"^ *(?:\$ )?(kubectl [^\n#]+)", re.MULTILINE)

Command = tuple[str, ...]
"""The words of a command, without `kubectl`."""


class Ended(NamedTuple):
    """A job that is over: whether it is good, what it said, and the seconds that it took."""

    is_good: bool
    said: str
    took: float


def commands(page: str) -> list[Command]:
    """Return the commands for kubectl of a page below `docs`, in order."""
    text = (ROOT / "docs" / f"{page}.md").read_text("utf-8")
    found = sorted((match.start(), match[1]) for shape in (IN_TEXT, IN_BLOCKS) for match in shape.finditer(text))
    return [tuple(shlex.split(command))[1:] for _, command in found]


def command(page: str, *words: str) -> Command:
    """Return the command of a page that has these words; the test fails if there is none, or another one."""
    (found,) = {item for item in commands(page) if set(words) <= set(item)}
    return found


def begun(cluster: NodeCluster, page: str, name: str) -> Ended:
    """Begin the job `name` as a page says, wait for its end, read what it said as the page says, and remove it."""
    begin = command(page, "create", "job", name)
    _, namespace, *_ = of = begin[:2]
    cluster.kubectl(*begin)

    def ended() -> set[str]:
        found = cluster.get("job", name, namespace) or {}
        return {item["type"] for item in found["status"].get("conditions", []) if item["status"] == "True"}

    took = cluster.eventually(lambda: bool(ended() & {"Complete", "Failed"}), f"{name} of {namespace} ends")
    is_good = "Complete" in ended()
    said = cluster.kubectl(*command(page, "logs", namespace), code=None)
    cluster.kubectl("delete", "job", name, *of)
    left = ("get", "pods,persistentvolumeclaims", *of, "--output=name")
    cluster.eventually(lambda: f"/{name}-" not in cluster.kubectl(*left), "its pod and its volume are gone")
    return Ended(is_good, said, took)


def last_good(cluster: NodeCluster, page: str, namespace: str) -> str:
    """Return when a job of a namespace was last good, as the end of a page looks it up."""
    return cluster.kubectl(*command(page, "get", namespace, "jsonpath={.status.lastSuccessfulTime}"))
