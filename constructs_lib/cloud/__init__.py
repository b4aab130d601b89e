"""Constructs on the providers: this folder and `stacks/` alone import cdktf."""
