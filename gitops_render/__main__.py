"""`bin/gitops_render`."""

from gitops_render.commands import app
from gitops_render.program import run

run(app, "gitops_render")
