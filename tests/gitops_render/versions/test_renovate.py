"""renovate.json raises everything that is pinned: its own expressions, run on our files, find each line.

Renovate's own validator and its dry run (`--platform=local --dry-run=extract`, 44.121.2) agreed when they were run by
hand (docs/how-to/upgrade-a-version.md). What its built-in managers read is written down here as they did then.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import pytest

from gitops_render.versions import ROOMS, versions
from gitops_render.versions.pinned import Pinned
from tests.support import ROOT

CONFIG: dict[str, Any] = json.loads((ROOT / "renovate.json").read_text())
BUILT_IN = {
    "action": r"(^|/)\.github/(workflows|actions)/.+\.ya?ml$",
    "package": r"(^|/)(Pipfile|package\.json|[\w-]*requirements([-._]\w+)?\.(txt|pip))$",
    "tool": r"(^|/)(go\.mod|\.github/actions/.+\.ya?ml)$",
    "provider": r"(^|/)Pipfile$",
}
"""Files that a manager reads without being told, by the kind of what it finds there; a provider is its bindings."""


class Match(NamedTuple):
    """What an expression of ours finds in a file."""

    file: str
    lines: range
    found: dict[str, str]
    manager: dict[str, Any]


def python(pattern: str) -> re.Pattern[str]:
    """Return an expression of Renovate's as Python writes it."""
    return re.compile(pattern.replace("(?<", "(?P<"))


@cache
def matches() -> list[Match]:
    return list(_matches())


def _matches() -> Iterator[Match]:
    code = (path for room in ROOMS for path in ROOT.glob(f"{room}/**/*.py"))
    files = {path.relative_to(ROOT).as_posix(): path.read_text() for path in code}
    for manager in CONFIG["customManagers"]:
        (place,), (pattern,) = manager["managerFilePatterns"], manager["matchStrings"]
        for file, text in files.items():
            if re.search(place.strip("/"), file):
                for match in python(pattern).finditer(text):
                    first, last = (text.count("\n", 0, offset) + 1 for offset in match.span())
                    yield Match(file, range(first, last + 1), match.groupdict(), manager)


def raised_by_ours(pin: Pinned) -> list[Match]:
    """Return what finds a pinned thing at its line and version."""
    return [
        match
        for match in matches()
        if match.file == pin.file
        and pin.line in match.lines
        and match.found["currentValue"] in {pin.version, pin.version[1:]}
    ]


def raised_by_itself(pin: Pinned) -> bool:
    """Return whether a manager reads the file without being told, or because the configuration names it."""
    named = CONFIG["github-actions"]["managerFilePatterns"] if pin.kind == "action" else []
    return any(re.search(place.strip("/"), pin.file) for place in (*named, BUILT_IN.get(pin.kind, r"^$")))


@pytest.mark.parametrize("pin", versions(ROOT), ids=lambda pin: f"{pin.name} {pin.where}")
def test_everything_that_is_pinned_is_raised(pin: Pinned) -> None:
    assert raised_by_itself(pin) or len({match.found["depName"] for match in raised_by_ours(pin)}) == 1


def test_nothing_else_is_found() -> None:
    lines = {(pin.file, pin.line) for pin in versions(ROOT)}
    assert len(matches()) > 20
    for match in matches():
        assert any((match.file, line) in lines for line in match.lines), match


def test_a_chart_is_looked_up_where_it_is_fetched() -> None:
    looked_up = {
        f"{'oci://' + match.found['packageName'] if 'packageName' in match.found else match.found['registryUrl']}"
        f"/{match.found['depName']}"
        for match in matches()
        if match.manager["depTypeTemplate"] == "chart"
    }
    charts = {pin.name for pin in versions(ROOT) if pin.kind == "chart"}
    assert {name.replace("//", "/").replace(":/", "://") for name in looked_up} == charts
    registry = next(manager for manager in CONFIG["customManagers"] if "oci://" in manager["matchStrings"][0])
    assert registry["packageNameTemplate"] == "{{{packageName}}}/{{{depName}}}"


def test_an_image_gets_its_digest_behind_its_tag() -> None:
    (images,) = (manager for manager in CONFIG["customManagers"] if manager["depTypeTemplate"] == "image")
    pattern, digest = python(images["matchStrings"][0]), f"sha256:{'0' * 64}"
    for written in ('"registry.example/a/b:1.0"', f'"registry.example/a/b:1.0@{digest}"'):
        match = pattern.fullmatch(written)
        assert match is not None
        assert (match["depName"], match["currentValue"]) == ("registry.example/a/b", "1.0")
    assert match["currentDigest"] == digest
    template = images["autoReplaceStringTemplate"]
    assert template == '"{{{depName}}}:{{{newValue}}}{{#if newDigest}}@{{{newDigest}}}{{/if}}"'
    assert "docker:pinDigests" in CONFIG["extends"]
    (unpinned,) = (rule for rule in CONFIG["packageRules"] if rule.get("pinDigests") is False)
    assert unpinned["matchDepTypes"] == ["chart", "named"], "there is no place for a digest there"


def test_a_newer_build_of_postgres_is_known_by_its_time() -> None:
    (rule,) = (rule for rule in CONFIG["packageRules"] if rule.get("versioning", "").startswith("regex:"))
    (name,) = rule["matchPackageNames"]
    (image,) = (pin for pin in versions(ROOT) if pin.kind == "image" and pin.name == name)
    found = python(rule["versioning"].removeprefix("regex:")).fullmatch(image.version)
    assert found is not None
    assert (found["major"], found["compatibility"]) == ("18", "system-trixie")
    assert len(found["patch"]) == len("202608130737")
    assert image.digest is not None


def test_modules_that_only_a_command_line_names_are_raised_too() -> None:
    (indirect,) = (rule for rule in CONFIG["packageRules"] if rule.get("matchDepTypes") == ["indirect"])
    named = {
        pin.name
        for pin in versions(ROOT)
        if pin.file.endswith("go.mod")
        and (ROOT / pin.file).read_text().splitlines()[pin.line - 1].endswith("// indirect")
    }
    assert set(indirect["matchPackageNames"]) == named
    assert indirect["enabled"] is True


def test_what_has_to_move_together_is_one_pull_request() -> None:
    groups = {
        rule["groupName"]: set(rule["matchPackageNames"]) for rule in CONFIG["packageRules"] if "groupName" in rule
    }
    assert groups["OpenTofu"] == {"opentofu/opentofu", "github.com/opentofu/opentofu"}
    assert groups["Flux"] == {"fluxcd/flux2", "ghcr.io/controlplaneio-fluxcd/charts/flux-operator"}
    assert groups["boto3"] == {"boto3", "botocore"}
