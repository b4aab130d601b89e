"""The typed model of one environment, and reading it from `environments/<name>.yaml`."""

from constructs_lib.environment.files import ENVIRONMENTS, load, load_all
from constructs_lib.environment.model import TIERS, Environment, Tier

__all__ = ["ENVIRONMENTS", "TIERS", "Environment", "Tier", "load", "load_all"]
