"""What several commands ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Chosen = Annotated[list[str] | None, typer.Option("--environment", help="Only this environment; may be repeated.")]
Output = Annotated[Path, typer.Option("--tree", "--output", help="The folder of the GitOps repository.")]
Clone = Annotated[
    Path, typer.Option("--tree", "--repository", help="A clone of the GitOps repository, fetched just now.")
]
