"""Text fields of the environment files, each with an error that says what is expected."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from ipaddress import IPv4Network
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticKnownError

from constructs_lib.base import formats
from constructs_lib.base.belonging import NAMED
from constructs_lib.base.errors import shown
from constructs_lib.base.quantities import EXPECTED

Check = Callable[[str], str | None]


def _matching(pattern: str, expected: str, also: Check | None = None, *, example: str = "") -> Any:
    """Return the metadata of a text field: its check, and for the JSON Schema its pattern, and what is `expected`.

    What the pattern cannot say is asked of `also`; an `example` is given where `expected` has none.
    """

    def check(value: str) -> str:
        if "${" in value or "%{" in value:
            raise ValueError(f"may not hold ${{ or %{{, which OpenTofu reads as a template, found '{shown(value)}'")
        if not re.fullmatch(pattern, value, re.ASCII):
            raise ValueError(f"must be {expected}, found '{shown(value)}'")
        if also is not None and (problem := also(value)):
            raise ValueError(f"'{shown(value)}' {problem}")
        return value

    said: dict[str, Any] = {"examples": [example]} if example else {}
    return AfterValidator(check), Field(json_schema_extra={"pattern": f"^(?:{pattern})$", EXPECTED: expected, **said})


_LABEL = r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?"

Name = Annotated[
    str,
    *_matching(_LABEL, "1 to 63 lower-case letters, digits and hyphens, starting with a letter", example="main"),
    NAMED,
]
"""A DNS label (RFC 1123) that starts with a letter: what DigitalOcean, Kubernetes and OpenTofu all accept as a name."""

ServiceName = Annotated[
    str,
    *_matching(
        r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", "1 to 40 lower-case letters, digits and hyphens, starting with a letter"
    ),
]
"""The name of a cluster of Postgres, RabbitMQ or Valkey: their operators put suffixes to it, within 63 characters."""

PoolName = Annotated[
    str,
    *_matching(
        r"[a-z]([-a-z0-9]{0,18}[a-z0-9])?", "1 to 20 lower-case letters, digits and hyphens, starting with a letter"
    ),
]
"""The name of a node pool: DigitalOcean's adds the Droplet size, and that of a node a suffix, within 63 characters."""

VpcName = Annotated[str, *_matching(r"[A-Za-z0-9.-]{1,255}", "a name of letters, digits, '.' and '-'"), NAMED]
"""The name of a VPC (digitalocean/openapi `vpc_updatable`)."""

Uuid = Annotated[
    str,
    *_matching(
        r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        "a UUID in lower case",
        example="5a4981aa-9653-4bd1-bef5-d6bff52042e4",
    ),
    NAMED,
]

BucketName = Annotated[
    str,
    *_matching(
        r"[a-z0-9][-a-z0-9]{1,61}[a-z0-9]",
        "3 to 63 lower-case letters, digits and inner hyphens",
        example="episodic-sandbox",
    ),
    NAMED,
]
"""An S3 bucket name without dots, which would break TLS on virtual-host addresses."""

Region = Annotated[str, *_matching(r"[a-z]{3}\d", "a DigitalOcean region such as 'lon1'", formats.region)]

_HOST = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*"

S3Region = Annotated[str, *_matching(r"[a-z0-9][a-z0-9-]{0,31}", "a region such as 'lon1' or 'eu-central-1'")]

S3Address = Annotated[
    str, *_matching(rf"https://{_HOST}(:443)?", "an https:// address without a path, at port 443"), NAMED
]
"""The one port that network policies let Postgres use to the outside."""

DropletSize = Annotated[
    str,
    *_matching(r"[a-z][a-z0-9_.]*(-[a-z0-9_.]+)+", "a Droplet size such as 's-4vcpu-8gb'", formats.droplet_size),
]

Domain = Annotated[
    str,
    *_matching(
        r"([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)+[a-z][-a-z0-9]{0,61}[a-z0-9]",
        "a domain such as 'example.org'",
        formats.domain,
    ),
    NAMED,
]

KubernetesMinor = Annotated[str, *_matching(r"1\.(3[3-9]|[4-9]\d)", "a minor version from '1.33' on, such as '1.35'")]
"""Flux 2.9 needs Kubernetes 1.33 (fluxcd/flux2 v2.9.4 `cmd/flux/check.go`)."""

Tag = Annotated[
    str, *_matching(r"[\w:-]{1,255}", "a tag of letters, digits, '_', ':' and '-'", example="team:platform")
]
"""A tag as DigitalOcean's API takes it (digitalocean/openapi `tags_create`)."""

TimeOfDay = Annotated[str, *_matching(r"([01]\d|2[0-3]):[0-5]\d", "a time in UTC such as '04:00'")]

