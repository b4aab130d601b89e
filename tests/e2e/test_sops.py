"""Sealing with real SOPS and age keys: who can read a Secret, and that nobody else can."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from constructs_lib.base.errors import ConfigError
from gitops_render.paths import sealed_file, sealed_folder
from gitops_render.seal import seal, unseal
from gitops_render.sops_config import sops_config
from gitops_render.yaml_output import to_yaml
from tests.console import blocks
from tests.support import ROOT, run_python

SOPS, AGE_KEYGEN = ROOT / "tools/bin/sops", ROOT / "tools/bin/age-keygen"
CLEAR = ("hunter2-hunter2", "first line\nsecond: line\n", "c2VjcmV0LWluLWJhc2U2NA==")
SECRET: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "db", "namespace": "databases", "labels": {"app": "db"}},
    "type": "Opaque",
    "immutable": True,
    "data": {"token": CLEAR[2]},
    "stringData": {"empty": "", "file": CLEAR[1], "password": CLEAR[0], "port": "5432"},
}
FILE = sealed_file("sandbox", "db")


class Keys(NamedTuple):
    """Key files, made for one run of the tests."""

    sandbox: Path
    staging: Path
    recovery: Path

    def use(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Decrypt with this key and no other."""
        monkeypatch.setenv("SOPS_AGE_KEY_FILE", str(getattr(self, name)))


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """Three age keys; skips where SOPS and age are not built."""
    missing = [str(binary) for binary in (SOPS, AGE_KEYGEN) if not binary.exists()]
    if missing:
        stop = pytest.fail if os.environ.get("TOOLS_REQUIRED") == "1" else pytest.skip
        stop(f"not built: {', '.join(missing)} (make tools)")
    folder = tmp_path_factory.mktemp("keys")
    made = Keys(*(folder / name for name in Keys._fields))
    for path in made:
        subprocess.run([AGE_KEYGEN, "-o", path], capture_output=True, check=True)
    return made


