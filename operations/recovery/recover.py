"""The steps of docs/how-to/recover-a-database.md: each run looks how far a recovery is, and goes on from there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from constructs_lib.base.errors import ConfigError, unknown
from constructs_lib.environment import Environment
from constructs_lib.platform.cloudnative_pg import NAMESPACE
from constructs_lib.platform.cloudnative_pg.settings import PostgresCluster
from constructs_lib.platform.cloudnative_pg.store import OBJECT_STORES
from operations.recovery.edit import Text
from operations.recovery.kinds import Cluster, Kind, archive_of, every
from operations.rotation.in_cluster import InCluster

RETIRE = "docs/how-to/retire-data.md"


Holds = Callable[[str], bool]
"""Says whether the bucket has keys that begin so."""


class Step(NamedTuple):
    """What a run does: a change of the file with its title, or nothing; and what a person has to do or to see."""

    title: str
    edit: Callable[[Text], None] | None
    then: tuple[str, ...]


class Wanted(NamedTuple):
    """A cluster of a kind that is to come back under a new name, as it was at a time or at its end."""

    kind: Kind
    name: str
    new: str
    until: str | None = None


def beside(env: Environment, wanted: Wanted, there: InCluster | None, *, finish: bool) -> Step:
    """Return the next step of recovering a cluster under another name, while the old one goes on.

    Raises `ConfigError` for one that the environment does not have, or a time that no backup reaches.
    """
    kind, name, new, until = wanted
    old, made = kind.cluster(env, name), kind.cluster(env, new)
    if old is None:
        raise ConfigError(f"environments/{env.name}.yaml: {unknown('cluster', name, _names(env, kind))}")
    origin: dict[str, Any] = {"archive": archive_of(env, old)} | ({"until": until} if until else {})
    if made is None:
        _refuse_time(old, origin["archive"], until, there)

        def edit(text: Text) -> None:
            place = text.repeat(kind.steps, text.place(kind.steps, name))
            text.set((*kind.steps, place), "name", new)
            text.set((*kind.steps, place), "recover_from", origin)

        return Step(
            f"Recover {kind.name} {name} of {env.name} as {new}",
            edit,
            (
                f"for `{new}` this makes the passwords in Vault: bin/operations bootstrap secrets",
                f"let the applications that shall look at it use it: uses.{kind.name}",
                "merge, let it run there, and run this again",
            ),
        )
    if made.recover_from is None:
        return Step("", None, (f"{new} is recovered; end {name} or {new} as soon as nobody needs it: {RETIRE}",))
    if made.recover_from.archive != origin["archive"] or (until and made.recover_from.until != until):
        raise ConfigError(
            f"environments/{env.name}.yaml: '{new}' recovers {made.recover_from.archive} until "
            f"{made.recover_from.until or 'its end'}; what was recovered cannot be turned to another time, so take "
            "another name by --as"
        )
    return _seen(env, [(kind, made)], there, finish=finish)


def lost(env: Environment, there: InCluster | None, holds: Holds, *, finish: bool) -> Step:
    """Return the next step of making all data anew, after the Kubernetes cluster and its volumes are lost.

    Raises `ConfigError` while the cluster has any of it, and where the bucket `holds` nothing of it.
    """
    recovered = [(kind, one) for kind, one in every(env) if one.recover_from]
    if recovered:
        return _seen(env, recovered, there, finish=finish)
    living = [f"{kind.name} {one.name}" for kind, one in every(env) if there is not None and kind.is_there(there, one)]
    if living:
        raise ConfigError(
            f"{env.name}: {', '.join(living)} is in cluster {env.cluster.name}, so nothing is lost; recover beside it, "
            f"or end that cluster first"
        )
    known = [(kind, one) for kind, one in every(env) if holds(kind.backup(env, one))]
    if not known:
        raise ConfigError(
            f"{env.name}: bucket {env.backups.bucket} holds nothing of generation {env.cluster.generation}, so "
            "there is nothing to recover; correct cluster.generation, or provision"
        )

    def edit(text: Text) -> None:
        text.set(("cluster",), "generation", env.cluster.generation + 1)
        for kind, one in known:
            text.set((*kind.steps, one.name), "recover_from", {"archive": archive_of(env, one)})

    empty = [f"{kind.name} {one.name}" for kind, one in every(env) if (kind, one) not in known]
    return Step(
        f"Make the data of {env.name} anew from its backups",
        edit,
        (
            *(f"{name} begins empty: the bucket holds nothing of it" for name in empty),
            "merge, then what the workflow Bootstrap the GitOps repository proposes: Flux applies what is there",
            "then provision, and run this again",
        ),
    )


def missing(recovered: Iterable[tuple[Kind, Cluster]], there: InCluster) -> list[str]:
    """Return what is still to happen in the cluster until these are recovered."""
    return [f"{kind.name} {one.name} {why}" for kind, one in recovered if (why := kind.lacks(there, one))]


def _seen(env: Environment, recovered: list[tuple[Kind, Cluster]], there: InCluster | None, *, finish: bool) -> Step:
    """Return what is still to be waited for, or the change by which files forget where the data came from."""
    if there is None:
        return Step("", None, (f"{env.name} has no Kubernetes cluster yet; provision it, and run this again",))
    late = missing(recovered, there)
    if late:
        return Step("", None, (*late, "nothing is to be done but to wait for that; then run this again"))
    names = ", ".join(f"{kind.name} {one.name}" for kind, one in recovered)
    if not finish:
        looks = [f"see that it has what was lost: {_look(kind, one)}" for kind, one in recovered]
        return Step("", None, (f"{names}: recovered", *looks, "then run this again with --finish"))

    def edit(text: Text) -> None:
        for kind, one in recovered:
            text.drop((*kind.steps, one.name), "recover_from")

    return Step(f"Forget where {names} of {env.name} came from", edit, ("merge; nothing happens to the data",))


def _look(kind: Kind, one: Cluster) -> str:
    if isinstance(one, PostgresCluster):
        return f"kubectl cnpg psql {one.name} -n {kind.namespace}"
    return f"kubectl -n {kind.namespace} logs -l recover={one.name} --all-containers"


def _names(env: Environment, kind: Kind) -> list[str]:
    return [one.name for one in kind.clusters(env)]


def _refuse_time(old: Cluster, archive: str, until: str | None, there: InCluster | None) -> None:
    """Raise `ConfigError` for a time to come, or before the first that the archive of a Postgres reaches."""
    if until is None:
        return
    wanted = _moment(until)
    if wanted > datetime.now(UTC):
        raise ConfigError(f"--until {until}: is to come; say a time at which all was right")
    if there is None or not isinstance(old, PostgresCluster):
        return
    store = there.item(OBJECT_STORES, "objectstores", NAMESPACE, old.name) or {}
    window = store.get("status", {}).get("serverRecoveryWindow", {}).get(archive, {})
    first = window.get("firstRecoverabilityPoint")
    if first and wanted < _moment(first):
        raise ConfigError(f"--until {until}: is before {first}, the first time that a backup in {archive} reaches")


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise ConfigError(f"--until {text}: is no time with its zone, such as 2026-01-31T04:00:00Z")
    return found
