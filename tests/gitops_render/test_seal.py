"""Sealing as far as it goes without `sops`: who is a recipient, what is refused, what is listed."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from constructs_lib.base.errors import ConfigError
from gitops_render.check.sealed import sealed_findings
from gitops_render.journal import INTENT, STAGED, put, recover
from gitops_render.paths import sealed_file, sealed_folder
from gitops_render.seal import listed, refuse_stream_into, seal, unseal, verify
from gitops_render.sops_config import read_recipients, sops_config
from gitops_render.write import cut_before
from gitops_render.yaml_output import to_yaml
from tests.gitops_render.test_journal import Cut, before, half, killed, opened
from tests.support import run_python

OWN, OTHER, RECOVERY = (f"age1{letter * 58}" for letter in "qpz")
RECIPIENTS = {"sandbox": (OWN, RECOVERY), "staging": (OTHER, RECOVERY)}
CLEAR = "hunter2-hunter2"
KUSTOMIZATION = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": []}


def secret(**changes: Any) -> dict[str, Any]:
    """Return a Secret with `changes` on top; None removes a key."""
    base = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": "databases"}}
    merged: dict[str, Any] = {**base, "stringData": {"password": CLEAR}, **changes}
    return {key: value for key, value in merged.items() if value is not None}


@pytest.fixture
def output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A GitOps repository that was rendered, on a machine without `sops`."""
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("SOPS", "SOPS_AGE_KEY", "SOPS_AGE_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "out"
    (folder / sealed_folder("sandbox")).mkdir(parents=True)
    (folder / ".sops.yaml").write_bytes(sops_config(RECIPIENTS))
    (folder / sealed_folder("sandbox") / "kustomization.yaml").write_bytes(to_yaml(KUSTOMIZATION))
    return folder


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def contents_of(folder: Path) -> dict[Path, bytes]:
    """Return the same by paths in the folder."""
    return {path.relative_to(folder): data for path, data in contents(folder).items()}


def refused(output: Path, sentence: str, text: str, environment: str = "sandbox") -> ConfigError:
    """Fail unless sealing `text` is refused with `sentence`, writes nothing and tells no value."""
    before = contents(output)
    with pytest.raises(ConfigError, match=sentence) as caught:
        seal(output, environment, {"in.yaml": text})
    assert contents(output) == before
    assert "hunter2" not in str(caught.value)
    return caught.value


def test_there_is_a_rule_for_each_environment_and_for_nothing_else() -> None:
    assert yaml.safe_load(sops_config({**RECIPIENTS, "bare": ()}))["creation_rules"] == [
        {
            "path_regex": rf"^platform/secrets/{name}/sealed/secret-.*\.yaml$",
            "encrypted_regex": "^(data|stringData)$",
            "age": f"{key},{RECOVERY}",
        }
        for name, key in (("sandbox", OWN), ("staging", OTHER))
    ]


def test_recipients_are_read_back(output: Path) -> None:
    assert read_recipients(output, "staging") == {OTHER, RECOVERY}


@pytest.mark.parametrize("name", ["stagin", "", "../sandbox", ".*"])
def test_an_environment_without_a_rule_is_refused(output: Path, name: str) -> None:
    assert refused(output, "has no rule for", json.dumps(secret()), name).problems[0].endswith("and render")


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ("creation_rules: [{path_regex: x, age: y, encrypted_regex: z, pgp: w}]", "pgp: is not a known key"),
        ("creation_rules: []", "has no rule"),
        ("a: [", "cannot be read as YAML"),
    ],
)
def test_other_rules_are_refused(output: Path, config: str, sentence: str) -> None:
    (output / ".sops.yaml").write_text(config)
    refused(output, sentence, json.dumps(secret()))


