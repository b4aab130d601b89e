"""Changes of an environment's file by which its comments, its order and its layout stay as somebody wrote them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import yaml

from constructs_lib.base.errors import ConfigError

Steps = Sequence[str | int]
"""The way to a value: keys of maps; in lists the place of an entry, or its `name`."""


class Text:
    """The text of a file, and the data that it has to hold after each change."""

    def __init__(self, file: str, text: str) -> None:
        self._file, self.text = file, text
        self._data = _plain(text)

    def set(self, steps: Steps, key: str, value: Any) -> None:
        """Let a key of a map have another value, or have one."""
        node, data = self._at(steps)
        written = f"{key}: {_flow(value)}"
        data[key] = value
        for name, old in node.value:
            if name.value == key:
                return self._replace(name.start_mark.index, _end(old), written)
        end = _end(node)
        if node.flow_style:
            return self._replace(end - 1, end, f"{', ' * bool(node.value)}{written}}}")
        return self._replace(self._line_end(end), None, f"\n{' ' * node.start_mark.column}{written}")

    def drop(self, steps: Steps, key: str) -> None:
        """Take a key of a map away, which has another before it."""
        node, data = self._at(steps)
        place = next(number for number, (name, _) in enumerate(node.value) if name.value == key)
        del data[key]
        start, end = _end(node.value[place - 1][1]), _end(node.value[place][1])
        if node.flow_style:
            return self._replace(start, end, "")
        return self._replace(self._line_end(start), self._line_end(end), "")

    def repeat(self, steps: Steps, place: int) -> int:
        """Add an entry of a list once more at its end, and return its place."""
        node, data = self._at(steps)
        entry = node.value[place]
        data.append(deepcopy(data[place]))
        copied = self.text[entry.start_mark.index : _end(entry)]
        end = _end(node)
        if node.flow_style:
            self._replace(end - 1, end, f", {copied}]")
        else:
            self._replace(self._line_end(end), None, f"\n{' ' * node.start_mark.column}- {copied}")
        return len(data) - 1

    def place(self, steps: Steps, name: str) -> int:
        """Return the place of a list's entry with this name."""
        _, data = self._at(steps)
        return _named(data, name)

    def _at(self, steps: Steps) -> tuple[Any, Any]:
        """Return the node of the text and the data at the end of a way."""
        node: Any = yaml.compose(self.text, Loader=yaml.SafeLoader)
        data: Any = self._data
        for step in steps:
            try:
                place: Any = step if isinstance(step, int) or isinstance(data, dict) else _named(data, step)
                node = node.value[place] if isinstance(data, list) else _value(node, place)
                data = data[place]
            except (LookupError, TypeError, StopIteration):
                raise ConfigError(
                    f"{self._file}: {'.'.join(map(str, steps))}: is not in this file itself; write it there first"
                ) from None
        return node, data

    def _line_end(self, index: int) -> int:
        """Return where the line ends in which something ends, after its comment."""
        end = self.text.find("\n", index)
        return len(self.text) if end < 0 else end

    def _replace(self, start: int, end: int | None, written: str) -> None:
        self.text = self.text[:start] + written + self.text[start if end is None else end :]
        try:
            right = _plain(self.text) == self._data
        except yaml.YAMLError:
            right = False
        if not right:
            wanted = written.strip()
            raise ConfigError(f"{self._file}: is laid out so that no program can change it; write by hand: {wanted}")


def _plain(text: str) -> Any:
    """Return what a text holds; what an alias repeats is a thing of its own."""
    return json.loads(json.dumps(yaml.safe_load(text), default=str))


def _named(entries: list[Any], name: str) -> int:
    return next(number for number, entry in enumerate(entries) if entry["name"] == name)


def _value(node: Any, key: str) -> Any:
    return next(value for name, value in node.value if name.value == key)


def _end(node: Any) -> int:
    """Return where a value ends; that of a block begins the next thing for the parser."""
    if isinstance(node, yaml.ScalarNode) or node.flow_style or not node.value:
        return node.end_mark.index
    last = node.value[-1]
    return _end(last if isinstance(node, yaml.SequenceNode) else last[1])


def _flow(value: Any) -> str:
    written = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000)
    return written.removesuffix("\n").removesuffix("\n...")
