"""A clone of the GitOps repository, reached with a token that is in no argument, file or address."""

from __future__ import annotations

import base64
import os
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from github.Repository import Repository
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_exponential

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.programs import passed_on
from gitops_render.git import LOCAL, NETWORK, Git

AUTHOR = {"NAME": "GitOps", "EMAIL": "gitops@users.noreply.github.com"}
STALLED_SECONDS = 60
"""Git gives up a server that sends less than a thousand bytes a second for this long."""

REACHING = frozenset({"clone", "push"})
"""The commands that reach the server."""


class NetworkError(ConfigError):
    """Git did not reach the server, or the server refused."""


class Clone:
    """A work tree on the repository's default branch; it has no commit if the repository is empty."""

    def __init__(self, folder: Path, branch: str, environ: Mapping[str, str]) -> None:
        self.folder, self.branch, self._git = folder, branch, Git(folder, environ)

    @property
    def empty(self) -> bool:
        """Whether the repository has no default branch yet."""
        return not self.has(f"refs/remotes/origin/{self.branch}")

    def has(self, ref: str) -> bool:
        """Say whether a ref is there."""
        return self._git.ask("rev-parse", "--verify", "--quiet", ref) is not None

    def commit(self, message: str) -> str:
        """Commit everything in the work tree and return the commit."""
        self.ask("add", "--all")
        self.ask("commit", "--quiet", "--message", message)
        return self.ask("rev-parse", "HEAD")

    def changed(self) -> list[str]:
        """Return the paths that differ from the last commit, new ones among them."""
        return [line[3:] for line in self.ask("status", "--porcelain", "--untracked-files=all").splitlines()]

    def tree(self) -> str:
        """Return the name that Git would give the work tree as it is."""
        self.ask("add", "--all")
        return self.ask("write-tree")

    def switch(self, branch: str) -> None:
        """Go on in a new branch that starts at the default branch."""
        self.ask("switch", "--quiet", "--create", branch)

    def push(self, branch: str) -> None:
        """Push a branch, never by force."""
        self.ask("push", "--quiet", "origin", f"HEAD:refs/heads/{branch}")

    def export(self, commit: str, folder: Path) -> None:
        """Write the files of a commit into a new folder."""
        self.ask("worktree", "add", "--quiet", "--detach", str(folder), commit)

    @retry(
        retry=retry_if_exception_type(NetworkError), stop=stop_after_attempt(3), wait=wait_exponential(), reraise=True
    )
    def ask(self, *arguments: str) -> str:
        """Run Git and return what it prints. Raises `ConfigError` with Git's own words."""
        reaches = arguments[0] in REACHING
        result = self._git.run(*arguments, deadline=NETWORK if reaches else LOCAL)
        if result.returncode:
            kind = NetworkError if reaches and "rejected" not in result.stderr else ConfigError
            raise kind(f"git {arguments[0]}: {' '.join(result.stderr.split())[-300:]}")
        return result.stdout.removesuffix("\n")


@contextmanager
def cloned(repository: Repository, token: str, branch: str) -> Generator[Clone]:
    """Clone a repository with all of its history into a folder that goes afterwards."""
    with tempfile.TemporaryDirectory(prefix="gitops-") as folder:
        clone = Clone(Path(folder), branch, _environ(repository.clone_url, token))
        clone.ask("clone", "--quiet", repository.clone_url, ".")
        if not clone.empty:
            clone.ask("switch", "--quiet", branch)
        elif not clone.has("HEAD"):
            clone.ask("symbolic-ref", "HEAD", f"refs/heads/{branch}")
        yield clone


def _environ(url: str, token: str) -> dict[str, str]:
    """Return the variables by which Git sends the token to this repository alone, and asks nobody for another."""
    basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    people = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in AUTHOR.items()}
    return {
        **passed_on(),
        **people,
        "GIT_HTTP_LOW_SPEED_LIMIT": "1000",
        "GIT_HTTP_LOW_SPEED_TIME": str(STALLED_SECONDS),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.{url}.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: Basic {basic}",
    }
