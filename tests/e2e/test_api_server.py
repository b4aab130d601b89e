"""A real API server takes every rendered object, strictly."""

from __future__ import annotations

import copy
from typing import Any

import yaml

from constructs_lib.environment import Environment, load_all
from gitops_render.tree import render
from tests.e2e.cluster import Cluster
from tests.support import ROOT, everything, existing


def objects(env: Environment) -> list[dict[str, Any]]:
    """Return every object that is sent to a cluster, namespaces first."""
    rendered = render(env)
    items = [yaml.safe_load(data) for data in (rendered.owned | rendered.seeds).values()]
    sent = [item for item in items if not item["apiVersion"].startswith("kustomize.config.k8s.io/")]
    return sorted(sent, key=lambda item: item["kind"] != "Namespace")


def test_every_object_of_every_environment_is_taken(cluster: Cluster) -> None:
    cluster.install_crds()
    cluster.kubectl("create", "namespace", "flux-system")
    for env in (*load_all(ROOT / "environments"), everything(), existing()):
        items = objects(env)
        assert len(items) > 120
        cluster.apply(*(item for item in items if item["kind"] == "Namespace"))
        printed = cluster.apply(*items, dry_run=True)
        assert printed.count("serverside-applied") == len(items), printed
    assert cluster.get("helmreleases", "traefik", "flux-system") is None, "a dry run changes nothing"


WRONG = [
    ("HelmRelease", ("spec", "intervall"), "1h"),
    ("Cluster", ("spec", "instances"), "three"),
    ("Valkey", ("spec", "storage", "storageClassName"), "do-block-storage"),
]


def test_a_wrong_field_is_refused(cluster: Cluster) -> None:
    cluster.install_crds()
    for name in ("flux-system", "databases", "cache"):
        cluster.kubectl("create", "namespace", name)
    for kind, path, value in WRONG:
        item = copy.deepcopy(next(item for item in objects(everything()) if item["kind"] == kind))
        cluster.apply(item, dry_run=True)
        target = item
        for key in path[:-1]:
            target = target[key]
        target[path[-1]] = value
        assert path[-1] in cluster.apply(item, dry_run=True, code=1)


def test_a_null_that_unsets_a_default_of_a_chart_is_kept(cluster: Cluster) -> None:
    cluster.install_crds()
    cluster.kubectl("create", "namespace", "flux-system")
    releases = {item["metadata"]["name"]: item for item in objects(everything()) if item["kind"] == "HelmRelease"}
    sent = releases["opensearch-operator"]
    assert sent["spec"]["values"]["manager"]["resources"]["limits"]["cpu"] is None
    cluster.apply(sent)
    found = cluster.find(sent)
    assert found is not None
    assert found["spec"]["values"] == sent["spec"]["values"]
