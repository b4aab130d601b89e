"""Layers as OpenTofu applies them: each after those it names, and waiting where Helm itself cannot."""

from __future__ import annotations

import json
from typing import Any

from constructs_lib.base.quantities import Minutes
from constructs_lib.cloud.applied import Applied
from constructs_lib.kit import Layer, LayerId, Manifest, manifest
from tests.support import Synthesised, synthesised

FIRST, EMPTY, LAST = LayerId("a", "first"), LayerId("a", "empty"), LayerId("a", "last")


def applied(*layers: Layer) -> Synthesised:
    return synthesised(lambda stack: Applied(stack, "platform", layers=layers))


def config(name: str) -> Manifest:
    return manifest("v1", "ConfigMap", name, "default")


def test_a_layer_without_objects_hands_on_what_it_waits_for() -> None:
    stack = applied(Layer(FIRST, (config("x"),)), Layer(EMPTY, after=(FIRST,)), Layer(LAST, (config("y"),), (EMPTY,)))
    names = {item["name"]: name for name, item in stack.all("helm_release").items()}
    assert names.keys() == {"a-first", "a-last"}
    assert stack.only("helm_release", name="a-last")["depends_on"] == [f"helm_release.{names['a-first']}"]


def test_a_job_waits_for_what_flux_applies_and_gives_up_before_helm_does() -> None:
    operator = manifest("kustomize.toolkit.fluxcd.io/v1", "Kustomization", "operator", "flux-system")
    stack = applied(Layer(FIRST, (operator, config("x")), timeout=Minutes("8m")))
    release = stack.only("helm_release", name="a-first")
    assert release["timeout"] == 480
    job: Any = json.loads(release["values"][0])["objects"][-1]
    assert job["metadata"] == {
        "name": "wait-for-a-first",
        "namespace": "flux-system",
        "annotations": {
            "helm.sh/hook": "post-install,post-upgrade",
            "helm.sh/hook-delete-policy": "before-hook-creation,hook-succeeded",
        },
    }
    pod = job["spec"]["template"]["spec"]
    (container,) = pod.pop("containers")
    assert pod == {
        "serviceAccountName": "flux-platform",
        "restartPolicy": "OnFailure",
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "nodeSelector": {"pool-role": "system"},
        "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
    }
    assert container["command"] == [
        *("kubectl", "wait", "--for=condition=Ready", "--timeout=7m", "--namespace", "flux-system"),
        "kustomization.kustomize.toolkit.fluxcd.io/operator",
    ]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }


def test_where_flux_applies_nothing_no_job_waits() -> None:
    release = applied(Layer(FIRST, (config("x"),))).only("helm_release", name="a-first")
    assert [item["kind"] for item in json.loads(release["values"][0])["objects"]] == ["ConfigMap"]
