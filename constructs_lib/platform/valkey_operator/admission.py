"""What Valkey's operator has no field for, which the API server does instead.

Each node starts with its name in its certificate, and with a limit below that of its container. What the operator
cannot change in a cluster is refused.
Upstream: hyperspike/valkey-operator v0.0.61 `internal/controller/valkey_controller.go` (upsertStatefulSet,
upsertCertificate; slots are set once, valkey-operator#393 and #186); valkey-io/valkey 8.1 `valkey.conf`
(cluster-announce-hostname, maxmemory); kubernetes/enhancements KEP-3962 (MutatingAdmissionPolicy, stable in 1.36).
"""

from __future__ import annotations

from collections.abc import Iterator

from constructs_lib.kit import Manifest, manifest
from constructs_lib.platform.valkey_operator.cluster import API, NAMESPACE, ValkeyCluster

KUBERNETES = "1.36"
"""The first version whose API server has such policies without being told to."""
FIXED = "valkey-fixed"
_API = "admissionregistration.k8s.io/v1"
_PLACE = {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}}


def policies(clusters: tuple[ValkeyCluster, ...]) -> Iterator[Manifest]:
    """Yield how nodes of each cluster start, and what may not change in any."""
    for cluster in clusters:
        yield from _arguments(cluster)
    if clusters:
        yield from _fixed()


def _arguments(cluster: ValkeyCluster) -> Iterator[Manifest]:
    """The API server changes pods alone, so that the operator finds its StatefulSet as it made it."""
    # The kubelet puts in `POD_NAME`, which the operator gives the container.
    host = f"$(POD_NAME).{cluster.name}-headless.{NAMESPACE}.svc"
    arguments = ("--cluster-announce-hostname", host)
    arguments += ("--maxmemory", str(cluster.max_memory_bytes), "--maxmemory-policy", cluster.maxmemory_policy)
    pods = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    spec = {
        "matchConstraints": {
            "namespaceSelector": _PLACE,
            "objectSelector": {"matchLabels": cluster.pods.labels},
            "resourceRules": [pods],
        },
        "failurePolicy": "Fail",
        "reinvocationPolicy": "Never",
        "mutations": [
            {"patchType": "JSONPatch", "jsonPatch": {"expression": f"[{', '.join(map(_appended, arguments))}]"}}
        ],
    }
    name = f"valkey-{cluster.name}"
    yield manifest(_API, "MutatingAdmissionPolicy", name, spec=spec)
    yield manifest(_API, "MutatingAdmissionPolicyBinding", name, spec={"policyName": name})


def _appended(argument: str) -> str:
    """The operator's first container is Valkey, started by its whole command."""
    return f"JSONPatch{{op: 'add', path: '/spec/containers/0/command/-', value: '{argument}'}}"


def _fixed() -> Iterator[Manifest]:
    name, version = API.split("/")
    kinds = {"apiGroups": [name], "apiVersions": [version], "operations": ["UPDATE"], "resources": ["valkeys"]}
    same = {
        "expression": "object.spec.nodes == oldObject.spec.nodes && object.spec.replicas == oldObject.spec.replicas",
        "message": "the operator moves no keys, so shards and replicas of a Valkey cluster cannot change; make a "
        "further cluster with the new numbers, let applications move to it, and remove the old one",
    }
    constraints = {"namespaceSelector": _PLACE, "resourceRules": [kinds]}
    spec = {"matchConstraints": constraints, "failurePolicy": "Fail", "validations": [same]}
    yield manifest(_API, "ValidatingAdmissionPolicy", FIXED, spec=spec)
    binding = {"policyName": FIXED, "validationActions": ["Deny"]}
    yield manifest(_API, "ValidatingAdmissionPolicyBinding", FIXED, spec=binding)
