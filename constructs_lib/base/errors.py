"""Bad input, told to the user as one sentence for each problem."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from itertools import accumulate

DIFFERENT = 1
"""The exit code of a command that found a difference, or broke a policy."""

BAD_INPUT = 2
"""The exit code of every command of this project when its input has to be fixed."""

LISTED = 400
"""How many letters of known names a sentence lists at most."""
SHOWN = 80
"""How much of what was found is said."""

_USER = re.compile(r"//[^/@]*@")


class ConfigError(Exception):
    """Input that a user has to fix.

    `problems` holds one sentence for each: which file and key, what was found, what is allowed, what to do.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@contextmanager
def exit_on_bad_input() -> Generator[None]:
    """Print the problems of a `ConfigError` on stderr, a line each, and exit with `BAD_INPUT`."""
    try:
        yield
    except ConfigError as error:
        print(error, file=sys.stderr)
        sys.exit(BAD_INPUT)


def warn(problem: str) -> None:
    """Print on stderr what a user should know of input that is accepted."""
    print(f"warning: {problem}", file=sys.stderr)


def unknown(kind: str, name: str, known: Sequence[str]) -> str:
    """Return the sentence about a name that is not among the known ones, with the nearest as a suggestion."""
    near = nearest(name, known)
    hint = f"; did you mean '{near}'?" if near else ""
    fitting = sum(letters <= LISTED for letters in accumulate(len(each) + 2 for each in known))
    return f"unknown {kind} '{shown(name)}', known are {cut_short(known, max(fitting, 1))}{hint}"


def cut_short(names: Sequence[str], most: int) -> str:
    """Return names as they are, one after another; of those past `most` only how many."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def nearest(name: str, known: Sequence[str]) -> str | None:
    """Return the known name that is nearly this one, if there is any."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(name[:100], known, n=1)), None)


def shown(value: object) -> str:
    """Return what was found, shortened, without who logs in at an address: text as it is, all else as YAML has it."""
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    text = _USER.sub("//…@", text if text.isprintable() else json.dumps(text)[1:-1])
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


def quoted(value: object) -> str:
    """Return what was found as `shown` does, text in quotes."""
    return f"'{shown(value)}'" if isinstance(value, str) else shown(value)
