"""When the sandbox is up: every layer has what was uploaded, and not what was there before."""

from __future__ import annotations

from typing import Any

from operations.trying.waiting import seen

ASKED = "2026-11-30T12:00:00"
WANTED = ("flux-system", "databases", "rabbitmq")


def source(name: str, asked: str = ASKED, revision: str = "sha256:new", ready: str = "True") -> dict[str, Any]:
    return item(name, ready, lastHandledReconcileAt=asked, artifact={"revision": revision})


def layer(name: str, source: str = "platform", applied: str = "sha256:new", ready: str = "True") -> dict[str, Any]:
    made = item(name, ready, lastAppliedRevision=applied)
    return {**made, "spec": {"sourceRef": {"name": source}}}


def item(name: str, ready: str, **status: Any) -> dict[str, Any]:
    condition = {"type": "Ready", "status": ready, "message": "why not"}
    return {
        "metadata": {"name": name, "generation": 2},
        "spec": {},
        "status": {"observedGeneration": 2, "conditions": [condition], **status},
    }


SOURCES = [source("platform"), source("flux-system")]
LAYERS = [layer("flux-system", "flux-system"), layer("databases"), layer("rabbitmq", "rabbitmq", "sha256:theirs")]


def test_all_are_ready_once_each_has_what_its_source_held() -> None:
    found = seen(WANTED, SOURCES, LAYERS, ASKED)
    assert found.ready == WANTED
    assert found.late == {}
    assert found.line() == "3 of 3 layers are Ready"


def test_a_layer_that_is_ready_by_what_was_there_before_is_late() -> None:
    found = seen(WANTED, SOURCES, [*LAYERS[::2], layer("databases", applied="sha256:old")], ASKED)
    assert found.late == {"databases": "is being reconciled"}
    assert found.line() == "2 of 3 layers are Ready; next: databases"


def test_a_source_that_was_not_fetched_since_makes_its_layers_late() -> None:
    for late in (source("platform", asked="earlier"), source("platform", ready="False")):
        assert seen(WANTED, [late, SOURCES[1]], LAYERS, ASKED).late == {"databases": "its source is being fetched"}
    assert set(seen(WANTED, [], LAYERS, ASKED).late) == {"flux-system", "databases"}


def test_a_layer_says_why_it_is_late() -> None:
    failed = layer("databases", applied="sha256:old", ready="False")
    assert seen(WANTED, SOURCES, [*LAYERS[::2], failed], ASKED).late == {"databases": "why not"}
    assert seen(WANTED, SOURCES, LAYERS[:2], ASKED).late == {"rabbitmq": "is not there yet"}
    another = layer("rabbitmq", "rabbitmq", ready="False")
    assert seen(WANTED, SOURCES, [*LAYERS[:2], another], ASKED).late == {"rabbitmq": "why not"}
