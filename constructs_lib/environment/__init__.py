"""The typed model of one environment, and reading it from `environments/<name>.yaml`."""

from constructs_lib.base.stacks import GITOPS_REPOSITORY, StackKind
from constructs_lib.environment.files import ENVIRONMENTS, SHARED, chosen, environment_paths, load, load_all, read
from constructs_lib.environment.model import TIERS, Environment, Tier

__all__ = [
    "ENVIRONMENTS",
    "GITOPS_REPOSITORY",
    "SHARED",
    "TIERS",
    "Environment",
    "StackKind",
    "Tier",
    "chosen",
    "environment_paths",
    "load",
    "load_all",
    "read",
]
