"""The command line. A command imports what it needs when it runs, so that help and wrong usage cost nothing.

Bad input leaves a command as a `ConfigError`, which `__main__` tells.
"""

from gitops_render.commands import clone, files, look, render
from gitops_render.program import EXIT_CODES, VERSION_OPTION, program

app = program(f"Render the GitOps repository. {VERSION_OPTION} prints the version.", epilog=EXIT_CODES)
for group in (render, look, files, clone):
    app.add_typer(group.app)
