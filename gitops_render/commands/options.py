"""What several commands ask for, those of `operations` too."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gitops_render.program import environment_names

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
EnvironmentName = Annotated[
    str, typer.Argument(metavar="ENVIRONMENT", autocompletion=environment_names, help="The environment.")
]
From = Annotated[
    str,
    typer.Argument(metavar="FROM", autocompletion=environment_names, help="The environment whose commit is taken."),
]
To = Annotated[
    str, typer.Argument(metavar="TO", autocompletion=environment_names, help="The environment that is to run it.")
]
Chosen = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", autocompletion=environment_names, help="Only this environment; may be repeated."),
]
Output = Annotated[Path, typer.Option("--tree", help="The folder of the GitOps repository.")]
Clone = Annotated[Path, typer.Option("--tree", help="A clone of the GitOps repository, fetched just now.")]
