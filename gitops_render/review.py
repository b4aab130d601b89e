"""What a change does to the rendered trees, as a reviewer reads it: objects that differ, and policies that break."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from gitops_render.check import check_stacks, check_trees, read_stacks, read_trees
from gitops_render.check.model import Finding
from gitops_render.diff import Difference, diff, in_order
from gitops_render.diff_output import to_markdown
from gitops_render.helm import CHARTS
from gitops_render.losses import losses
from gitops_render.markdown import table
from gitops_render.releases import RELEASES, made_by_charts


class Review(NamedTuple):
    """The objects that a change makes differ, those of charts too, and the policies that are broken with it.

    `unjudged` says by environment what could not be compared.
    """

    objects: list[Difference]
    findings: list[Finding]
    unjudged: Mapping[str, Sequence[str]] = MappingProxyType({})
    unrendered: bool = False

    def markdown(self) -> Iterator[str]:
        """Yield the two parts of the comment on a pull request."""
        yield from ("### Rendered objects", "", to_markdown(self.objects).rstrip(), "")
        if self.unrendered:
            yield from (f"What charts make of that is not shown: {CHARTS} names none.", "")
        yield from ("### Policies", "", *_policies(self.findings))


def review(base: Path | None, tree: Path, stacks: Path) -> Review:
    """Check a rendered tree and synthesised stacks, and compare the tree with that in `base`, if there is one.

    Raises `ConfigError` for a folder or file that cannot be read, and where charts are named and helm is not there.
    """
    trees = read_trees(tree)
    objects = diff(base, tree) if base else []
    made = made_by_charts(base, tree)
    findings = [*check_trees(trees), *check_stacks(read_stacks(stacks)), *losses(trees, objects)]
    unrendered = not made.rendered and any(item.identity.kind in RELEASES for item in objects)
    return Review(in_order([*objects, *made.objects]), findings, made.unjudged, unrendered)


def _policies(findings: Sequence[Finding]) -> Iterator[str]:
    if not findings:
        yield "Every policy is kept."
        return
    rows = [(found.policy, found.file, found.object, found.message, found.fix) for found in findings]
    yield from table(("policy", "file", "object", "what", "fix"), rows)
