"""`python -m gitops_render`."""

from gitops_render.commands import app

app(prog_name="gitops_render")
