"""Pinned things as a table, as JSON, and as a bill of materials."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import quote

from gitops_render.columns import in_columns
from gitops_render.markdown import table
from gitops_render.versions.pinned import Pinned

HEADER = ("kind", "name", "version", "digest", "where")
SHORT = 19
"""As much of a digest as people compare: `sha256:` and twelve digits."""

Json = dict[str, Any]


def cells(pins: Iterable[Pinned]) -> Iterator[tuple[str, ...]]:
    """Yield the cells of a table below `HEADER`; what is pinned alike in several places is one row."""
    places: dict[tuple[str, ...], list[str]] = {}
    for pin in pins:
        places.setdefault((pin.kind, pin.name, pin.version, pin.digest or ""), []).append(pin.where)
    for (kind, name, version, digest), (first, *others) in places.items():
        yield kind, name, version, digest[:SHORT], f"{first} and {len(others)} more" if others else first


def to_text(pins: Iterable[Pinned]) -> Iterator[str]:
    """Yield the lines of a table in columns."""
    return in_columns(HEADER, cells(pins))


def to_json(pins: Iterable[Pinned]) -> str:
    """Return every pinned thing, with each of its places, as JSON."""
    return json.dumps([pin._asdict() for pin in pins], indent=2)


def to_markdown(before: Sequence[Json], after: Sequence[Json]) -> Iterator[str]:
    """Yield a table of what a change pins otherwise; no line where that is nothing, or where `before` is not known.

    Providers are left out: which one some bindings are of is read from those that are installed, on both sides alike.
    """
    old, new = _shown(before), _shown(after)
    changed = [(*key, old.get(key, ""), new.get(key, "")) for key in sorted(old | new) if old.get(key) != new.get(key)]
    if before and changed:
        yield from ("### Versions", "", *table(("kind", "name", "before", "after"), changed), "")


def _shown(rows: Iterable[Json]) -> dict[tuple[str, str], str]:
    """Return by kind and name what is pinned, digests included."""
    found: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        digest = f" {row['digest']}" if row["digest"] else ""
        if row["kind"] != "provider":
            found.setdefault((row["kind"], row["name"]), set()).add(f"{row['version']}{digest}")
    return {key: ", ".join(sorted(versions)) for key, versions in found.items()}


def to_cyclonedx(pins: Iterable[Pinned], locked: Iterable[Json]) -> str:
    """Return the bill of materials (CycloneDX 1.6, ECMA-424) of pinned things and locked packages, in one order."""
    components = {component["bom-ref"]: component for component in (*map(_component, pins), *locked)}
    listed = [components[key] for key in sorted(components)]
    return json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": listed}, indent=2)


def packages(lock: Json) -> Iterator[Json]:
    """Yield a component for each package of a Pipfile.lock: what only tests need is excluded from what runs."""
    for category, scope in (("default", "required"), ("develop", "excluded")):
        for name, entry in lock[category].items():
            if category == "develop" and name in lock["default"]:
                continue
            yield _described("library", name, entry["version"].removeprefix("=="), f"pkg:pypi/{name}", scope)


def _component(pin: Pinned) -> Json:
    kinds = {"image": "container", "chart": "application", "tool": "application", "action": "application"}
    found = _described(kinds.get(pin.kind, "library"), pin.name, pin.version, _package_url(pin), "required")
    if pin.digest is not None:
        found["properties"] = [{"name": "digest", "value": pin.digest}]
    return found


def _described(kind: str, name: str, version: str, url: str, scope: str) -> Json:
    full = f"{url}@{quote(version, safe='')}"
    return {"type": kind, "bom-ref": full, "name": name, "version": version, "scope": scope, "purl": full}


def _package_url(pin: Pinned) -> str:
    """Return the package URL without its version (package-url/purl-spec); what has no type of its own is generic."""
    host, _, path = pin.name.split("://")[-1].partition("/")
    match pin.kind:
        case "package":
            return f"pkg:{'npm' if pin.file == 'package.json' else 'pypi'}/{pin.name}"
        case "action" | "provider":
            return f"pkg:{'github' if pin.kind == 'action' else 'generic'}/{pin.name}"
        case "source":
            return f"pkg:github/{path}"
        case "tool" if pin.file.endswith("go.mod"):
            return f"pkg:golang/{pin.name}"
        case "image":
            return f"pkg:docker/{host}/{path}"
        case _:
            return f"pkg:generic/{'/'.join(filter(None, (host, path)))}"