HttpsUrl = Annotated[
    str,
    *_matching(
        rf"https://{_HOST}(:\d{{1,9}})?(/[\w.~!$&'()*+,;=:@%/-]*)?",
        "an https:// address of a host, without a user, a question or a fragment",
        formats.port,
        example="https://host.example.org",
    ),
    NAMED,
]
"""Nobody's password belongs into it, and who reads it adds a path."""

ChartMirror = Annotated[
    str,
    *_matching(
        rf"(https?|oci)://{_HOST}(:\d{{1,9}})?(/[\w.~+%/-]*)?",
        "an https://, http:// or oci:// address without a user",
        formats.port,
        example="oci://registry.example.org/charts",
    ),
]

Email = Annotated[str, *_matching(r"[^@\s]+@[^@\s]+\.[^@\s]+", "an e-mail address", example="platform@example.org")]

Certificate = Annotated[
    str,
    *_matching(
        r"\s*-----BEGIN CERTIFICATE-----[\s\S]+-----END CERTIFICATE-----\s*",
        "a CA bundle in PEM form",
        example="-----BEGIN CERTIFICATE-----…-----END CERTIFICATE-----",
    ),
]

KeyPath = Annotated[
    str,
    *_matching(
        r"[\w.-]{1,100}(/[\w.-]{1,100})*",
        "a path of letters, digits, '_', '.' and '-', without outer slashes",
        formats.path,
        example="teams/platform",
    ),
    NAMED,
]
"""A mount or path in Vault."""

VaultName = Annotated[
    str, *_matching(r"[\w.:/-]{1,128}", "letters, digits, '_', '.', ':', '/' and '-'", example="platform-7f3a"), NAMED
]
"""A role, a role's ID or an audience in Vault."""

LabelKey = Annotated[
    str,
    *_matching(
        r"(?!doks\.digitalocean\.com/)(?!([-a-z0-9.]+\.)?(kubernetes|k8s)\.io/)([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?",
        "a Kubernetes label key of your own, no doks.digitalocean.com or kubernetes.io",
    ),
]

LabelValue = Annotated[
    str, *_matching(r"([A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?)?", "a Kubernetes label value of at most 63 characters")
]

AnnotationKey = Annotated[
    str,
    *_matching(
        r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?",
        "the key of an annotation, such as 'service.beta.kubernetes.io/aws-load-balancer-type'",
    ),
]
AnnotationValue = Annotated[str, *_matching(r"[^\x00-\x1f]{0,1000}", "at most 1000 letters, on one line")]

ContextName = Annotated[
    str, *_matching(r"[\w.@:/-]{1,253}", "the name of a context, as `kubectl config get-contexts` has it"), NAMED
]

StorageClass = Annotated[
    str,
    *_matching(
        r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", "the name of a StorageClass, as `kubectl get storageclass` has it"
    ),
    NAMED,
]

CheckName = Annotated[
    str, *_matching(r"[^\s\x00-\x1f]([^\x00-\x1f]{0,98}[^\s\x00-\x1f])?", "the name of a status check")
]

GitHubName = Annotated[
    str,
    *_matching(
        r"[A-Za-z0-9]([-_]?[A-Za-z0-9]){0,99}", "the name of an organisation, team or user of GitHub", example="octocat"
    ),
    NAMED,
]

RepositoryName = Annotated[
    str, *_matching(r"(?!.*\.git$)[A-Za-z0-9][-A-Za-z0-9_.]{0,99}", "the name of a repository without .git"), NAMED
]

Branch = Annotated[str, *_matching(r"[A-Za-z0-9][-A-Za-z0-9_./]{0,199}", "a branch name", formats.branch)]

SecretName = Annotated[
    str, *_matching(r"(?!GITHUB_)[A-Z_][A-Z0-9_]*", "upper-case letters, digits and underscores", example="NPM_TOKEN")
]
"""The name of an Actions secret or variable (GitHub: not starting with GITHUB_ or a digit)."""

RunnerLabel = Annotated[str, *_matching(r"[\w.-]{1,100}", "the label of a runner of GitHub Actions"), NAMED]

Cpu = Annotated[str, *_matching(r"[1-9]\d{0,3}m?", "an amount of CPU such as '500m' (half a core) or '2'")]

Range = Annotated[
    IPv4Network,
    BeforeValidator(formats.ipv4_range),
    Field(
        json_schema_extra={
            "pattern": r"^\d{1,3}(\.\d{1,3}){3}/\d{1,2}$",
            EXPECTED: "a range of IPv4 addresses such as '10.20.0.0/20'",
        }
    ),
    NAMED,
]


