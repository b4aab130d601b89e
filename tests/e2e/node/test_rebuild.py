"""The sandbox comes back from nothing but its Git repository, Vault and bucket, with what its services held.

Its machines are killed in the middle of a write, and a new cluster with authorities of its own follows the repository
after the change that `operations recover lost` makes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count

import pytest
import yaml
from kubernetes import client as kubernetes
from kubernetes.config import new_client_from_config

from constructs_lib.kit import manifest
from constructs_lib.platform.cloudnative_pg.cluster import API, NAMESPACE, PLUGIN
from gitops_render.tree import render
from gitops_render.write import write
from operations.recovery import recover
from operations.recovery.edit import Text
from operations.rotation.in_cluster import InCluster
from tests.e2e.node import sandbox
from tests.e2e.node.application import CLUSTER, Application
from tests.e2e.node.conftest import REPORT
from tests.e2e.node.pages import begun
from tests.e2e.node.postgres import superuser
from tests.e2e.node.sandbox import Outside, Sandbox
from tests.e2e.node.test_copies import SERVICES
from tests.e2e.node.test_recovery import OBJECTIVE

PRIMARY = f"{CLUSTER}-1"
READ = f"postgres/{PRIMARY}/"
ROWS = "select number from written order by number"
NOW = "select pg_walfile_name(pg_current_wal_lsn())"
ARCHIVED = "select last_archived_wal from pg_stat_archiver"


class Writer:
    """Writes rows, each in a transaction of its own, and knows when it heard of each that it is kept."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self.over = threading.Event()
        self.kept: dict[int, float] = {}

    def write(self) -> None:
        """Write until it is over."""
        for number in count(1):
            if self.over.is_set():
                return
            said = self._application.psql(f"insert into written values ({number}) returning number", code=None)  # noqa: S608 - a number
            if said == str(number):
                self.kept[number] = time.monotonic()

    @contextmanager
    def going_on(self) -> Generator[None]:
        """Write meanwhile."""
        with ThreadPoolExecutor(1) as threads:
            writes = threads.submit(self.write)
            try:
                yield
            finally:
                self.over.set()
                writes.result()


def lost_in_mid_write(platform: Sandbox, writer: Writer) -> tuple[set[int], float]:
    """Back up while rows are written, kill all machines, and return what was archived for sure, and when they died."""
    cluster = platform.cluster
    with writer.going_on():
        spec = {"cluster": {"name": CLUSTER}, "method": "plugin", "pluginConfiguration": {"name": PLUGIN}}
        cluster.apply(manifest(API, "Backup", "before-the-end", NAMESPACE, spec=spec))
        done = ("get", "backup.postgresql.cnpg.io", "before-the-end", "-n", NAMESPACE, "-o", "jsonpath={.status.phase}")
        cluster.eventually(lambda: cluster.kubectl(*done) == "completed", "a base backup is made meanwhile")
        archived = set(writer.kept)
        last = superuser(cluster, PRIMARY, NOW)
        cluster.eventually(lambda: superuser(cluster, PRIMARY, ARCHIVED)[8:] >= last[8:], "the log is archived")
        known = len(writer.kept)
        cluster.eventually(lambda: len(writer.kept) > known + 20, "rows are written")
        for machine in cluster.machines.values():
            machine.lose()
        died = time.monotonic()
    return archived, died


@pytest.fixture(scope="module")
def writer(platform: Sandbox, application: Application) -> Writer:
    """One whose table is there, in a database of which a minute may be lost."""
    write(platform.follower.repository.folder, platform.env.name, render(sandbox.environment(recovery=OBJECTIVE)))
    platform.follower.repository.commit("Say what may be lost")
    platform.cluster.eventually(
        lambda: superuser(platform.cluster, PRIMARY, "show archive_timeout") == "30s", "a segment is closed in time"
    )
    application.psql("create table written (number int primary key)")
    return Writer(application)


def changed(data: dict[str, object], step: recover.Step) -> dict[str, object]:
    """Return what a file says after the change that a run of the command makes."""
    text = Text("environments/sandbox.yaml", yaml.safe_dump(data))
    assert step.edit is not None
    step.edit(text)
    return yaml.safe_load(text.text)


def test_the_sandbox_comes_back_on_a_new_cluster(
    platform: Sandbox, application: Application, writer: Writer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for service in SERVICES:
        service.fill(application)
        copy = begun(platform.cluster, service.runbook, "copy-again")
        assert copy.is_good, copy.said
    archived, died = lost_in_mid_write(platform, writer)
    left = platform.outside
    platform.end()

    data = sandbox.data(recovery=OBJECTIVE)
    data = changed(data, recover.lost(sandbox.made(data), None, left.holds, finish=False))
    env, folder = sandbox.made(data), tmp_path_factory.mktemp("rebuilt")
    started = time.monotonic()
    with sandbox.sandbox(env, folder, left=left) as rebuilt:
        sandbox.await_layers(rebuilt, folder)
        REPORT.append(f"rebuild: every layer Ready {time.monotonic() - started:.0f} s after the first machine came")
        again = Application(rebuilt)
        again.start()
        rebuilt.cluster.eventually(lambda: again.psql("select 1", code=None) == "1", "Postgres answers")
        REPORT.append(f"rebuild: an application reads its rows after {time.monotonic() - started:.0f} s")

        found = {int(number) for number in again.psql(ROWS).split()}
        assert archived <= found, "what was archived is there"
        assert {number for number in writer.kept if number <= max(found)} <= found, "none is missing in between"
        lost = sorted(set(writer.kept) - found)
        age = f", the oldest written {died - writer.kept[lost[0]]:.0f} s before the end (rpo 60 s)" if lost else ""
        REPORT.append(f"rebuild: of {len(writer.kept)} rows {len(lost)} were lost{age}")
        for service in SERVICES:
            assert service.is_whole(again), service.name

        _finish(rebuilt, data, left)
        assert {int(number) for number in again.psql(ROWS).split()} == found
        own = f"postgres/{CLUSTER}-2/base/"
        rebuilt.cluster.eventually(
            lambda: any(key.startswith(own) for key in rebuilt.spaces.stored()), "it is backed up into its own folder"
        )
        now = rebuilt.outside.objects
        before, after = ({key: data[key] for key in data if key.startswith(READ)} for data in (left.objects, now))
        assert before == after, "the archive that was read is what it was"


def _finish(rebuilt: Sandbox, data: dict[str, object], left: Outside) -> None:
    """Do what `operations recover lost` says of this cluster: it is recovered, and files may forget it."""
    api = kubernetes.CustomObjectsApi(new_client_from_config(str(rebuilt.cluster.kubeconfig)))
    there = InCluster(api, rebuilt.env.cluster.name)
    looked, step = (
        rebuilt.cluster.middle.call(lambda finish=finish: recover.lost(rebuilt.env, there, left.holds, finish=finish))
        for finish in (False, True)
    )
    assert looked.then[0] == f"postgres {CLUSTER}, rabbitmq {CLUSTER}, valkey {CLUSTER}: recovered"
    env = sandbox.made(changed(data, step))
    repository = rebuilt.follower.repository
    write(repository.folder, env.name, render(env))
    repository.commit("Forget where the data came from")
    rebuilt.follower.apply_again()