@pytest.mark.parametrize(
    ("item", "sentence"),
    [
        (secret(kind="ConfigMap"), "must be a Secret of v1, found ConfigMap of v1; only Secrets are sealed"),
        (secret(kind="List", items=[secret()]), "found List of v1"),
        (secret(apiVersion="v2"), "found Secret of v2"),
        ([secret()], "must be a Secret, found list"),
        (secret(metadata=None), "metadata.name is missing"),
        (secret(metadata={"name": "db"}), "metadata.namespace is missing; add it"),
        (secret(metadata={"name": "../db", "namespace": "x"}), "metadata.name must be lower-case letters"),
        (secret(metadata={"name": "a/b", "namespace": "x"}), "metadata.name must be lower-case letters"),
        (secret(stringData=None), "has neither data nor stringData"),
        (secret(stringData={}, data={}), "has neither data nor stringData"),
        (secret(stringData=[CLEAR]), "stringData must hold keys and values"),
        (secret(stringData={"port": 5432}), "stringData.port must be text; put it in quotes"),
        (secret(data={"password": CLEAR}), "data.password is not base64"),
        (secret(data={"password": "!!!!aHVu"}), "data.password is not base64"),
        (secret(stringData={1: CLEAR}), "a key that is not text"),
        (secret(sops={}), "is sealed already"),
    ],
)
def test_what_is_no_complete_secret_is_refused(output: Path, item: Any, sentence: str) -> None:
    problems = refused(output, sentence, yaml.safe_dump_all([secret(), item])).problems
    assert all(problem.startswith("in.yaml: object 2: ") for problem in problems)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "holds no object"),
        ("password: *hunter2", "cannot be read as YAML at line 1, column 11"),
        ("password: !hunter2 x", "cannot be read as YAML at line 1"),
        ("password: 2026-99-99", "cannot be read as YAML; correct it"),
        ("password: \x00hunter2", "cannot be read as YAML"),
    ],
)
def test_what_is_not_yaml_is_refused_without_showing_it(output: Path, text: str, sentence: str) -> None:
    refused(output, sentence, text)


def test_names_that_clash_are_refused(output: Path) -> None:
    other = secret(metadata={"name": "db", "namespace": "messaging"})
    refused(output, r"secret-db\.yaml: would hold two Secrets", yaml.safe_dump_all([secret(), other]))
    (output / sealed_file("sandbox", "db")).write_text("sealed before")
    refused(output, r"secret-db\.yaml: holds a Secret already; .*--overwrite", json.dumps(secret()))


def test_sops_has_to_be_installed(output: Path) -> None:
    refused(output, "sops: is not installed; put it on PATH, or set SOPS", json.dumps(secret()))


def test_base64_may_be_of_several_lines(output: Path) -> None:
    refused(output, "sops: is not installed", json.dumps(secret(data={"password": "aHVu\ndGVy\n"})))


def test_a_sealed_secret_is_replaced_only_when_told_so(output: Path) -> None:
    (output / sealed_file("sandbox", "db")).write_text("sealed before")
    with pytest.raises(ConfigError, match="sops: is not installed"):
        seal(output, "sandbox", {"in.yaml": json.dumps(secret())}, overwrite=True)


def test_a_folder_that_was_not_rendered_is_refused(output: Path) -> None:
    refused(output, "staging/sealed/kustomization.yaml: cannot be read", json.dumps(secret()), "staging")


def test_sealed_files_are_listed_beside_what_was_there(output: Path) -> None:
    listing = output / sealed_folder("sandbox") / "kustomization.yaml"
    listing.write_bytes(to_yaml({**KUSTOMIZATION, "resources": ["secret-z.yaml", "secret-b.yaml"]}))
    expected = to_yaml({**KUSTOMIZATION, "resources": ["secret-a.yaml", "secret-b.yaml", "secret-z.yaml"]})
    assert listed(listing, ["secret-b.yaml", "secret-a.yaml"]) == expected
    listing.write_text("resources: x")
    with pytest.raises(ConfigError, match="resources: must be a list"):
        listed(listing, [])


def sealed(value: str = "ENC[x]", recipients: tuple[str, ...] = (OWN, RECOVERY), **annotations: str) -> bytes:
    """Return what `sops` could have made of `secret()`."""
    sops = {"age": [{"recipient": recipient} for recipient in recipients]}
    metadata = {"name": CLEAR, "namespace": "databases", "annotations": annotations}
    return to_yaml(secret(metadata=metadata, stringData={"password": value}, sops=sops))


