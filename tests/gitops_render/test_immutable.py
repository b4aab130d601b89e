"""What the API server never changes; `tests/e2e/test_immutable.py` shows that it does not."""

from __future__ import annotations

from typing import Any

import pytest

from constructs_lib.kit import Manifest
from gitops_render.fields import fields
from gitops_render.immutable import HOOK, unchangeable


def told(kind: str, old: Manifest, new: Manifest, *, api: str = "v1", **metadata: Any) -> tuple[str, ...]:
    left, right = ({"apiVersion": api, "kind": kind, "metadata": metadata, **body} for body in (old, new))
    return unchangeable(left, right, list(fields(left, right)))


@pytest.mark.parametrize(
    ("kind", "old", "new", "path"),
    [
        ("RoleBinding", {"roleRef": {"name": "a"}}, {"roleRef": {"name": "b"}}, "roleRef.name"),
        ("Service", {"spec": {"clusterIP": "None"}}, {"spec": {"clusterIP": "10.0.0.7"}}, "spec.clusterIP"),
        (
            "StatefulSet",
            {"spec": {"volumeClaimTemplates": [{"spec": {"size": 1}}]}},
            {"spec": {"volumeClaimTemplates": [{"spec": {"size": 2}}]}},
            "spec.volumeClaimTemplates[0].spec.size",
        ),
        (
            "Deployment",
            {"spec": {"selector": {"matchLabels": {}}}},
            {"spec": {"selector": {"matchLabels": {"a": "b"}}}},
            "spec.selector.matchLabels.a",
        ),
        ("StorageClass", {"parameters": {"a": "b"}}, {"parameters": {}}, "parameters.a"),
    ],
)
def test_a_field_that_stays_is_told(kind: str, old: Manifest, new: Manifest, path: str) -> None:
    assert told(kind, old, new) == (path,)
    assert told("Widget", old, new) == ()
    assert told(kind, old, new, annotations={HOOK: "pre-upgrade"}) == ()


@pytest.mark.parametrize(
    ("group", "kind", "field"),
    [
        ("rabbitmq.com", "Permission", "vhost"),
        ("rabbitmq.com", "Policy", "name"),
        ("rabbitmq.com", "Policy", "vhost"),
        ("rabbitmq.com", "Vhost", "name"),
        ("postgresql.cnpg.io", "Database", "name"),
    ],
)
def test_what_an_operators_object_is_made_of_stays(group: str, kind: str, field: str) -> None:
    old, new = ({"spec": {field: name}} for name in ("a_b", "a-b"))
    assert told(kind, old, new, api=f"{group}/v1") == (f"spec.{field}",)
    assert told(kind, old, new, api="example.org/v1") == ()
    users = [{"spec": {"rabbitmqClusterReference": {"name": name}}} for name in "ab"]
    assert bool(told("User", *users, api=f"{group}/v1")) is (group == "rabbitmq.com")


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        ("StatefulSet", {"spec": {"replicas": 1}}, {"spec": {"replicas": 2}}),
        ("StatefulSet", {"spec": {}}, {"spec": {"podManagementPolicy": "OrderedReady"}}),
        ("Service", {"spec": {"clusterIPs": ["a"]}}, {"spec": {"clusterIPs": ["b"]}}),
        ("ConfigMap", {"data": {"a": "b"}}, {"data": {"a": "c"}}),
        ("CustomResourceDefinition", {}, {"spec": None}),
        (
            "CustomResourceDefinition",
            *({"spec": {"versions": [{"name": "v1", "storage": held}]}} for held in (True, False)),
        ),
    ],
)
def test_what_may_change_or_be_a_default_is_not_told(kind: str, old: Manifest, new: Manifest) -> None:
    assert told(kind, old, new) == ()


def test_the_version_in_which_objects_are_stored_may_not_go() -> None:
    def crd(**versions: bool) -> Manifest:
        return {"spec": {"versions": [{"name": name, "storage": stored} for name, stored in versions.items()]}}

    kind = "CustomResourceDefinition"
    assert told(kind, crd(v1beta1=True), crd(v1=True)) == ("spec.versions (v1beta1)",)
    assert told(kind, crd(v1beta1=True), crd(v1beta1=False, v1=True)) == ()
    assert told(kind, crd(v1beta1=False, v1=True), crd(v1=True)) == ()


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
@pytest.mark.parametrize("where", ["data", "binaryData", "stringData"])
def test_what_says_that_it_never_changes_does_not(kind: str, where: str) -> None:
    old, new = {where: {"a": "b"}}, {where: {"a": "c"}}
    assert told(kind, {**old, "immutable": True}, {**new, "immutable": True}) == (f"{where}.a",)
    assert told(kind, {**old, "immutable": True}, old) == ("immutable",)
    assert told(kind, {**old, "immutable": False}, {**new, "immutable": True}) == ()
