"""Upstream's own images and charts, where the internet is there: `python -m tests.e2e.node.upstream FOLDER`.

It fetches charts and CRDs into `charts` and `crds` there, for the variables `CHARTS` and `CRDS` of a run of the real
node. `IMAGES` names a folder of images (OCI archives), which are taken instead of those that are built, and of Git
repositories; what is not in it yet is fetched by skopeo, which GitHub's runners have, or by git. To an image nothing is
added but the CA of the tests' world.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import requests
import yaml

from constructs_lib.cloud.fluxcd import FLUX_VERSION, OPERATOR_CHART
from constructs_lib.kit import FLUX_NAMESPACE, Chart, Release
from tests.chart_facts.helm import objects, template
from tests.e2e.cluster import BIN
from tests.e2e.node import images

FOLDER = "IMAGES"
"""The variable that names the folder of images."""

OURS = "node.test/"
"""How the names of images begin that are the tests' own."""

FLUX = f"https://github.com/fluxcd/flux2/releases/download/v{FLUX_VERSION}/install.yaml"


class Fetched(NamedTuple):
    """An image of upstream's, in an OCI archive."""

    name: str
    path: Path

    def add(self, archive: images.Archive, trusted: bytes) -> dict[str, Any]:
        """Add it to an archive, with one layer on top, and return its entry in the index."""
        with tarfile.open(self.path) as packed:

            def read(descriptor: dict[str, Any]) -> bytes:
                found = packed.extractfile(f"blobs/{descriptor['digest'].replace(':', '/')}")
                assert found is not None
                return found.read()

            index = packed.extractfile("index.json")
            assert index is not None
            body = json.loads(read(json.loads(index.read())["manifests"][0]))
            config = json.loads(read(body["config"]))
            for layer in body["layers"]:
                archive.add(layer["mediaType"], read(layer))
        own = archive.add(images.LAYER, images.packed({images.CERTIFICATES: trusted}))
        config["rootfs"]["diff_ids"].append(own["digest"])
        body["layers"].append(own)
        body["config"] = archive.add(body["config"]["mediaType"], json.dumps(config).encode())
        added = archive.add(body.get("mediaType", images.MANIFEST), json.dumps(body).encode())
        return added | images.called(self.name)


def fetched(name: str) -> Fetched | None:
    """Return upstream's image of a name, if `IMAGES` names a folder that has it or to which it can be fetched."""
    folder = os.environ.get(FOLDER)
    if not folder or name.startswith(OURS):
        return None
    tagged = name.partition("@")[0]
    path = Path(folder) / f"{re.sub('[^A-Za-z0-9.-]', '_', tagged)}.tar"
    if not path.exists() and shutil.which("skopeo"):
        part = path.with_suffix(".part")
        copy = ["skopeo", "copy", "--quiet", f"docker://{tagged}", f"oci-archive:{part}"]
        if subprocess.run(copy, check=False, timeout=600).returncode == 0:
            part.rename(path)
    return Fetched(name, path) if path.exists() else None


def repository(url: str, commit: str) -> Path | None:
    """Return a bare repository with a commit of one at `url`, if `IMAGES` names a folder that has or can get it."""
    folder = os.environ.get(FOLDER)
    if not folder:
        return None
    path = Path(folder) / f"{urlsplit(url).path.strip('/').replace('/', '_')}-{commit}.git"
    if not path.exists():
        part = path.with_suffix(".part")
        make = ["git", "init", "--quiet", "--bare", "--initial-branch=main", str(part)]
        subprocess.run(make, check=True)
        fetch = ["git", "-C", str(part), "fetch", "--quiet", "--depth=1", url, f"{commit}:refs/heads/main"]
        if subprocess.run(fetch, check=False, timeout=600, env={**os.environ, "GIT_TERMINAL_PROMPT": "0"}).returncode:
            return None
        part.rename(path)
    return path


def fetch_charts(releases: list[Release], place: Path) -> None:
    """Fetch the charts of releases, and the CRDs in them and of Flux. Raises where one is not there."""
    for name in ("charts", "crds"):
        (place / name).mkdir(parents=True, exist_ok=True)
    os.environ["CHARTS"] = str(place / "charts")
    found = {"flux": requests.get(FLUX, timeout=60).text}
    for release in releases:
        _pull(release.chart, place / "charts")
        found[release.chart.name] = template(release)
    for name, text in found.items():
        crds = [item for item in objects(text) if item["kind"] == "CustomResourceDefinition"]
        (place / "crds" / f"{name.removesuffix('-crds')}.yaml").write_text(yaml.safe_dump_all(crds))


def _pull(chart: Chart, folder: Path) -> None:
    source = (f"{chart.repository}/{chart.name}",) if chart.is_oci else (chart.name, "--repo", chart.repository)
    options = ("--version", chart.version, "--untar", "--untardir", str(folder))
    subprocess.run([BIN / "helm", "pull", *source, *options], check=True)


def main(folder: str) -> None:
    """Fetch the charts of the sandbox, and that of Flux' operator."""
    from tests.e2e.node.sandbox import environment

    releases = [item for layer in environment().layers for item in layer.objects if isinstance(item, Release)]
    fetch_charts([*releases, Release(OPERATOR_CHART.name, FLUX_NAMESPACE, OPERATOR_CHART, {})], Path(folder))


if __name__ == "__main__":
    main(*sys.argv[1:])
