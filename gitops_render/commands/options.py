"""What several commands ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gitops_render.arguments import environment_names

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Chosen = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", autocompletion=environment_names, help="Only this environment; may be repeated."),
]
Output = Annotated[Path, typer.Option("--tree", help="The folder of the GitOps repository.")]
Clone = Annotated[Path, typer.Option("--tree", help="A clone of the GitOps repository, fetched just now.")]
