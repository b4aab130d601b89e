"""Amounts with their unit: text as Kubernetes and Prometheus write it, which knows its number."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from math import ceil
from typing import Any, ClassVar, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from constructs_lib.base.errors import shown

EXPECTED = "x-expected"
"""The key of the JSON Schema that says in words what a text has to be, for editors and the reference of settings."""

_MEBIBYTES = {"Mi": 1, "Gi": 1024, "Ti": 1024**2}
_DECIMAL = {unit: Fraction(10) ** (3 * power) for power, unit in enumerate(("n", "u", "m", "", "k", *"MGTPE"), -3)}
_BINARY = {unit: Fraction(2) ** (10 * power) for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)}
_UNITS = _DECIMAL | _BINARY
_COMPARED = {**{unit: float(size) for unit, size in _UNITS.items()}, "h": 1.0, "d": 24.0}
"""Units of which no setting takes two that do not compare: thousandths and minutes are both `m`."""
_COMPARED_TEXT = re.compile(r"(\d+(?:\.\d+)?)([A-Za-z]*)", re.ASCII)
_AMOUNT = re.compile(rf"\+?(\d+\.?\d*|\.\d+)(?:([eE][-+]?\d{{1,2}})|({'|'.join(_UNITS)}))", re.ASCII)
"""What Kubernetes takes for an amount (apimachinery `pkg/api/resource/quantity.go`), but for those below zero."""


class Quantity(str):
    """Text of a number and a unit, such as `30d`."""

    pattern: ClassVar[str]
    expected: ClassVar[str]

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Return `text` as an amount. Raises `ValueError` with what is expected for other text."""
        if not re.fullmatch(cls.pattern, text, re.ASCII):
            raise ValueError(f"must be {cls.expected}, found '{shown(text)}'")
        return super().__new__(cls, text)

    @property
    def number(self) -> int:
        """The number before the unit."""
        return int(re.split(r"\D", self, maxsplit=1)[0])

    @property
    def unit(self) -> str:
        """The unit, such as `Gi`."""
        return self.lstrip("0123456789")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema())

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "pattern": f"^(?:{cls.pattern})$", EXPECTED: cls.expected}


class Duration(Quantity):
    """A span of time."""

    seconds_each: ClassVar[int]

    __slots__ = ()

    @property
    def seconds(self) -> int:
        """The span in seconds."""
        return self.number * self.seconds_each


class Minutes(Duration):
    """Text such as `10m`."""

    pattern = r"[1-9]\d{0,3}m"
    expected = "a number of minutes such as '10m'"
    seconds_each = 60
    __slots__ = ()

    @property
    def shorter(self) -> Minutes:
        """The time of what is waited for within this one: a minute less, or both fail in turns."""
        return Minutes(f"{self.number - 1}m")


class Hours(Duration):
    """Text such as `26h`."""

    pattern = r"[1-9]\d{0,3}h"
    expected = "a number of hours such as '26h'"
    seconds_each = 3600
    __slots__ = ()


class Days(Duration):
    """Text such as `30d`."""

    pattern = r"[1-9]\d{0,3}d"
    expected = "a number of days such as '30d'"
    seconds_each = 86400
    __slots__ = ()

    @property
    def as_hours(self) -> Hours:
        """The same in hours: Go's own durations know no days."""
        return Hours(f"{24 * self.number}h")


class Size(Quantity):
    """An amount of bytes, within bounds."""

    least: ClassVar[str]
    most: ClassVar[str]

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Return `text` as an amount. Raises `ValueError` with what is expected for other text, or out of bounds."""
        size = super().__new__(cls, text)
        least, most = (super(Size, cls).__new__(cls, bound).mebibytes for bound in (cls.least, cls.most))
        if not least <= size.mebibytes <= most:
            raise ValueError(f"must be from {cls.least} to {cls.most}, found '{text}'")
        return size

    @property
    def mebibytes(self) -> int:
        """The amount in MiB."""
        return self.number * _MEBIBYTES[self.unit]


class Storage(Size):
    """The size of a volume, such as `20Gi` (docs.digitalocean.com, Volumes, Limits)."""

    least = "1Gi"
    most = "16Ti"
    pattern = r"[1-9]\d{0,4}(Mi|Gi|Ti)"
    expected = "a size such as '20Gi' (MiB, GiB or TiB)"
    __slots__ = ()


class Memory(Size):
    """An amount of memory, such as `512Mi`: below the least no container of the platform starts."""

    least = "16Mi"
    most = "256Gi"
    pattern = r"[1-9]\d{0,5}(Mi|Gi)"
    expected = "an amount of memory such as '512Mi' or '2Gi'"
    __slots__ = ()


def thousandths(cpu: str | float) -> int:
    """Return an amount of CPU as Kubernetes writes it (`250m`, `2`) in thousandths of a core, rounded up."""
    return _in(cpu, _UNITS["m"])


def in_mebibytes(memory: str | int) -> int:
    """Return an amount of memory as Kubernetes writes it (`512Mi`, `150M`) in MiB, rounded up."""
    return _in(memory, _UNITS["Mi"])


def comparable(value: Any) -> float | None:
    """Return a number by which values of one setting compare: a number itself, or an amount's; None for any other."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    found = _COMPARED_TEXT.fullmatch(str(value))
    if found is None or found[2] not in _COMPARED:
        return None
    return float(found[1]) * _COMPARED[found[2]]


@lru_cache(maxsize=1024, typed=True)
def _in(amount: str | float, unit: Fraction) -> int:
    """Every pod of every environment asks for one of a few amounts, and fractions are slow; `true` is not 1."""
    found = _AMOUNT.fullmatch(str(amount))
    if found is None:
        raise ValueError(f"must be an amount as Kubernetes writes it, such as '500m' or '2Gi', found '{amount}'")
    number, exponent, suffix = found.groups()
    return ceil(Fraction(f"{number.rstrip('.')}{exponent or ''}") * _UNITS[suffix or ""] / unit)
