"""The site, which is for people alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from constructs_lib.base.console import done

app = typer.Typer()


@app.command()
def site(
    output: Annotated[Path, typer.Option(help="The folder of the site.")] = Path("site.out"),
) -> None:
    """Write every page, the references and the pictures of each environment as HTML; a broken link is an error."""
    from gitops_render.site import write_site

    done(f"{write_site(output)}: open it in a browser")
