"""How what was seen in a rehearsal is judged and told; tests/e2e/test_rehearsal.py holds one with the real programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from constructs_lib.base.errors import ConfigError
from constructs_lib.kit import Manifest
from gitops_render.objects import Identity
from operations.rehearsal import api_server, rehearsal
from operations.rehearsal.api_server import ApiServer
from operations.rehearsal.fates import Fate, Seen, fate_of, fates_of
from operations.rehearsal.looks import FAILED_LOOKS, Looks
from operations.rehearsal.output import SHOWN, to_markdown
from operations.rehearsal.rehearsal import Rehearsal, missing_tools
from operations.rehearsal.trees import Tree

GROUP = "kustomize.toolkit.fluxcd.io"


def tree(*layers: str) -> Tree:
    return Tree({}, {Identity("Kustomization", "flux-system", name, GROUP): {} for name in layers})


def layer(status: str | None, *after: str, revision: str = "new", **more: Any) -> Manifest:
    said = {"type": "Ready", "status": status, "observedGeneration": 1, "message": "why", **more}
    known = {"lastAppliedRevision": revision, "lastAttemptedRevision": revision}
    return {
        "metadata": {"generation": 1},
        "spec": {"dependsOn": [{"name": name} for name in after], "sourceRef": {"name": "platform"}},
        "status": {"conditions": [] if status is None else [said], **known},
    }


ROOT = {"flux-system": layer("True")}
ROOT["flux-system"]["spec"]["sourceRef"]["name"] = "flux-system"


def looked(looks: Looks, layers: dict[str, Manifest], times: int = 1) -> Any:
    for _ in range(times - 1):
        looks.look({**ROOT, **layers})
    return looks.look({**ROOT, **layers})


def test_a_tree_is_done_once_each_layer_is_in_the_same_order_each_time() -> None:
    looks = Looks(tree("a", "b", "c"), "new")
    layers = {"a": layer("True", "c"), "b": layer("True"), "c": layer("True")}
    assert looked(looks, {**layers, "b": layer(None)}) is None
    assert looked(looks, layers) == (("b", "c", "a"), {}, ())


@pytest.mark.parametrize(
    "other",
    [
        layer("True", revision="old"),
        layer("False", revision="old"),
        layer("Unknown"),
        layer("False", observedGeneration=0),
        layer("True", observedGeneration=0),
    ],
)
def test_what_was_said_before_is_no_end(other: Manifest) -> None:
    assert looked(Looks(tree("a"), "new"), {"a": other}, FAILED_LOOKS + 1) is None


def test_a_layer_that_reads_the_release_of_an_operator_has_another_revision() -> None:
    other = layer("True", revision="release")
    other["spec"]["sourceRef"]["name"] = "rabbitmq-cluster-operator"
    assert looked(Looks(tree("a"), "new"), {"a": other}) == (("a",), {}, ())


def test_layers_that_come_or_go_are_waited_for() -> None:
    looks = Looks(tree("a"), "new")
    assert looked(looks, {}) is None
    assert looked(looks, {"a": layer("True"), "gone": layer("True")}) is None
    assert "layers that should be gone" in looks.left()
    assert looked(looks, {"a": layer("True")}) is not None


def test_a_layer_that_fails_again_and_again_is_refused_and_others_wait_for_it() -> None:
    looks = Looks(tree("a", "b", "c", "d"), "new")
    layers = {
        "a": layer("False"),
        "b": layer("False", "a", revision="old"),
        "c": layer("False", "b", revision="old"),
        "d": layer("True"),
    }
    assert looked(looks, layers, FAILED_LOOKS - 1) is None
    assert looked(looks, layers) == (("d",), {"a": "why"}, ("b", "c"))


def test_a_layer_that_fails_and_then_succeeds_is_done() -> None:
    looks = Looks(tree("a"), "new")
    looked(looks, {"a": layer("False")}, FAILED_LOOKS - 1)
    assert looked(looks, {"a": layer("True")}) == (("a",), {}, ())


def test_what_failed_long_enough_and_then_succeeds_while_others_run_is_not_refused() -> None:
    looks = Looks(tree("a", "b"), "new")
    assert looked(looks, {"a": layer("False"), "b": layer(None)}, FAILED_LOOKS) is None
    assert looked(looks, {"a": layer("True"), "b": layer(None)}) is None
    assert looked(looks, {"a": layer("True"), "b": layer("True")}) == (("a", "b"), {}, ())


def test_layers_that_wait_for_each_other_come_to_no_end() -> None:
    looks = Looks(tree("a", "b"), "new")
    layers = {"a": layer("False", "b", revision="old"), "b": layer("False", "a", revision="old")}
    assert looked(looks, layers, FAILED_LOOKS) is None
    assert looks.left() == "not done are a, b"


def seen(uid: str = "1", content: Any = 1, pods: Any = None, *, kept: bool = False) -> Seen:
    return Seen(uid, {"spec": content}, pods, kept)


@pytest.mark.parametrize(
    ("old", "new", "described", "fate"),
    [
        (None, None, True, None),
        (None, seen(), True, "made"),
        (seen(), None, False, "pruned"),
        (seen(), seen("2"), True, "replaced"),
        (seen(), seen(kept=True), False, "orphaned"),
        (seen(kept=True), seen(), False, None),
        (seen(), seen(content=2), True, "changed"),
        (seen(pods={"a": 1}), seen(pods={"a": 2}), True, "restarted"),
        (seen(), seen(), True, None),
    ],
)
def test_an_object_has_one_fate(old: Seen | None, new: Seen | None, described: bool, fate: Fate | None) -> None:
    assert fate_of(old, new, described=described) == fate


NOTHING = Rehearsal("sandbox", ("a", "b"), {}, (), {}, {}, ())


def test_a_rehearsal_is_a_line_and_its_details() -> None:
    many = tuple(f"Service {number}" for number in range(SHOWN + 2))
    found = NOTHING._replace(
        refused={"layer x": "field is\n immutable <b>"},
        waiting=("y",),
        before={"layer z": "old"},
        fates={"pruned": many, "orphaned": ("Cluster main",)},
        unchecked=("Valkey",),
        asked=("cert-manager",),
        unrendered=("tempo",),
    )
    lines = list(to_markdown([found]))
    assert lines[0] == f"- <b>sandbox</b>: 1 refused, {SHOWN + 2} pruned, 1 orphaned"
    text = "\n".join(lines)
    for line in (
        "- refused: <code>layer x</code>: field is immutable &lt;b&gt;\n",
        "- never applied, for they wait for it: <code>y</code>\n",
        "- refused of what runs already: <code>layer z</code>: old\n",
        "and 2 more\n",
        "- orphaned: <code>Cluster main</code>\n",
        "- order of the layers: <code>a</code>, <code>b</code>\n",
        "- taken with any field, for nobody has their CRDs: <code>Valkey</code>\n",
        "- asked beside the API server: the webhooks of <code>cert-manager</code>\n",
        "- not installed, for their charts are not there: <code>tempo</code>\n",
    ):
        assert line in text
    assert next(iter(to_markdown([NOTHING]))) == "- <b>sandbox</b>: nothing happens"
    assert "asked beside the API server: nobody" in "\n".join(to_markdown([NOTHING]))


def test_a_program_is_started_by_its_name_and_what_it_said_last_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_server, "BIN", Path("/bin"))
    server = ApiServer(tmp_path)
    server.start("by-name", "-c", 'echo first; echo "$0: $WORD"', tool="bash", WORD="in use")
    with pytest.raises(ConfigError, match=r"^by-name: has ended: by-name: in use$"):
        for _ in iter(server.refuse_ended, False):
            pass


def test_what_became_of_objects_is_told_by_fate() -> None:
    named = [Identity("Service", "a", name, "") for name in "abc"]
    left, right = {named[0]: seen(), named[1]: seen(kept=True)}, {named[1]: seen(kept=True), named[2]: seen()}
    made, gone, orphaned = ("Service a c",), ("Service a a",), ("Service a b",)
    assert fates_of(left, right, {named[2]}) == {"made": made, "pruned": gone, "orphaned": orphaned}


def test_without_its_programs_there_is_no_rehearsal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsal, "BIN", tmp_path)
    assert missing_tools() == ["etcd", "kube-apiserver", "kube-controller-manager", "kubectl", "kustomize-controller"]
    (tmp_path / "etcd").touch()
    assert "etcd" not in missing_tools()
    with pytest.raises(ConfigError, match=r"has no kube-apiserver, .*; run `make tools`"):
        rehearsal.rehearse("sandbox", tmp_path, tmp_path)
