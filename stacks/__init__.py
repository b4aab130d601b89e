"""One file for each stack: it wires constructs for an environment and holds no logic."""

from constructs_lib.cloud import providers  # before cdktf, which starts Node

__all__ = ["providers"]
