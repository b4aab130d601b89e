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


def matching(pattern: str, expected: str, also: Check | None = None, *, example: str = "") -> Any:
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


Name = Annotated[
    str,
    *matching(
        r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?",
        "1 to 63 lower-case letters, digits and hyphens, starting with a letter",
        example="main",
    ),
    NAMED,
]
"""A DNS label (RFC 1123) that starts with a letter: what DigitalOcean, Kubernetes and OpenTofu all accept as a name."""

ServiceName = Annotated[
    str,
    *matching(
        r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", "1 to 40 lower-case letters, digits and hyphens, starting with a letter"
    ),
]
"""The name of a cluster of Postgres, RabbitMQ or Valkey: their operators put suffixes to it, within 63 characters."""

PoolName = Annotated[
    str,
    *matching(
        r"[a-z]([-a-z0-9]{0,18}[a-z0-9])?", "1 to 20 lower-case letters, digits and hyphens, starting with a letter"
    ),
]
"""The name of a node pool: DigitalOcean's adds the Droplet size, and that of a node a suffix, within 63 characters."""

VpcName = Annotated[str, *matching(r"[A-Za-z0-9.-]{1,255}", "a name of letters, digits, '.' and '-'"), NAMED]
"""The name of a VPC (digitalocean/openapi `vpc_updatable`)."""

Uuid = Annotated[
    str,
    *matching(
        r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        "a UUID in lower case",
        example="5a4981aa-9653-4bd1-bef5-d6bff52042e4",
    ),
    NAMED,
]

BucketName = Annotated[
    str,
    *matching(
        r"[a-z0-9][-a-z0-9]{1,61}[a-z0-9]",
        "3 to 63 lower-case letters, digits and inner hyphens",
        example="episodic-sandbox",
    ),
    NAMED,
]
"""An S3 bucket name without dots, which would break TLS on virtual-host addresses."""

Region = Annotated[str, *matching(r"[a-z]{3}\d", "a DigitalOcean region such as 'lon1'", formats.region)]

HOST = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*"

S3Region = Annotated[str, *matching(r"[a-z0-9][a-z0-9-]{0,31}", "a region such as 'lon1' or 'eu-central-1'")]

S3Address = Annotated[
    str, *matching(rf"https://{HOST}(:443)?", "an https:// address without a path, at port 443"), NAMED
]
"""The one port that network policies let Postgres use to the outside."""

DropletSize = Annotated[
    str,
    *matching(r"[a-z][a-z0-9_.]*(-[a-z0-9_.]+)+", "a Droplet size such as 's-4vcpu-8gb'", formats.droplet_size),
]

Domain = Annotated[
    str,
    *matching(
        r"([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)+[a-z][-a-z0-9]{0,61}[a-z0-9]",
        "a domain such as 'example.org'",
        formats.domain,
    ),
    NAMED,
]

KubernetesMinor = Annotated[str, *matching(r"1\.(3[3-9]|[4-9]\d)", "a minor version from '1.33' on, such as '1.35'")]
"""Flux 2.9 needs Kubernetes 1.33 (fluxcd/flux2 v2.9.4 `cmd/flux/check.go`)."""

Tag = Annotated[str, *matching(r"[\w:-]{1,255}", "a tag of letters, digits, '_', ':' and '-'", example="team:platform")]
"""A tag as DigitalOcean's API takes it (digitalocean/openapi `tags_create`)."""

TimeOfDay = Annotated[str, *matching(r"([01]\d|2[0-3]):[0-5]\d", "a time in UTC such as '04:00'")]

HttpsUrl = Annotated[
    str,
    *matching(
        rf"https://{HOST}(:\d{{1,9}})?(/[\w.~!$&'()*+,;=:@%/-]*)?",
        "an https:// address of a host, without a user, a question or a fragment",
        formats.port,
        example="https://host.example.org",
    ),
    NAMED,
]
"""Nobody's password belongs into it, and who reads it adds a path."""

ChartMirror = Annotated[
    str,
    *matching(
        rf"(https?|oci)://{HOST}(:\d{{1,9}})?(/[\w.~+%/-]*)?",
        "an https://, http:// or oci:// address without a user",
        formats.port,
        example="oci://registry.example.org/charts",
    ),
]

Certificate = Annotated[
    str,
    *matching(
        r"\s*-----BEGIN CERTIFICATE-----[\s\S]+-----END CERTIFICATE-----\s*",
        "a CA bundle in PEM form",
        example="-----BEGIN CERTIFICATE-----…-----END CERTIFICATE-----",
    ),
]

KeyPath = Annotated[
    str,
    *matching(
        r"[\w.-]{1,100}(/[\w.-]{1,100})*",
        "a path of letters, digits, '_', '.' and '-', without outer slashes",
        formats.path,
        example="teams/platform",
    ),
    NAMED,
]
"""A mount or path in Vault."""

VaultName = Annotated[
    str, *matching(r"[\w.:/-]{1,128}", "letters, digits, '_', '.', ':', '/' and '-'", example="platform-7f3a"), NAMED
]
"""A role, a role's ID or an audience in Vault."""

LabelKey = Annotated[
    str,
    *matching(
        r"(?!doks\.digitalocean\.com/)(?!([-a-z0-9.]+\.)?(kubernetes|k8s)\.io/)([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?",
        "a Kubernetes label key of your own, no doks.digitalocean.com or kubernetes.io",
    ),
]

LabelValue = Annotated[
    str, *matching(r"([A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?)?", "a Kubernetes label value of at most 63 characters")
]

AnnotationKey = Annotated[
    str,
    *matching(
        r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?",
        "the key of an annotation, such as 'service.beta.kubernetes.io/aws-load-balancer-type'",
    ),
]
AnnotationValue = Annotated[str, *matching(r"[^\x00-\x1f]{0,1000}", "at most 1000 letters, on one line")]

ContextName = Annotated[
    str, *matching(r"[\w.@:/-]{1,253}", "the name of a context, as `kubectl config get-contexts` has it"), NAMED
]

StorageClass = Annotated[
    str,
    *matching(
        r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", "the name of a StorageClass, as `kubectl get storageclass` has it"
    ),
    NAMED,
]

Cpu = Annotated[str, *matching(r"[1-9]\d{0,3}m?", "an amount of CPU such as '500m' (half a core) or '2'")]

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

AgeRecipient = Annotated[
    str,
    *matching(
        r"age1[02-9ac-hj-np-z]{58}",
        "an age public key, which starts with 'age1'",
        example="age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p",
    ),
    NAMED,
]

UrlPath = Annotated[str, *matching(r"/[\w.~/-]{0,200}", "a path such as '/metrics'")]

Port = Annotated[int, Field(ge=1, le=65535)]


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
