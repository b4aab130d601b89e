"""No change gets through that nobody may make, whatever somebody thinks of."""

from __future__ import annotations

import hashlib
import json
import string
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gitops_render.paths import source_file
from gitops_render.validate.change import PLAIN, Change, Entries, Entry
from gitops_render.yaml_output import to_yaml
from tests.gitops_render.validate.repository import (
    ALLOWED,
    DB,
    ENVIRONMENTS,
    FOLDER,
    LIST,
    STRANGER,
    VALUE,
    GitOps,
    key_of,
    listed,
    sealed,
)

Contents = Mapping[PurePosixPath, bytes | None]

SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much]
EXAMPLES = settings(max_examples=50, deadline=None, suppress_health_check=SLOW)
OWN_FOLDERS = tuple(("apps", env.name) for env in ENVIRONMENTS)
PARTS = (
    *("clusters", "platform", "apps", "secrets", "sandbox", "staging", "gone", "sealed", "layers", ".github"),
    *("workflows", ".render", "kustomization.yaml", "kustomization.yml", "source.yaml", "secret-x.yaml", "x.yaml"),
    *(".sops.yaml", ".sourceignore", ".gitattributes", ".gitmodules", "README.md", "validate.yml", "gone.json"),
)
TEXT = st.text(string.printable, max_size=40)
OBJECT = to_yaml({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}})


class Proposed(Change):
    """A change that is in no repository: what it puts at each path lies in memory."""

    def __init__(self, gitops: GitOps, contents: Contents, modes: Mapping[PurePosixPath, str]) -> None:
        self.history, self.before = gitops.unchanged.history, gitops.unchanged.before
        self._old = gitops.unchanged.old
        self._contents = {Entry.of(data).id: data for data in contents.values() if data is not None}
        changed = {path: None if data is None else Entry.of(data) for path, data in contents.items()}
        self._after: Entries = {
            path: Entry(modes.get(path, entry.mode), entry.id)
            for path, entry in {**self.before, **changed}.items()
            if entry is not None
        }

    @property
    def after(self) -> Entries:  # pyright: ignore[reportIncompatibleVariableOverride]
        """What the default branch would have."""
        return self._after

    def old(self, path: PurePosixPath) -> bytes | None:
        """Return what the default branch holds at `path`."""
        return self._old(path)

    def _content(self, entry: Entry | None) -> bytes | None:
        known = self._contents.get(entry.id) if entry else None
        return super()._content(entry) if known is None else known


@st.composite
def invented(draw: st.DrawFn) -> PurePosixPath:
    """Return a path at which something could come into being."""
    path = PurePosixPath(*draw(st.lists(st.sampled_from(PARTS), min_size=1, max_size=5)))
    assume(len(path.parts) < 3 or path.parts[:2] not in OWN_FOLDERS)
    return path


@st.composite
def edited(draw: st.DrawFn, old: bytes) -> bytes:
    """Return other contents: a byte changed, something put in or left out, or something else altogether."""
    at = draw(st.integers(0, len(old)))
    until = draw(st.integers(at, min(len(old), at + 60)))
    between = draw(st.one_of(TEXT.map(str.encode), st.binary(max_size=8), st.just(b"---\n" + OBJECT)))
    return draw(st.sampled_from([old[:at] + between + old[until:], old + b"---\n" + OBJECT, OBJECT, b"", between]))


def _with_digest(gitops: GitOps, contents: dict[PurePosixPath, bytes | None]) -> None:
    """Let the indexes say that rendering wrote what is proposed."""
    for name in (*(env.name for env in ENVIRONMENTS), "_shared"):
        index = json.loads(gitops.read(f".render/{name}.json"))
        mine = {str(path): data for path, data in contents.items() if str(path) in index or name == "_shared"}
        for path, data in mine.items():
            index.pop(path, None)
            if data is not None:
                index[path] = hashlib.sha256(data).hexdigest()
        contents[PurePosixPath(f".render/{name}.json")] = (json.dumps(index, indent=1, sort_keys=True) + "\n").encode()


Proposal = tuple[PurePosixPath, Entry, bytes | None]
"""A path, and what is put there; no contents are the end of what is there."""


@st.composite
def proposal(draw: st.DrawFn, gitops: GitOps) -> Proposal:
    """Return what somebody makes of a path."""
    before = gitops.unchanged.before
    ours = sorted(path for path in before if path.parts[:2] not in OWN_FOLDERS and path.parent != FOLDER)
    path = draw(st.one_of(st.sampled_from(ours), invented().filter(lambda path: path not in before)))
    old = gitops.read(path) if path in before else None
    other = gitops.read(draw(st.sampled_from(ours)))
    new = draw(st.one_of(edited(old or b""), st.sampled_from([other, old])))
    entry = Entry.of(new or b"")._replace(mode=draw(st.sampled_from([PLAIN, PLAIN, "100755", "120000", "160000"])))
    assume(new is not None and entry != before.get(path))
    return path, entry, new


@EXAMPLES
@given(data=st.data())
def test_no_edit_of_what_is_rendered_or_new_passes(gitops: GitOps, data: st.DataObject) -> None:
    """Everything but the sealed Secrets and what applications have; together with its digest, at will."""
    changes = data.draw(st.lists(proposal(gitops), min_size=1, max_size=3))
    contents = {path: new for path, _, new in changes}
    if data.draw(st.booleans()):
        _with_digest(gitops, contents)
    assert ALLOWED.problems(Proposed(gitops, contents, {path: entry.mode for path, entry, _ in changes}))


@EXAMPLES
@given(data=st.data())
def test_nothing_that_is_there_goes(gitops: GitOps, data: st.DataObject) -> None:
    ours = [path for path in gitops.unchanged.before if path.parts[:2] not in OWN_FOLDERS]
    gone = dict.fromkeys(data.draw(st.lists(st.sampled_from(sorted(ours)), min_size=1, max_size=3)))
    assert ALLOWED.problems(Proposed(gitops, gone, {}))


@settings(EXAMPLES, max_examples=20)
@given(name=st.sampled_from(["staging", "production"]), text=st.binary(min_size=20, max_size=20).map(bytes.hex))
def test_no_pin_passes_that_the_tier_before_did_not_run(gitops: GitOps, name: str, text: str) -> None:
    file = source_file(name)
    assert ALLOWED.problems(Proposed(gitops, {file: gitops.pinned(name, text)}, {}))


CLEAR = TEXT.filter(lambda text: text != "")
HOSTILE: dict[str, Any] = {
    "clear": CLEAR.map(lambda text: sealed(stringData={"a": VALUE, "b": text})),
    "around": st.tuples(CLEAR, st.booleans()).map(
        lambda found: sealed(data={"a": found[0] + VALUE if found[1] else VALUE + found[0]})
    ),
    "nested": CLEAR.map(lambda text: sealed(stringData={"a": {text: VALUE}})),
    "listed": CLEAR.map(lambda text: sealed(stringData=[VALUE, text])),
    "kind": CLEAR.map(lambda text: sealed(kind=f"{text}Secret")),
    "version": CLEAR.map(lambda text: sealed(apiVersion=f"v1{text}")),
    "key": CLEAR.filter(lambda text: text not in sealed() and text not in {"data", "type", "immutable"}).map(
        lambda text: sealed(**{text: VALUE})
    ),
    "metadata": CLEAR.filter(lambda text: text not in {"name", "namespace", "labels", "annotations"}).map(
        lambda text: sealed(metadata={"name": "db", "namespace": "databases", text: "x"})
    ),
    "name": CLEAR.map(lambda text: sealed(f"db{text}")),
    "stranger": st.just(sealed(sops=sealed()["sops"] | {"age": [*sealed()["sops"]["age"], key_of(STRANGER)]})),
    "alone": st.just(sealed(sops=sealed()["sops"] | {"age": [key_of(STRANGER)]})),
    "other keys": st.sampled_from(["kms", "pgp", "hc_vault", "key_groups", "unencrypted_suffix", "x"]).map(
        lambda key: sealed(sops=sealed()["sops"] | {key: [{"fp": "x"}]})
    ),
    "what is encrypted": CLEAR.map(lambda text: sealed(sops=sealed()["sops"] | {"encrypted_regex": text})),
    "mac": CLEAR.map(lambda text: sealed(sops=sealed()["sops"] | {"mac": text})),
    "armour": CLEAR.map(lambda text: sealed(sops=sealed()["sops"] | {"age": [{"recipient": STRANGER, "enc": text}]})),
    "no sops": st.just(sealed(sops=None)),
}


@EXAMPLES
@given(data=st.data(), flow=st.booleans(), new=st.booleans())
def test_no_secret_passes_that_is_not_sealed_for_the_environment(
    gitops: GitOps, data: st.DataObject, flow: bool, new: bool
) -> None:
    secret = data.draw(HOSTILE[data.draw(st.sampled_from(sorted(HOSTILE)))])
    text = json.dumps(secret).encode() if flow else to_yaml(secret)
    names = ("db", "new") if new else ("db",)
    path = FOLDER / "secret-new.yaml" if new else DB
    assert ALLOWED.problems(Proposed(gitops, {path: text, LIST: listed(*names)}, {}))


@EXAMPLES
@given(extra=CLEAR.filter(lambda text: text.strip() != ""), at=st.integers(0, 2000))
def test_nothing_is_written_between_the_lines_of_a_sealed_secret(gitops: GitOps, extra: str, at: int) -> None:
    """A line of its own, a comment or another document, anywhere."""
    lines = gitops.read(DB).decode().splitlines(keepends=True)
    at %= len(lines) + 1
    for inserted in (f"# {extra!r}\n", f"---\n{extra}\n", f"? {extra}\n", f"<<: &a {extra}\n"):
        text = "".join([*lines[:at], inserted, *lines[at:]])
        assert ALLOWED.problems(Proposed(gitops, {DB: text.encode()}, {})), inserted


@EXAMPLES
@given(data=st.data())
def test_the_list_of_sealed_secrets_follows_from_the_folder(gitops: GitOps, data: st.DataObject) -> None:
    text = data.draw(edited(listed("db")))
    assume(text != listed("db"))
    assert ALLOWED.problems(Proposed(gitops, {LIST: text}, {}))
