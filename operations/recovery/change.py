"""A change of an environment's file: written here, or proposed as a pull request in the repository of the files."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from constructs_lib.base.console import say
from constructs_lib.environment import ENVIRONMENTS, load_all
from operations.clients.clone import cloned
from operations.clients.github import GitHub
from operations.recovery.edit import Text

Edit = Callable[[Text], None]


def changed(folder: Path, name: str, edit: Edit) -> str:
    """Change the file of an environment in a folder, and return its new text.

    Raises `ConfigError` where no program can change it or the new one is not right; the file is then what it was.
    """
    path = folder / f"{name}.yaml"
    old = path.read_text(encoding="utf-8")
    text = Text(f"{ENVIRONMENTS}/{name}.yaml", old)
    edit(text)
    path.write_text(text.text, encoding="utf-8")
    try:
        load_all(folder)
    except BaseException:
        path.write_text(old, encoding="utf-8")
        raise
    return text.text


class Proposal(NamedTuple):
    """A change of the file of the environment `name`, with what a pull request says of it."""

    name: str
    title: str
    body: str
    edit: Edit


def propose(github: GitHub, full_name: str, wanted: Proposal) -> None:
    """Open the pull request that changes an environment's file, or find it.

    Its branch is named after what the file gets to be, so that a run after one that was killed finds its branch; those
    of other recoveries of this environment that nobody merged are closed. Raises `ConfigError` as `changed` does, with
    nothing pushed.
    """
    name, title, body, edit = wanted
    repository = github.repository(full_name)
    with cloned(repository, github.token, repository.default_branch) as clone:
        text = changed(clone.folder / ENVIRONMENTS, name, edit)
        prefix = f"recover/{name}/"
        branch = f"{prefix}{sha256(text.encode()).hexdigest()[:12]}"
        for number in github.supersede(repository, prefix, branch):
            say(f"closed pull request {number}, which something newer replaces")
        if not clone.has(f"refs/remotes/origin/{branch}"):
            clone.switch(branch)
            clone.commit(title)
            clone.push(branch)
        pull, opened = github.propose(repository, branch, title, body)
        say(f"{full_name}: pull request {pull.number} {'opened' if opened else 'is open'}: {title}")
