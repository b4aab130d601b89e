"""`python -m operations`."""

from operations.commands import app

app(prog_name="operations")
