"""A `tofu` that plans what a test says and writes down how it was called; it touches its stack's folder alone."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

Json = dict[str, Any]
VARIABLES = ("TF_", "AWS_", "DIGITALOCEAN_", "SPACES_", "GITHUB_", "CHECKPOINT_")


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
        folder.mkdir(parents=True, exist_ok=True)
        program = folder / "tofu"
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -I {__file__} {folder} "$@"\n')
        program.chmod(0o755)

    def save(self) -> None:
        """Let the calls that follow answer as these attributes say."""
        answers = {"changes": self.changes, "resources": self.resources, "errors": self.errors}
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
    answer(arguments, answers["changes"].get(stack, []), answers["resources"].get(stack, []), files)


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
