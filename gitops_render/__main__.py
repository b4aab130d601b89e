"""`bin/gitops_render`."""

import gc

from gitops_render.commands import app
from gitops_render.program import run

gc.disable()  # a command reads much, keeps it and ends: looking for cycles takes a tenth of its time
run(app, "gitops_render")
