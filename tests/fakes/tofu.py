"""A `tofu` that plans what a test says and writes down how it was called; it touches its stack's folder alone."""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

Json = dict[str, Any]
VARIABLES = ("TF_", "AWS_", "DIGITALOCEAN_", "SPACES_", "GITHUB_", "CHECKPOINT_", "KUBE_")


class Call(NamedTuple):
    """One call of `tofu`."""

    stack: str
    arguments: list[str]
    environ: dict[str, str]
    files: dict[str, Any]
    """The JSON files of the stack's folder that override its definition."""


class FakeTofu:
    """An executable in `folder`. What it answers may be set for each stack."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.changes: dict[str, list[Json]] = {}
        self.resources: dict[str, list[Json]] = {}
        self.errors: dict[str, list[list[str]]] = {}
        """For each command, the errors of its next calls; a call without errors succeeds."""
        self.makes: dict[str, list[Json]] = {}
        """What each stack makes, by `making`; what was made is in its state."""
        folder.mkdir(parents=True, exist_ok=True)
        program = folder / "tofu"
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -I {__file__} {folder} "$@"\n')
        program.chmod(0o755)

    def save(self) -> None:
        """Let the calls that follow answer as these attributes say."""
        answers = {"changes": self.changes, "resources": self.resources, "errors": self.errors, "makes": self.makes}
        (self.folder / "answers.json").write_text(json.dumps(answers))

    def calls(self, command: str = "") -> list[Call]:
        """Return the calls so far, or those of one command."""
        path = self.folder / "calls.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        calls = [Call(*json.loads(line)) for line in lines]
        return [call for call in calls if command in {"", call.arguments[0]}]

    def commands(self) -> list[str]:
        """Return each call that is more than a question, as `stack: command`."""
        return [f"{call.stack}: {call.arguments[0]}" for call in self.calls() if call.arguments[0] != "show"]


def change(address: str, *actions: str, mode: str = "managed", **after: Any) -> Json:
    """Return a change as `tofu show -json` prints it."""
    kind = address.partition(".")[0]
    return {
        "address": address,
        "type": kind,
        "mode": mode,
        "change": {"actions": list(actions or ["create"]), "after": after},
    }


def making(address: str, url: str, token: str, body: Json, **after: Any) -> Json:
    """Return something that a provider makes by one POST; a plan tells of what it posts, and `after` too."""
    return {**change(address, **body, **after), "url": url, "token": token, "body": body}


def main() -> None:
    """Answer one call."""
    folder, arguments = Path(sys.argv[1]), sys.argv[2:]
    answers = json.loads((folder / "answers.json").read_text())
    stack = Path.cwd().name
    files = {path.name: json.loads(path.read_text()) for path in sorted(Path().glob("*.tf.json"))}
    files.pop("cdk.tf.json", None)
    environ = {key: value for key, value in os.environ.items() if key.startswith(VARIABLES)}
    with (folder / "calls.jsonl").open("a") as log:
        log.write(json.dumps([stack, arguments, environ, files]) + "\n")
    queue = answers["errors"].get(arguments[0], [])
    if queue:
        errors = queue.pop(0)
        (folder / "answers.json").write_text(json.dumps(answers))
        for error in errors:
            print(json.dumps({"@message": "no", "diagnostic": {"severity": "error", "summary": error, "detail": ""}}))  # noqa: T201
        if errors:
            sys.exit(1)
    state, ends = State(folder / f"{stack}.state.json"), "-destroy" in arguments
    makes = answers["makes"].get(stack, [])
    if ends:
        state.refresh(makes)
    planned_ = [item for item in makes if (item["address"] in state.held) is ends]
    changes = [*answers["changes"].get(stack, []), *planned_]
    resources = [*answers["resources"].get(stack, []), *state.resources()]
    if arguments[0] == "apply":
        plan = Path(arguments[-1])
        state.apply(json.loads(plan.read_text()) if plan.exists() else [])
    elif arguments[:2] == ["state", "rm"]:
        state.forget(arguments[2])
    else:
        answer(arguments, changes, resources, files)


class State:
    """What was made of a stack, by address."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.held: Json = json.loads(path.read_text()) if path.exists() else {}

    def resources(self) -> list[Json]:
        """Return what is there, as `tofu show -json` prints it."""
        return [{"address": key, "type": key.partition(".")[0], "values": item} for key, item in self.held.items()]

    def forget(self, address: str) -> None:
        """Remove a resource."""
        del self.held[address]
        self._path.write_text(json.dumps(self.held))

    def refresh(self, makes: list[Json]) -> None:
        """Forget what is there no more, as OpenTofu does before it plans."""
        for item in makes:
            if item["address"] in self.held and ask("GET", item, self._url(item)) is None:
                self.forget(item["address"])

    def apply(self, changes: list[Json]) -> None:
        """Make and end what a plan says, one after the other, as a provider that is not told if an answer is lost."""
        for item in changes:
            if "url" not in item:
                continue
            if item["change"]["actions"] == ["delete"]:
                if ask("DELETE", item, self._url(item)) is None:
                    fail(item["address"])
                self.forget(item["address"])
                continue
            found = item["change"].get("importing")
            made = {"id": found["id"].rpartition(",")[2]} if found else post(item)
            self.held[item["address"]] = {**item["change"]["after"], **made}
            self._path.write_text(json.dumps(self.held))

    def _url(self, item: Json) -> str:
        return f"{item['url']}/{self.held[item['address']]['id']}"


