"""Images of one layer, made of static programs, so that nothing is pulled."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.e2e.cluster import BIN

FOLDERS = {"tmp": 0o1777, "etc": 0o755, "etc/ssl": 0o755, "etc/ssl/certs": 0o755, "data": 0o777}
FILES = {
    "etc/passwd": b"root:x:0:0::/:/none\nnonroot:x:65532:65532::/:/none\n",
    "etc/group": b"root:x:0:\nnonroot:x:65532:\n",
    "etc/nsswitch.conf": b"hosts: files dns\n",
}
CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
LAYER = "application/vnd.oci.image.layer.v1.tar"
CONFIG = "application/vnd.oci.image.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class Image(NamedTuple):
    """An image that holds one of the built tools, which it starts. Without `file` that is at `/<tool>`."""

    name: str
    tool: str
    arguments: Sequence[str] = ()
    file: str = ""

    def write(self, path: Path, trusted: bytes) -> None:
        """Write the image, which trusts a CA, as an archive for `ctr images import` (OCI image layout 1.0)."""
        layer = self._layer(trusted)
        config = _json(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {"Entrypoint": [f"/{self._file}"], "Cmd": list(self.arguments), "User": "65532"},
                "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
            }
        )
        manifest = _json(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": _descriptor(CONFIG, config),
                "layers": [_descriptor(LAYER, layer)],
            }
        )
        named = {"annotations": {"io.containerd.image.name": self.name}}
        index = _json({"schemaVersion": 2, "manifests": [_descriptor(MANIFEST, manifest) | named]})
        with tarfile.open(path, "w") as archive:
            _add(archive, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
            _add(archive, "index.json", index)
            for blob in (layer, config, manifest):
                _add(archive, f"blobs/sha256/{hashlib.sha256(blob).hexdigest()}", blob)

    @property
    def _file(self) -> str:
        return self.file or self.tool

    def _layer(self, trusted: bytes) -> bytes:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for folder, mode in FOLDERS.items():
                entry = tarfile.TarInfo(folder)
                entry.type, entry.mode = tarfile.DIRTYPE, mode
                archive.addfile(entry)
            for file, content in {**FILES, CERTIFICATES: trusted}.items():
                _add(archive, file, content)
            _add(archive, self._file, (BIN / self.tool).read_bytes(), mode=0o755)
        return packed.getvalue()


PROBE = Image("node.test/probe:1", "probe", ("pause",))
"""What the pods of tests run; started without arguments it is the container that holds a pod's namespaces."""

COREDNS = Image("node.test/coredns:1", "coredns")


def _add(archive: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))


def _digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def _descriptor(kind: str, blob: bytes) -> dict[str, object]:
    return {"mediaType": kind, "digest": _digest(blob), "size": len(blob)}


def _json(value: object) -> bytes:
    return json.dumps(value).encode()
