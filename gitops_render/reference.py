"""The reference of a program's commands, from the program itself: what each does, takes and needs."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any

import typer
from typer.main import get_command

from gitops_render.markdown import code, escaped

HEADER = "| argument or option | default | what it is |"


def reference(app: typer.Typer, name: str, exit_codes: str) -> str:
    """Return all commands of the program `name` as Markdown."""
    command = get_command(app)
    lines = [f"## `bin/{name}`", "", command.help or "", "", exit_codes]
    return "\n".join([*lines, *(line for below in _below(command) for line in _told(f"bin/{name}", below))])


def _below(command: Any) -> list[Any]:
    return list(getattr(command, "commands", {}).values())


def _told(program: str, command: Any) -> Iterator[str]:
    """Yield the lines of a command, or of all commands of a group."""
    name = f"{program} {command.name}"
    if _below(command):
        yield from ("", f"### `{name}`", "", command.help or "")
        for inner in _below(command):
            yield from _told(name, inner)
        return
    arguments = [_name(one) for one in command.params if one.param_type_name == "argument"]
    yield from ("", f"### `{' '.join([name, *arguments])}`", "", _paragraphs(command.help or ""))
    rows = [row for one in command.params for row in _row(one)]
    if rows:
        yield from ("", HEADER, "| --- | --- | --- |", *rows)


def _paragraphs(text: str) -> str:
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def _row(parameter: Any) -> Iterator[str]:
    """Yield the row of an argument or an option; `--help`, which all have, has none."""
    if parameter.name == "help":
        return
    is_option = parameter.param_type_name == "option"
    names = [*parameter.opts, *parameter.secondary_opts] if is_option else [_name(parameter)]
    value = parameter.default
    default = "required" if parameter.required else "" if value in (None, False, "", ()) else code(str(value))
    said = [escaped(parameter.help or "")]
    if isinstance(value, Enum):
        said.append(f"One of {', '.join(code(str(choice)) for choice in type(value))}.")
    if parameter.envvar:
        said.append(f"Also by {code(str(parameter.envvar))}.")
    yield f"| {', '.join(map(code, names))} | {default} | {' '.join(said)} |"


def _name(argument: Any) -> str:
    return argument.metavar or argument.name.upper()
