"""Whether what guards the two repositories is enforced, as GitHub itself tells.

Calls: docs.github.com, "REST API endpoints for rules" and "for repositories" (CODEOWNERS errors).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from constructs_lib.environment.repository import ADMINISTRATORS, WORKFLOW_PATHS, Gate, GitOps
from operations.clients.github import GitHub

Json = dict[str, Any]

SHARED = frozenset({"organization", "enterprise"})
"""The levels of access at which other repositories of the organisation may use an action."""
REMEDY = "run `bootstrap settings`"


def gate_problems(github: GitHub, gitops: GitOps) -> list[str]:
    """Return a sentence for each thing that should guard the repositories and cannot be seen to. Changes nothing."""
    found = [problem for gate in gitops.gates for problem in _Branch(github, gitops, gate).problems()]
    workflows, access = _workflow_problems(github, gitops), _access_problems(github, gitops)
    return [*found, *workflows, *access]


class _Branch:
    """The default branch of a repository, and the rules that nobody passes by."""

    def __init__(self, github: GitHub, gitops: GitOps, gate: Gate) -> None:
        self.github, self.gitops, self.gate = github, gitops, gate
        self.path = f"/repos/{gitops.organisation}/{gate.repository}"
        self.where = f"{gitops.organisation}/{gate.repository}: branch {gitops.default_branch}"

    def problems(self) -> Iterator[str]:
        """Yield what the branch lacks."""
        rules = self.github.items(f"{self.path}/rules/branches/{self.gitops.default_branch}")
        open_ = {id_: who for id_ in {rule["ruleset_id"] for rule in rules} if (who := self._passing(id_))}
        for who in open_.values():
            yield f"{self.where}: {who} may pass a ruleset by, whose rules do not count then; remove them from it"
        kept = [rule for rule in rules if rule["ruleset_id"] not in open_]
        for kind, what in (("deletion", "deleted"), ("non_fast_forward", "rewritten")):
            if not _holds(kept, kind, lambda _: True):
                yield f"{self.where}: can be {what}; {REMEDY}"
        if not _holds(kept, "pull_request", self._is_reviewed):
            yield (
                f"{self.where}: changes without {self.gitops.approvals} reviews of what is merged, code owners' among "
                f"them; {REMEDY}"
            )
        for check in self.gate.checks:
            wanted = {"context": check, "integration_id": self.gate.app}
            if not _holds(kept, "required_status_checks", lambda found, wanted=wanted: _requires(found, wanted)):
                yield f"{self.where}: does not ask for check '{check}' of app {self.gate.app}, up to date; {REMEDY}"
        yield from self._owner_problems()

    def _is_reviewed(self, review: Json) -> bool:
        asked = ("require_code_owner_review", "dismiss_stale_reviews_on_push")
        enough = review["required_approving_review_count"] >= self.gitops.approvals
        return enough and all(review[name] for name in asked)

    def _passing(self, ruleset: int) -> str:
        """Return who may pass a ruleset by. Whom GitHub does not show to this token is somebody."""
        found = self.github.item(f"{self.path}/rulesets/{ruleset}") or {}
        actors = found.get("bypass_actors")
        return "somebody whom the token may not see" if actors is None else _named(actors)

    def _owner_problems(self) -> Iterator[str]:
        found = self.github.item(f"{self.path}/codeowners/errors?ref={self.gitops.default_branch}")
        if found is None:
            yield f"{self.where}: has no CODEOWNERS, so nobody's review is asked for; merge one"
            return
        for error in found["errors"]:
            what = f"{error['kind']} {error['source'].strip()}"
            yield f"{self.where}: CODEOWNERS, line {error['line']}: {what}; correct it"


def _holds(rules: Sequence[Json], kind: str, is_enough: Callable[[Json], bool]) -> bool:
    return any(is_enough(rule.get("parameters") or {}) for rule in rules if rule["type"] == kind)


def _requires(found: Json, check: Json) -> bool:
    return found["strict_required_status_checks_policy"] and check in found["required_status_checks"]


def _named(actors: Sequence[Json]) -> str:
    return ", ".join(f"{actor['actor_type']} {actor.get('actor_id') or ''}".strip() for actor in actors)


def _workflow_problems(github: GitHub, gitops: GitOps) -> Iterator[str]:
    """Yield what lets others than administrators push a workflow, which could post the check that is required."""
    path = f"/repos/{gitops.full_name}/rulesets"
    listed = [found for found in github.items(path) if (found["target"], found["enforcement"]) == ("push", "active")]
    rulesets = [github.item(f"{path}/{found['id']}") or {} for found in listed]
    if not any(map(_keeps_workflows, rulesets)):
        yield f"{gitops.full_name}: others than administrators may push {WORKFLOW_PATHS} and post any check; {REMEDY}"


def _keeps_workflows(ruleset: Json) -> bool:
    paths = [path for rule in ruleset.get("rules", ()) for path in rule["parameters"].get("restricted_file_paths", ())]
    actors = [(actor["actor_type"], actor["actor_id"]) for actor in ruleset.get("bypass_actors", [("somebody", 0)])]
    return WORKFLOW_PATHS in paths and actors in ([], [("RepositoryRole", ADMINISTRATORS)])


def _access_problems(github: GitHub, gitops: GitOps) -> Iterator[str]:
    """Yield what keeps the check of the GitOps repository from its program."""
    name = f"{gitops.organisation}/{gitops.infrastructure_repository}"
    if github.repository(name).visibility == "public":
        return
    access = github.item(f"/repos/{name}/actions/permissions/access") or {}
    if access.get("access_level") not in SHARED:
        yield f"{name}: its actions cannot be used by {gitops.full_name}, whose check is one; {REMEDY}"