def post(item: Json) -> Json:
    """Make something, or end as OpenTofu does where a provider fails."""
    made = ask("POST", item, item["url"])
    if made is None:
        fail(item["address"])
    return next(iter(made.values())) if len(made) == 1 else made


def ask(method: str, item: Json, url: str) -> Json | None:
    """Return the answer to a request; nothing if none comes, or a refusal.

    DigitalOcean's provider repeats one whose answer was lost, as go-retryablehttp does unless it is told otherwise.
    """
    headers = {"Authorization": f"Bearer {item['token']}", "Content-Type": "application/json"}
    body = json.dumps(item["body"]).encode() if method == "POST" else None
    request = urllib.request.Request(url, body, headers, method=method)  # noqa: S310
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(2 if "/v2/" in url else 1):
        try:
            with opener.open(request, timeout=60) as answer:
                return json.loads(answer.read() or "{}")
        except OSError:
            continue
    return None


def fail(address: str) -> NoReturn:
    """End as OpenTofu does where a provider fails."""
    error = f"{address}: no answer, or a refusal"
    print(json.dumps({"@message": "no", "diagnostic": {"severity": "error", "summary": error, "detail": ""}}))  # noqa: T201
    sys.exit(1)


def answer(arguments: list[str], changes: list[Json], resources: list[Json], files: Json) -> None:
    """Do what the command does that is told from `changes` and `resources`."""
    match arguments:
        case ["init", *options] if "-lockfile=readonly" not in options:
            Path(".terraform.lock.hcl").write_text("chosen by init")
        case ["plan", *options]:
            (out,) = (option.removeprefix("-out=") for option in options if option.startswith("-out="))
            ids = {item["to"]: item["id"] for item in files.get("adopt.tf.json", {}).get("import", [])}
            Path(out).write_text(json.dumps([planned(item, ids, "-destroy" in options) for item in changes]))
        case ["show", "-json", file]:
            print(json.dumps({"resource_changes": json.loads(Path(file).read_text())}))  # noqa: T201
        case ["show", "-json"]:
            print(json.dumps({"values": {"root_module": {"resources": resources}}} if resources else {}))  # noqa: T201
        case ["show", "-no-color", file]:
            print(f"Plan of {Path(file).stem}")  # noqa: T201
        case _:
            pass


def planned(item: Json, ids: dict[str, str], destroy: bool) -> Json:
    """Return a change as it is planned where these things are imported, or destroyed."""
    if item["address"] in ids:
        item["change"] |= {"actions": ["no-op"], "importing": {"id": ids[item["address"]]}}
    if destroy:
        item["change"]["actions"] = ["delete"]
    return item


if __name__ == "__main__":
    main()
