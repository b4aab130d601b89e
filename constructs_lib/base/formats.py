"""What a pattern cannot say of a text: whether whoever reads it next would take it.

Each check returns what is wrong, as the end of a sentence, or nothing.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import datetime
from ipaddress import IPv4Network

from constructs_lib.base.digitalocean import CORES_AND_GIB, REGIONS, is_offered
from constructs_lib.base.errors import nearest, quoted, shown

_LISTED = "where DigitalOcean has it by now, add it to constructs_lib/base/digitalocean.py"

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_CRON = {
    "second": (0, 59, ()),
    "minute": (0, 59, ()),
    "hour": (0, 23, ()),
    "day of the month": (1, 31, ()),
    "month": (1, 12, _MONTHS),
    "day of the week": (0, 6, _DAYS),
}
"""The least, the most and the names of each field (robfig/cron v3 `spec.go`), which CloudNativePG reads."""
_PART = re.compile(r"(?P<first>\*|\?|\w+)(-(?P<last>\w+))?(/(?P<step>\d+))?")

_BROKEN = ("missing )", "unbalanced parenthesis", "unterminated character set", "nothing to repeat", "bad character")
"""How Python begins what is wrong with a regular expression in any dialect."""

_REF = re.compile(r"\.\.|//|@\{|/\.|\.lock(/|$)|[/.]$|^HEAD$")
"""What no branch holds (git-scm.com, git-check-ref-format)."""

LONGEST_DOMAIN = 230
"""253 are allowed (RFC 1035); hosts and the records that say whose they are get names before the domain."""


def schedule(text: str) -> str | None:
    """Check a schedule of six fields, seconds first."""
    for (name, (least, most, names)), field in zip(_CRON.items(), text.split(" "), strict=True):
        for part in field.split(","):
            if not _is_part(part.lower(), least, most, names):
                return f"has '{shown(part)}' as its {name}, which goes from {least} to {most}"
    return None


def _is_part(part: str, least: int, most: int, names: tuple[str, ...]) -> bool:
    found = _PART.fullmatch(part)
    if found is None or (found["step"] is not None and int(found["step"]) == 0):
        return False
    if found["first"] in ("*", "?"):
        return found["last"] is None
    ends = [_number(end, names, least) for end in (found["first"], found["last"]) if end is not None]
    return all(end is not None and least <= end <= most for end in ends) and ends == sorted(
        ends, key=lambda end: end or 0
    )


def _number(text: str, names: tuple[str, ...], least: int) -> int | None:
    if text in names:
        return names.index(text) + least
    return int(text) if text.isdecimal() and len(text) < 5 else None


def instant(text: str) -> str | None:
    """Check a time as RFC 3339 has it."""
    try:
        datetime.fromisoformat(text)
    except ValueError as error:
        return f"is no time: {error}"
    return None


def regular_expression(text: str) -> str | None:
    """Check a regular expression for what no dialect takes: PCRE, which RabbitMQ reads, knows more than Python."""
    try:
        re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        if not isinstance(error, re.error) or error.msg.startswith(_BROKEN):
            return f"is no regular expression: {error}"
    return None


def branch(text: str) -> str | None:
    """Check the name of a branch."""
    found = _REF.search(text)
    return f"has '{found[0]}' where Git allows none" if found else None


def domain(text: str) -> str | None:
    """Check the length of a domain."""
    return f"is {len(text)} letters long, at most {LONGEST_DOMAIN} are allowed" if len(text) > LONGEST_DOMAIN else None


def port(text: str) -> str | None:
    """Check the port at the end of an address or of what follows its scheme."""
    found = re.search(r":(\d+)(/|$)", text.removeprefix("https://"))
    return f"has the port {shown(found[1])}, ports go from 1 to 65535" if found and not _is_port(found[1]) else None


def _is_port(digits: str) -> bool:
    return len(digits) < 6 and 1 <= int(digits) <= 65535


def region(text: str) -> str | None:
    """Check that DigitalOcean has a region."""
    return None if text in REGIONS else f"is not among {', '.join(REGIONS)}{_hint(text, REGIONS)}; {_LISTED}"


def droplet_size(text: str) -> str | None:
    """Check that DigitalOcean has a Droplet size, and that a node may have it."""
    if not is_offered(text):
        return f"is no size that is known here{_hint(text, tuple(CORES_AND_GIB))}; {_LISTED}"
    return None


def _hint(text: str, known: tuple[str, ...]) -> str:
    near = nearest(text, known)
    return f"; did you mean '{near}'?" if near else ""


def path(text: str) -> str | None:
    """Check that a path stays where it is."""
    return "may not hold '.' or '..' as a step" if {".", ".."} & set(text.split("/")) else None


def ipv4_range(found: object) -> object:
    """Return what was found if it is an address range. Raises `ValueError` for anything else."""
    first = _network(found)
    if isinstance(found, IPv4Network) or (first is not None and first == found):
        return found
    what = "must be a range of IPv4 addresses, by its first one, such as '10.20.0.0/20'"
    near = "" if first is None else f"; did you mean '{first}'?"
    raise ValueError(f"{what}, found {quoted(found)}{near}")


def _network(found: object) -> str | None:
    if isinstance(found, str) and re.fullmatch(r"[\d.]+/\d{1,2}", found, re.ASCII):
        with suppress(ValueError):
            return str(IPv4Network(found, strict=False))
    return None
