"""Reading YAML that a person wrote, by the core rules of YAML 1.2, as editors read it.

Core schema: yaml.org/spec/1.2.2, "Tag Resolution" of chapter 10.3.2. `yes`, `0o14` aside, `1:30` and `2026-01-31` are
text there, and `012` is 12. Merge keys (yaml.org/type/merge.html) are read too, as editors do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from math import isinf
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import yaml

from constructs_lib.base.errors import ConfigError, quoted, shown

DEPTH = 64
"""How deep lists and maps may stand in each other."""
MOST = 100_000
"""How many values a file may hold, each counted where an anchor repeats it; a long text counts as many."""
LARGEST = 2**63
"""The first number that Kubernetes and JSON's readers cannot hold."""
MERGE = "<<"

_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NO_NUMBER = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_KEY = re.compile(r"[\w-]+(?:\.[\w-]+|\[\d+\])*")
_STEP = re.compile(r"\[(\d+)\]|([\w-]+)")


class Mark(NamedTuple):
    """Where something stands."""

    file: Path
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Document(NamedTuple):
    """What a file holds, and where each key of each map and each entry of each list stands, by the identity of both.

    Data that came from elsewhere has no marks: then the file alone is named.
    """

    path: Path
    data: Any
    marks: dict[int, dict[Any, Mark]]

    def mark(self, steps: Sequence[int | str]) -> Mark | None:
        """Return where the deepest of these steps stands that is there."""
        found: Mark | None = None
        data: Any = self.data
        for step in steps:
            there = self.marks.get(id(data), {})
            if step not in there:
                break
            found, data = there[step], data[step]
        return found

    def has(self, steps: Sequence[int | str]) -> bool:
        """Say whether the document says what stands at these steps, or all that does."""
        data: Any = self.data
        for step in steps:
            if not isinstance(data, dict | list) or step not in self.marks.get(id(data), {}):
                return False
            data = data[step]  # pyright: ignore[reportCallIssue, reportArgumentType]
        return True

    def told(self, sentence: str, steps: Sequence[int | str] | None = None) -> str:
        """Return a sentence that begins with a key, such as `a.b[0]: is wrong`, with file and line before it."""
        return f"{self.where(sentence) if steps is None else self.mark(steps) or self.path}: {sentence}"

    def where(self, key: str) -> str:
        """Return the file, and the line if it is known, of a key such as `a.b[0]`."""
        return str(self.mark(steps_of(key)) or self.path)

    def over(self, below: Document) -> Document:
        """Return this document with what it does not say from the one `below`: maps key by key, all else as it is."""
        marks = {**below.marks, **self.marks}
        return Document(self.path, _laid_over(self.data, below.data, marks), marks)


def _laid_over(above: dict[str, Any], below: dict[str, Any], marks: dict[int, dict[Any, Mark]]) -> dict[str, Any]:
    whole = {**below, **above}
    for key in above.keys() & below.keys():
        if isinstance(above[key], dict) and isinstance(below[key], dict):
            whole[key] = _laid_over(above[key], below[key], marks)
    marks[id(whole)] = {**marks[id(below)], **marks[id(above)]}
    return whole


def read_mapping(path: Path) -> dict[str, Any]:
    """Return the YAML mapping in the file at `path`. Raises `ConfigError` as `read_document` does."""
    return read_document(path).data


