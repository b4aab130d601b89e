"""The application with all of its commands: importing a module of commands adds them."""

from __future__ import annotations

from gitops_render import check_command, diff_command, graph_command, promote_command, render_command, seal_command
from gitops_render.app import app

COMMANDS = (check_command, diff_command, graph_command, promote_command, render_command, seal_command)

__all__ = ["COMMANDS", "app"]