@pytest.fixture
def output(keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A GitOps repository with the keys' recipients, beside which stray settings must change nothing."""
    public = {
        name: subprocess.run([AGE_KEYGEN, "-y", path], capture_output=True, text=True, check=True).stdout.strip()
        for name, path in keys._asdict().items()
    }
    monkeypatch.setenv("SOPS", str(SOPS))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SOPS_AGE_RECIPIENTS", public["staging"])
    monkeypatch.delenv("SOPS_AGE_KEY", raising=False)
    monkeypatch.delenv("SOPS_AGE_KEY_FILE", raising=False)
    folder = tmp_path / "out"
    for name in ("sandbox", "staging"):
        (folder / sealed_folder(name)).mkdir(parents=True)
        (folder / sealed_folder(name) / "kustomization.yaml").write_bytes(to_yaml({"resources": []}))
    rules = {name: (public[name], public["recovery"]) for name in ("sandbox", "staging")}
    (folder / ".sops.yaml").write_bytes(sops_config(rules))
    return folder


def tree(folder: Path) -> bytes:
    """Return the names and the contents of all files, one after the other."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return b"\n".join(str(path).encode() + b"\n" + path.read_bytes() for path in files)


def put(output: Path, item: dict[str, Any] = SECRET, *, overwrite: bool = False) -> None:
    seal(output, "sandbox", {"-": yaml.safe_dump(item)}, overwrite=overwrite)


@pytest.mark.parametrize("reader", ["sandbox", "recovery"])
def test_each_recipient_reads_what_was_sealed(
    output: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch, reader: str
) -> None:
    put(output)
    keys.use(reader, monkeypatch)
    assert yaml.safe_load(unseal(output, "sandbox", "db")) == SECRET


def test_the_key_of_another_environment_reads_nothing(
    output: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(output)
    keys.use("staging", monkeypatch)
    with pytest.raises(ConfigError, match=r"secret-db\.yaml: sops cannot decrypt it: Failed to get the data key"):
        unseal(output, "sandbox", "db")


def test_a_changed_file_is_not_read(output: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    put(output)
    keys.use("sandbox", monkeypatch)
    (output / FILE).write_text((output / FILE).read_text().replace("namespace: databases", "namespace: kube-system"))
    with pytest.raises(ConfigError, match="sops cannot decrypt it: MAC mismatch"):
        unseal(output, "sandbox", "db")


def test_after_a_lost_key_the_one_of_recovery_seals_again_as_the_page_says(
    output: Path, keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(output)
    (step,) = (
        step
        for block in blocks(ROOT / "docs/how-to/rebuild-an-environment.md")
        for step in block
        if step.command.startswith("SOPS_AGE_KEY_FILE=recovery.txt")
    )
    new = tmp_path / "new"
    subprocess.run([AGE_KEYGEN, "-o", new], capture_output=True, check=True)
    public = [
        subprocess.run([AGE_KEYGEN, "-y", path], capture_output=True, text=True, check=True).stdout.strip()
        for path in (new, keys.recovery)
    ]
    (output / ".sops.yaml").write_bytes(sops_config({"sandbox": public}))
    work = tmp_path / "work"
    work.mkdir()
    output.rename(tmp_path / "gitops")
    (work / "recovery.txt").write_bytes(keys.recovery.read_bytes())
    (work / "bin").symlink_to(ROOT / "bin")
    done = subprocess.run(step.command, shell=True, cwd=work, capture_output=True, text=True, check=False)  # noqa: S602
    assert done.returncode == 0, done.stderr
    monkeypatch.setenv("SOPS_AGE_KEY_FILE", str(new))
    assert yaml.safe_load(unseal(tmp_path / "gitops", "sandbox", "db")) == SECRET
    keys.use("sandbox", monkeypatch)
    with pytest.raises(ConfigError, match="sops cannot decrypt it"):
        unseal(tmp_path / "gitops", "sandbox", "db")


def test_no_clear_text_is_in_the_repository(output: Path) -> None:
    put(output)
    for clear in (*CLEAR, "second: line", "secret-in-base64", "5432"):
        assert clear.encode() not in tree(output)
    found = yaml.safe_load((output / FILE).read_text())
    assert {key: found[key] for key in ("kind", "metadata", "type")} == {
        key: SECRET[key] for key in ("kind", "metadata", "type")
    }
    assert {path.name for path in (output / FILE).parent.iterdir()} == {"kustomization.yaml", FILE.name}
    assert yaml.safe_load((output / FILE).with_name("kustomization.yaml").read_text()) == {"resources": [FILE.name]}


def test_a_value_that_an_annotation_repeats_is_refused(output: Path) -> None:
    before = tree(output)
    annotations = {
        "kubectl.kubernetes.io/last-applied-configuration": f'{{"stringData": {{"password": "{CLEAR[0]}"}}}}'
    }
    with pytest.raises(ConfigError, match="a value of the Secret also stands outside data and stringData"):
        put(output, {**SECRET, "metadata": {**SECRET["metadata"], "annotations": annotations}})
    assert tree(output) == before


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            "creation_rules:",
            "creation_rules:\n- {path_regex: .*, encrypted_regex: x, age: RECOVERY}",
            "other recipients",
        ),
        ("^(data|stringData)$", "^(data)$", "left a value in clear text"),
        ("^platform/secrets/sandbox/", "^platform/secrets/sandbox-", "has no rule"),
    ],
)
def test_rules_that_do_not_hold_are_noticed(output: Path, keys: Keys, old: str, new: str, sentence: str) -> None:
    rules = output / ".sops.yaml"
    text = rules.read_text()
    recovery = yaml.safe_load(text)["creation_rules"][0]["age"].split(",")[1]
    rules.write_text(text.replace(old, new.replace("RECOVERY", recovery)))
    before = tree(output)
    with pytest.raises(ConfigError, match=sentence):
        put(output)
    assert tree(output) == before


def test_a_secret_is_replaced_only_when_told_to(output: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    put(output)
    other = {**SECRET, "stringData": {"password": "another password"}}
    with pytest.raises(ConfigError, match="holds a Secret already"):
        put(output, other)
    put(output, other, overwrite=True)
    keys.use("sandbox", monkeypatch)
    assert yaml.safe_load(unseal(output, "sandbox", "db")) == other


def test_a_folder_that_cannot_be_written_stays_as_it_is(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(output)
    before = tree(output)

    def replace(path: Path, target: Path) -> Path:
        raise OSError(errno.EACCES, "Permission denied", str(target))

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(ConfigError, match="cannot be written: Permission denied"):
        put(output, overwrite=True)
    assert tree(output) == before


def test_the_commands(output: Path, keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "clear.yaml").write_text(yaml.safe_dump_all([SECRET]))
    place = ("--environment", "sandbox", "--tree", "out")
    result = run_python("-m", "gitops_render", "seal", *place, "clear.yaml", folder=tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (
        0,
        f"sandbox: {FILE}\nout: 1 Secrets sealed for sandbox; commit them\n",
        "",
    )
    keys.use("sandbox", monkeypatch)
    result = run_python("-m", "gitops_render", "unseal", *place, "db", folder=tmp_path)
    assert (result.returncode, yaml.safe_load(result.stdout)) == (0, SECRET)
