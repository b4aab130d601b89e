"""Images of upstream's are taken as they are, but for the CA that they trust."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.node import upstream
from tests.e2e.node.images import CERTIFICATES, Image, write

NAME = "registry.test/team/tool:1.0"
FILE = "registry.test_team_tool_1.0.tar"


def blob(packed: tarfile.TarFile, descriptor: dict[str, Any]) -> bytes:
    """Return what a descriptor names."""
    found = packed.extractfile(f"blobs/{descriptor['digest'].replace(':', '/')}")
    assert found is not None
    return found.read()


def trusted(layer: bytes) -> bytes:
    """Return the certificates in a layer."""
    with tarfile.open(fileobj=io.BytesIO(layer)) as files:
        found = files.extractfile(CERTIFICATES)
        assert found is not None
        return found.read()


def test_only_the_ca_is_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / FILE, [Image(NAME, arguments=("run",))], b"theirs")
    monkeypatch.setenv("IMAGES", str(tmp_path))
    image = upstream.fetched(NAME)
    assert image is not None
    write(tmp_path / "ours.tar", [image], b"ours")
    with tarfile.open(tmp_path / "ours.tar") as packed:
        index = packed.extractfile("index.json")
        assert index is not None
        (entry,) = json.loads(index.read())["manifests"]
        assert entry["annotations"] == {"io.containerd.image.name": NAME}
        body = json.loads(blob(packed, entry))
        config = json.loads(blob(packed, body["config"]))
        layers = [blob(packed, layer) for layer in body["layers"]]
    assert [trusted(layer) for layer in layers] == [b"theirs", b"ours"]
    assert config["rootfs"]["diff_ids"] == [layer["digest"] for layer in body["layers"]]
    assert config["config"]["Cmd"] == ["run"]


def test_without_a_folder_or_an_image_in_it_the_built_one_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("IMAGES", raising=False)
    assert upstream.fetched(NAME) is None
    monkeypatch.setenv("IMAGES", str(tmp_path))
    assert upstream.fetched(NAME) is None


@pytest.mark.parametrize("code", [0, 1])
def test_what_is_missing_is_fetched_once_and_kept_whole(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "skopeo"
    program.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/said\necho image >"${{4#oci-archive:}}"\nexit {code}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("IMAGES", str(tmp_path))
    found = [upstream.fetched(NAME) for _ in range(2)]
    said = (tmp_path / "said").read_text().splitlines()
    assert said[0].split()[:4] == [
        "copy",
        "--quiet",
        f"docker://{NAME}",
        f"oci-archive:{tmp_path / FILE}".replace(".tar", ".part"),
    ]
    assert (len(said), (tmp_path / FILE).exists()) == ((1, True) if code == 0 else (2, False))
    assert found == ([upstream.Fetched(NAME, tmp_path / FILE)] * 2 if code == 0 else [None, None])
