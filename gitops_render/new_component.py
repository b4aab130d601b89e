"""The files of a new component: they load at once, and tests name what only a person can look up.

They are written as docs/how-to/add-a-component.md says, from `component_files/`, where `sample_thing` is its name.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from constructs_lib.base.errors import ConfigError, quoted
from constructs_lib.platform import Platform
from gitops_render import journal

FILES = Path(__file__).with_name("component_files")
REGISTRY = PurePosixPath("constructs_lib/platform/__init__.py")
RUNBOOKS = PurePosixPath("docs/runbooks/README.md")

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
LONGEST = 20
"""The longest name with which the line in `Platform` is a line."""


def new_component(name: str) -> list[PurePosixPath]:
    """Write the files of a component and the lines that lead to them, all or none, and return what was written.

    Raises `ConfigError`, with nothing written, for a name that cannot be one, a file that is there, and a folder that
    is not this project's.
    """
    if not _NAME.fullmatch(name) or len(name) > LONGEST:
        raise ConfigError(
            f"NAME: must be lower-case words joined by '_', at most {LONGEST} characters, found {quoted(name)}"
        )
    if name in Platform.model_fields:
        raise ConfigError(f"NAME: {quoted(name)} is a component already; take another name")
    with journal.alone(Path()):
        files = _texts(name)
        journal.replace(Path(), {path: text.encode() for path, text in files.items()})
    return list(files)


def _texts(name: str) -> dict[PurePosixPath, str]:
    files = {path: _named(FILES.joinpath(f"{template}.txt").read_text(), name) for path, template in _files(name)}
    files[PurePosixPath(f"tests/constructs_lib/platform/{name}/__init__.py")] = ""
    if there := [path for path in files if Path(path).exists()]:
        raise ConfigError(*(f"{path}: is there already; remove it, or take another name" for path in there))
    files[REGISTRY] = _registered(_text(REGISTRY), name)
    files[RUNBOOKS] = _with_line(_text(RUNBOOKS), _runbook_line(name), r"- \[.*\]\((.*)\)")
    return files


def _files(name: str) -> tuple[tuple[PurePosixPath, str], ...]:
    """Return where each template goes."""
    own, tests = (PurePosixPath(folder, name) for folder in (REGISTRY.parent, "tests/constructs_lib/platform"))
    return (
        (own / "__init__.py", "component"),
        (own / "health.py", "health"),
        (tests / f"test_{name}.py", "test"),
        (tests / "cases.py", "cases"),
        (tests / "metrics.yaml", "metrics"),
        (RUNBOOKS.with_name(f"{_kebab(name)}.md"), "runbook"),
    )


def _named(text: str, name: str) -> str:
    """Return a template with the component's name in each way in which a name is written."""
    written = {
        "sample_thing": name,
        "sample-thing": _kebab(name),
        "SampleThing": _class(name),
        "Sample thing": name.replace("_", " ").capitalize(),
    }
    return re.sub("|".join(written), lambda found: written[found[0]], text)


def _kebab(name: str) -> str:
    return name.replace("_", "-")


def _class(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def _text(path: PurePosixPath) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}; run this in the project's folder") from None


def _registered(text: str, name: str) -> str:
    """Return the registry with the component's import among its like, and its field after the others."""
    imported = f"from constructs_lib.platform.{name} import {_class(name)}"
    text = _with_line(text, imported, r"from (constructs_lib\.platform\.\w+) import \w+")
    *_, last = re.finditer(r"^    \w+: Annotated\[\w+, Change\(.*\n", text, re.MULTILINE)
    field = f'    {name}: Annotated[{_class(name)}, Change(rolls("its pods"))] = {_class(name)}()\n'
    return f"{text[: last.end()]}{field}{text[last.end() :]}"


def _runbook_line(name: str) -> str:
    return f"- [{name.replace('_', ' ').capitalize()} does not run]({_kebab(name)}.md)"


def _with_line(text: str, line: str, like: str) -> str:
    """Return text with a line among those like it, which are in the order of what the pattern has in brackets."""
    lines = text.splitlines()
    found = [(number, match[1]) for number, other in enumerate(lines) if (match := re.fullmatch(like, other))]
    own = re.fullmatch(like, line)
    before = [number for number, other in found if own and other < own[1]]
    lines.insert(before[-1] + 1 if before else found[0][0], line)
    return "\n".join(lines) + "\n"