def _no_boolean(value: object) -> object:
    if isinstance(value, bool):
        raise PydanticKnownError("int_type")
    return value


NUMBER = BeforeValidator(_no_boolean)
"""Beside a choice of numbers: for Python, and so for pydantic, `true` is 1."""

SqlName = Annotated[
    str,
    *_matching(
        r"(?!pg_)(?!postgres$)[a-z_]([a-z0-9_]{0,61}[a-z0-9])?",
        "a PostgreSQL name that the system does not keep and that ends with a letter or digit",
        example="orders",
    ),
]
"""A database, role or library: lower-case, so that it needs no quotes; `postgres` and `pg_…` belong to the system."""

ExtensionName = Annotated[str, *_matching(r"[a-z_]([a-z0-9_-]{0,61}[a-z0-9])?", "an extension such as 'pg_trgm'")]

Image = Annotated[
    str,
    *_matching(
        r"[a-z0-9][a-z0-9.:/_-]*:(1[4-9]|[2-9]\d)([.-][\w.-]+)?(@sha256:[0-9a-f]{64})?",
        "an image whose tag starts with the version of Postgres, such as 'registry.example/postgresql:18.4'",
    ),
]
"""CloudNativePG reads the major version from the tag (v1.30.0 `pkg/postgres/version`)."""

SixFieldSchedule = Annotated[
    str,
    *_matching(
        r"[\d*/,-]+( [\d*/,?A-Za-z-]+){5}",
        "a schedule of six fields, seconds first, such as '0 0 2 * * *'",
        formats.schedule,
    ),
]
"""CloudNativePG reads seconds first: five fields would run a daily backup every hour."""

Instant = Annotated[
    str,
    *_matching(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)",
        "a time such as '2026-01-31T04:00:00Z'",
        formats.instant,
    ),
]

AgeRecipient = Annotated[
    str,
    *_matching(
        r"age1[02-9ac-hj-np-z]{58}",
        "an age public key, which starts with 'age1'",
        example="age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p",
    ),
    NAMED,
]

HeaderName = Annotated[str, *_matching(r"[A-Za-z][A-Za-z0-9-]{0,62}", "the name of an HTTP header such as 'x-api-key'")]

MetricName = Annotated[
    str,
    *_matching(
        r"[a-zA-Z_:][a-zA-Z0-9_:]*", "the name of a metric of Prometheus", example="http_request_duration_seconds"
    ),
]

ServiceKey = Annotated[str, *_matching(r"[a-z][a-z0-9_-]{0,62}", "the key of a component or the name of an app")]

RabbitmqName = Annotated[
    str,
    *_matching(
        r"[A-Za-z0-9][\w.-]{0,98}[A-Za-z0-9]|[A-Za-z0-9]",
        "1 to 100 letters, digits, '_', '.' and '-'",
        example="orders",
    ),
]
"""A user or a policy of RabbitMQ."""

VhostName = Annotated[
    str,
    *_matching(
        r"/|/?[A-Za-z0-9]([\w./-]{0,98}[A-Za-z0-9])?",
        "'/' or 1 to 100 letters, digits, '_', '.', '-' and '/'",
        example="orders",
    ),
]

PluginName = Annotated[str, *_matching(r"\w{1,100}", "a plugin such as 'rabbitmq_shovel'")]

Runbook = Annotated[str, *_matching(r"https://\S+|[a-z0-9-]+", "a page of docs/runbooks without .md, or an address")]
"""Where the runbook of an alert is."""

Smarthost = Annotated[
    str, *_matching(rf"{_HOST}:\d{{1,9}}", "a mail server such as 'smtp.example.org:2525'", formats.port)
]

UrlPath = Annotated[str, *_matching(r"/[\w.~/-]{0,200}", "a path such as '/metrics'")]

SecretKey = Annotated[
    str, *_matching(r"[A-Za-z0-9][\w.-]{0,100}", "a key of letters, digits, '_', '.' and '-'", example="api_key")
]
"""A property of an entry in Vault, and the key of the Secret that it is brought into."""

Port = Annotated[int, Field(ge=1, le=65535)]

RegularExpression = Annotated[str, *_matching(r"[\s\S]{0,1000}", "at most 1000 letters", formats.regular_expression)]


def unique(key: str) -> AfterValidator:
    """Return the check that no two entries of a list have the same `key`."""

    def check(entries: Sequence[Any]) -> Sequence[Any]:
        seen: set[Any] = set()
        for entry in entries:
            value = getattr(entry, key)
            if value in seen:
                raise ValueError(f"two entries have the {key} '{shown(value)}'; rename one of them")
            seen.add(value)
        return entries

    return AfterValidator(check)
