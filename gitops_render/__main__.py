"""`python -m gitops_render`."""

from gitops_render.cli import app

app(prog_name="gitops_render")
