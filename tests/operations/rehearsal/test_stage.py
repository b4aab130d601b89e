"""What is done on the stage of a rehearsal, and what is seen there, with an API server that only remembers."""

from __future__ import annotations

import json
from typing import Any

from constructs_lib.kit import FLUX_KUSTOMIZATION, FLUX_SOURCE, KEEP_IN_FLUX, Manifest
from gitops_render.objects import Identity
from operations.rehearsal.fates import seen_of
from operations.rehearsal.output import LONGEST, shown
from operations.rehearsal.rehearsal import Stage
from operations.rehearsal.trees import Tree, stand_ins

COMMIT = "0" * 40


class Server:
    """Stands for an API server that has these objects, and remembers what their status is told."""

    def __init__(self, *items: Manifest) -> None:
        self.items = items
        self.told: dict[str, str] = {}

    def list(self, *kinds: str) -> list[Manifest]:
        return [] if kinds == ("namespaces",) else [*self.items]

    def kubectl(self, verb: str, kind: str, name: str, *arguments: str, code: int | None) -> str:
        assert (verb, kind, code) == ("patch", "gitrepository.source.toolkit.fluxcd.io", None)
        self.told[name] = json.loads(arguments[-1])["status"]["artifact"]["revision"]
        return ""


class Artifacts:
    """Stands for what serves archives."""

    def serve(self, data: bytes) -> tuple[str, str]:
        return "http://127.0.0.1/a.tar.gz", COMMIT


def item(kind: str, name: str, version: str = "v1", **more: Any) -> Manifest:
    metadata = {"name": name, "namespace": "flux-system", "generation": 1, "uid": name, **more.pop("metadata", {})}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **more}


def stage(server: Any) -> Stage:
    artifacts: Any = Artifacts()
    return Stage(server, artifacts)


def test_our_sources_have_the_tree_and_all_others_the_release_of_an_operator() -> None:
    sources = [item("GitRepository", name, FLUX_SOURCE) for name in ("flux-system", "platform", "an-operator")]
    status = {
        "conditions": [{"type": "Ready", "status": "True", "observedGeneration": 1}],
        "lastAppliedRevision": f"main@sha1:{COMMIT}",
    }
    spec = {"sourceRef": {"name": "flux-system"}}
    server = Server(*sources, item("Kustomization", "flux-system", FLUX_KUSTOMIZATION, spec=spec, status=status))
    assert stage(server).play(Tree({}, {}), {}).refused == {}
    ours, other = f"main@sha1:{COMMIT}", f"release@sha1:{COMMIT}"
    assert server.told == {"flux-system": ours, "platform": ours, "an-operator": other}


def test_what_is_being_deleted_and_what_no_tree_has_is_not_seen() -> None:
    gone = item("Service", "gone", metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})
    server = Server(item("Service", "there"), gone, item("Service", "other"))
    named = {name: Identity("Service", "flux-system", name, "") for name in ("there", "gone")}
    found = stage(server).seen(Tree({}, {identity: {} for identity in named.values()}))
    assert {*found} == {named["there"]}


def test_of_an_object_counts_what_somebody_wrote() -> None:
    pods = {"spec": {}}
    held = item("Deployment", "a", spec={"template": pods}, status={"replicas": 1})
    held["metadata"] |= {"labels": {"a": "b"}, "annotations": {"c": "d"}, "resourceVersion": "7"}
    found = seen_of(held)
    assert (found.uid, found.pods, found.kept) == ("a", pods, False)
    content = {"spec": {"template": pods}, "labels": {"a": "b"}, "annotations": {"c": "d"}}
    assert found.content == {"apiVersion": "v1", "kind": "Deployment", **content}
    held["metadata"]["annotations"] |= KEEP_IN_FLUX
    assert seen_of(held).kept
    assert seen_of(item("Secret", "b")).pods is None


def test_plurals_are_those_of_generators() -> None:
    kinds = {("x.io", kind): ("x.io/v1", True) for kind in ("Gateway", "Policy", "Mesh", "Cache")}
    plurals = {crd["spec"]["names"]["kind"]: crd["spec"]["names"]["plural"] for crd in stand_ins(kinds, ())}
    assert plurals == {"Gateway": "gateways", "Policy": "policies", "Mesh": "meshes", "Cache": "caches"}


def test_what_an_api_server_says_is_one_line_of_300_letters_at_most() -> None:
    assert LONGEST == 300
    assert shown("a\n  b") == "a b"
    assert shown("a" * LONGEST) == "a" * LONGEST
    assert shown("a" * (LONGEST + 1)) == f"{'a' * (LONGEST - 1)}…"
