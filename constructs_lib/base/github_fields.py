"""Text fields of what GitHub reads."""

from __future__ import annotations

from typing import Annotated

from constructs_lib.base import formats
from constructs_lib.base.belonging import NAMED
from constructs_lib.base.fields import matching

CheckName = Annotated[
    str, *matching(r"[^\s\x00-\x1f]([^\x00-\x1f]{0,98}[^\s\x00-\x1f])?", "the name of a status check")
]

GitHubName = Annotated[
    str,
    *matching(
        r"[A-Za-z0-9]([-_]?[A-Za-z0-9]){0,99}", "the name of an organisation, team or user of GitHub", example="octocat"
    ),
    NAMED,
]

RepositoryName = Annotated[
    str, *matching(r"(?!.*\.git$)[A-Za-z0-9][-A-Za-z0-9_.]{0,99}", "the name of a repository without .git"), NAMED
]

Branch = Annotated[str, *matching(r"[A-Za-z0-9][-A-Za-z0-9_./]{0,199}", "a branch name", formats.branch)]

SecretName = Annotated[
    str, *matching(r"(?!GITHUB_)[A-Z_][A-Z0-9_]*", "upper-case letters, digits and underscores", example="NPM_TOKEN")
]
"""The name of an Actions secret or variable (GitHub: not starting with GITHUB_ or a digit)."""

RunnerLabel = Annotated[str, *matching(r"[\w.-]{1,100}", "the label of a runner of GitHub Actions"), NAMED]
