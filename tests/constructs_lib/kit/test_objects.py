"""Objects, namespaces, and what is never deleted."""

from __future__ import annotations

from constructs_lib.kit import KEEP, KEEP_IN_FLUX, KEEP_IN_HELM, PRIVILEGED_REASON, group, kept, manifest, namespace

MODES = ("enforce", "audit", "warn")


def test_an_object_has_a_namespace_or_none() -> None:
    assert manifest("v1", "ConfigMap", "x", "a", data={}) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "x", "namespace": "a"},
        "data": {},
    }
    assert manifest("v1", "Namespace", "x")["metadata"] == {"name": "x"}


def test_what_keeps_an_object() -> None:
    assert KEEP_IN_FLUX == {"kustomize.toolkit.fluxcd.io/prune": "disabled"}
    assert KEEP_IN_HELM == {"helm.sh/resource-policy": "keep"}
    assert KEEP == KEEP_IN_FLUX | KEEP_IN_HELM


def test_what_is_kept_is_neither_deleted_nor_replaced_and_keeps_its_annotations() -> None:
    item = manifest("v1", "ConfigMap", "x", "a")
    item["metadata"]["annotations"] = {"of": "its own"}
    assert kept(item)["metadata"]["annotations"] == {
        "of": "its own",
        "kustomize.toolkit.fluxcd.io/prune": "disabled",
        "kustomize.toolkit.fluxcd.io/force": "disabled",
        "helm.sh/resource-policy": "keep",
    }
    assert item["metadata"]["annotations"] == {"of": "its own"}


def test_a_namespace_is_restricted_and_kept() -> None:
    item = namespace("x")
    assert item["metadata"]["annotations"] == KEEP
    assert item["metadata"]["labels"] == {
        "app.kubernetes.io/part-of": "platform",
        **{f"pod-security.kubernetes.io/{mode}": "restricted" for mode in MODES},
    }


def test_a_privileged_namespace_says_why() -> None:
    item = namespace("x", "privileged", why="it reads the node", part_of="apps")
    assert item["metadata"]["annotations"][PRIVILEGED_REASON] == "it reads the node"
    assert PRIVILEGED_REASON == "platform/privileged-reason"
    assert item["metadata"]["labels"] == {
        "app.kubernetes.io/part-of": "apps",
        **{f"pod-security.kubernetes.io/{mode}": "privileged" for mode in MODES},
    }


def test_the_group_of_an_api_version() -> None:
    assert (group("cert-manager.io/v1"), group("v1")) == ("cert-manager.io", "")
