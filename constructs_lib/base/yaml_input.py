"""Reading YAML that a person wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from constructs_lib.base.errors import ConfigError


class _Loader(yaml.CSafeLoader):
    """PyYAML's safe loader, which also refuses a key that stands twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        mapping: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = self.construct_object(key_node, deep=True)
            problem = "a key must be text" if not isinstance(key, str) else None
            if problem or key in mapping:
                problem = problem or f"the key '{key}' stands twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            mapping[key] = self.construct_object(value_node, deep=deep)
        return mapping


def read_mapping(path: Path) -> dict[str, Any]:
    """Return the YAML mapping in the file at `path`.

    Raises `ConfigError` if the file cannot be read, is not YAML (with line and column) or is not a mapping.
    """
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a safe loader
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
        raise ConfigError(f"{path}: cannot be read as YAML: {error}; correct it") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: must hold keys and values, found {type(data).__name__}")
    return data
