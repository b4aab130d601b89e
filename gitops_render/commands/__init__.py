"""The command line. A command imports what it needs when it runs, so that help and wrong usage cost nothing.

Bad input leaves a command as a `ConfigError`, which `__main__` tells.
"""

from gitops_render.commands import clone, files, look, render, site
from gitops_render.program import EXIT_CODES, OPTIONS, program

app = program(f"Render the GitOps repository. {OPTIONS}", epilog=EXIT_CODES)
for group in (render, look, files, clone, site):
    app.add_typer(group.app)
