"""Text fields of what the platform's services read: names, schedules and times as each of them takes them."""

from __future__ import annotations

from typing import Annotated

from constructs_lib.base import formats
from constructs_lib.base.fields import HOST, matching

SqlName = Annotated[
    str,
    *matching(
        r"(?!pg_)(?!postgres$)[a-z_]([a-z0-9_]{0,61}[a-z0-9])?",
        "a PostgreSQL name that the system does not keep and that ends with a letter or digit",
        example="orders",
    ),
]
"""A database, role or library: lower-case, so that it needs no quotes; `postgres` and `pg_…` belong to the system."""

ExtensionName = Annotated[str, *matching(r"[a-z_]([a-z0-9_-]{0,61}[a-z0-9])?", "an extension such as 'pg_trgm'")]

Image = Annotated[
    str,
    *matching(
        r"[a-z0-9][a-z0-9.:/_-]*:(1[4-9]|[2-9]\d)([.-][\w.-]+)?(@sha256:[0-9a-f]{64})?",
        "an image whose tag starts with the version of Postgres, such as 'registry.example/postgresql:18.4'",
    ),
]
"""CloudNativePG reads the major version from the tag (v1.30.0 `pkg/postgres/version`)."""

SixFieldSchedule = Annotated[
    str,
    *matching(
        r"[\d*/,-]+( [\d*/,?A-Za-z-]+){5}",
        "a schedule of six fields, seconds first, such as '0 0 2 * * *'",
        formats.schedule,
    ),
]
"""CloudNativePG reads seconds first: five fields would run a daily backup every hour."""

Instant = Annotated[
    str,
    *matching(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)",
        "a time such as '2026-01-31T04:00:00Z'",
        formats.instant,
    ),
]

HeaderName = Annotated[str, *matching(r"[A-Za-z][A-Za-z0-9-]{0,62}", "the name of an HTTP header such as 'x-api-key'")]

MetricName = Annotated[
    str,
    *matching(
        r"[a-zA-Z_:][a-zA-Z0-9_:]*", "the name of a metric of Prometheus", example="http_request_duration_seconds"
    ),
]

ServiceKey = Annotated[str, *matching(r"[a-z][a-z0-9_-]{0,62}", "the key of a component or the name of an app")]

RabbitmqName = Annotated[
    str,
    *matching(
        r"[A-Za-z0-9][\w.-]{0,98}[A-Za-z0-9]|[A-Za-z0-9]",
        "1 to 100 letters, digits, '_', '.' and '-'",
        example="orders",
    ),
]
"""A user or a policy of RabbitMQ."""

VhostName = Annotated[
    str,
    *matching(
        r"/|/?[A-Za-z0-9]([\w./-]{0,98}[A-Za-z0-9])?",
        "'/' or 1 to 100 letters, digits, '_', '.', '-' and '/'",
        example="orders",
    ),
]

PluginName = Annotated[str, *matching(r"\w{1,100}", "a plugin such as 'rabbitmq_shovel'")]

Runbook = Annotated[str, *matching(r"https://\S+|[a-z0-9-]+", "a page of docs/runbooks without .md, or an address")]
"""Where the runbook of an alert is."""

Email = Annotated[str, *matching(r"[^@\s]+@[^@\s]+\.[^@\s]+", "an e-mail address", example="platform@example.org")]

Smarthost = Annotated[
    str, *matching(rf"{HOST}:\d{{1,9}}", "a mail server such as 'smtp.example.org:2525'", formats.port)
]

RegularExpression = Annotated[str, *matching(r"[\s\S]{0,1000}", "at most 1000 letters", formats.regular_expression)]

SecretKey = Annotated[
    str, *matching(r"[A-Za-z0-9][\w.-]{0,100}", "a key of letters, digits, '_', '.' and '-'", example="api_key")
]
"""A property of an entry in Vault, and the key of the Secret that it is brought into."""
