"""`bin/operations`."""

from gitops_render.program import run
from operations.commands import app

run(app, "operations")
