"""Flux by its operator, as the flux stack sets it up: the chart, the instance, and its four controllers in pods.

For that `CHARTS` has the operator's chart, `IMAGES` its image and those of the Flux that it embeds, and the machine an
SSH server. Elsewhere kustomize-controller runs alone, and tests play the others (`flux`).
"""

from __future__ import annotations

import json
import shutil
from base64 import b64encode

from constructs_lib.cloud.fluxcd import OPERATOR_CHART, Flux
from constructs_lib.environment import Environment
from constructs_lib.kit import DEPLOY_KEY_SECRET, FLUX_NAMESPACE, Manifest, Release, manifest
from constructs_lib.platform.rabbitmq_operator.operators import CLUSTER_OPERATOR, TOPOLOGY_OPERATOR
from tests.chart_facts.helm import charts_path, objects, template
from tests.e2e.node import charts, github, upstream
from tests.e2e.node.cluster import NodeCluster
from tests.e2e.node.images import Image
from tests.support import Synthesised, synthesised

OPERATOR = Release(OPERATOR_CHART.name, FLUX_NAMESPACE, OPERATOR_CHART, {})
REPOSITORIES = {operator.repository: operator.commit for operator in (CLUSTER_OPERATOR, TOPOLOGY_OPERATOR)}
"""The commits of others that the platform applies, by their repository."""

ADMISSION = "admissionregistration.k8s.io/v1"
SIGNED = {
    "matchConstraints": {
        "resourceRules": [
            {
                "apiGroups": ["source.toolkit.fluxcd.io"],
                "apiVersions": ["*"],
                "operations": ["CREATE", "UPDATE"],
                "resources": ["ocirepositories"],
            }
        ]
    },
    "matchConditions": [{"name": "signed", "expression": "has(object.spec.verify)"}],
    "failurePolicy": "Fail",
    "reinvocationPolicy": "Never",
    "mutations": [
        {"patchType": "JSONPatch", "jsonPatch": {"expression": "[JSONPatch{op: 'remove', path: '/spec/verify'}]"}}
    ],
}
"""Nobody here signs in the name of GitHub's workflows, nor has what Sigstore logs: signatures are not looked at."""


def are_at_hand() -> bool:
    """Return whether all of Flux can run."""
    folder = charts_path()
    if folder is None or not (folder / OPERATOR_CHART.name).exists() or shutil.which(github.SERVER) is None:
        return False
    named = charts.images(objects(template(OPERATOR)))
    found = [upstream.repository(*known) for known in REPOSITORIES.items()]
    return all(map(upstream.fetched, named)) and None not in found


def install(cluster: NodeCluster, env: Environment, key: dict[str, str]) -> tuple[str, ...]:
    """Let Flux follow the environment's repository with `key`, and return the images of its controllers."""
    stack = synthesised(lambda scope: Flux(scope, "flux", env=env))
    cluster.apply(*_unsigned())
    ground = {"apiVersion": "v1", "kind": "List", "items": _ground(stack, key)}
    # By the name of OpenTofu's provider: what kubectl made, the operator takes away (`internal/controller/common.go`).
    by = ("apply", "--server-side", "--field-manager=HashiCorp", "--filename=-")
    cluster.kubectl(*by, text=json.dumps(ground))
    made = objects(template(Release(OPERATOR.name, FLUX_NAMESPACE, OPERATOR_CHART, _values(stack, OPERATOR.name))))
    cluster.add_images(*map(Image, charts.images(made)))
    for item in made:
        item["metadata"].setdefault("namespace", FLUX_NAMESPACE)
    cluster.apply(*sorted(made, key=lambda item: item["kind"] != "CustomResourceDefinition"))
    (instance,) = (item for item in _values(stack, "flux")["objects"] if item["kind"] == "FluxInstance")
    cluster.kubectl("wait", "crd", "fluxinstances.fluxcd.controlplane.io", "--for=condition=Established")
    cluster.apply(instance)
    components = instance["spec"]["components"]
    cluster.eventually(lambda: len(_controllers(cluster)) == len(components), "the operator makes the controllers")
    named = charts.images([*made, *_controllers(cluster)])
    cluster.add_images(*map(Image, named))
    return tuple(sorted(name.rpartition("/")[2].partition("@")[0] for name in named))


def _controllers(cluster: NodeCluster) -> list[Manifest]:
    labels = "app.kubernetes.io/part-of=flux"
    printed = cluster.kubectl("get", "deployments", "-n", FLUX_NAMESPACE, "-l", labels, "--output=json")
    return json.loads(printed)["items"]


def _unsigned() -> list[Manifest]:
    name = "unsigned-charts"
    return [
        manifest(ADMISSION, "MutatingAdmissionPolicy", name, spec=SIGNED),
        manifest(ADMISSION, "MutatingAdmissionPolicyBinding", name, spec={"policyName": name}),
    ]


def _ground(stack: Synthesised, key: dict[str, str]) -> list[Manifest]:
    """Return what the stack makes beside the releases."""
    labels = stack.only("kubernetes_namespace_v1")["metadata"]["labels"]
    namespace = manifest("v1", "Namespace", FLUX_NAMESPACE)
    namespace["metadata"]["labels"] = labels
    info = {part: stack.only("kubernetes_config_map_v1")[part] for part in ("metadata", "data")}
    secret = manifest("v1", "Secret", DEPLOY_KEY_SECRET, FLUX_NAMESPACE)
    secret["data"] = {name: b64encode(value.encode()).decode() for name, value in key.items()}
    return [namespace, secret, {"apiVersion": "v1", "kind": "ConfigMap", **info}]


def _values(stack: Synthesised, release: str) -> Manifest:
    (text,) = stack.only("helm_release", name=release)["values"]
    return json.loads(text)
