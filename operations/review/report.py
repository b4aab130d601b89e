"""What a change of this repository does: a verdict, stacks, rendered objects and policies, as Markdown."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from constructs_lib.base.change import Effect
from constructs_lib.base.errors import ConfigError
from constructs_lib.base.programs import passed_on, run
from constructs_lib.base.stacks import OUTPUT
from gitops_render.applications import changed_applications
from gitops_render.capacity import Row, to_markdown
from gitops_render.markdown import escaped
from gitops_render.paths import TREE, layers_folder
from gitops_render.review import Review, review
from gitops_render.settings import read_settings, settings_transitions
from gitops_render.versions.output import to_markdown as versions_markdown
from gitops_render.write import changed_files
from operations.rehearsal.output import to_markdown as rehearsals_markdown
from operations.rehearsal.rehearsal import Rehearsal, missing_tools, rehearse
from operations.review.stack_changes import StackChange, stack_changes, stacks_markdown
from operations.review.verdict import Changes, Verdict, unjudged_verdict, verdicts

MARKER = "<!-- synth-and-diff -->"
UNBUILT = "The base cannot be built with this change's packages, so nothing is compared"
CAPACITY = ("capacity", "--json")
PINNED = ("versions", "--format", "json")
BUILD_SECONDS = 600.0
"""How long a step of building a checkout may take: it runs that checkout's own code."""


class Comparison(NamedTuple):
    """What a change does: a verdict for each environment, and what differs in stacks and trees.

    `rehearsals` is what was seen of those that were rehearsed, or a sentence that says why none was.
    `unbuilt` says why the base cannot be built, if it cannot; `capacity` is what pods ask for and have before and after
    it, `pinned` what is pinned, `applications` what each of them gets or loses, as sentences.
    """

    verdicts: Sequence[Verdict]
    stacks: Sequence[StackChange]
    trees: Review
    unbuilt: str | None = None
    capacity: tuple[Sequence[Row], Sequence[Row]] = ((), ())
    pinned: tuple[Sequence[Row], Sequence[Row]] = ((), ())
    rehearsals: Sequence[Rehearsal] | str = ()
    applications: Sequence[str] = ()

    @property
    def is_refused(self) -> bool:
        """Whether something in it cannot be done."""
        return any(verdict.effect is Effect.REFUSED for verdict in self.verdicts)

    @property
    def is_judged(self) -> bool:
        """Whether all of it could be judged."""
        return all(reason.effect is not Effect.UNKNOWN for verdict in self.verdicts for reason in verdict.reasons)

    def markdown(self) -> str:
        """Return the pull request's comment: the verdict first, then what differs."""
        lines = [MARKER, "## What this change does", ""]
        if self.unbuilt is not None:
            lines += [f"> {UNBUILT}: {escaped(self.unbuilt)}", ""]
        lines += [line for verdict in self.verdicts for line in verdict.markdown()]
        if self.applications:
            lines += ["", "### Applications", "", *(f"- {escaped(sentence)}" for sentence in self.applications)]
        lines += ["", *versions_markdown(*self.pinned), "### OpenTofu", "", *stacks_markdown(self.stacks), ""]
        lines += [*to_markdown(*self.capacity), *self.trees.markdown()]
        if isinstance(self.rehearsals, str):
            lines += ["", "### Rehearsal", "", f"Nothing was rehearsed: {self.rehearsals}."]
        elif self.rehearsals:
            lines += ["", "### Rehearsal", "", *rehearsals_markdown(self.rehearsals)]
        return "\n".join(lines) + "\n"


def compared(base: Path, head: Path) -> Comparison:
    """Build the checkouts `base` and `head` side by side, each with its own code, and return what `head` changes.

    Raises `ConfigError` if `base` is no checkout of this project, and if `head` cannot be built.
    """
    if not (base / "main.py").is_file():
        raise ConfigError(f"{base}: is no checkout of this project; name the folder of one")
    with ThreadPoolExecutor(max_workers=2) as pool:
        unbuilt, problem = pool.map(_build, (base, head))
    if problem is not None:
        raise ConfigError(problem)
    if unbuilt is not None:
        trees = review(None, head / TREE, head / OUTPUT)
        unjudged = [unjudged_verdict(name, UNBUILT) for name in read_settings(head / TREE)]
        return Comparison(unjudged, [], trees, unbuilt, ([], _said(head, *CAPACITY)), ([], _said(head, *PINNED)))
    old, new = base / TREE, head / TREE
    trees = review(old, new, head / OUTPUT)
    files = changed_files(old, new)
    missing = missing_tools()
    rehearsals, failed = ([], {}) if missing else _rehearsed(old, new, {item.environment for item in trees.objects})
    changes = Changes(
        settings_transitions(old, new),
        stack_changes(base / OUTPUT, head / OUTPUT),
        trees.objects,
        files,
        {name: (*trees.unjudged.get(name, ()), *failed.get(name, ())) for name in {*trees.unjudged, *failed}},
        rehearsals,
    )
    capacity, pinned = ((_said(base, *command), _said(head, *command)) for command in (CAPACITY, PINNED))
    told = f"{', '.join(missing)} are not built" if missing and trees.objects else rehearsals
    applications = [*changed_applications(read_settings(old), read_settings(new))]
    return Comparison(verdicts(changes), changes.stacks, trees, None, capacity, pinned, told, applications)


def _rehearsed(old: Path, new: Path, names: Collection[str]) -> tuple[list[Rehearsal], dict[str, list[str]]]:
    """Return the rehearsal of each environment of these that Flux applies on both sides.

    Also why one came to no end, by environment.
    """
    found: list[Rehearsal] = []
    failed: dict[str, list[str]] = {}
    for name in sorted(names):
        if all((side / layers_folder(name)).is_dir() for side in (old, new)):
            try:
                found.append(rehearse(name, old, new))
            except ConfigError as error:
                failed[name] = [f"the rehearsal came to no end: {error}"]
    return found, failed


def _build(folder: Path) -> str | None:
    """Synthesise and render the checkout in `folder` with its own code, and return why that failed, if it did."""
    for command in (["main.py"], ["-m", "gitops_render", "render", "--tree", str(TREE)]):
        result = _run(folder, command)
        if result.returncode:
            return " ".join(result.stderr.strip().splitlines()[-1:]) or f"exit code {result.returncode}"
    return None


def _said(folder: Path, *command: str) -> list[Row]:
    """Return what a checkout says of its pools, or of what it pins; nothing where its code does not know that."""
    result = _run(folder, ["-m", "gitops_render", *command])
    return [] if result.returncode else json.loads(result.stdout)


def _run(folder: Path, command: list[str]) -> Any:
    passed = passed_on("PYTHON", "VIRTUAL_ENV", "JSII_", "NODE", "CDKTF_")
    environ = {**passed, "PYTHONPATH": str(folder.absolute())}
    doing = f"{folder}: {' '.join(command)}"
    return run([sys.executable, *command], doing=doing, deadline=BUILD_SECONDS, cwd=folder, env=environ, text=True)
