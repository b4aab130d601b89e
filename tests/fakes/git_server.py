"""Bare repositories behind `git http-backend`, as GitHub serves them over HTTPS."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from flask import Request, Response

REFUSE_PUSHES = """\
#!/bin/sh
# A ruleset that asks for pull requests takes no push to the default branch.
while read -r _old _new ref; do
  if [ -e protected ] && [ "$ref" = refs/heads/main ]; then
    echo "GH013: Repository rule violations found for $ref. Changes must be made through a pull request." >&2
    exit 1
  fi
done
"""


class Commit(NamedTuple):
    """A commit and what it says."""

    id: str
    message: str


class GitServer:
    """The repositories in a folder, each `<name>.git`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._backend = Path(_output("git", "--exec-path").strip(), "git-http-backend")

    def create(self, name: str) -> None:
        """Make an empty repository, unless it is there."""
        if not self._path(name).exists():
            _output("git", "init", "--quiet", "--bare", "--initial-branch", "main", str(self._path(name)))
            hook = self._path(name) / "hooks/pre-receive"
            hook.parent.mkdir(exist_ok=True)
            hook.write_text(REFUSE_PUSHES)
            hook.chmod(0o755)

    def protect(self, name: str, *, active: bool) -> None:
        """Refuse pushes to the default branch, or take them again."""
        flag = self._path(name) / "protected"
        if active:
            flag.touch()
        else:
            flag.unlink(missing_ok=True)

    def git(self, name: str, *arguments: str, text: str | None = None) -> str:
        """Run Git in a repository."""
        return _output("git", "-C", str(self._path(name)), *arguments, text=text)

    def head(self, name: str, branch: str = "main") -> str | None:
        """Return the commit of a branch, if there is such a branch."""
        found = self.git(name, "for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}").strip()
        return found or None

    def branches(self, name: str) -> dict[str, str]:
        """Return the tree of every branch."""
        refs = self.git(name, "for-each-ref", "--format=%(refname:short) %(tree)", "refs/heads")
        return dict(line.split() for line in refs.splitlines())

    def log(self, name: str, branch: str = "main") -> list[Commit]:
        """Return the commits of a branch, the newest first."""
        lines = self.git(name, "log", "--format=%H %s", branch).splitlines()
        return [Commit(*line.split(" ", 1)) for line in lines]

    def files(self, name: str, branch: str = "main") -> list[str]:
        """Return the paths of a branch."""
        return self.git(name, "ls-tree", "-r", "--name-only", branch).splitlines()

    def read(self, name: str, path: str, branch: str = "main") -> str:
        """Return a file of a branch."""
        return self.git(name, "show", f"{branch}:{path}")

    def begin(self, name: str, files: Mapping[str, str]) -> None:
        """Give an empty repository its first commit, with these files."""
        ids = {path: self.git(name, "hash-object", "-w", "--stdin", text=text).strip() for path, text in files.items()}
        lines = "".join(f"100644 {blob}\t{path}\n" for path, blob in ids.items())
        self.git(name, "update-index", "--add", "--index-info", text=lines)
        tree = self.git(name, "write-tree").strip()
        person = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org")
        commit = self.git(name, *person, "commit-tree", tree, "-m", "Begin").strip()
        self.git(name, "update-ref", "refs/heads/main", commit)

    def edit(self, name: str, path: str, text: str | None) -> None:
        """Commit another text for a file to the default branch (or remove it), as an administrator may by hand."""
        blob = None if text is None else self.git(name, "hash-object", "-w", "--stdin", text=text).strip()
        change = f"0 {'0' * 40}\t{path}\n" if blob is None else f"100644 {blob}\t{path}\n"
        self.git(name, "read-tree", "main")
        self.git(name, "update-index", "--index-info", text=change)
        tree = self.git(name, "write-tree").strip()
        person = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org")
        commit = self.git(name, *person, "commit-tree", tree, "-p", "main", "-m", f"Edit {path}").strip()
        self.git(name, "update-ref", "refs/heads/main", commit)

    def answer(self, request: Request, name: str, path: str) -> Response:
        """Serve a request of Git's smart HTTP protocol (git-scm.com, git-http-backend)."""
        environ = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REMOTE_USER": "x-access-token",
            "PATH_INFO": f"/{name}.git/{path}",
            "QUERY_STRING": request.query_string.decode(),
            "REQUEST_METHOD": request.method,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
        }
        data = request.get_data()
        environ["CONTENT_LENGTH"] = str(len(data))
        result = subprocess.run([str(self._backend)], input=data, env=environ, capture_output=True, check=True)
        head, _, body = result.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        status = int(headers.pop("Status", "200").split()[0])
        return Response(body, status, headers)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.git"


def _output(*command: str, text: str | None = None) -> str:
    environ = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    result = subprocess.run(command, input=text, env=environ, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout
