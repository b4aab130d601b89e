"""Jobs on an API server that knows no node."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from tests.e2e.cluster import Cluster


@contextmanager
def jobs_completed(cluster: Cluster) -> Generator[None]:
    """Complete every job meanwhile, for there is no node to run it."""
    done = threading.Event()
    worker = threading.Thread(target=_complete_jobs, args=(cluster, done))
    worker.start()
    try:
        yield
    finally:
        done.set()
        worker.join()


def _complete_jobs(cluster: Cluster, done: threading.Event) -> None:
    now = "2026-01-01T00:00:00Z"
    conditions: list[dict[str, Any]] = [
        {"type": kind, "status": "True", "lastTransitionTime": now} for kind in ("SuccessCriteriaMet", "Complete")
    ]
    status = {"startTime": now, "completionTime": now, "succeeded": 1, "conditions": conditions}
    while not done.wait(1):
        running = json.loads(cluster.kubectl("get", "jobs", "--all-namespaces", "--output=json"))["items"]
        for job in (item for item in running if not item.get("status", {}).get("conditions")):
            named = (job["metadata"]["name"], "--namespace", job["metadata"]["namespace"])
            patch = json.dumps({"status": status})
            cluster.kubectl("patch", "job", *named, "--subresource=status", "--type=merge", "--patch", patch, code=None)
