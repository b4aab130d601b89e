"""The verdict on each environment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from constructs_lib.base.change import FREE, Effect, Rule, refused, rolls, steps
from constructs_lib.base.transition import Transition, transitions
from constructs_lib.environment import Environment
from gitops_render.diff import Difference
from gitops_render.objects import Identity
from operations.rehearsal.rehearsal import Rehearsal
from operations.review.stack_changes import StackChange
from operations.review.verdict import NOTHING, SAFE, SHARED, SHOWN, Changes, Reason, Verdict, unjudged_verdict, verdicts
from tests.support import environment

RELEASE = Identity("HelmRelease", "flux-system", "traefik", "helm.toolkit.fluxcd.io")
DATABASE = Identity("Cluster", "databases", "main", "postgresql.cnpg.io")
POLICY = Identity("NetworkPolicy", "databases", "main", "networking.k8s.io")


def setting(rule: Rule, key: str = "a.b", old: Any = 1, new: Any = 2) -> Transition:
    return Transition(key, old, new, rule)


def of(
    *,
    settings: Sequence[Transition] = (),
    stacks: Sequence[StackChange] = (),
    objects: Sequence[Difference] = (),
    files: dict[str, list[str]] | None = None,
) -> list[Verdict]:
    return verdicts(Changes({"sandbox": settings, "sandbox-b": ()}, stacks, objects, files or {}))


def changed(identity: Identity, change: Any = "changed", environment: str = "sandbox") -> Difference:
    return Difference(environment, "area", identity, change)


def words(found: Sequence[Verdict]) -> dict[str, str]:
    return {item.environment: item.words for item in found}


def test_nothing_is_said_where_nothing_changes_and_only_there() -> None:
    assert words(of()) == {"sandbox": NOTHING, "sandbox-b": NOTHING}
    assert words(of(files={"sandbox": [".render/x"]})) == {"sandbox": SAFE, "sandbox-b": NOTHING}
    assert words(of(objects=[changed(POLICY)])) == {"sandbox": SAFE, "sandbox-b": NOTHING}
    assert words(of(settings=[setting(FREE)])) == {"sandbox": SAFE, "sandbox-b": NOTHING}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"settings": [setting(rolls("x"))]}, Effect.ROLLS),
        ({"settings": [setting(refused("x")), setting(rolls("x"))]}, Effect.REFUSED),
        ({"settings": [setting(steps("x", "page"))]}, Effect.STEPS),
        ({"stacks": [StackChange("sandbox-cluster", "a.b", "replaced")]}, Effect.REPLACES),
        ({"stacks": [StackChange("sandbox-cluster", "a.b", "destroyed")]}, Effect.REPLACES),
        ({"stacks": [StackChange("sandbox-cluster", "a.b", "changed")]}, SAFE),
        ({"stacks": [StackChange("sandbox-cluster", "output.b", "removed")]}, SAFE),
        ({"objects": [changed(RELEASE)]}, Effect.ROLLS),
        ({"objects": [changed(RELEASE, "added")]}, SAFE),
        ({"objects": [changed(RELEASE, "removed")]}, Effect.REPLACES),
        ({"objects": [changed(POLICY, "removed")]}, Effect.REPLACES),
        ({"objects": [changed(RELEASE._replace(kind="OCIRepository"))]}, Effect.ROLLS),
        ({"objects": [changed(DATABASE)]}, Effect.ROLLS),
        ({"objects": [changed(DATABASE, "added")]}, SAFE),
        ({"objects": [changed(DATABASE, "removed")]}, Effect.REPLACES),
        ({"objects": [changed(DATABASE, "kept")]}, Effect.STEPS),
        ({"objects": [changed(RELEASE, "kept")]}, SAFE),
    ],
)
def test_the_verdict_is_the_farthest_of_all_that_a_change_does(change: dict[str, Any], expected: str) -> None:
    assert words(of(**change)) == {"sandbox": expected, "sandbox-b": NOTHING}


def test_a_stack_belongs_to_the_environment_with_the_longest_name_that_fits() -> None:
    found = of(stacks=[StackChange("sandbox-b-cluster", "a.b", "replaced")])
    assert words(found) == {"sandbox": NOTHING, "sandbox-b": Effect.REPLACES}


def test_what_all_share_is_told_only_where_it_changes() -> None:
    stack = StackChange("gitops-repository", "a.b", "destroyed")
    assert words(of(stacks=[stack], files={"_shared": [".sops.yaml"]}))[SHARED] == Effect.REPLACES
    (*_, shared) = of(files={"_shared": [".sops.yaml"]})
    assert (shared.words, [reason.text for reason in shared.reasons]) == (SAFE, ["file <code>.sops.yaml</code>"])


def test_the_lines_say_key_values_reason_and_page_the_farthest_first() -> None:
    (found, _) = of(
        settings=[
            setting(rolls("pods <x>"), "k.pods", "a|b", None),
            setting(steps("copy it", "shrink"), "k.disk", "x" * 99, [1]),
        ],
        objects=[changed(DATABASE, "removed"), changed(RELEASE)],
    )
    disk = f"<code>k.disk</code> <code>{'x' * 59}…</code> → <code>[1]</code>"
    assert list(found.markdown()) == [
        "- <b>sandbox</b>: <b>needs steps</b>",
        f"  - {disk}: needs steps, copy it (docs/how-to/shrink.md)",
        "  - deletes <code>Cluster databases main</code> with its data",
        "  - <code>k.pods</code> <code>a&#124;b</code> → <code>nothing</code>: rolls, pods &lt;x&gt;",
        "  - may restart what <code>HelmRelease flux-system traefik</code> runs",
    ]


def test_a_block_that_comes_or_goes_is_not_told_whole() -> None:
    (found, _) = of(settings=[setting(FREE, "k[a]", None, {"b": 1}), setting(rolls("x"), "k[c]", {"d": 1}, None)])
    assert [reason.text for reason in found.reasons] == [
        "<code>k[a]</code> comes: free",
        "<code>k[c]</code> goes: rolls, x",
    ]


def test_few_reasons_are_shown_and_the_others_counted() -> None:
    many = [setting(rolls(str(number))) for number in range(SHOWN + 3)]
    lines = list(of(settings=many)[0].markdown())
    assert len(lines) == 1 + SHOWN + 1
    assert lines[-1] == "  - and 3 more"
    assert not any("more" in line for line in of(settings=many[:SHOWN])[0].markdown())


def test_a_step_that_the_file_tells_and_that_is_left_out_is_refused_with_its_page() -> None:
    rule = steps("retire it first", "retire-data", after=("retired", "deletable"), done=FREE)
    (found, _) = of(settings=[setting(rule, "k.main", {"a": 1}, None)])
    assert found.words == Effect.REFUSED
    assert [reason.text for reason in found.reasons] == [
        "<code>k.main</code> goes: refused, retire it first (docs/how-to/retire-data.md)"
    ]


def test_switching_postgres_off_in_production_is_refused_with_its_steps() -> None:
    old, new = (
        environment("production", **changes).model_dump(mode="json")
        for changes in ({}, {"platform__cloudnative_pg__enabled": False})
    )
    (found,) = verdicts(Changes({"production": list(transitions(Environment, old, new))}, [], [], {}))
    assert found.words == Effect.REFUSED
    told = "\n".join(found.markdown())
    assert "cloudnative_pg.enabled</code> <code>true</code> → <code>false</code>: refused, its clusters stay " in told
    assert "(docs/how-to/retire-data.md)" in told


REHEARSED = Rehearsal("sandbox", (), {}, (), {}, {}, ())


@pytest.mark.parametrize(
    ("rehearsal", "words", "told"),
    [
        (
            {"refused": {"layer a": "why <b>"}},
            Effect.REFUSED,
            "rehearsed: <code>layer a</code> is refused: why &lt;b&gt;",
        ),
        (
            {"refused": {"layer a": "why"}, "before": {"layer a": "why"}},
            Effect.UNKNOWN,
            "<code>layer a</code> of what runs cannot be rehearsed: why",
        ),
        ({"fates": {"replaced": ("Job x", "Job y")}}, Effect.REPLACES, "rehearsed: makes anew <code>Job x</code>, "),
    ],
)
def test_what_was_rehearsed_counts_in_its_environment(rehearsal: dict[str, Any], words: str, told: str) -> None:
    settings = {"sandbox": (setting(FREE),), "staging": ()}
    changes = Changes(settings, [], [], {}, rehearsals=[REHEARSED._replace(**rehearsal)])
    found, other = verdicts(changes)
    assert (found.words, other.words) == (words, NOTHING)
    assert any(reason.text.startswith(told) for reason in found.reasons)
    assert verdicts(changes._replace(rehearsals=[REHEARSED]))[0].words == SAFE


def test_what_the_api_server_never_changes_is_refused() -> None:
    item = Difference("sandbox", "area", DATABASE, "changed", refused=("spec.a", "spec.b"))
    (found, _) = of(objects=[item])
    assert found.words == Effect.REFUSED
    told = "the API server never changes <code>spec.a, spec.b</code> of <code>Cluster databases main</code>"
    assert told in [reason.text for reason in found.reasons]


def test_what_could_not_be_rendered_is_not_judged() -> None:
    found, other = verdicts(Changes({"sandbox": (), "staging": ()}, [], [], {}, {"sandbox": ["no <chart>"]}))
    assert (found.words, found.reasons) == (Effect.UNKNOWN, (Reason(Effect.UNKNOWN, "no &lt;chart&gt;"),))
    assert other.words == NOTHING


def test_what_is_not_compared_is_not_judged() -> None:
    found = unjudged_verdict("sandbox", "why")
    assert (found.words, found.reasons) == (Effect.UNKNOWN, (Reason(Effect.UNKNOWN, "why"),))
