"""What a change does to the rendered trees, as a reviewer reads it: objects that differ, and policies that break."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from gitops_render.check import check_stacks, check_trees, read_stacks, read_trees
from gitops_render.check.model import Finding
from gitops_render.diff import Difference, diff
from gitops_render.diff_output import to_markdown
from gitops_render.losses import losses
from gitops_render.markdown import table


class Review(NamedTuple):
    """The objects that a change makes differ, and the policies that are broken with it."""

    objects: list[Difference]
    findings: list[Finding]

    def markdown(self) -> Iterator[str]:
        """Yield the two parts of the comment on a pull request."""
        yield from ("### Rendered objects", "", to_markdown(self.objects).rstrip(), "")
        yield from ("### Policies", "", *_policies(self.findings))


def review(base: Path | None, tree: Path, stacks: Path) -> Review:
    """Check a rendered tree and synthesised stacks, and compare the tree with that in `base`, if there is one.

    Raises `ConfigError` for a folder or file that cannot be read.
    """
    trees = read_trees(tree)
    objects = diff(base, tree) if base else []
    findings = [*check_trees(trees), *check_stacks(read_stacks(stacks)), *losses(trees, objects)]
    return Review(objects, findings)


def _policies(findings: Sequence[Finding]) -> Iterator[str]:
    if not findings:
        yield "Every policy is kept."
        return
    rows = [(found.policy, found.file, found.object, found.message, found.fix) for found in findings]
    yield from table(("policy", "file", "object", "what", "fix"), rows)