@pytest.mark.parametrize(
    ("result", "sentence"),
    [
        (sealed(recipients=(OWN,)), "sops chose other recipients"),
        (sealed(recipients=(OWN, OTHER, RECOVERY)), "sops chose other recipients"),
        (sealed("other clear text"), "left a value in clear text"),
        (sealed(f"ENC[{CLEAR}"), "stands outside data and stringData"),
        (sealed(last_applied=f'{{"password": "{CLEAR}"}}'), "stands outside data and stringData"),
        (sealed(last_applied="aHVudGVyMi1odW50ZXIy"), "stands outside data and stringData"),
        (to_yaml(secret(sops={})), "sops chose other recipients"),
    ],
)
def test_a_result_with_clear_text_or_other_recipients_is_refused(result: bytes, sentence: str) -> None:
    path = sealed_file("sandbox", "db")
    for clear in (secret(), secret(stringData=None, data={"password": "aHVudGVyMi1odW50ZXIy"})):
        with pytest.raises(ConfigError, match=sentence):
            verify(path, clear, result, frozenset((OWN, RECOVERY)))
        verify(path, clear, sealed(), frozenset((OWN, RECOVERY)))


def test_unsealing_needs_an_environment_a_secret_and_a_key(output: Path) -> None:
    with pytest.raises(ConfigError, match="has no rule for 'sandbx'"):
        unseal(output, "sandbx", "db")
    with pytest.raises(ConfigError, match="unknown Secret 'db', known are none"):
        unseal(output, "sandbox", "db")
    (output / sealed_file("sandbox", "db")).write_text("sealed before")
    with pytest.raises(ConfigError, match=r"unknown Secret '\.\./db', known are db"):
        unseal(output, "sandbox", "../db")
    with pytest.raises(ConfigError, match="needs an age key; set SOPS_AGE_KEY_FILE or SOPS_AGE_KEY"):
        unseal(output, "sandbox", "db")


def test_clear_text_is_not_written_into_the_repository(output: Path, tmp_path: Path) -> None:
    with (
        (output / "clear.yaml").open("w") as inside,
        pytest.raises(ConfigError, match=r"clear\.yaml: would hold clear"),
    ):
        refuse_stream_into(output, inside.fileno())
    with (tmp_path / "clear.yaml").open("w") as outside:
        refuse_stream_into(output, outside.fileno())
    reading, writing = os.pipe()
    refuse_stream_into(output, writing)
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize(
    ("file", "sentence"), [("out/clear.yaml", "is clear text in the GitOps repository"), ("none", "cannot be read: No")]
)
def test_the_command_refuses_in_one_sentence(output: Path, tmp_path: Path, file: str, sentence: str) -> None:
    (output / "clear.yaml").write_bytes(to_yaml(secret()))
    result = run_python(
        "-m", "gitops_render", "seal", "--environment", "sandbox", "--tree", "out", file, folder=tmp_path
    )
    assert (result.returncode, result.stdout, len(result.stderr.splitlines())) == (2, "", 1)
    assert sentence in result.stderr


def test_a_namespace_that_the_environment_does_not_have_is_refused(output: Path) -> None:
    folder = output / "platform/baseline/sandbox/namespaces"
    folder.mkdir(parents=True)
    for name in ("databases", "cache"):
        (folder / f"namespace-{name}.yaml").write_text("")
    wrong = secret(metadata={"name": "db", "namespace": "database"})
    sentence = "Secret db: metadata.namespace: unknown namespace 'database', known are cache, databases, flux-system"
    refused(output, sentence, json.dumps(wrong))
    for name in ("databases", "flux-system"):
        right = secret(metadata={"name": "db", "namespace": name})
        refused(output, "sops: is not installed", json.dumps(right))


def test_a_secret_of_that_name_in_another_namespace_is_never_replaced(output: Path) -> None:
    (output / sealed_file("sandbox", "db")).write_text(json.dumps(secret()))
    other = json.dumps(secret(metadata={"name": "db", "namespace": "cache"}))
    for overwrite in (False, True):
        with pytest.raises(ConfigError) as caught:
            seal(output, "sandbox", {"in.yaml": other}, overwrite=overwrite)
        (problem,) = caught.value.problems
        assert problem.endswith("holds the Secret of that name in namespace databases, found cache; rename yours")


