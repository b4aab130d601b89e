"""`python -m gitops_render`. Importing a module of commands adds them to the application."""

from gitops_render import check_command, cli, diff_command, graph_command, promote_command, seal_command
from gitops_render.app import app

COMMANDS = (check_command, cli, diff_command, graph_command, promote_command, seal_command)

app(prog_name="gitops_render")
