"""The application with all of its commands: importing a module of commands adds them."""

from __future__ import annotations

from operations import (
    bootstrap_command,
    drift_command,
    promote_command,
    provision_command,
    report_command,
    sweep_command,
)
from operations.app import app

COMMANDS = (
    bootstrap_command,
    drift_command,
    promote_command,
    provision_command,
    report_command,
    sweep_command,
)

__all__ = ["COMMANDS", "app"]
