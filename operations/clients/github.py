"""What is read from GitHub, and what is made there.

Nothing is made twice: PyGithub repeats what may be done again, a POST not. What is to be made is looked for first, and
looked for again if GitHub did not say whether it made it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from github import Auth, Github, GithubIntegration, GithubRetry, UnknownObjectException
from github.Issue import Issue
from github.Organization import Organization
from github.PullRequest import PullRequest
from github.Repository import Repository

from constructs_lib.base.errors import ConfigError
from constructs_lib.environment.repository import GitOps
from operations.clients.github_api import api_url, ensured, explained
from operations.clients.http import LONGEST_WAIT, TIMEOUT_SECONDS

REPEATED = GithubRetry.DEFAULT_ALLOWED_METHODS | {"PATCH"}
"""The methods of what comes to the same when it is done twice."""

LONGEST = 60_000
"""GitHub takes texts of 65,536 characters."""

SETTLED = "Nothing differs any more."


class GitHub:
    """What one token may see and do. Every method raises `ConfigError` with what has to be fixed."""

    def __init__(self, token: str) -> None:
        self.token = token
        retry = GithubRetry(
            total=5,
            backoff_factor=1,
            allowed_methods=REPEATED,
            retry_after_max=LONGEST_WAIT,
            max_rate_limit_wait=LONGEST_WAIT,
        )
        self._api = Github(auth=Auth.Token(token), base_url=api_url(), retry=retry, timeout=TIMEOUT_SECONDS)

    def organisation(self, name: str) -> Organization:
        """Return an organisation."""
        with explained(f"organisation {name}", "correct gitops.organisation, or let the token's owner join it"):
            return self._api.get_organization(name)

    def repository(self, full_name: str) -> Repository:
        """Return a repository."""
        with explained(f"repository {full_name}", "bootstrap it, or give the token access to it"):
            return self._api.get_repo(full_name)

    def exists(self, full_name: str) -> bool:
        """Say whether a repository is there and the token may see it."""
        with explained(f"repository {full_name}", "give the token access to it"):
            return self._found(full_name) is not None

    def items(self, path: str) -> list[dict[str, Any]]:
        """Return the list at `path`, whatever name it has there; none if there is no such path."""
        with explained(path, "give the token access to it"):
            try:
                _, answer = self._api.requester.requestJsonAndCheck("GET", path, parameters={"per_page": 100})
            except UnknownObjectException:
                return []
        if isinstance(answer, list):
            return answer
        return next(value for value in answer.values() if isinstance(value, list))

    def item(self, path: str) -> dict[str, Any] | None:
        """Return the object at `path`, if there is one."""
        with explained(path, "give the token access to it"):
            try:
                _, answer = self._api.requester.requestJsonAndCheck("GET", path)
            except UnknownObjectException:
                return None
        return answer

    def create_repository(self, gitops: GitOps) -> Repository:
        """Make the GitOps repository, private and empty; its settings are OpenTofu's."""
        organisation = self.organisation(gitops.organisation)
        with explained(f"a new repository {gitops.full_name}", "give the token the permission Administration"):
            return ensured(
                lambda: self._found(gitops.full_name),
                lambda: organisation.create_repo(gitops.repository, private=True),
            )[0]

    def deploy_keys(self, full_name: str) -> dict[int, tuple[str, str]]:
        """Return the title and the public key of each deploy key of a repository, by its number."""
        return {item["id"]: (item["title"], item["key"]) for item in self.items(f"/repos/{full_name}/keys")}

    def add_deploy_key(self, full_name: str, title: str, key: str) -> None:
        """Let a key read a repository."""
        with explained(f"a deploy key of {full_name}", "give the token the permission Administration"):
            self._api.get_repo(full_name).create_key(title, key, read_only=True)

    def remove_deploy_key(self, full_name: str, number: int) -> None:
        """Let a key read a repository no more."""
        with explained(f"deploy key {number} of {full_name}", "give the token the permission Administration"):
            self._api.requester.requestJsonAndCheck("DELETE", f"/repos/{full_name}/keys/{number}")

    def propose(self, repository: Repository, branch: str, title: str, body: str) -> tuple[PullRequest, bool]:
        """Return the open pull request of `branch`, and whether it was made now."""
        body = _fitting(body)
        base, owner = repository.default_branch, repository.full_name.partition("/")[0]
        with explained(f"a pull request in {repository.full_name}", "give the token the permission Pull requests"):
            pull, made = ensured(
                lambda: next(iter(repository.get_pulls("open", head=f"{owner}:{branch}", base=base)), None),
                lambda: repository.create_pull(base=base, head=branch, title=title, body=body),
            )
            if pull.body != body:
                pull.edit(body=body)
            return pull, made

    def supersede(self, repository: Repository, prefix: str, kept: str) -> list[int]:
        """Close the open pull requests of other branches with this prefix, and return their numbers.

        The branches go, those of pull requests too that were closed before: nobody builds on one that was left behind.
        """
        advice = "give the token the permissions Pull requests and Contents"
        with explained(f"the pull requests and branches of {repository.full_name}", advice):
            old = [
                pull
                for pull in repository.get_pulls("open")
                if pull.head.ref.startswith(prefix) and pull.head.ref != kept
            ]
            for pull in old:
                pull.edit(state="closed")
            for branch in repository.get_git_matching_refs(f"heads/{prefix}"):
                if branch.ref != f"refs/heads/{kept}":
                    branch.delete()
        return [pull.number for pull in old]

    def comment(self, repository: Repository, number: int, marker: str, body: str) -> bool:
        """Keep one comment with this marker on a pull request, and say whether anything changed."""
        with explained(f"comments of {repository.full_name}", "give the job the permission pull-requests: write"):
            body = _fitting(body)
            issue = repository.get_issue(number)
            kept, made = ensured(
                lambda: next((comment for comment in issue.get_comments() if marker in comment.body), None),
                lambda: issue.create_comment(body),
            )
            differs = kept.body != body
            if differs:
                kept.edit(body)
        return made or differs

    def report(self, repository: Repository, marker: str, title: str, body: str | None) -> Issue | None:
        """Keep one open issue with this marker while there is a `body`, and close it when there is none."""
        with explained(f"issues of {repository.full_name}", "give the job the permission issues: write"):
            if body is None:
                for issue in _open_issues(repository, marker):
                    _settle(issue)
                return None
            body = _fitting(body)
            issue, _ = ensured(
                lambda: next(iter(_open_issues(repository, marker)), None),
                lambda: repository.create_issue(title, body),
            )
            if issue.body != body:
                issue.edit(body=body)
            return issue

    def _found(self, full_name: str) -> Repository | None:
        try:
            return self._api.get_repo(full_name)
        except UnknownObjectException:
            return None


