"""A GitOps repository as rendering, sealing and promotion leave it, and what people propose to change in it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from gitops_render.paths import sealed_file, sealed_folder, source_file
from gitops_render.pin import follow
from gitops_render.repository import INDEX_NAME, render_repository
from gitops_render.tree import listing, render
from gitops_render.validate import Allowed
from gitops_render.validate.change import Change
from gitops_render.write import write
from gitops_render.yaml_output import to_yaml
from tests.support import environment, parsed

OWN, RECOVERY, STRANGER = (f"age1{letter * 58}" for letter in "qpz")
SHARED = {"gitops__recovery_recipient": RECOVERY}
SANDBOX = environment(sops_recipient=OWN, **SHARED)
STAGING, PRODUCTION = environment("staging", **SHARED), environment("production", **SHARED)
ENVIRONMENTS = (SANDBOX, STAGING, PRODUCTION)
ALLOWED = Allowed(ENVIRONMENTS)
FOLDER = sealed_folder("sandbox")
LIST = FOLDER / "kustomization.yaml"
DB = sealed_file("sandbox", "db")

Files = Mapping[str | PurePosixPath, bytes | str | None]

VALUE = "ENC[AES256_GCM,data:c2VhbGVk,iv:aXY=,tag:dGFn,type:str]"
ARMOUR = "-----BEGIN AGE ENCRYPTED FILE-----\nYWdlLWVuY3J5cHRpb24=\n-----END AGE ENCRYPTED FILE-----\n"


def key_of(recipient: str) -> dict[str, str]:
    """Return how SOPS keeps the data key for somebody."""
    return {"recipient": recipient, "enc": ARMOUR}


def sealed(name: str = "db", **changes: Any) -> dict[str, Any]:
    """Return a Secret as SOPS seals it for the sandbox, with `changes` on top; None removes a key."""
    sops = {
        "age": [key_of(OWN), key_of(RECOVERY)],
        "lastmodified": "2026-11-30T03:00:00Z",
        "mac": VALUE,
        "encrypted_regex": "^(data|stringData)$",
        "version": "3.11.0",
    }
    head = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "databases"}}
    merged: dict[str, Any] = {**head, "stringData": {"password": VALUE}, "sops": sops, **changes}
    return {key: value for key, value in merged.items() if value is not None}


def listed(*names: str, **more: Any) -> bytes:
    """Return the list of the sealed Secrets of these names."""
    return to_yaml({**listing([f"secret-{name}.yaml" for name in sorted(names)]), **more})


class Unchanged(Change):
    """The default branch as it is, which is read from Git once."""

    old = cache(Change.old)


class GitOps:
    """A repository whose default branch has everything: trees, a sealed Secret, pins, an application."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")
        for env in ENVIRONMENTS:
            write(folder, env.name, render(env))
        write(folder, INDEX_NAME, render_repository(ENVIRONMENTS))
        (folder / DB).write_bytes(to_yaml(sealed()))
        (folder / LIST).write_bytes(listed("db"))
        (folder / "apps/sandbox/web.yaml").write_text("{apiVersion: v1, kind: ConfigMap, metadata: {name: web}}\n")
        self.first = self.commit("Seed")
        for env in (STAGING, PRODUCTION):
            follow(folder / source_file(env.name), "main", self.first)
        self.second = self.commit("Pin")
        self.unchanged = Unchanged(folder, "main", self.second)

    def git(self, *arguments: str, text: str | bytes | None = None) -> str:
        """Run Git as nobody in particular."""
        who = {f"GIT_{role}_{key}": "x@example.org" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
        environ = {**os.environ, **who, "GIT_CONFIG_GLOBAL": os.devnull}
        given = text.encode() if isinstance(text, str) else text
        command = ["git", "-C", str(self.folder), *arguments]
        return (
            subprocess.run(command, input=given, env=environ, capture_output=True, check=True).stdout.decode().strip()
        )

    def commit(self, message: str) -> str:
        """Commit the work tree as it is, and return the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def propose(self, files: Files, *, mode: str = "100644", onto: str = "main") -> str:
        """Commit other contents of files, or their end, beside the default branch, and return the commit."""
        lines: list[str] = []
        for path, data in files.items():
            blob = None if data is None else self.git("hash-object", "-w", "--stdin", text=data)
            lines.append(f"0 {'0' * 40}\t{path}" if blob is None else f"{mode} {blob}\t{path}")
        self.git("read-tree", onto)
        self.git("update-index", "--index-info", text="\n".join(lines) + "\n")
        tree = self.git("write-tree")
        self.git("read-tree", "main")
        return self.git("commit-tree", tree, "-p", onto, "-m", "Proposed")

    def problems(self, files: Files, **options: Any) -> list[str]:
        """Return what the check finds in such a proposal."""
        return ALLOWED.problems(Change(self.folder, "main", self.propose(files, **options)))

    def pinned(self, name: str, commit: str) -> bytes:
        """Return the `source.yaml` of an environment with another pin."""
        data = parsed(self.read(source_file(name)))
        data["spec"]["ref"] = {"branch": "main", "commit": commit}
        return to_yaml(data)

    def read(self, path: str | PurePosixPath) -> bytes:
        """Return a file as the default branch has it."""
        return (self.folder / path).read_bytes()


def only(problems: Sequence[str], path: str | PurePosixPath, sentence: str) -> None:
    """Fail unless there are problems, all of them with this file, and one of them says this."""
    assert problems
    assert all(problem.startswith(f"{path}: ") for problem in problems), problems
    assert any(sentence in problem for problem in problems), problems
