"""What is taken away, in which order, and what is left alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from constructs_lib.base.errors import ConfigError
from operations.trying import down
from operations.trying.down import take_away
from tests.support import environment

MARKS = "app.kubernetes.io/managed-by=operations-try"


def named(name: str, kind: str = "Thing", **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "example.org/v1", "kind": kind, "metadata": {"name": name, **metadata}, "spec": {}}


class Program:
    """kubectl, which remembers what it was told and lists what a cluster has, by the words of `get`."""

    context = "lab"

    def __init__(self) -> None:
        self.told: list[tuple[str, ...]] = []
        self.listed: dict[tuple[str, ...], list[dict[str, Any]]] = {
            ("namespaces", "-l", MARKS): [named("try")],
            ("namespaces", "-l", down.NAMESPACES): [named("databases"), named("traefik")],
            ("namespaces",): [named("default"), named("databases")],
            ("nodes", "-l", MARKS): [named("a")],
            ("crds", "-l", down.OURS[1]): [named("clusters.example.org"), named("buckets.source.toolkit.fluxcd.io")],
        }

    def __call__(self, *arguments: str, refused: str | None = None) -> str:
        self.told.append(arguments)
        return ""

    def found(self, *arguments: str) -> list[dict[str, Any]]:
        return self.listed.get(arguments, [])

    def kinds(self, *, namespaced: bool) -> list[str]:
        return ["pods", "events", "things.example.org"] if namespaced else ["namespaces", "nodes", "clusterroles"]

    def where(self, *beginning: str) -> list[int]:
        """Return the places at which it was told something that begins like this."""
        return [place for place, words in enumerate(self.told) if words[: len(beginning)] == beginning]


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "states/try").mkdir(parents=True)
    (tmp_path / "states/other").mkdir()
    return Program()


def test_a_cluster_without_a_sandbox_is_left_alone(program: Program) -> None:
    program.listed.clear()
    with pytest.raises(ConfigError, match="context lab: holds nothing that `try` made"):
        take_away(program)  # pyright: ignore[reportArgumentType]
    assert program.told == []
    assert Path("states/try").exists()


def test_flux_ends_first_and_the_mark_by_which_it_is_found_last(program: Program) -> None:
    take_away(program)  # pyright: ignore[reportArgumentType]
    (flux,) = program.where("delete", "deployments", "--all", "-n", "flux-system")
    (crds,) = program.where(
        "delete",
        "crds",
        "clusters.example.org",
        "buckets.source.toolkit.fluxcd.io",
        "--ignore-not-found",
        "--wait=false",
    )
    spaces = program.where("delete", "namespaces", "databases", "traefik", "flux-system")
    (label,) = program.where("label", "node", "a", "pool-role-", "app.kubernetes.io/managed-by-")
    (last,) = program.where("delete", "namespaces", "try")
    assert flux == 0
    assert flux < crds < min(spaces) <= max(spaces) < label < last == len(program.told) - 1
    assert not Path("states/try").exists()
    assert Path("states/other").exists()


def test_only_what_carries_our_labels_is_deleted_of_what_others_have_too(program: Program) -> None:
    take_away(program)  # pyright: ignore[reportArgumentType]
    shared = [
        words
        for words in program.told
        if words[0] == "delete" and words[1] not in {"deployments", "crds", "namespaces"}
    ]
    assert shared
    for words in shared:
        assert words[words.index("-l") + 1] in down.OURS
        assert not {"namespaces", "nodes", "events", "persistentvolumes"} & {*words[1].split(",")}
    kinds = {words[1] for words in shared}
    assert {"clusterroles", "pods,things.example.org"} <= kinds


def test_who_would_refuse_the_rest_goes_before_it(program: Program) -> None:
    take_away(program)  # pyright: ignore[reportArgumentType]
    (crds,) = [place for place in program.where("delete", "crds") if "--wait=false" in program.told[place]]
    webhooks = ("validatingwebhookconfigurations", "mutatingwebhookconfigurations")
    for kind in (*webhooks, "validatingadmissionpolicybindings"):
        places = program.where("delete", kind)
        assert len(places) == len(down.OURS)
        assert max(places) < crds


def test_every_namespace_of_the_platform_and_of_applications_goes() -> None:
    layers = environment().layers
    made = [item["metadata"]["labels"] for layer in layers for item in layer.manifests if item["kind"] == "Namespace"]
    label, _, parts = down.NAMESPACES.partition(" in ")
    assert made
    assert {labels[label] for labels in made} == {*parts.strip("()").split(", ")}


def test_volumes_of_others_keep_their_policy(program: Program) -> None:
    claims = {"ours": "databases", "beside": "try", "theirs": "shop", "free": None}
    program.listed["persistentvolumes",] = [
        {**named(name), "spec": {"claimRef": {"namespace": space}} if space else {}} for name, space in claims.items()
    ]
    take_away(program)  # pyright: ignore[reportArgumentType]
    patched = {program.told[place][2] for place in program.where("patch", "persistentvolume")}
    assert patched == {"ours", "beside"}
    words = program.told[program.where("patch", "persistentvolume")[0]]
    assert json.loads(words[-1]) == {"spec": {"persistentVolumeReclaimPolicy": "Delete"}}


def test_operators_are_waited_for_before_what_they_hold_is_let_go(program: Program) -> None:
    held = {"finalizers": ["x"], "namespace": "databases"}
    every = ("--all-namespaces", "--ignore-not-found")
    program.listed["clusters.example.org", *every] = [named("main", "Cluster", **held), named("free", "Cluster")]
    program.listed["buckets.source.toolkit.fluxcd.io", *every] = [named("platform", "Bucket", **held)]
    program.listed["pods,things.example.org", "-n", "databases"] = [named("service", "Service", **held)]
    take_away(program)  # pyright: ignore[reportArgumentType]
    (waited,) = program.where("wait", "--for=delete", "crd/clusters.example.org")
    patches = {
        program.told[place][2]: place
        for place in program.where("patch")
        if program.told[place][1] != "persistentvolume"
    }
    assert patches.keys() == {"main", "platform", "service"}
    assert patches["platform"] < waited < patches["main"] < patches["service"]
    words = program.told[patches["main"]]
    assert words[:5] == ("patch", "Cluster.v1.example.org", "main", "-n", "databases")
    assert json.loads(words[-1]) == {"metadata": {"finalizers": None}}
