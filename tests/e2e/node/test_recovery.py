"""Postgres comes back: to a time beside the old one, and in drills, which fail when the archive is not whole.

The steps of docs/how-to/recover-a-database.md, with the real operator, plugin, Postgres and Barman.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from constructs_lib.kit import manifest
from constructs_lib.platform.cloudnative_pg import drill
from constructs_lib.platform.cloudnative_pg.cluster import API, NAMESPACE, PLUGIN
from gitops_render.tree import render
from gitops_render.write import write
from tests.e2e.node import sandbox
from tests.e2e.node.application import APP, CLUSTER, Application
from tests.e2e.node.conftest import REPORT
from tests.e2e.node.pages import begun, last_good
from tests.e2e.node.postgres import superuser
from tests.e2e.node.sandbox import SECRETS, Sandbox

PRIMARY, RESTORED = f"{CLUSTER}-1", "restored"
ARCHIVE = f"postgres/{PRIMARY}"
RUNBOOK = "runbooks/postgres-drill"
HOST = f"{RESTORED}-rw.{NAMESPACE}.svc"
OBJECTIVE = {"rpo": "1m", "check": "select count(*) > 0 from ledger"}
NOW = """select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
ROWS = "select string_agg(number || ' ' || at, ',' order by number) from ledger"


def change(platform: Sandbox, *beside: dict[str, Any], said: str) -> None:
    """Merge a file in which other clusters stand beside the one of the sandbox."""
    repository = platform.follower.repository
    write(repository.folder, platform.env.name, render(sandbox.environment(*beside, recovery=OBJECTIVE)))
    repository.commit(said)


def clusters(platform: Sandbox) -> set[str]:
    """Return the names of the clusters of Postgres that there are."""
    return set(platform.cluster.kubectl("get", "clusters.postgresql.cnpg.io", "-n", NAMESPACE, "-o=name").split())


@pytest.fixture(scope="module")
def ledger(platform: Sandbox, application: Application) -> Callable[[int], None]:
    """Return a function that writes rows, each in a transaction of its own, while a base backup is made."""
    change(platform, said="Say what may be lost")
    application.psql("create table ledger (number int primary key, at timestamptz not null default clock_timestamp())")
    platform.cluster.eventually(
        lambda: superuser(platform.cluster, PRIMARY, "show archive_timeout") == "30s", "a segment is closed in time"
    )
    numbers = count(1)

    def written(rows: int) -> None:
        for _ in range(rows):
            application.psql(f"insert into ledger values ({next(numbers)})")  # noqa: S608 - a number

    return written


@pytest.fixture(scope="module")
def backup(platform: Sandbox, ledger: Callable[[int], None]) -> str:
    """The folder of a base backup that was made while rows were written."""
    spec = {"cluster": {"name": CLUSTER}, "method": "plugin", "pluginConfiguration": {"name": PLUGIN}}
    platform.cluster.apply(manifest(API, "Backup", "written-to", NAMESPACE, spec=spec))

    def status() -> dict[str, Any]:
        found = platform.cluster.get("backup.postgresql.cnpg.io", "written-to", NAMESPACE) or {}
        return found.get("status", {})

    def is_done() -> bool:
        ledger(1)
        return status().get("phase") == "completed"

    platform.cluster.eventually(is_done, "a base backup is completed while rows are written")
    return f"{ARCHIVE}/base/{status()['backupId']}"


def archived(platform: Sandbox) -> str:
    """Return the last segment of the log that is in the bucket, as Postgres knows."""
    return superuser(platform.cluster, PRIMARY, "select last_archived_wal from pg_stat_archiver")


@pytest.fixture
def _ended(platform: Sandbox) -> Iterator[None]:
    """End what was recovered once it was seen: the machine has not enough CPU for a drill beside it."""
    yield
    if f"cluster.postgresql.cnpg.io/{RESTORED}" in clusters(platform):
        change(platform, {"name": RESTORED, "pooler": None, "retired": "deletable"}, said="It may go")
        platform.follower.apply_again()
        change(platform, said="It is not needed any more")
        platform.cluster.eventually(lambda: len(clusters(platform)) == 1, "it is gone")


