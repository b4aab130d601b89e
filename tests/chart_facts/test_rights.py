"""Rights by which somebody reads Secrets that are not his, or gets more than his role says."""

from __future__ import annotations

from typing import Any

import pytest

from constructs_lib.kit import Manifest
from tests.chart_facts.rights import mighty_rights, secret_readers

TOKENS = {"apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"]}
SECRETS = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]}


def role(*rules: dict[str, Any], kind: str = "ClusterRole") -> Manifest:
    return {"kind": kind, "metadata": {"name": "role"}, "rules": list(rules)}


def binding(kind: str, subject: str = "here", role: str = "role") -> Manifest:
    metadata = {"name": "binding"} if kind == "ClusterRoleBinding" else {"name": "binding", "namespace": "here"}
    subjects = [{"kind": "ServiceAccount", "name": "x", "namespace": subject}]
    return {"kind": kind, "metadata": metadata, "roleRef": {"kind": "ClusterRole", "name": role}, "subjects": subjects}


@pytest.mark.parametrize(
    ("rule", "reads"),
    [
        (SECRETS, True),
        ({**SECRETS, "verbs": ["get"]}, True),
        ({**SECRETS, "verbs": ["*"]}, True),
        ({**SECRETS, "resources": ["*"]}, True),
        ({**SECRETS, "apiGroups": ["*"]}, True),
        ({**SECRETS, "verbs": ["create", "update"]}, False),
        ({**SECRETS, "resourceNames": ["one"]}, False),
        ({**SECRETS, "apiGroups": ["example.org"]}, False),
        ({**SECRETS, "resources": ["configmaps"]}, False),
    ],
)
def test_a_role_reads_all_secrets_where_it_is_bound_everywhere(rule: dict[str, Any], reads: bool) -> None:
    assert secret_readers([role(rule), binding("ClusterRoleBinding")]) == ({"role"} if reads else set())
    assert secret_readers([role(rule)]) == set(), "nobody has it"


@pytest.mark.parametrize("kind", ["Role", "ClusterRole"])
def test_secrets_of_another_namespace_are_somebody_elses(kind: str) -> None:
    assert secret_readers([role(SECRETS, kind=kind), binding("RoleBinding", "there")]) == {"role"}
    assert secret_readers([role(SECRETS, kind=kind), binding("RoleBinding", "here")]) == set()


@pytest.mark.parametrize(
    ("rule", "rights"),
    [
        ({"apiGroups": ["a.b"], "resources": ["xs", "xs/status"], "verbs": ["get", "*"]}, ["* xs of a.b"]),
        ({"apiGroups": [""], "resources": ["*"], "verbs": ["list", "get"]}, ["get list *"]),
        ({"apiGroups": ["a.b"], "resources": ["xs/*"], "verbs": ["get"]}, ["get xs/* of a.b"]),
        ({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}, ["* * of *"]),
        ({"apiGroups": [""], "resources": ["users"], "verbs": ["impersonate"]}, ["impersonate users"]),
        ({"apiGroups": ["r"], "resources": ["x"], "verbs": ["bind", "escalate"]}, ["bind x of r", "escalate x of r"]),
        ({"apiGroups": [""], "resources": ["pods", "pods/exec"], "verbs": ["create"]}, ["create pods/exec"]),
        ({"apiGroups": [""], "resources": ["nodes/proxy"], "verbs": ["get"]}, ["get nodes/proxy"]),
        ({"apiGroups": [""], "resources": ["pods/attach"], "verbs": ["create"]}, ["create pods/attach"]),
        (TOKENS, ["create serviceaccounts/token"]),
        ({**TOKENS, "resourceNames": ["x"]}, []),
        ({"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "create", "delete"]}, []),
        ({"nonResourceURLs": ["/metrics"], "verbs": ["get"]}, []),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["ClusterRoleBinding", "RoleBinding"])
def test_what_gives_more_than_a_role_says(kind: str, rule: dict[str, Any], rights: list[str]) -> None:
    assert mighty_rights([role(rule), binding(kind)]) == ({"role": rights} if rights else {})
    assert mighty_rights([role(rule)]) == {}, "nobody has it"


@pytest.mark.parametrize("whole", ["admin", "cluster-admin", "edit"])
def test_a_whole_role_of_kubernetes_is_a_mighty_right(whole: str) -> None:
    assert mighty_rights([binding("ClusterRoleBinding", role=whole)]) == {"binding": [f"is {whole}"]}
    assert mighty_rights([binding("ClusterRoleBinding", role="view")]) == {}
