"""A real Kubernetes API server on loopback, as a rehearsal starts it, with what tests ask of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

from operations.rehearsal.api_server import BIN, TOOLS, ApiServer
from tests.support import ROOT

__all__ = ["BIN", "CRDS", "TOOLS", "Cluster"]

CRDS = Path(os.environ.get("CRDS", ROOT.parent / "shared/crds"))
"""CRDs of the platform's operators; they are not part of this repository."""


class Cluster(ApiServer):
    """An API server that knows no node: objects are kept and checked, workloads never start."""

    def get(self, kind: str, name: str, namespace: str = "") -> dict[str, Any] | None:
        """Return an object, or nothing if there is none."""
        where = ["--namespace", namespace] if namespace else []
        printed = self.kubectl("get", kind, name, *where, "--output=yaml", "--ignore-not-found")
        return yaml.safe_load(printed) if printed.strip() else None

    def find(self, item: dict[str, Any]) -> dict[str, Any] | None:
        """Return what the API server has of `item`, or nothing."""
        group, _, version = item["apiVersion"].rpartition("/")
        kind = ".".join(filter(None, (item["kind"], version, group))) if group else item["kind"]
        return self.get(kind, item["metadata"]["name"], item["metadata"].get("namespace", ""))

    def install_crds(self) -> None:
        """Apply the CRDs of every operator, and wait until the API server serves them."""
        for path in sorted(CRDS.glob("*.yaml")):
            self.kubectl("apply", "--server-side", "-f", str(path))
        self.kubectl("wait", "crd", "--all", "--for=condition=Established", "--timeout=60s")
