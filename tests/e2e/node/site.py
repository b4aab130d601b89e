"""Where charts are fetched from: the files of Helm's repositories and of registries, which `internet` serves."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from constructs_lib.kit import Chart
from tests.e2e.cluster import BIN
from tests.e2e.node.images import MANIFEST

CONFIG = "application/vnd.cncf.helm.config.v1+json"
CONTENT = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
"""How registries call what is in a chart (helm v4 `pkg/registry/constants.go`)."""


def publish(sites: Path, chart: Chart, folder: Path) -> None:
    """Package the chart in a folder with helm, and serve it where `chart` says that it is."""
    place = urlsplit(chart.repository)
    site = sites / place.netloc
    packages = sites / "packages"
    subprocess.run([BIN / "helm", "package", folder, "--destination", packages], check=True, capture_output=True)
    archive = packages / f"{chart.name}-{chart.version}.tgz"
    assert archive.exists(), f"the chart in {folder} is not {chart.name} {chart.version}, which is pinned"
    about = _about(archive, chart.name)
    if chart.is_oci:
        _push(site / "v2" / place.path.lstrip("/") / chart.name, chart.version, about, archive.read_bytes())
    else:
        _index(site / place.path.lstrip("/"), about, archive)


def _about(archive: Path, name: str) -> dict[str, Any]:
    with tarfile.open(archive) as packed:
        found = packed.extractfile(f"{name}/Chart.yaml")
        assert found is not None
        return yaml.safe_load(found.read())


def _index(folder: Path, about: dict[str, Any], archive: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    index = folder / "index.yaml"
    known: dict[str, Any] = yaml.safe_load(index.read_text()) if index.exists() else {"apiVersion": "v1", "entries": {}}
    content = archive.read_bytes()
    (folder / archive.name).write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    known["entries"][about["name"]] = [{**about, "urls": [archive.name], "digest": digest}]
    index.write_text(yaml.safe_dump(known))


def _push(folder: Path, tag: str, about: dict[str, Any], content: bytes) -> None:
    blobs = folder / "blobs"
    config = _add(blobs, json.dumps(about).encode()) | {"mediaType": CONFIG}
    layer = _add(blobs, content) | {"mediaType": CONTENT}
    body = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}
    packed = json.dumps(body).encode()
    _add(folder / "manifests", packed)
    (folder / "manifests" / tag).write_bytes(packed)


def _add(folder: Path, content: bytes) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    (folder / digest).write_bytes(content)
    return {"digest": digest, "size": len(content)}
