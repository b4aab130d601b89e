"""`python -m gitops_render`."""

from constructs_lib.base.errors import exit_on_bad_input
from gitops_render.commands import app

with exit_on_bad_input():
    app(prog_name="gitops_render")
