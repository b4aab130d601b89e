"""Sealed Secrets as data, one thing wrong at a time."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import pytest

from gitops_render.validate.sealed import plain, sealed_problems
from gitops_render.yaml_output import to_yaml
from tests.gitops_render.validate.repository import ARMOUR, OWN, RECOVERY, STRANGER, VALUE, key_of, sealed

PATH = PurePosixPath("platform/secrets/sandbox/sealed/secret-db.yaml")
NAMED = {"name": "db", "namespace": "databases"}


def problems(data: bytes) -> list[str]:
    return list(sealed_problems(PATH, data, frozenset({OWN, RECOVERY})))


def sops(**changes: Any) -> dict[str, Any]:
    """Return what SOPS adds, with `changes` on top."""
    return {"sops": {**sealed()["sops"], **changes}}


def test_what_older_versions_of_sops_leave_empty_may_be_there() -> None:
    assert problems(to_yaml(sealed(**sops(kms=[], pgp=None, hc_vault=[])))) == []
    assert problems(to_yaml(sealed(metadata={**NAMED, "labels": {"a": "b"}, "annotations": {"c": "d"}}))) == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"kind": "ConfigMap"}, "is no Secret of v1; only Secrets are sealed"),
        ({"apiVersion": "v2"}, "is no Secret of v1; only Secrets are sealed"),
        ({"spec": {}}, "spec: is no part of a sealed Secret; remove it"),
        ({"type": ["Opaque"]}, "type: must be text"),
        ({"immutable": {}}, "immutable: must be text"),
        ({"metadata": None}, "metadata.name is missing; add it"),
        ({"metadata": {"name": "db"}}, "metadata.namespace is missing; add it"),
        (
            {"metadata": {**NAMED, "ownerReferences": []}},
            "metadata.ownerReferences: is no part of a sealed Secret; rem",
        ),
        ({"metadata": {**NAMED, "labels": ["a"]}}, "metadata.labels: must hold texts"),
        ({"metadata": {**NAMED, "annotations": {"a": ["b"]}}}, "metadata.annotations: must hold texts"),
        ({"metadata": {**NAMED, "name": "other"}}, "metadata.name: must be 'db' like the file"),
        ({"stringData": [VALUE]}, "stringData: must hold keys and values"),
        ({"data": {"a": VALUE, "b": "clear"}}, "data.b: is not encrypted; seal it again, and take the value for known"),
        ({"stringData": {"a": {"b": VALUE}}}, "stringData.a: is not encrypted"),
        ({"stringData": {"a": VALUE.replace("str", "int")}}, "stringData.a: is not encrypted"),
        ({"sops": None}, "is not encrypted; seal it, and take its values for known"),
        (sops(encrypted_regex="^data$"), "sops.encrypted_regex: is not what SOPS writes here"),
        (sops(mac="x"), "sops.mac: is not what SOPS writes here"),
        (sops(version="x"), "sops.version: is not what SOPS writes here"),
        (sops(lastmodified="yesterday"), "sops.lastmodified: is not what SOPS writes here"),
        (sops(pgp=[{"fp": "x"}]), "sops.pgp: has to be empty; seal it again"),
        (sops(unencrypted_suffix="_x"), "sops.unencrypted_suffix: has to be empty"),
        (sops(age=[key_of(OWN)]), "sops.age: has other recipients than the environment"),
        (sops(age=[key_of(OWN), key_of(RECOVERY), key_of(STRANGER)]), "sops.age: has other recipients"),
        (sops(age=[key_of(OWN), key_of(RECOVERY), key_of(OWN)]), "sops.age: has other recipients"),
        (sops(age=None), "sops.age: is no list of recipients with their keys"),
        (sops(age=[{"recipient": OWN}]), "sops.age: is no list of recipients with their keys"),
        (sops(age=[{"recipient": OWN, "enc": "hunter2"}]), "sops.age: is no list of recipients with their keys"),
        (sops(age=[{"recipient": OWN, "enc": f"hunter2\n{ARMOUR}"}]), "sops.age: is no list of recipients with their"),
    ],
)
def test_each_thing_that_is_wrong_is_told(changes: dict[str, Any], sentence: str) -> None:
    (problem, *more) = problems(to_yaml(sealed(**changes)))
    assert problem.startswith(sentence)
    assert "hunter2" not in "".join([problem, *more])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"a: b # clear\n", "holds '#'"),
        (b"a: &b c\n", "has an anchor, a tag or a directive"),
        (b"a: !!binary c\n", "has an anchor, a tag or a directive"),
        (b"%YAML 1.1\n---\na: b\n", "has an anchor, a tag or a directive"),
        (b"a: b\na: c\n", "has a key twice"),
        (b"[a]: b\n", "has a key twice, or one that is no text"),
        (b"a: b\n---\nc: d\n", "holds 2 documents"),
        (b"", "holds 0 documents"),
        (b"a: [", "cannot be read as YAML"),
        (b"\xff", "cannot be read as YAML"),
        (b"[" * 100_000, "cannot be read as YAML"),
    ],
)
def test_what_two_readers_could_take_for_two_things_is_refused(text: bytes, sentence: str) -> None:
    assert [problem.startswith(sentence) for problem in problems(text)] == [True]


def test_values_are_read_as_text() -> None:
    assert plain(b"a: 1\nb: [true, ~, {c: 2026-01-01}]\n") == {"a": "1", "b": ["true", "~", {"c": "2026-01-01"}]}
