"""Pull requests, issues and comments of the fake GitHub, as PyGithub 2.10 calls them (docs: REST API)."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, Literal, TypeVar

from flask import abort, request
from pydantic import Field

from tests.fakes.git_server import GitServer
from tests.fakes.server import Body

State = dict[str, Any]
SomeBody = TypeVar("SomeBody", bound=Body)


class NewPull(Body):
    """POST /repos/{owner}/{repo}/pulls."""

    title: str = Field(min_length=1)
    body: str = Field(default="", max_length=65536)
    head: str
    base: str


class PullChange(Body):
    """PATCH /repos/{owner}/{repo}/pulls/{number}."""

    title: str | None = None
    body: str | None = Field(default=None, max_length=65536)
    state: Literal["open", "closed"] | None = None


class NewIssue(Body):
    """POST /repos/{owner}/{repo}/issues."""

    title: str = Field(min_length=1)
    body: str = Field(default="", max_length=65536)


class IssueChange(PullChange):
    """PATCH /repos/{owner}/{repo}/issues/{number}."""


class Comment(Body):
    """POST and PATCH of a comment."""

    body: str = Field(min_length=1, max_length=65536)


class Talk:
    """What people and programs write in one repository."""

    def __init__(self, git: GitServer, url: Callable[[], str]) -> None:
        self._git, self._url = git, url
        self._ids = itertools.count(5001)

    def routes(self) -> dict[str, dict[str, Callable[..., Any]]]:
        """Return the view of each method of each path below a repository's."""
        return {
            "/commits": {"GET": self._list_commits},
            "/git/matching-refs/<path:start>": {"GET": self._list_refs},
            "/git/refs/<path:name>": {"DELETE": self._delete_ref},
            "/pulls": {"GET": self._list_pulls, "POST": self._create_pull},
            "/pulls/<int:number>": {"GET": self._show_pull, "PATCH": self._change_pull},
            "/issues": {"GET": self._list_issues, "POST": self._create_issue},
            "/issues/<int:number>": {"GET": self._show_issue, "PATCH": self._change_issue},
            "/issues/<int:number>/comments": {"GET": self._list_comments, "POST": self._create_comment},
            "/issues/comments/<int:key>": {"GET": self._show_comment, "PATCH": self._change_comment},
        }

    def add_pull(self, scope: State, head: str, **fields: Any) -> State:
        """Make a pull request as if by hand."""
        number = len(scope["pulls"]) + len(scope["issues"]) + 1
        name = scope["settings"]["name"]
        side = {"label": f"owner:{head}", "ref": head, "sha": self._git.head(name, head) or "0" * 40}
        url = f"{self._url()}/api/v3/repos/{scope['full_name']}"
        urls = {"url": f"{url}/pulls/{number}", "issue_url": f"{url}/issues/{number}"}
        base = {"label": "owner:main", "ref": "main", "sha": "0" * 40}
        own = {"number": number, "id": number, "state": "open", "merged": False, "head": side, "base": base, **urls}
        scope["pulls"][number] = {"title": "", "body": "", "comments": {}, **own, **fields}
        return scope["pulls"][number]

    def merge(self, scope: State, number: int) -> str:
        """Merge a pull request by hand, as one commit, and return that; one that conflicts fails."""
        pull, name = scope["pulls"][number], scope["settings"]["name"]
        tree = self._git.git(name, "merge-tree", "--write-tree", "main", pull["head"]["ref"]).strip()
        person = ("-c", "user.name=reviewer", "-c", "user.email=reviewer@example.org")
        commit = self._git.git(name, *person, "commit-tree", tree, "-p", "main", "-m", pull["title"]).strip()
        self._git.git(name, "update-ref", "refs/heads/main", commit)
        self._git.git(name, "update-ref", "-d", f"refs/heads/{pull['head']['ref']}")
        pull.update(state="closed", merged=True)
        return commit

    def _list_commits(self, scope: State) -> list[State]:
        return [{"sha": commit.id} for commit in self._git.log(scope["settings"]["name"])]

    def _list_refs(self, scope: State, start: str) -> list[State]:
        url = f"{self._url()}/api/v3/repos/{scope['full_name']}/git/refs"
        branches = self._git.branches(scope["settings"]["name"])
        found = (f"heads/{branch}" for branch in sorted(branches) if f"heads/{branch}".startswith(start))
        return [{"ref": f"refs/{name}", "url": f"{url}/{name}"} for name in found]

    def _delete_ref(self, scope: State, name: str) -> tuple[str, int]:
        """GitHub closes the pull requests of a branch that is gone (docs: delete a reference)."""
        branch, repository = name.removeprefix("heads/"), scope["settings"]["name"]
        if branch not in self._git.branches(repository):
            abort(422, "Reference does not exist")
        self._git.git(repository, "update-ref", "-d", f"refs/heads/{branch}")
        for pull in scope["pulls"].values():
            if pull["head"]["ref"] == branch:
                pull["state"] = "closed"
        return "", 204

    def _list_pulls(self, scope: State) -> list[State]:
        head, base = request.args.get("head", "").partition(":")[2], request.args.get("base", "main")
        wanted = request.args.get("state", "open")
        return [
            _shown(pull)
            for pull in scope["pulls"].values()
            if wanted in {pull["state"], "all"} and head in {"", pull["head"]["ref"]} and base == pull["base"]["ref"]
        ]

    def _create_pull(self, scope: State) -> tuple[State, int]:
        body = _sent(NewPull)
        name = scope["settings"]["name"]
        heads = self._git.branches(name)
        if body.head not in heads or body.base not in heads:
            abort(422, "Validation Failed: head or base is invalid")
        if heads[body.head] == heads[body.base]:
            abort(422, f"No commits between {body.base} and {body.head}")
        if any(pull["head"]["ref"] == body.head and pull["state"] == "open" for pull in scope["pulls"].values()):
            abort(422, f"A pull request already exists for {body.head}.")
        return _shown(self.add_pull(scope, body.head, title=body.title, body=body.body)), 201

    def _show_pull(self, scope: State, number: int) -> State:
        return _shown(_found(scope["pulls"], number))

    def _change_pull(self, scope: State, number: int) -> State:
        _found(scope["pulls"], number).update(_sent(PullChange).model_dump(exclude_unset=True))
        return self._show_pull(scope, number)

    def _list_issues(self, scope: State) -> list[State]:
        wanted = request.args.get("state", "open")
        return [_shown(issue) for issue in scope["issues"].values() if wanted in {issue["state"], "all"}]

    def _create_issue(self, scope: State) -> tuple[State, int]:
        body = _sent(NewIssue)
        number = len(scope["pulls"]) + len(scope["issues"]) + 1
        url = f"{self._url()}/api/v3/repos/{scope['full_name']}/issues/{number}"
        own = {"number": number, "id": number, "state": "open", "url": url, "comments": {}}
        scope["issues"][number] = {**own, **body.model_dump()}
        return _shown(scope["issues"][number]), 201

    def _show_issue(self, scope: State, number: int) -> State:
        """GitHub's pull requests are issues too; their address as one is another."""
        found = _found({**scope["pulls"], **scope["issues"]}, number)
        return {**_shown(found), "url": found.get("issue_url", found["url"])}

    def _change_issue(self, scope: State, number: int) -> State:
        _found(scope["issues"], number).update(_sent(IssueChange).model_dump(exclude_unset=True))
        return _shown(scope["issues"][number])

    def _comments(self, scope: State, number: int) -> dict[int, State]:
        return _found({**scope["pulls"], **scope["issues"]}, number)["comments"]

    def _list_comments(self, scope: State, number: int) -> list[State]:
        return list(self._comments(scope, number).values())

    def _create_comment(self, scope: State, number: int) -> tuple[State, int]:
        key = next(self._ids)
        url = f"{self._url()}/api/v3/repos/{scope['full_name']}/issues/comments/{key}"
        comment = {"id": key, "url": url, "body": _sent(Comment).body}
        self._comments(scope, number)[key] = comment
        return comment, 201

    def _comment(self, scope: State, key: int) -> State:
        talks = [*scope["pulls"].values(), *scope["issues"].values()]
        return _found({number: item for talk in talks for number, item in talk["comments"].items()}, key)

    def _show_comment(self, scope: State, key: int) -> State:
        return self._comment(scope, key)

    def _change_comment(self, scope: State, key: int) -> State:
        found = self._comment(scope, key)
        found["body"] = _sent(Comment).body
        return found


def _shown(item: State) -> State:
    return {**item, "comments": len(item["comments"])}


def _sent(model: type[SomeBody]) -> SomeBody:
    return model.model_validate(request.get_json(silent=True))


def _found(items: dict[int, State], key: int) -> State:
    return items[key] if key in items else abort(404, "Not Found")
