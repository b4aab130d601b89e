"""Amounts with their unit."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from constructs_lib.base.quantities import (
    Days,
    Hours,
    Memory,
    Minutes,
    Quantity,
    Size,
    Storage,
    in_mebibytes,
    thousandths,
)


@pytest.mark.parametrize(
    ("duration", "seconds"), [(Minutes("10m"), 600), (Hours("26h"), 93_600), (Days("30d"), 2_592_000)]
)
def test_a_duration_knows_its_seconds(duration: Minutes | Hours | Days, seconds: int) -> None:
    assert duration.seconds == seconds


def test_what_is_waited_for_within_a_time_takes_a_minute_less() -> None:
    assert (Minutes("10m").shorter, type(Minutes("10m").shorter)) == ("9m", Minutes)


def test_days_are_hours_where_days_are_not_known() -> None:
    assert Days("3d").as_hours == "72h"


@pytest.mark.parametrize(
    ("size", "mebibytes"), [(Memory("512Mi"), 512), (Storage("20Gi"), 20_480), (Storage("2Ti"), 2_097_152)]
)
def test_a_size_knows_its_mebibytes(size: Memory | Storage, mebibytes: int) -> None:
    assert size.mebibytes == mebibytes


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Minutes, "1h"),
        (Minutes, "0m"),
        (Hours, "1.5h"),
        (Days, "30"),
        (Days, "3d "),
        (Days, "3dd"),
        (Days, "1٣d"),
        (Storage, "20GB"),
        (Storage, "1Pi"),
        (Memory, "1Ti"),
        (Memory, "01Gi"),
    ],
)
def test_other_text_is_refused_with_what_is_expected(kind: type[Quantity], text: str) -> None:
    with pytest.raises(ValueError, match=rf"^must be {kind.expected.partition(' (')[0]}.*, found '"):
        kind(text)


class Settings(BaseModel):
    """Settings with an amount."""

    kept: Days = Days("7d")


def test_settings_read_the_same_text_and_their_schema_says_which() -> None:
    assert Settings.model_validate_json('{"kept": "14d"}').kept.number == 14
    with pytest.raises(ValidationError, match="must be a number of days such as '30d', found '2 weeks'"):
        Settings.model_validate_json('{"kept": "2 weeks"}')
    schema = Settings.model_json_schema()["properties"]["kept"]
    assert (schema["type"], schema["pattern"], schema["default"]) == ("string", r"^(?:[1-9]\d{0,3}d)$", "7d")


@pytest.mark.parametrize(
    ("amount", "number"),
    [
        ("250m", 250),
        ("2", 2000),
        ("0.5", 500),
        (1, 1000),
        (0.25, 250),
        ("1.5m", 2),
        ("0", 0),
        ("100000n", 1),
        ("1500001n", 2),
        ("1500u", 2),
        ("+1e-1", 100),
        (".5", 500),
        ("1.", 1000),
        ("1k", 10**6),
    ],
)
def test_cpu_is_counted_in_thousandths_rounded_up(amount: str | float, number: int) -> None:
    assert thousandths(amount) == number


@pytest.mark.parametrize(
    ("amount", "number"),
    [
        ("512Mi", 512),
        ("1.5Gi", 1536),
        ("1Ti", 2**20),
        ("150M", 144),
        ("1T", 953675),
        ("1048577", 2),
        (2**20, 1),
        ("1025Ki", 2),
        ("0", 0),
        ("1e9", 954),
        ("1E+9", 954),
        ("1P", 953674317),
        ("1Pi", 2**30),
        ("1E", 953674316407),
        ("1Ei", 2**40),
        ("1000000000000m", 954),
    ],
)
def test_memory_is_counted_in_mebibytes_rounded_up(amount: str | int, number: int) -> None:
    assert in_mebibytes(amount) == number


@pytest.mark.parametrize("amount", ["much", "1Zi", "-1", "", "1 Gi", "1K", "1e", "Gi", "."])
def test_an_amount_of_memory_that_is_none_is_told(amount: str) -> None:
    with pytest.raises(
        ValueError, match=f"must be an amount as Kubernetes writes it, such as '500m' or '2Gi', found '{amount}'"
    ):
        in_mebibytes(amount)


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (Storage, ("1Gi", "1024Mi", "16Ti", "16384Gi"), ("1023Mi", "17Ti", "16385Gi")),
        (Memory, ("16Mi", "256Gi"), ("15Mi", "257Gi")),
    ],
)
def test_a_size_is_within_bounds(kind: type[Size], good: tuple[str, ...], bad: tuple[str, ...]) -> None:
    assert [kind(text) for text in good] == [*good]
    for text in bad:
        with pytest.raises(ValueError, match=f"must be from {kind.least} to {kind.most}, found '{text}'"):
            kind(text)


def test_true_is_no_amount_though_it_equals_one_that_was_counted() -> None:
    assert thousandths(1) == 1000
    with pytest.raises(ValueError, match="must be an amount as Kubernetes writes it, such as '500m' or '2Gi'"):
        thousandths(True)
