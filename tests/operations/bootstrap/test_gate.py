"""What guards the repositories: seen, or refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from constructs_lib.base.errors import ConfigError
from operations.bootstrap.gate import gate_problems
from operations.clients.github import GitHub
from tests.fakes.github import FakeGitHub
from tests.support import environment

GITOPS = environment().gitops
OWN, INFRASTRUCTURE = "df12-test/episodic-gitops: branch main", "df12-test/infrastructure: branch main"
CHECKS = {
    "episodic-gitops": ("validate",),
    "infrastructure": ("Lint and test", "Test with real tools", "Test on a real node", "Synth and diff"),
}
REVIEW = {
    "dismiss_stale_reviews_on_push": True,
    "require_code_owner_review": True,
    "require_last_push_approval": True,
    "required_approving_review_count": 1,
    "required_review_thread_resolution": True,
}
ADMINISTRATOR = {"actor_type": "RepositoryRole", "actor_id": 5, "bypass_mode": "always"}

Ruleset = dict[str, Any]
Scopes = dict[str, dict[str, Any]]


def ruleset(id_: int, *checks: str) -> Ruleset:
    """Return the ruleset of a default branch."""
    asked = [{"context": check, "integration_id": 15368} for check in checks]
    strict = {"strict_required_status_checks_policy": True, "required_status_checks": asked}
    rules = [
        {"type": "deletion"},
        {"type": "non_fast_forward"},
        {"type": "pull_request", "parameters": dict(REVIEW)},
        {"type": "required_status_checks", "parameters": strict},
    ]
    conditions = {"ref_name": {"include": ["refs/heads/main"], "exclude": []}}
    about = {"id": id_, "name": f"ruleset {id_}", "target": "branch", "enforcement": "active", "bypass_actors": []}
    return {**about, "conditions": conditions, "rules": rules}


def workflows() -> Ruleset:
    """Return the ruleset that keeps workflows from all but administrators."""
    rule = {"type": "file_path_restriction", "parameters": {"restricted_file_paths": [".github/**/*"]}}
    about = {"id": 9, "name": "workflows", "target": "push", "enforcement": "active", "conditions": None}
    return {**about, "bypass_actors": [dict(ADMINISTRATOR)], "rules": [rule]}


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGitHub]:
    """Two repositories, guarded as they should be."""
    with FakeGitHub(teams={"platform": 11}) as server:
        for number, (name, checks) in enumerate(CHECKS.items(), 1):
            scope = server.add_repository(name)
            scope["rulesets"][number] = ruleset(number, *checks)
            server.git.begin(name, {".github/CODEOWNERS": "# who\n* @df12-test/platform\n"})
        server.repositories["episodic-gitops"]["rulesets"][9] = workflows()
        server.repositories["infrastructure"]["access"] = "organization"
        monkeypatch.setenv("GITHUB_API_URL", f"{server.url}/api/v3")
        yield server
        assert server.refused == []
        assert server.writes == []


def problems(fake: FakeGitHub) -> list[str]:
    return gate_problems(GitHub(fake.token), GITOPS)


def own(scopes: Scopes) -> Ruleset:
    return scopes["episodic-gitops"]["rulesets"][1]


def set_review(**changes: Any) -> Callable[[Scopes], None]:
    return lambda scopes: own(scopes)["rules"][2]["parameters"].update(changes)


def set_checks(**changes: Any) -> Callable[[Scopes], None]:
    return lambda scopes: own(scopes)["rules"][3]["parameters"].update(changes)


def set_ruleset(**changes: Any) -> Callable[[Scopes], None]:
    return lambda scopes: own(scopes).update(changes)


def set_workflows(**changes: Any) -> Callable[[Scopes], None]:
    return lambda scopes: scopes["episodic-gitops"]["rulesets"][9].update(changes)


REVIEWED = f"{OWN}: changes without 1 reviews of what is merged, code owners' among them; run `bootstrap settings`"
CHECKED = f"{OWN}: does not ask for check 'validate' of app 15368, up to date; run `bootstrap settings`"
OPEN = {
    f"{OWN}: can be deleted; run `bootstrap settings`",
    f"{OWN}: can be rewritten; run `bootstrap settings`",
    REVIEWED,
    CHECKED,
}
PUSHED = (
    "df12-test/episodic-gitops: others than administrators may push .github/**/* and post any check; "
    "run `bootstrap settings`"
)
PASSED = "may pass a ruleset by, whose rules do not count then; remove them from it"


def test_what_is_guarded_is_seen_to_be(fake: FakeGitHub) -> None:
    assert problems(fake) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (set_ruleset(enforcement="evaluate"), OPEN),
        (set_ruleset(enforcement="disabled"), OPEN),
        (set_ruleset(conditions={"ref_name": {"include": ["refs/heads/other"], "exclude": []}}), OPEN),
        (set_ruleset(bypass_actors=[{**ADMINISTRATOR}]), OPEN | {f"{OWN}: RepositoryRole 5 {PASSED}"}),
        (
            set_ruleset(bypass_actors=[{"actor_type": "OrganizationAdmin", "actor_id": None}]),
            OPEN | {f"{OWN}: OrganizationAdmin {PASSED}"},
        ),
        (set_ruleset(bypass_actors=None), OPEN | {f"{OWN}: somebody whom the token may not see {PASSED}"}),
        (set_review(require_code_owner_review=False), {REVIEWED}),
        (set_review(dismiss_stale_reviews_on_push=False), {REVIEWED}),
        (set_review(required_approving_review_count=0), {REVIEWED}),
        (set_checks(strict_required_status_checks_policy=False), {CHECKED}),
        (set_checks(required_status_checks=[{"context": "validate"}]), {CHECKED}),
        (set_checks(required_status_checks=[{"context": "validate", "integration_id": 1}]), {CHECKED}),
        (set_checks(required_status_checks=[{"context": "other", "integration_id": 15368}]), {CHECKED}),
        (set_workflows(enforcement="disabled"), {PUSHED}),
        (set_workflows(target="branch"), {PUSHED}),
        (set_workflows(rules=[]), {PUSHED}),
        (set_workflows(bypass_actors=[ADMINISTRATOR, {**ADMINISTRATOR, "actor_id": 4}]), {PUSHED}),
        (set_workflows(bypass_actors=[{**ADMINISTRATOR, "actor_type": "Team"}]), {PUSHED}),
    ],
)
def test_each_thing_that_is_open_is_told(
    fake: FakeGitHub, change: Callable[[Scopes], None], expected: set[str]
) -> None:
    change(fake.repositories)
    assert set(problems(fake)) == expected


@pytest.mark.parametrize("number", range(2))
def test_each_rule_of_the_infrastructure_repository_counts(fake: FakeGitHub, number: int) -> None:
    rules = fake.repositories["infrastructure"]["rulesets"][2]["rules"]
    gone = rules.pop(number)
    what = {"deletion": "deleted", "non_fast_forward": "rewritten"}[gone["type"]]
    assert problems(fake) == [f"{INFRASTRUCTURE}: can be {what}; run `bootstrap settings`"]


def test_each_check_of_the_infrastructure_repository_counts(fake: FakeGitHub) -> None:
    fake.repositories["infrastructure"]["rulesets"][2] = ruleset(
        2, "Lint and test", "Test on a real node", "Synth and diff"
    )
    (problem,) = problems(fake)
    assert problem.startswith(f"{INFRASTRUCTURE}: does not ask for check 'Test with real tools' of app 15368")


def test_rules_of_several_rulesets_count_together_and_nobody_passing_one_by_opens_another(fake: FakeGitHub) -> None:
    rulesets = fake.repositories["episodic-gitops"]["rulesets"]
    whole = ruleset(1, "validate")
    rulesets[1], rulesets[3] = {**whole, "rules": whole["rules"][:2]}, {**whole, "id": 3, "rules": whole["rules"][2:]}
    assert problems(fake) == []
    rulesets[4] = {**ruleset(4), "rules": [], "bypass_actors": [ADMINISTRATOR]}
    assert problems(fake) == []


def test_a_repository_without_rulesets_is_open_in_every_way(fake: FakeGitHub) -> None:
    fake.repositories["episodic-gitops"]["rulesets"].clear()
    assert set(problems(fake)) == {*OPEN, PUSHED}


def test_owners_have_to_be_there_and_known(fake: FakeGitHub) -> None:
    fake.git.edit("infrastructure", ".github/CODEOWNERS", None)
    assert problems(fake) == [f"{INFRASTRUCTURE}: has no CODEOWNERS, so nobody's review is asked for; merge one"]
    fake.git.edit("infrastructure", ".github/CODEOWNERS", "* @df12-test/gone\n")
    assert problems(fake) == [f"{INFRASTRUCTURE}: CODEOWNERS, line 1: Unknown owner @df12-test/gone; correct it"]


@pytest.mark.parametrize(("visibility", "access", "closed"), [
    ("private", "none", True), ("internal", "user", True), ("internal", "enterprise", False), ("public", "none", False),
])  # fmt: skip
def test_the_check_has_to_be_reached(fake: FakeGitHub, visibility: str, access: str, closed: bool) -> None:
    scope = fake.repositories["infrastructure"]
    scope["settings"]["visibility"], scope["access"] = visibility, access
    told = "df12-test/infrastructure: its actions cannot be used by df12-test/episodic-gitops, whose check is one; "
    assert problems(fake) == ([f"{told}run `bootstrap settings`"] if closed else [])


def test_a_token_that_may_not_look_is_told(fake: FakeGitHub) -> None:
    with pytest.raises(ConfigError, match="refuses the token"):
        gate_problems(GitHub("other"), GITOPS)
