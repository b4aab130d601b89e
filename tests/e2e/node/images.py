"""Images of built tools, alone or on top of Debian's packages, so that nothing is pulled."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from gitops_render.example import IMAGE as EXAMPLE
from tests.e2e.cluster import BIN

FOLDERS = {"tmp": 0o1777, "etc": 0o755, "etc/ssl": 0o755, "etc/ssl/certs": 0o755, "data": 0o777}
USERS = {b"root": 0, b"postgres": 26, b"pgbouncer": 998, b"nonroot": 65532}
FILES = {
    "etc/passwd": b"".join(b"%s:x:%d:%d::/:/none\n" % (name, number, number) for name, number in USERS.items()),
    "etc/group": b"".join(b"%s:x:%d:\n" % (name, number) for name, number in USERS.items()),
    "etc/nsswitch.conf": b"hosts: files dns\n",
}
CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
LINKS = {"bin": "usr/bin", "lib": "usr/lib", "lib64": "usr/lib64", "sbin": "usr/sbin"}
"""Where Debian has its folders; a package that is only unpacked does not make them."""

LAYER = "application/vnd.oci.image.layer.v1.tar"
CONFIG = "application/vnd.oci.image.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class Image(NamedTuple):
    """An image that holds one of the built tools, as each of `files`, and starts the first; `/<tool>` without any.

    `base` is a built archive of files below, `path` where their programs are, `links` where else some of them are, and
    `environ` what else its processes find in their environment.
    """

    name: str
    tool: str = ""
    arguments: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    user: int = 65532
    base: str = ""
    path: str = "/"
    links: tuple[tuple[str, str], ...] = ()
    environ: tuple[str, ...] = ()

    def add(self, archive: Archive, trusted: bytes) -> dict[str, Any]:
        """Add what it is made of to an archive, and return its entry in the index."""
        below = [archive.add_file(BIN / self.base)] if self.base else []
        layers = [*below, archive.add(LAYER, self._layer(trusted))]
        started = [f"/{file}" for file in self._files[:1]]
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": {
                "Entrypoint": started,
                "Cmd": list(self.arguments),
                "User": str(self.user),
                "Env": [f"PATH={self.path}", *self.environ],
            },
            "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]},
        }
        body = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": archive.add(CONFIG, _json(config)),
            "layers": layers,
        }
        return archive.add(MANIFEST, _json(body)) | called(self.name)

    @property
    def _files(self) -> tuple[str, ...]:
        return self.files or tuple(filter(None, (self.tool,)))

    def _layer(self, trusted: bytes) -> bytes:
        links = dict((*LINKS.items(), *self.links)) if self.base else {}
        programs = dict.fromkeys(self._files, BIN / self.tool)
        return packed({**FILES, CERTIFICATES: trusted}, FOLDERS, links, programs)


def packed(
    files: Mapping[str, bytes],
    folders: Mapping[str, int] | None = None,
    links: Mapping[str, str] | None = None,
    programs: Mapping[str, Path] | None = None,
) -> bytes:
    """Return a layer of files, folders with their modes, links with their targets, and programs."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as layer:
        for folder, mode in (folders or {}).items():
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            layer.addfile(entry)
        for name, target in (links or {}).items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            layer.addfile(entry)
        for file, content in files.items():
            _add(layer, file, content)
        for file, program in (programs or {}).items():
            _add(layer, file, program.read_bytes(), mode=0o755)
    return made.getvalue()


class Archive:
    """What `ctr images import` reads (OCI image layout 1.0); what images share is in it once."""

    def __init__(self, packed: tarfile.TarFile) -> None:
        self._packed = packed
        self._known: set[str] = set()

    def add(self, kind: str, blob: bytes) -> dict[str, Any]:
        """Add a blob, and return its descriptor."""
        digest = hashlib.sha256(blob).hexdigest()
        if self._is_new(digest):
            _add(self._packed, f"blobs/sha256/{digest}", blob)
        return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(blob)}

    def add_file(self, path: Path) -> dict[str, Any]:
        """Add a file as a layer, and return its descriptor."""
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if self._is_new(digest):
            self._packed.add(path, f"blobs/sha256/{digest}")
        return {"mediaType": LAYER, "digest": f"sha256:{digest}", "size": path.stat().st_size}

    def _is_new(self, digest: str) -> bool:
        known = digest in self._known
        self._known.add(digest)
        return not known


def called(name: str) -> dict[str, Any]:
    """Return how an archive names an image: in full, as containerd looks for it (distribution/reference).

    Where there is a digest, the tag is left out; ours need not have that digest.
    """
    host, _, path = name.partition("/")
    if "@" in path:
        path = f"{path.partition(':')[0]}@{path.partition('@')[2]}"
    library = "library/" if host == "docker.io" and "/" not in path else ""
    full = f"{host}/{library}{path}"
    return {"annotations": {"io.containerd.image.name": full}}


class Addable(Protocol):
    """An image that can be added to an archive."""

    def add(self, archive: Archive, trusted: bytes) -> dict[str, Any]: ...


def write(path: Path, images: Iterable[Addable], trusted: bytes) -> None:
    """Write images, which trust a CA, as one archive."""
    with tarfile.open(path, "w") as packed:
        archive = Archive(packed)
        entries = [image.add(archive, trusted) for image in images]
        _add(packed, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        _add(packed, "index.json", _json({"schemaVersion": 2, "manifests": entries}))


PROBE = Image("node.test/probe:1", "probe", ("pause",))
"""What the pods of tests run; started without arguments it is the container that holds a pod's namespaces."""

COREDNS = Image("node.test/coredns:1", "coredns")

APPLICATION = Image("node.test/application:1", base="clients.tar", path="/usr/lib/postgresql/17/bin:/usr/bin")
"""What stands for an application: clients of Postgres, and Python with those of Valkey and RabbitMQ."""

PYTHON = APPLICATION._replace(name=EXAMPLE, links=(("usr/bin/python", "python3"),))
"""What the example of an application runs in: the same Python, of Debian."""


def _add(archive: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))


def _json(value: object) -> bytes:
    return json.dumps(value).encode()
