"""What an application gets, as a sentence: for the comment on a pull request, and for the page of its environment.

It is read from the settings that a tree says it was rendered from; another version may have written them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import starmap
from typing import Any

from constructs_lib.base.transition import Block

Settings = Mapping[str, Block]
"""The settings of each environment, by its name."""


def changed_applications(before: Settings, after: Settings) -> Iterator[str]:
    """Yield a sentence for each application that comes, changes or goes in an environment."""
    for environment in sorted({*before, *after}):
        old, new = (side.get(environment, {}) for side in (before, after))
        for name in sorted({*_named(old), *_named(new)}):
            yield from _changed(environment, name, old, new)


def applications_of(settings: Block) -> Iterator[str]:
    """Yield a sentence for each application of an environment."""
    for name, app in sorted(_named(settings).items()):
        yield f"{_who(name, app)} has {_listed([*_gets(name, settings)])}."


def _changed(environment: str, name: str, old: Block, new: Block) -> Iterator[str]:
    there, app = name in _named(old), _named(new).get(name)
    if app is None:
        yield f"{environment}: the application {name} goes; what it holds stays until somebody deletes it."
        return
    had = [*_gets(name, old)] if there else []
    has = [*_gets(name, new)]
    gets, loses = ([one for one in these if one not in those] for these, those in ((has, had), (had, has)))
    told = [f"{verb} {_listed(items)}" for verb, items in (("gets", gets), ("no longer has", loses)) if items]
    if told:
        yield f"{environment}: {_who(name, app)} {' and '.join(told)}."


def _who(name: str, app: Block) -> str:
    return f"the application {name} of {app.get('owner', 'nobody')}"


def _named(settings: Block) -> dict[str, Block]:
    return settings.get("applications") or {}


def _gets(name: str, settings: Block) -> Iterator[str]:
    """Yield what an application has, in words."""
    app = _named(settings)[name]
    if app.get("retired"):
        yield "nothing any more, since it is retired"
        return
    uses = app.get("uses") or {}
    yield from starmap(_database(name), _of(uses, "postgres"))
    yield from (f"the vhost {one.get('vhost') or name} in RabbitMQ {at}" for at, one in _of(uses, "rabbitmq"))
    yield from (f"Valkey {at}{_shared(one)}" for at, one in _of(uses, "valkey"))
    cluster = (settings.get("cluster") or {}).get("name")
    yield from (f"the bucket {cluster}-{name}-{key} to {one.get('access')}" for key, one in _of(uses, "bucket"))
    yield from (f"the secret {key} ({', '.join(keys)})" for key, keys in _of(uses, "secrets"))
    yield from (f"the way to {host}:{port}" for host, port in _of(uses, "reaches"))
    yield from (f"the way to the application {other}" for other in uses.get("calls") or ())
    if uses.get("vault"):
        yield "a login to Vault"
    hosts = app.get("hosts") or {}
    yield from (f"the host {key}.{settings.get('domain')}" for key, host in sorted(hosts.items()) if host.get("public"))
    yield from _bounds(app)


def _of(uses: Block, service: str) -> Iterator[tuple[str, Any]]:
    yield from sorted((uses.get(service) or {}).items())


def _database(name: str) -> Any:
    def said(cluster: str, one: Block) -> str:
        extensions = f" with {', '.join(one['extensions'])}" if one.get("extensions") else ""
        return f"the database {one.get('database') or name.replace('-', '_')} in Postgres {cluster}{extensions}"

    return said


def _shared(cache: Block) -> str:
    return ", whose keys it shares" if cache.get("shared") else ""


def _bounds(app: Block) -> Iterator[str]:
    quota, slo = app.get("quota") or {}, app.get("slo") or {}
    if quota:
        cpu, memory, storage = (quota.get(key) for key in ("cpu", "memory", "storage"))
        yield f"a quota of {cpu} CPU, {memory} of memory and {storage} of volumes"
    if slo.get("availability") is not None:
        yield f"an objective of {slo['availability']:g} % of requests without an error"
    if slo.get("latency"):
        yield f"an objective of {slo['latency']['percent']:g} % of requests within {slo['latency']['seconds']:g} s"


def _listed(items: list[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