@pytest.fixture
def encrypting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what SOPS does be done without it."""

    def encrypted(_output: Path, _about: Path, *_arguments: str, given: bytes) -> bytes:
        keys = [{"recipient": key, "enc": ""} for key in (OWN, RECOVERY)]
        clear = yaml.safe_load(given)
        return to_yaml({**clear, "stringData": dict.fromkeys(clear["stringData"], "ENC[x]"), "sops": {"age": keys}})

    monkeypatch.setattr("gitops_render.seal.sops", encrypted)


def two(output: Path) -> object:
    """Seal two Secrets, one of which replaces an old one."""
    inputs = {name: json.dumps(secret(metadata={"name": name, "namespace": "databases"})) for name in ("db", "new")}
    return seal(output, "sandbox", inputs, overwrite=True)


@pytest.mark.parametrize("cut", [before, opened, half])
def test_however_sealing_is_cut_all_secrets_are_sealed_or_none(
    output: Path, tmp_path: Path, encrypting: None, cut: Cut
) -> None:
    (output / sealed_file("sandbox", "db")).write_bytes(to_yaml({**secret(), "stringData": {"password": "ENC[old]"}}))
    whole = tmp_path / "whole"
    shutil.copytree(output, whole)
    assert two(whole) == (sealed_file("sandbox", "db"), sealed_file("sandbox", "new"))
    old, new, seen, number = contents_of(output), contents_of(whole), set[str](), 0
    assert old != new
    for number in range(100):
        folder = tmp_path / str(number)
        shutil.copytree(output, folder)
        if not killed(number, cut, lambda folder=folder: two(folder)):
            break
        assert not [path for path, data in contents(folder).items() if CLEAR.encode() in data]
        seen.add("cut" if cut_before(folder) else "clean")
        recover(folder)
        assert contents_of(folder) in (old, new), number
        two(folder)
        assert contents_of(folder) == new, number
    assert number > 5
    assert seen == {"cut", "clean"}


def test_sealing_finishes_what_a_run_before_was_cut_in(output: Path, encrypting: None) -> None:
    place = PurePosixPath("platform/a.yaml")
    for number in range(100):
        assert killed(number, before, lambda: put(output, {place: None}, {place: b"a: 1\n"}, ()))
        if (output / STAGED / INTENT).exists():
            break
        recover(output)
    two(output)
    assert (output / place).read_bytes() == b"a: 1\n"
    assert not (output / STAGED).exists()


def test_a_link_in_place_of_a_sealed_file_is_refused(output: Path, tmp_path: Path, encrypting: None) -> None:
    (output / sealed_file("sandbox", "db")).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match=r"secret-db\.yaml: is a link"):
        two(output)
    assert not (tmp_path / "elsewhere").exists()


def test_what_cannot_be_written_is_one_sentence(
    output: Path, encrypting: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", str(output / STAGED))

    before = contents(output)
    monkeypatch.setattr("gitops_render.journal._stage", full)
    with pytest.raises(ConfigError, match="staged: cannot be written: No space left on device"):
        two(output)
    assert contents(output) == before


def test_what_is_sealed_for_other_keys_is_found(output: Path) -> None:
    def sealed(environment: str, *keys: str) -> None:
        data = {**secret(), "sops": {"age": [{"recipient": key, "enc": ""} for key in keys]}}
        path = output / sealed_file(environment, "db")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(data))

    sealed("sandbox", OWN, RECOVERY)
    sealed("staging", OTHER, RECOVERY)
    assert list(sealed_findings(output)) == []
    sealed("staging", OWN, RECOVERY)
    sealed("bare", OWN)
    bare, staging = sealed_findings(output)
    assert (
        staging.message
        == "is sealed for age1qqqqqqqq…, age1zzzzzzzz…, and .sops.yaml names age1pppppppp…, age1zzzzzzzz…"
    )
    assert (staging.policy, staging.object) == ("SEAL001", "Secret databases db")
    assert staging.file == "platform/secrets/staging/sealed/secret-db.yaml"
    assert bare.message.endswith(".sops.yaml names nobody")
