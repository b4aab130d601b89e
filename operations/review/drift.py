"""Whether what runs still is what the environment files say: one issue for each environment in which it is not."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from constructs_lib.base.purpose import Purpose
from constructs_lib.environment import Environment
from gitops_render.markdown import bold, code, escaped
from operations.bootstrap.layout import broken_layout
from operations.clients.digitalocean import DigitalOcean
from operations.clients.github import GitHub
from operations.provisioning.plan_report import readings_markdown
from operations.provisioning.planning import Reading
from operations.provisioning.provision import Provisioner
from operations.review.strays import strays
from operations.secrets.credentials import credentials_of
from operations.secrets.expiry import expiring


def find_drift(env: Environment, environments: Sequence[Environment], github: GitHub) -> str | None:
    """Return what differs in an environment or expires soon as Markdown, or nothing.

    Nothing is locked and nothing is written.
    """
    with tempfile.TemporaryDirectory(prefix="drift-") as folder:
        readings = Provisioner(env, Purpose.DRIFT).drift(Path(folder))
    left = []
    if env.cluster.provider == "digitalocean":
        account = DigitalOcean(credentials_of(env, Purpose.DRIFT).digitalocean_token)
        left = list(strays(account, {item.name for item in environments}))
    repository = github.repository(env.gitops.full_name)
    files = broken_layout(github, repository, environments, [env])
    soon = expiring(env, github)
    return to_markdown(env, readings, files, left, soon) if readings or files or left or soon else None


def to_markdown(
    env: Environment,
    readings: Sequence[Reading],
    files: Sequence[str],
    left: Sequence[str] = (),
    soon: Sequence[str] = (),
) -> str:
    """Return the text of the issue."""
    lines = [marker(env), f"Environment {bold(env.name)} differs from {code(f'environments/{env.name}.yaml')}.", ""]
    if readings:
        lines += ["## OpenTofu", "", *readings_markdown(readings), ""]
    if files:
        lines += [f"## {env.gitops.full_name}", "", "These files are not as they are rendered:", ""]
        lines += [f"- {code(file)}" for file in files]
    if left:
        lines += ["## Nobody's", "", "See docs/how-to/remove-an-environment.md:", ""]
        lines += [f"- {escaped(sentence)}" for sentence in left]
    if soon:
        lines += ["", "## What expires", "", *(f"- {escaped(sentence)}" for sentence in soon)]
    lines += ["", "Apply what is meant, or change the file. This issue closes itself once nothing differs."]
    return "\n".join(lines)


def marker(env: Environment) -> str:
    """Return what tells the issue of an environment from all others."""
    return f"<!-- drift:{env.name} -->"
