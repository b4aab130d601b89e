"""The real kustomize-controller, and what stands around it: sources, and what controllers say that are not there.

source-controller cannot be built here (docs/decisions/0041-rehearsal.md), so its part is done by `Artifacts`: it serves
an archive, and the status of a source says so.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import logging
import tarfile
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from constructs_lib.kit import FLUX_NAMESPACE, Manifest, group
from operations.rehearsal.api_server import ApiServer

CONTROLLER = "kustomize-controller"
NOW = "2026-01-01T00:00:00Z"


class Background:
    """A function that runs every half second until the end; as in a controller, what fails is tried again."""

    def __init__(self, step: Callable[[], None]) -> None:
        self._step = step
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(0.5):
            try:
                self._step()
            except Exception:
                logging.getLogger(__name__).exception("tried again in a moment")


def start_controller(server: ApiServer) -> None:
    """Start the real kustomize-controller beside an API server, quick to retry."""
    server.start(
        CONTROLLER,
        "--enable-leader-election=false",
        *("--health-addr", "127.0.0.1:0", "--metrics-addr", "127.0.0.1:0", "--events-addr", ""),
        *("--requeue-dependency", "1s", "--min-retry-delay", "500ms", "--max-retry-delay", "2s"),
        *("--interval-jitter-percentage", "0", "--concurrent", "10", "--no-cross-namespace-refs"),
        *("--default-service-account", "default"),
        KUBECONFIG=str(server.kubeconfig),
        RUNTIME_NAMESPACE=FLUX_NAMESPACE,
    )


def ready(item: Manifest, kind: str) -> Manifest:
    """Return a condition that is true for the present generation."""
    said = {"status": "True", "reason": "Said", "message": "said by nobody else", "lastTransitionTime": NOW}
    return {"type": kind, "observedGeneration": item["metadata"]["generation"], **said}


def patch_status(server: ApiServer, item: Manifest, **status: Any) -> None:
    """Set fields of an object's status; fields that its kind does not have are dropped by the API server."""
    named = (item["metadata"]["name"], "--namespace", item["metadata"].get("namespace", "default"))
    status["observedGeneration"] = item["metadata"]["generation"]
    patch = json.dumps({"status": status})
    kind = f"{item['kind'].lower()}.{group(item['apiVersion'])}"
    server.kubectl("patch", kind, *named, "--subresource=status", "--type=merge", "--patch", patch, code=None)


def secret_of(external: Manifest) -> Manifest:
    """Return the Secret that External Secrets would make, without its values: some webhooks ask whether it is there."""
    metadata, target = external["metadata"], external["spec"].get("target", {})
    own = {"name": target.get("name", metadata["name"]), "namespace": metadata["namespace"]}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": own | target.get("template", {}).get("metadata", {})}


def artifact(url: str, revision: str, data: bytes) -> Manifest:
    """Return how a source's status names an archive."""
    return {
        "path": url.rpartition("/")[2],
        "url": url,
        "revision": revision,
        "digest": f"sha256:{hashlib.sha256(data).hexdigest()}",
        "size": len(data),
        "lastUpdateTime": NOW,
    }


def packed(files: Mapping[str, bytes]) -> bytes:
    """Return an archive of files, the same bytes each time."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        for name, data in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return gzip.compress(held.getvalue(), mtime=0)


def empty_release() -> bytes:
    """Return what stands for the release of an operator: a folder to apply, with nothing in it."""
    text = b"apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: []\n"
    return packed({"config/installation/kustomization.yaml": text})


class Artifacts:
    """Serves archives on loopback, by the digest in their name."""

    def __init__(self) -> None:
        held: dict[str, bytes] = {}

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = held.get(self.path.lstrip("/"))
                self.send_response(200 if found is not None else 404)
                self.send_header("Content-Length", str(len(found or b"")))
                self.end_headers()
                self.wfile.write(found or b"")

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
                pass

        self._held = held
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def serve(self, data: bytes) -> tuple[str, str]:
        """Serve an archive from now on, and return its address and its name as a commit would be."""
        name = hashlib.sha1(data, usedforsecurity=False).hexdigest()
        self._held[f"{name}.tar.gz"] = data
        return f"http://127.0.0.1:{self._server.server_port}/{name}.tar.gz", name
