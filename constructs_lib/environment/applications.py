"""What applications ask of the platform and of each other, in sentences where that cannot be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from pydantic import TypeAdapter, ValidationError

from constructs_lib.applications import Application
from constructs_lib.base.bucket import BUCKET_LETTERS
from constructs_lib.base.errors import quoted, unknown
from constructs_lib.base.service_fields import SqlName
from constructs_lib.environment.existing import SomeCluster
from constructs_lib.kit import check_apart
from constructs_lib.platform import Platform
from constructs_lib.platform.cloudnative_pg.settings import PostgresCluster

INGRESS_LABEL = "ingress"
"""The label before the domain by which the load balancer is known."""
SERVICES = {"postgres": "cloudnative_pg", "rabbitmq": "rabbitmq_operator", "valkey": "valkey_operator"}
"""The component that has the clusters of each service."""


def problems(applications: Mapping[str, Application], platform: Platform) -> Iterator[str]:
    """Yield a sentence for each thing that an application names and that is not there, or that is another's."""
    for name, app in applications.items():
        where = f"applications.{name}.uses"
        yield from _absent(where, app, platform)
        others = [other for other in applications if other != name]
        for called in app.uses.calls:
            if called not in others:
                yield f"{where}.calls: {unknown('other application', called, others)}"
    if not (kept := [*_kept_by_postgres(applications)]):
        yield from _in_postgres(applications, platform)
    yield from kept
    yield from _in_rabbitmq(applications, platform)
    yield from _in_valkey(applications)
    yield from _hosts(applications)


def bucket_problems(applications: Mapping[str, Application], cluster: SomeCluster) -> Iterator[str]:
    """Yield a sentence for each bucket that nobody could make."""
    for purpose in (purpose for app in applications.values() for purpose in app.buckets):
        where = f"applications.{purpose.application}.uses.bucket.{purpose.name}"
        name = f"{cluster.name}-{purpose}"
        if cluster.provider == "existing":
            made = "buckets are made at DigitalOcean, beside a cluster of it; leave it out"
            yield f"{where}: {made}, and name the key of one that you have in secrets, its host in reaches"
        elif len(name) > BUCKET_LETTERS:
            long = f"the bucket would be called '{name}', which has {len(name)} letters and may have {BUCKET_LETTERS}"
            yield f"{where}: {long}; shorten its name"


def _absent(where: str, app: Application, platform: Platform) -> Iterator[str]:
    for service, component in SERVICES.items():
        for cluster in getattr(app.uses, service):
            if problem := platform.no_cluster(component, cluster):
                yield f"{where}.{service}.{cluster}: {problem}"
    poolers = {one.name: one.pooler for one in platform.cloudnative_pg.clusters}
    for cluster, wanted in app.uses.postgres.items():
        if wanted.pooled and poolers.get(cluster, True) is None:
            yield f"{where}.postgres.{cluster}.pooled: the cluster has no pooler; give it one, or set this to false"


def _in_postgres(applications: Mapping[str, Application], platform: Platform) -> Iterator[str]:
    if not platform.cloudnative_pg.enabled:
        return
    whole = platform.cloudnative_pg.whole(applications.values())
    for position, cluster in enumerate(whole):
        where = f"platform.cloudnative_pg.clusters[{position}]"
        yield from _told(f"{where}.", cluster.check_owners)
        yield from _taken(applications, cluster)
    yield from _told("platform.cloudnative_pg.", lambda: check_apart(item for one in whole for item in one.objects))


def _kept_by_postgres(applications: Mapping[str, Application]) -> Iterator[str]:
    """Yield a sentence for each application whose role Postgres would not take."""
    for name, app in applications.items():
        try:
            TypeAdapter(SqlName).validate_python(app.account)
        except ValidationError:
            if app.uses.postgres:
                role = f"its role would be '{app.account}', which Postgres keeps for itself"
                yield f"applications.{name}.uses.postgres: {role}; rename the application"


def _taken(applications: Mapping[str, Application], cluster: PostgresCluster) -> Iterator[str]:
    """Yield a sentence for each database that another role owns."""
    owners = {database.name: database.owner for database in cluster.databases}
    for name, app in applications.items():
        if (wanted := app.uses.postgres.get(cluster.name)) is None:
            continue
        where = f"applications.{name}.uses.postgres.{cluster.name}"
        database = wanted.database or app.account
        if owners[database] != app.account:
            yield f"{where}.database: '{database}' belongs to the role '{owners[database]}'; choose another name"


def _in_rabbitmq(applications: Mapping[str, Application], platform: Platform) -> Iterator[str]:
    if not platform.rabbitmq_operator.enabled:
        return
    whole = platform.rabbitmq_operator.whole(applications.values())
    for position, broker in enumerate(whole):
        yield from _told(f"platform.rabbitmq_operator.clusters[{position}].", broker.check_vhosts)
    yield from _told("platform.rabbitmq_operator.", lambda: check_apart(item for one in whole for item in one.objects))


def _in_valkey(applications: Mapping[str, Application]) -> Iterator[str]:
    """Yield a sentence for each application whose keys others would read, and that did not say they may."""
    for name, app in applications.items():
        for cluster, cache in app.reached.valkey.items():
            others = [other for other, one in applications.items() if other != name and cluster in one.reached.valkey]
            if others and not cache.shared:
                used = f"{quoted(others[0])} uses this cluster too, and all who use one share its password and its keys"
                yield f"applications.{name}.uses.valkey.{cluster}: {used}; name another, or set shared: true in both"


def _hosts(applications: Mapping[str, Application]) -> Iterator[str]:
    """Yield a sentence for each host that somebody has already: requests would reach either."""
    taken = {INGRESS_LABEL: "the load balancer"}
    for name, app in applications.items():
        for host in app.public:
            if host in taken:
                yield f"applications.{name}.hosts.{host}: belongs to {taken[host]} already; choose another name"
            taken.setdefault(host, f"applications.{name}")


def _told(where: str, check: Callable[[], None]) -> Iterable[str]:
    """Return the sentence of a check that fails, with its place before the key with which it begins."""
    try:
        check()
    except ValueError as error:
        return (f"{where}{error}",)
    return ()
