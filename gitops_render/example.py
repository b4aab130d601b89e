"""The example of an application, as files of the GitOps repository: a program that uses each service of its entry.

It is written from `application_files/`, where `sample-app` is its name. Teams make it theirs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from constructs_lib.applications import Application
from constructs_lib.base.errors import ConfigError
from constructs_lib.environment.applications import SERVICES
from constructs_lib.kit import Room
from gitops_render import journal
from gitops_render.paths import APPS, KUSTOMIZATION, Place
from gitops_render.tree import listing
from gitops_render.yaml_output import to_yaml

FILES = Path(__file__).with_name("application_files")
IMAGE = "docker.io/library/python:3.13.11-slim"
"""What the program runs in: Python alone, so that nobody has to build an image (docker-library/python)."""
PORT = 8080
"""Where the program answers."""
ASKS = Room(100, 256)
"""What its pods ask for together."""


def example(name: str, uses: Mapping[str, str], environment: str) -> dict[PurePosixPath, bytes]:
    """Return the files of the example for an environment, by their path; `uses` are clusters by their service."""
    secrets = [f"- secretRef: {{name: {service}-{uses[service]}}}" for service in SERVICES if service in uses]
    written = {"sample-app": name, "IMAGE": IMAGE, "SECRETS": "\n            ".join(secrets) or "[]"}
    pattern = re.compile("|".join(written))
    texts = ((path.stem, path.read_text(encoding="utf-8")) for path in sorted(FILES.iterdir()))
    folder = Place(environment, APPS, name).path
    return {folder / file: pattern.sub(lambda found: written[found[0]], text).encode() for file, text in texts}


def missing(tree: Path, files: Mapping[PurePosixPath, bytes]) -> dict[PurePosixPath, bytes]:
    """Return the files that are not there as they are to be. Raises `ConfigError` for those that hold other things."""
    found = {path: journal.bytes_in(tree / path) for path in files}
    changed = {path: data for path, data in files.items() if found[path] != data}
    there = [path for path in changed if found[path] not in (None, BEGINNING)]
    if there:
        raise ConfigError(*(f"{tree / path}: is there already; remove it, or take another name" for path in there))
    return changed


def fill(tree: Path, environment: str, app: Application) -> None:
    """Write the example into the folder of an application that has nothing yet; what is there is its team's."""
    uses = {service: next(iter(clusters)) for service in SERVICES if (clusters := getattr(app.uses, service))}
    if journal.bytes_in(tree / Place(environment, APPS, app.name).path / KUSTOMIZATION) == BEGINNING:
        with journal.alone(tree):
            journal.replace(tree, example(app.name, uses, environment))


BEGINNING = to_yaml(listing([]))
"""What the folder of an application begins with is ours."""
