"""The part of a copy that knows what a broker has: it looks, declares it in another, and compares.

It runs in the image of Barman's plugin, which has Python, and speaks the broker's management API.
"""

from __future__ import annotations

import base64
import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TRIES, PAUSE = 30, 2
"""How often the broker is asked until it answers, and the seconds between: walls know a new pod after a moment."""
ROOM, CA = Path("/room"), "/ca/ca.crt"
KEPT = {
    "vhosts": ("name", "metadata"),
    "queues": ("vhost", "name", "durable", "auto_delete", "arguments"),
    "exchanges": ("vhost", "name", "type", "durable", "auto_delete", "internal", "arguments"),
    "bindings": ("vhost", "source", "destination", "destination_type", "routing_key", "arguments"),
}
"""What is kept of each thing, as files of definitions have it."""
UNSAID = {"internal": False, "arguments": {}, "metadata": {}}
BROKERS_OWN = "amq."
"""How the names of exchanges begin that every vhost has."""

Items = list[dict[str, Any]]


def ask(path: str, body: dict[str, Items] | None = None) -> Any:
    """Return what the broker answers at a path of its API, where something is posted to it, or not."""
    login = base64.b64encode(f"{os.environ['NAME']}:{os.environ['PASSWORD']}".encode()).decode()
    headers = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{os.environ['BROKER']}/api/{path}", data, headers)  # noqa: S310 - our own
    trusted = ssl.create_default_context(cafile=CA)
    for tries in range(TRIES):
        try:
            with urllib.request.urlopen(request, timeout=300, context=trusted) as answer:  # noqa: S310
                text = answer.read()
                return json.loads(text) if text else None
        except urllib.error.URLError as error:
            if isinstance(error, urllib.error.HTTPError) or tries == TRIES - 1:
                raise
            time.sleep(PAUSE)
    return None


def lasting(found: dict[str, Items]) -> dict[str, Items]:
    """Return what outlives connections and restarts, with nothing that the broker makes by itself."""
    lasts = {kind: [item for item in found[kind] if _lasts(item)] for kind in ("queues", "exchanges")}
    there = {"queue": _names(lasts["queues"]), "exchange": _names(lasts["exchanges"])}

    def holds(kind: str, vhost: str, name: str) -> bool:
        return (vhost, name) in there[kind] or name.startswith(BROKERS_OWN)

    bound = (
        item
        for item in found["bindings"]
        if item["source"]
        and holds("exchange", item["vhost"], item["source"])
        and holds(item["destination_type"], item["vhost"], item["destination"])
    )
    made = {"vhosts": found["vhosts"], **lasts, "bindings": [*bound]}
    return {kind: [_plain(item, fields) for item in made[kind]] for kind, fields in KEPT.items()}


def _lasts(item: dict[str, Any]) -> bool:
    name = item["name"]
    return (
        bool(name) and not name.startswith(BROKERS_OWN) and item["durable"] and not item["auto_delete"]
    ) and not item.get("exclusive")


def _names(items: Items) -> set[tuple[str, str]]:
    return {(item["vhost"], item["name"]) for item in items}


def _plain(item: dict[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
    return {name: item.get(name, UNSAID.get(name)) for name in fields}


def lacking(wanted: dict[str, Items], found: dict[str, Items]) -> Iterator[str]:
    """Yield what was copied and is not there as it was."""
    for kind in ("queues", "exchanges", "bindings"):
        there = [_plain(item, KEPT[kind]) for item in found.get(kind, ())]
        yield from (f"{kind}: {json.dumps(item, sort_keys=True)}" for item in wanted[kind] if item not in there)


def look() -> None:
    """Write down what the broker has."""
    found = lasting({kind: ask(kind) for kind in KEPT})
    (ROOM / "definitions.json").write_text(json.dumps(found))
    sys.stdout.write(f"{counted(found)}\n")


def declare() -> None:
    """Declare in the broker what was copied, and see that it is there. Queues come back empty."""
    wanted = copied()
    ask("definitions", {kind: wanted[kind] for kind in ("queues", "exchanges", "bindings")})
    refuse_lacking(wanted, {kind: ask(kind) for kind in KEPT})
    sys.stdout.write(f"declared: {counted(wanted)}\n")


def compare() -> None:
    """Compare what was copied with what the broker of a drill made of it."""
    wanted = copied()
    refuse_lacking(wanted, json.loads((ROOM / "found.json").read_text()))
    sys.stdout.write(f"the drill is good: {counted(wanted)}\n")


def copied() -> dict[str, Items]:
    """Return what was copied. Ends with a sentence where that is no definitions."""
    try:
        return json.loads((ROOM / "definitions.json").read_text())
    except (OSError, ValueError) as error:
        sys.exit(f"the copy holds no definitions: {error}")


def refuse_lacking(wanted: dict[str, Items], found: dict[str, Items]) -> None:
    """End with a sentence for each thing that was copied and is not there."""
    if missing := [*lacking(wanted, found)]:
        sys.exit("was copied and is not there:\n" + "\n".join(missing))


def counted(found: dict[str, Items]) -> str:
    """Return how much there is, in words."""
    return ", ".join(f"{len(found[kind])} {kind}" for kind in KEPT)


if __name__ == "__main__":
    {"look": look, "declare": declare, "compare": compare}[sys.argv[1]]()
