"""What checkov finds in the stacks, the tree and what its charts make: nothing that has no reason here.

It brings a hundred packages, so it is installed in an environment of its own, and `CHECKOV` names it; `CHARTS` names
the charts. 3.3.30 was run.
"""

from __future__ import annotations

import json
import os
import subprocess
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from gitops_render.helm import charts_named
from gitops_render.releases import releases
from gitops_render.tree import render
from gitops_render.write import write
from stacks.synthesis import synthesise
from tests.support import environment, everything

CHECKOV = "CHECKOV"
EXPORTER = "DaemonSet.observability-agents.kube-prometheus-stack-prometheus-node-exporter"
OPEN = "its chart leaves the file system open, and it was not tried closed"
EXCEPTED: dict[str, dict[str, str]] = {
    "CKV_K8S_8": {
        "*.cert-manager-cainjector": "its chart has no probe for it",
        "*.kube-prometheus-stack-grafana": "its sidecars have none; Grafana has one",
        "*.external-secrets*": "its chart has a probe of readiness alone",
        "*.plugin-barman-cloud": "its chart has a probe of readiness alone",
    },
    "CKV_K8S_9": {
        "*.cert-manager.cert-manager*": "its chart has one for the webhook alone, to which others talk",
        "*.kube-prometheus-stack-grafana": "its sidecars have none; Grafana has one",
        "*.external-secrets.external-secrets": "nobody talks to the controller but who scrapes it",
    },
    "CKV_K8S_11": {"*": "a limit of CPU would only throttle"},
    "CKV_K8S_15": {"*": "each image has a version, and Always needs the registry for every start"},
    "CKV_K8S_17": {EXPORTER: "it measures the node, as an agent in a namespace of its own"},
    "CKV_K8S_19": {EXPORTER: "it measures the node, as an agent in a namespace of its own"},
    "CKV_K8S_22": {
        "*.influxdb2": OPEN,
        "*.kube-prometheus-stack-grafana": OPEN,
        "*.opensearch-operator": OPEN,
        "*.opentelemetry-operator": OPEN,
    },
    "CKV_K8S_29": {"*.external-secrets*": "its containers have one, with all that a pod's would say"},
    "CKV_K8S_35": {
        "CronJob.drills.*": "boto3 takes an account by variables, or by a file in a form of its own",
        "*.external-dns": "its chart takes the token by a variable alone",
        "*.influxdb2": "its chart takes them by variables alone",
        "*.kube-prometheus-stack-grafana": "its chart takes them by variables alone",
        "*.tempo": "its configuration takes them by variables alone",
    },
    "CKV_K8S_38": {"*": "talks to the API server, or its chart cannot do without (InfluxDB's account may do nothing)"},
    "CKV_K8S_40": {"*": "the user of its image, which is not root"},
    "CKV_K8S_43": {"*": "which images are pinned by digest, and why not these: decision 37"},
    "CKV_K8S_49": {"ClusterRole.*.kube-prometheus-stack-operator": "a fact with a reason (decision 38)"},
    "CKV_K8S_155": {
        "*.cert-manager-cainjector": "it writes the CA into webhooks, which is what it is for",
        "*.cloudnative-pg": "it writes its CA into its own webhooks",
        "*.external-secrets-cert-controller": "it writes its CA into its own webhooks",
    },
}
"""Why a check does not count, by its number and the resource."""


def reason(check: str, resource: str) -> str | None:
    """Return the pattern by which a finding is excepted, if it is."""
    return next((pattern for pattern in EXCEPTED.get(check, ()) if fnmatch(resource, pattern)), None)


def found(folder: Path, *options: str) -> set[tuple[str, str]]:
    """Return the checks that fail for what is in a folder, each with a resource; the test fails where none was made."""
    command = [os.environ[CHECKOV], "--directory", str(folder), "--skip-download", "--quiet", "--output", "json"]
    command += options
    said: Any = json.loads(subprocess.run(command, capture_output=True, text=True, check=False).stdout)
    reports = said if isinstance(said, list) else [said]
    assert sum(report["summary"]["passed"] for report in reports) > 10
    assert all(report["summary"]["parsing_errors"] == 0 for report in reports)
    return {(one["check_id"], one["resource"]) for report in reports for one in report["results"]["failed_checks"]}


@pytest.fixture(autouse=True)
def checkov_is_there() -> None:
    if not os.environ.get(CHECKOV):
        pytest.skip("CHECKOV names no checkov")


def test_stacks_have_no_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDKTF_OUTDIR", str(tmp_path))
    synthesise([environment(), everything()])
    assert found(tmp_path) == set()


def test_what_is_found_in_the_tree_and_in_what_its_charts_make_has_a_reason(tmp_path: Path) -> None:
    env, charts = everything(), charts_named()
    if charts is None:
        pytest.skip("CHARTS names no charts")
    write(tmp_path, env.name, render(env))
    for name, release in releases(tmp_path)[env.name].items():
        assert release.asked is not None
        items = [item for item in charts.made(release.asked) if item["kind"] != "CustomResourceDefinition"]
        for item in items:
            item["metadata"].setdefault("namespace", release.asked.namespace)
        (tmp_path / f"release-{name}.yaml").write_text(yaml.safe_dump_all(items))
    findings = found(tmp_path, "--framework", "kubernetes")
    assert [finding for finding in sorted(findings) if reason(*finding) is None] == []
    used = {(check, reason(check, resource)) for check, resource in findings}
    assert used == {(check, pattern) for check, patterns in EXCEPTED.items() for pattern in patterns}