@pytest.mark.usefixtures("_ended", "backup")
def test_a_database_comes_back_to_a_time_beside_the_old_one_and_touches_no_archive_but_its_own(
    platform: Sandbox, application: Application, ledger: Callable[[int], None]
) -> None:
    ledger(5)
    wanted, until = application.psql(ROWS), application.psql(NOW)
    ledger(3)
    application.psql("delete from ledger where number <= 4")
    last = superuser(platform.cluster, PRIMARY, "select pg_walfile_name(pg_current_wal_lsn())")
    took = platform.cluster.eventually(lambda: archived(platform)[8:] >= last[8:], "the log is archived by itself")
    REPORT.append(f"recovery: a commit was in the bucket {took:.0f} s after it, and 60 s were allowed (rpo)")

    password = SECRETS[f"postgres/{CLUSTER}/{APP}"]["password"]
    platform.world.write(f"postgres/{RESTORED}/{APP}", password=password)
    start = time.monotonic()
    origin = {"archive": PRIMARY, "until": until}
    change(platform, {"name": RESTORED, "pooler": None, "recover_from": origin}, said="Recover beside the old one")
    platform.cluster.eventually(
        lambda: application.psql("select 1", HOST, code=None) == "1", "what is recovered answers"
    )
    REPORT.append(f"recovery: to a time, {time.monotonic() - start:.0f} s from the merge to the first answer")
    assert application.psql(ROWS, HOST) == wanted
    after = set(application.psql(ROWS).split(",")) - set(wanted.split(","))
    assert len(after) == 3, "what came later is in the old one alone"

    application.psql("insert into ledger values (0)", HOST)
    platform.cluster.eventually(
        lambda: any(key.startswith(f"postgres/{RESTORED}-1/wals/00000002") for key in platform.spaces.stored()),
        "it archives into its own folder",
    )
    theirs = [key for key in platform.spaces.stored() if key.startswith(f"{ARCHIVE}/wals/")]
    assert not [key for key in theirs if not key.startswith(f"{ARCHIVE}/wals/00000001")], "no other timeline is there"

    change(platform, {"name": RESTORED, "pooler": None}, said="It is recovered")
    platform.follower.apply_again()
    assert application.psql("select count(*) from ledger where number <= 4", HOST) == "5"


def good(platform: Sandbox) -> str:
    """Return when the last good drill was, as kube-state-metrics shows it to Prometheus."""
    return last_good(platform.cluster, RUNBOOK, drill.NAMESPACE)


@pytest.mark.usefixtures("backup")
def test_a_drill_of_a_whole_archive_is_good(platform: Sandbox) -> None:
    ended = begun(platform.cluster, RUNBOOK, "drill-again")
    assert ended.is_good, ended.said
    platform.cluster.eventually(lambda: good(platform) != "", "it is known when the last good drill was")
    REPORT.append(f"recovery: a drill of Postgres took {ended.took:.0f} s; {ended.said.splitlines()[-1]}")


def segment(platform: Sandbox, backup: str) -> str:
    """Return the key of a segment between the base backup and the end of the log."""
    info = platform.spaces.read(f"{backup}/backup.info").decode()
    (first,) = (line.partition("=")[2] for line in info.splitlines() if line.startswith("end_wal="))
    wals = sorted(key for key in platform.spaces.stored() if key.startswith(f"{ARCHIVE}/wals/") and key.endswith(".gz"))
    after = [key for key in wals if key.rpartition("/")[2][:24] > first and len(key.rpartition("/")[2]) == 27]
    return after[len(after) // 2 - 1]


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("a segment is missing", "lacks the segments at"),
        ("a segment is damaged", "Postgres did not come up"),
        ("the base backup is damaged", "is damaged: it cannot be unpacked to its end"),
    ],
)
def test_a_drill_fails_when_the_archive_is_not_whole(platform: Sandbox, backup: str, what: str, sentence: str) -> None:
    before, key = good(platform), segment(platform, backup)
    if "base" in what:
        key = f"{backup}/data.tar.gz"
    whole = platform.spaces.read(key)
    middle = len(whole) // 2
    damaged = whole[:middle] + bytes(byte ^ 255 for byte in whole[middle : middle + 64]) + whole[middle + 64 :]
    platform.spaces.write(key, None if "missing" in what else damaged)
    try:
        ended = begun(platform.cluster, RUNBOOK, "drill-again")
    finally:
        platform.spaces.write(key, whole)
    assert not ended.is_good, ended.said
    assert sentence in ended.said
    assert good(platform) == before, "it counts as none"
