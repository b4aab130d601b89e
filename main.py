#!/usr/bin/env python3
"""Synthesise every stack of every environment in environments/ as OpenTofu JSON.

usage: python main.py [--help | --version]

The JSON goes to cdktf.out/, or where CDKTF_OUTDIR says, which cdktf's own command line sets. Nothing is written unless
every environment file is valid.

Exit codes: 0 done, 2 bad input (one sentence for each problem on stderr).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from constructs_lib.base.console import done, timed
from constructs_lib.base.errors import ConfigError, exit_on_bad_input
from constructs_lib.base.version import VERSION


def main(arguments: Sequence[str]) -> None:
    """Synthesise all stacks and say how many there are."""
    if arguments in (["--help"], ["-h"]):
        print((__doc__ or "").strip())
        return
    if arguments == ["--version"]:
        print(f"main.py {VERSION}")
        return
    if arguments:
        found = " ".join(arguments)
        raise ConfigError(f"main.py: takes no argument but --help and --version, found '{found}'; leave it out")

    from constructs_lib.environment import load_all

    environments = load_all()

    from stacks.synthesis import output_folder, synthesise

    done(f"{len(synthesise(environments))} stacks in {output_folder()}")


if __name__ == "__main__":
    with exit_on_bad_input(), timed("main.py"):
        main(sys.argv[1:])
