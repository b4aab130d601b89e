"""Text fields: what they take, and what they say to anything else."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter, ValidationError

from constructs_lib.base import fields
from constructs_lib.base.settings import Settings


def problem(field: Any, value: Any) -> str:
    """Return what a field says to a value; nothing if it takes it."""
    try:
        TypeAdapter(field).validate_python(value)
    except ValidationError as error:
        return str(error.errors()[0]["msg"])
    return ""


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        (fields.Name, "a" * 63, "a" * 64),
        (fields.Name, "a-1", "1-a"),
        (fields.ServiceName, "a" * 40, "a" * 41),
        (fields.BucketName, "abc", "ab"),
        (fields.BucketName, "a" * 63, "a" * 64),
        (fields.Region, "lon1", "lon"),
        (fields.DropletSize, "s-4vcpu-8gb", "large"),
        (fields.Domain, "a.example.org", "example"),
        (fields.KubernetesMinor, "1.33", "1.32"),
        (fields.TimeOfDay, "23:59", "24:00"),
        (fields.SqlName, "app_1", "pg_app"),
        (fields.SqlName, "postgres_exporter", "postgres"),
        (fields.SqlName, "a", "app_"),
        (fields.RabbitmqName, "A.b_1", "_a"),
        (fields.VhostName, "/", ""),
        (fields.VhostName, "/a/b.c", "a/"),
        (fields.ExtensionName, "uuid-ossp", "pg_"),
        (fields.Image, "registry.example.org:5000/a/postgresql:18.4-trixie", "postgresql:latest"),
        (fields.SecretName, "GITHUBS", "GITHUB_TOKEN"),
        (fields.SixFieldSchedule, "0 0 2 * * *", "0 2 * * *"),
        (fields.LabelKey, "example.org/pool", "doks.digitalocean.com/pool"),
        (fields.LabelValue, "", "-"),
        (fields.HttpsUrl, "https://vault.example.org:8200", "http://vault.example.org"),
        (fields.KeyPath, "secret/data", "/secret"),
        (fields.Cpu, "500m", "0.5"),
        (fields.AgeRecipient, f"age1{'q' * 58}", f"age1{'q' * 57}"),
        (fields.Branch, "release/1.0", ".hidden"),
        (fields.Smarthost, "smtp.example.org:2525", "smtp.example.org"),
    ],
)
def test_a_field_takes_what_is_just_right_and_says_what_it_expects(field: Any, good: str, bad: str) -> None:
    assert problem(field, good) == ""
    assert problem(field, bad).startswith("Value error, must be ")
    assert problem(field, bad).endswith(f", found '{bad}'")
    assert problem(field, f"{good}\n")


@pytest.mark.parametrize("text", ["${var.x}", "%{if}"])
def test_what_opentofu_would_read_as_a_template_is_refused(text: str) -> None:
    assert "which OpenTofu reads as a template" in problem(fields.Name, text)


class Entry(Settings):
    """An entry of a list."""

    name: str


def test_two_entries_of_one_name_are_refused() -> None:
    entries = Annotated[tuple[Entry, ...], fields.unique("name")]
    assert problem(entries, (Entry(name="a"), Entry(name="b"))) == ""
    told = problem(entries, (Entry(name="a"), Entry(name="b"), Entry(name="a")))
    assert told == "Value error, two entries have the name 'a'; rename one of them"
