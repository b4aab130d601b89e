"""Jobs on an API server that knows no node."""

from __future__ import annotations

import json
from functools import partial

from operations.rehearsal.flux import NOW, Background, patch_status
from tests.e2e.cluster import Cluster

ENDED = ("SuccessCriteriaMet", "Complete")
"""What a job says once it is done (k8s.io/api v1.36 `batch/v1` `JobStatus`)."""


def jobs_completed(cluster: Cluster) -> Background:
    """Complete every job meanwhile, for there is no node to run it."""
    return Background(partial(_complete_jobs, cluster))


def _complete_jobs(cluster: Cluster) -> None:
    conditions = [{"type": kind, "status": "True", "lastTransitionTime": NOW} for kind in ENDED]
    running = json.loads(cluster.kubectl("get", "jobs", "--all-namespaces", "--output=json"))["items"]
    for job in (item for item in running if not item.get("status", {}).get("conditions")):
        patch_status(cluster, job, startTime=NOW, completionTime=NOW, succeeded=1, conditions=conditions)
