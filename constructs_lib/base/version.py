"""The version of this project, which commands print and clusters show."""

VERSION = "0.1.0"

LABEL = "platform/version"
"""The label of the Flux Kustomization that applies all layers: a new version alone restarts nothing."""
