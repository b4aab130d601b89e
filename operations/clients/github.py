"""GitHub's REST API. `GITHUB_API_URL` names another address, as it does in GitHub Actions."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import requests
from github import Auth, Github, GithubException, GithubRetry, UnknownObjectException
from github.Issue import Issue
from github.Organization import Organization
from github.PullRequest import PullRequest
from github.Repository import Repository

from constructs_lib.base.errors import ConfigError
from constructs_lib.environment.repository import GitOps

API = "https://api.github.com"

LONGEST = 60_000
"""GitHub takes texts of 65,536 characters."""


class GitHub:
    """What one token may see and do. Every method raises `ConfigError` with what has to be fixed."""

    def __init__(self, token: str) -> None:
        self.token = token
        retry = GithubRetry(total=5, backoff_factor=1)
        self._api = Github(auth=Auth.Token(token), base_url=api_url(), retry=retry)

    def organisation(self, name: str) -> Organization:
        """Return an organisation."""
        with _explained(f"organisation {name}", "correct gitops.organisation, or let the token's owner join it"):
            return self._api.get_organization(name)

    def repository(self, full_name: str) -> Repository:
        """Return a repository."""
        with _explained(f"repository {full_name}", "bootstrap it, or give the token access to it"):
            return self._api.get_repo(full_name)

    def exists(self, full_name: str) -> bool:
        """Say whether a repository is there and the token may see it."""
        with _explained(f"repository {full_name}", "give the token access to it"):
            try:
                self._api.get_repo(full_name)
            except UnknownObjectException:
                return False
        return True

    def items(self, path: str) -> list[dict[str, Any]]:
        """Return the list at `path`, whatever name it has there; none if there is no such path."""
        with _explained(path, "give the token access to it"):
            try:
                _, answer = self._api.requester.requestJsonAndCheck("GET", path, parameters={"per_page": 100})
            except UnknownObjectException:
                return []
        if isinstance(answer, list):
            return answer
        return next(value for value in answer.values() if isinstance(value, list))

    def item(self, path: str) -> dict[str, Any] | None:
        """Return the object at `path`, if there is one."""
        with _explained(path, "give the token access to it"):
            try:
                _, answer = self._api.requester.requestJsonAndCheck("GET", path)
            except UnknownObjectException:
                return None
        return answer

    def create_repository(self, gitops: GitOps) -> Repository:
        """Make the GitOps repository, private and empty; its settings are OpenTofu's."""
        with _explained(f"a new repository {gitops.full_name}", "give the token the permission Administration"):
            return self.organisation(gitops.organisation).create_repo(gitops.repository, private=True)

    def propose(self, repository: Repository, branch: str, title: str, body: str) -> tuple[PullRequest, bool]:
        """Return the open pull request of `branch`, and whether it was made now."""
        body = _fitting(body)
        base, owner = repository.default_branch, repository.full_name.partition("/")[0]
        with _explained(f"a pull request in {repository.full_name}", "give the token the permission Pull requests"):
            for pull in repository.get_pulls("open", head=f"{owner}:{branch}", base=base):
                if pull.body != body:
                    pull.edit(body=body)
                return pull, False
            return repository.create_pull(base=base, head=branch, title=title, body=body), True

    def supersede(self, repository: Repository, prefix: str, kept: str) -> list[int]:
        """Close the open pull requests of other branches with this prefix, and return their numbers.

        The branches go, those of pull requests too that were closed before: nobody builds on one that was left behind.
        """
        advice = "give the token the permissions Pull requests and Contents"
        with _explained(f"the pull requests and branches of {repository.full_name}", advice):
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
        with _explained(f"comments of {repository.full_name}", "give the job the permission pull-requests: write"):
            body = _fitting(body)
            issue = repository.get_issue(number)
            for kept in issue.get_comments():
                if marker in kept.body:
                    if kept.body != body:
                        kept.edit(body)
                        return True
                    return False
            issue.create_comment(body)
        return True

    def report(self, repository: Repository, marker: str, title: str, body: str | None) -> Issue | None:
        """Keep one open issue with this marker while there is a `body`, and close it when there is none."""
        with _explained(f"issues of {repository.full_name}", "give the job the permission issues: write"):
            issues = [issue for issue in repository.get_issues(state="open") if marker in (issue.body or "")]
            if body is None:
                for issue in issues:
                    issue.create_comment("Nothing differs any more.")
                    issue.edit(state="closed")
                return None
            body = _fitting(body)
            if not issues:
                return repository.create_issue(title, body)
            if issues[0].body != body:
                issues[0].edit(body=body)
            return issues[0]


def api_url() -> str:
    """Return the address of the REST API."""
    return os.environ.get("GITHUB_API_URL", API).rstrip("/")


def provider_variables() -> dict[str, str]:
    """Return what tells the GitHub provider of OpenTofu of another address; it adds `/api/v3` itself."""
    return {} if api_url() == API else {"GITHUB_BASE_URL": f"{api_url().removesuffix('/api/v3')}/"}


def _fitting(text: str) -> str:
    """Return Markdown that GitHub takes."""
    cut = f"{text[:LONGEST]}\n\n… cut here; the job's summary has all of it.\n"
    return text if len(text) <= LONGEST else cut


@contextmanager
def _explained(what: str, advice: str) -> Generator[None]:
    """Turn what GitHub answers into a sentence."""
    try:
        yield
    except GithubException as error:
        raise ConfigError(_sentence(error, what, advice)) from None
    except requests.RequestException:
        raise ConfigError(f"GitHub at {api_url()} gives no answer; run this again later") from None


def _sentence(error: GithubException, what: str, advice: str) -> str:
    match error.status:
        case 401:
            return f"GitHub at {api_url()} refuses the token; correct github_token in Vault"
        case 404:
            return f"GitHub knows no {what}, or the token may not see it; {advice}"
        case 403:
            return f"GitHub refuses {what} ({_message(error)}); {advice}"
        case _:
            return f"GitHub answers {error.status} to {what}: {_message(error)}; run this again"


def _message(error: GithubException) -> str:
    data: Any = error.data
    return str(data.get("message", "")) if isinstance(data, dict) else str(data)
