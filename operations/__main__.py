"""`python -m operations`."""

from constructs_lib.base.errors import exit_on_bad_input
from operations.commands import app

with exit_on_bad_input():
    app(prog_name="operations")
