"""One file for each stack: it wires constructs for an environment and holds no logic."""