def installation_token(app_id: str, key: str, organisation: str, permissions: Mapping[str, str]) -> str:
    """Return a token of an hour that an app makes for itself in an organisation, with these permissions and no more.

    Raises `ConfigError` if the app is not installed there, has another key, or has not been given a permission.
    """
    try:
        load_pem_private_key(key.encode(), None)
    except ValueError:
        where = f"GitHub's app {app_id}: github_app_key in Vault"
        raise ConfigError(f"{where}: is no private key in PEM; put the file there that GitHub gave") from None
    advice = f"install the app in {organisation}, with all repositories that it is for and these permissions"
    with explained(f"app {app_id} in {organisation}", advice):
        integration = GithubIntegration(auth=Auth.AppAuth(app_id, key), base_url=api_url())
        installation = integration.get_org_installation(organisation)
        return integration.get_access_token(installation.id, dict(permissions)).token


def _fitting(text: str) -> str:
    """Return Markdown that GitHub takes."""
    cut = f"{text[:LONGEST]}\n\n… cut here; the job's summary has all of it.\n"
    return text if len(text) <= LONGEST else cut


def _open_issues(repository: Repository, marker: str) -> list[Issue]:
    return [issue for issue in repository.get_issues(state="open") if marker in (issue.body or "")]


def _settle(issue: Issue) -> None:
    """Close an issue, with a comment that says why."""
    ensured(
        lambda: next((last for last in [*issue.get_comments()][-1:] if last.body == SETTLED), None),
        lambda: issue.create_comment(SETTLED),
    )
    issue.edit(state="closed")
