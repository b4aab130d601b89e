#!/usr/bin/env python3
"""The cdktf application: every stack of every environment in `environments/`, as OpenTofu JSON in `cdktf.out/`."""

from __future__ import annotations

from constructs_lib.base.errors import exit_on_bad_input
from constructs_lib.environment import load_all


def main() -> None:
    """Synthesise all stacks. Nothing is written unless every environment is valid."""
    environments = load_all()

    from stacks.synthesis import synthesise

    synthesise(environments)


if __name__ == "__main__":
    with exit_on_bad_input():
        main()
