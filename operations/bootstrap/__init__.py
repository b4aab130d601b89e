"""Bringing up the GitOps repository."""
