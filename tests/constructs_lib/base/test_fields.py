"""Text fields: what they take, and what they say to anything else."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter, ValidationError

from constructs_lib.base import fields
from constructs_lib.base import github_fields as github
from constructs_lib.base import service_fields as services
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
        (services.SqlName, "app_1", "pg_app"),
        (services.SqlName, "postgres_exporter", "postgres"),
        (services.SqlName, "a", "app_"),
        (services.RabbitmqName, "A.b_1", "_a"),
        (services.VhostName, "/", ""),
        (services.VhostName, "/a/b.c", "a/"),
        (services.ExtensionName, "uuid-ossp", "pg_"),
        (services.Image, "registry.example.org:5000/a/postgresql:18.4-trixie", "postgresql:latest"),
        (github.SecretName, "GITHUBS", "GITHUB_TOKEN"),
        (services.SixFieldSchedule, "0 0 2 * * *", "0 2 * * *"),
        (fields.LabelKey, "example.org/pool", "doks.digitalocean.com/pool"),
        (fields.LabelValue, "", "-"),
        (fields.HttpsUrl, "https://vault.example.org:8200", "http://vault.example.org"),
        (fields.KeyPath, "secret/data", "/secret"),
        (fields.Cpu, "500m", "0.5"),
        (fields.AgeRecipient, f"age1{'q' * 58}", f"age1{'q' * 57}"),
        (github.Branch, "release/1.0", ".hidden"),
        (services.Smarthost, "smtp.example.org:2525", "smtp.example.org"),
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


@pytest.mark.parametrize(
    ("field", "good", "bad", "sentence"),
    [
        (
            services.SixFieldSchedule,
            "59 59 23 31 12 6",
            "60 0 2 * * *",
            "has '60' as its second, which goes from 0 to 59",
        ),
        (services.SixFieldSchedule, "0 0 2 * jan,DEC MON-fri", "0 0 2 * foo *", "has 'foo' as its month"),
        (services.SixFieldSchedule, "*/5 0-9/3 ? * * *", "*/0 0 2 * * *", "has '*/0' as its second"),
        (
            services.SixFieldSchedule,
            "0 0 2 1 * *",
            "0 0 2 0 * *",
            "has '0' as its day of the month, which goes from 1",
        ),
        (
            services.SixFieldSchedule,
            "0 0 2 * * 0",
            "0 0 2 * * 7",
            "has '7' as its day of the week, which goes from 0 to 6",
        ),
        (services.SixFieldSchedule, "0 0 2-4 * * *", "0 0 4-2 * * *", "has '4-2' as its hour"),
        (services.SixFieldSchedule, "0 0 2 * * *", "0 0 2 *-3 * *", "has '*-3' as its day of the month"),
        (
            services.Instant,
            "2028-02-29T23:59:59Z",
            "2027-02-29T23:59:59Z",
            "is no time: day is out of range for month",
        ),
        (services.Instant, "2027-01-01T00:00:00.5+01:00", "2027-01-01T24:00:01Z", "is no time: "),
        (services.RegularExpression, r"^(?<name>a|\p{L})++$", "(", "is no regular expression: missing )"),
        (services.RegularExpression, ".*", "a)", "is no regular expression: unbalanced parenthesis"),
        (services.RegularExpression, "[a-z]", "[z-a]", "is no regular expression: bad character range"),
        (services.RegularExpression, "a*", "*a", "is no regular expression: nothing to repeat"),
        (github.Branch, "release/1.0", "a..b", "has '..' where Git allows none"),
        (github.Branch, "HEADS", "HEAD", "has 'HEAD' where Git allows none"),
        (github.Branch, "a.locked", "a.lock/b", "has '.lock/' where Git allows none"),
        (github.Branch, "a/b", "a/", "has '/' where Git allows none"),
        (fields.Domain, f"{'a' * 60}.{'b' * 60}.{'c' * 60}.{'d' * 46}", f"{'a.' * 116}", ""),
        (fields.Domain, "a." * 114 + "bc", "a." * 114 + "bcd", "is 231 letters long, at most 230 are allowed"),
        (fields.Region, "syd1", "xyz9", "is not among ams3, "),
        (fields.Region, "nyc3", "nyc4", "did you mean 'nyc"),
        (
            fields.DropletSize,
            "so1_5-4vcpu-32gb-intel",
            "s-99vcpu-1gb",
            "is no size that is known here; did you mean 's-",
        ),
        (fields.DropletSize, "gpu-h200x8-1128gb", "s-4vcpu-8gb-arm", "is no size that is known here"),
        (fields.HttpsUrl, "https://a.example:65535/v1/x", "https://a.example:65536", "ports go from 1 to 65535"),
        (fields.HttpsUrl, "https://a", "https://a:0", "has the port 0, ports go from 1 to 65535"),
        (fields.ChartMirror, "oci://a.example:5000/charts", "oci://a.example:70000/charts", "has the port 70000"),
        (services.Smarthost, "a.example:587", "a.example:99999", "has the port 99999"),
        (fields.KeyPath, "a/.b/c..d", "a/../b", "may not hold '.' or '..' as a step"),
    ],
)
def test_who_reads_it_next_would_take_it(field: Any, good: str, bad: str, sentence: str) -> None:
    assert problem(field, good) == ""
    assert sentence in problem(field, bad)
    assert problem(field, bad) != ""


@pytest.mark.parametrize(
    "bad",
    [
        *(
            "https://u:p@a.example",
            "https://a.example?x=1",
            "https://a.example#x",
            "https://a b",
            "https://",
            "https://-a",
        ),
        "https://a:82OO",
    ],
)
def test_an_address_holds_no_user_no_question_and_no_fragment(bad: str) -> None:
    assert problem(fields.HttpsUrl, bad).startswith(
        "Value error, must be an https:// address of a host, without a user"
    )
    assert ":p@" not in problem(fields.HttpsUrl, bad)


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        (5, "found 5"),
        ("10.0.0.0", "found '10.0.0.0'"),
        ("10.0.0.0/33", "found '10.0.0.0/33'"),
        ("10.0.0.0/255.0.0.0", "found '10.0.0.0/255.0.0.0'"),
        ("10.0.0.1/8", "found '10.0.0.1/8'; did you mean '10.0.0.0/8'?"),
        ("::/8", "found '::/8'"),
        (None, "found null"),
    ],
)
def test_a_range_is_written_with_its_first_address(bad: object, sentence: str) -> None:
    assert TypeAdapter(fields.Range).validate_json('"10.0.0.0/8"', strict=True)
    told = problem(fields.Range, bad)
    assert told.startswith("Value error, must be a range of IPv4 addresses, by its first one, such as '10.20.0.0/20', ")
    assert told.endswith(sentence)


@pytest.mark.parametrize("name", ["gitops", "a.b-c_d", "github"])
def test_a_repository_is_called_as_github_takes_it(name: str) -> None:
    assert problem(github.RepositoryName, name) == ""
    assert problem(github.RepositoryName, f"{name}.git").startswith("Value error, must be the name of a repository")
