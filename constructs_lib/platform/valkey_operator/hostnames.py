"""What Valkey's nodes call themselves: the names in their certificate, which the operator has no way to tell them.

Upstream: hyperspike/valkey-operator v0.0.61 `internal/controller/valkey_controller.go` (upsertStatefulSet,
upsertCertificate); valkey-io/valkey 8.1 `valkey.conf` (cluster-announce-hostname); kubernetes/enhancements KEP-3962
(MutatingAdmissionPolicy, stable in 1.36).
"""

from __future__ import annotations

from collections.abc import Iterator

from constructs_lib.kit import Manifest, manifest
from constructs_lib.platform.valkey_operator.cluster import NAMESPACE, NODES

NAME = "valkey-hostnames"
KUBERNETES = "1.36"
"""The first version whose API server has such policies without being told to."""
_API = "admissionregistration.k8s.io/v1"
_HOST = f"'$(POD_NAME).' + object.metadata.labels['app.kubernetes.io/instance'] + '-headless.{NAMESPACE}.svc'"
"""The pod's name in DNS; the kubelet puts in `POD_NAME`, which the operator gives the container."""


def announced_hostnames() -> Iterator[Manifest]:
    """Yield the policy by which each node starts with its name: clients are told that instead of its address.

    The API server changes pods alone, so that the operator finds its StatefulSet as it made it.
    """
    pods = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    arguments = ", ".join(map(_appended, ("'--cluster-announce-hostname'", _HOST)))
    spec = {
        "matchConstraints": {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}},
            "objectSelector": {"matchLabels": NODES.labels},
            "resourceRules": [pods],
        },
        "failurePolicy": "Fail",
        "reinvocationPolicy": "Never",
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": f"[{arguments}]"}}],
    }
    yield manifest(_API, "MutatingAdmissionPolicy", NAME, spec=spec)
    yield manifest(_API, "MutatingAdmissionPolicyBinding", NAME, spec={"policyName": NAME})


def _appended(argument: str) -> str:
    """The operator's first container is Valkey, started by its whole command."""
    return f"JSONPatch{{op: 'add', path: '/spec/containers/0/command/-', value: {argument}}}"