def read_document(path: Path) -> Document:
    """Return the YAML mapping in the file at `path`, with where each of it stands.

    Raises `ConfigError` if the file cannot be read, is not YAML (with line and column) or is not a mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
        return _Reader(path, text).document()
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read: {error.strerror}; check that the file exists and is readable"
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text at byte {error.start}; save it as UTF-8") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError(f"{path}: cannot be read as YAML{where}: {error.problem}; correct it") from None
    except yaml.YAMLError as error:
        found = " ".join(str(error).split())
        raise ConfigError(f"{path}: cannot be read as YAML: {found}; correct it") from None


class _Reader:
    """Reads one document, event by event."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._events: Iterator[Any] = yaml.parse(text, yaml.CSafeLoader)
        self._marks: dict[int, dict[Any, Mark]] = {}
        self._anchors: dict[str, Any] = {}
        self._sizes: dict[int, int] = {}
        self._size = 0

    def document(self) -> Document:
        first = next(event for event in self._events if not isinstance(event, _OUTSIDE))
        data = None if isinstance(first, yaml.StreamEndEvent) else self._value(first, 0)
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                self._refuse(event, "another document begins; keep one")
        if not isinstance(data, dict):
            raise ConfigError(f"{self._path}: must hold keys and values, found {_kind(data)}")
        return Document(self._path, data, self._marks)

    def _value(self, event: Any, depth: int) -> Any:
        if isinstance(event, yaml.AliasEvent):
            return self._repeated(event)
        if depth > DEPTH:
            self._refuse(event, f"lists and maps stand more than {DEPTH} deep in each other; write fewer")
        if event.tag is not None and event.tag != "!":
            self._refuse(event, f"the tag '{shown(event.tag)}' means nothing here; leave it out")
        before = self._size
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._list(depth)
        else:
            value = self._map(depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = value
            self._sizes[id(value)] = self._size - before
        return value

    def _repeated(self, event: Any) -> Any:
        if event.anchor not in self._anchors:
            self._refuse(event, f"'*{shown(event.anchor)}' has no anchor that ends before it; correct it")
        value = self._anchors[event.anchor]
        self._count(event, self._sizes[id(value)])
        return value

    def _count(self, event: Any, size: int) -> None:
        self._size += size
        if self._size > MOST:
            self._refuse(event, f"the file holds more than {MOST} values, with what anchors repeat; write fewer")

    def _list(self, depth: int) -> list[Any]:
        items: list[Any] = []
        marks = self._marks[id(items)] = {}
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            self._count(event, 1)
            marks[len(items)] = self._mark(event)
            items.append(self._value(event, depth + 1))
        return items

    def _map(self, depth: int) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        marks = self._marks[id(mapping)] = {}
        merged: list[dict[str, Any]] = []
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            self._count(event, 1)
            key = self._key(event, depth)
            if key == MERGE and event.implicit[0]:
                merged += self._merged(event, self._value(next(self._events), depth + 1))
                continue
            if key in mapping:
                self._refuse(event, f"the key '{shown(key)}' stands twice, first at line {marks[key].line}; remove one")
            marks[key] = self._mark(event)
            mapping[key] = self._value(next(self._events), depth + 1)
        for other in merged:
            for key in other.keys() - mapping.keys():
                mapping[key], marks[key] = other[key], self._marks[id(other)][key]
        return mapping

    def _key(self, event: Any, depth: int) -> str:
        key = self._value(event, depth + 1)
        if not isinstance(key, str):
            self._refuse(event, "a key must be text")
        return key

    def _merged(self, event: Any, value: Any) -> list[dict[str, Any]]:
        others = value if isinstance(value, list) else [value]
        if not all(isinstance(other, dict) for other in others):
            self._refuse(event, f"'{MERGE}' takes a map or a list of maps, by their anchors; correct it")
        return others

    def _scalar(self, event: Any) -> Any:
        text: str = event.value
        self._count(event, len(text) // 100)
        if not event.implicit[0] or event.tag == "!":
            return text
        if text in _NULL:
            return None
        if text in _BOOL:
            return _BOOL[text]
        if _INT.fullmatch(text):
            number = int(text, 0 if text[:2] in ("0o", "0x") else 10) if len(text) < 30 else LARGEST
            return number if -LARGEST <= number < LARGEST else self._refuse(event, _TOO_LARGE)
        if _NO_NUMBER.fullmatch(text):
            self._refuse(event, f"{text} is no number that JSON has; write another, or put it in quotes")
        if _FLOAT.fullmatch(text):
            return self._refuse(event, _TOO_LARGE) if isinf(float(text)) else float(text)
        return text

    def _mark(self, event: Any) -> Mark:
        return Mark(self._path, event.start_mark.line + 1)

    def _refuse(self, event: Any, problem: str) -> NoReturn:
        mark = event.start_mark
        where = f"at line {mark.line + 1}, column {mark.column + 1}"
        advice = "" if ";" in problem else "; correct it"
        raise ConfigError(f"{self._path}: cannot be read as YAML {where}: {problem}{advice}")


_OUTSIDE = (yaml.StreamStartEvent, yaml.DocumentStartEvent)
_TOO_LARGE = "a number is too large for those who read it; write a smaller one, or put it in quotes"


def _kind(data: object) -> str:
    return "a list" if isinstance(data, list) else "nothing" if data is None else quoted(data)


def steps_of(sentence: str) -> list[int | str]:
    """Return the steps of the key with which a sentence begins."""
    found = _KEY.match(sentence)
    parts = _STEP.findall(found[0]) if found else []
    return [int(number) if number else name for number, name in parts]
