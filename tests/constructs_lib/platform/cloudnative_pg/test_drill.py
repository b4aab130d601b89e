"""Drills: what a job may, what it is given, and what it takes for a whole archive."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from constructs_lib.base.quantities import Memory, in_mebibytes
from constructs_lib.platform.cloudnative_pg.drill import fetch
from tests.constructs_lib.platform.cloudnative_pg.test_cloudnative_pg import CLUSTER, objects, with_clusters
from tests.support import environment

FIRST, LAST = "00000001000000000000000A", 14


def drill(file: str = "sandbox", **changes: Any) -> dict[str, Any]:
    found = objects(with_clusters({**CLUSTER, **changes}, file=file))
    return found["CronJob", "orders"]["spec"]


def pod(**changes: Any) -> dict[str, Any]:
    return drill(**changes)["jobTemplate"]["spec"]["template"]["spec"]


def variables(container: dict[str, Any]) -> dict[str, Any]:
    return {item["name"]: item.get("value", item.get("valueFrom")) for item in container["env"]}


def test_one_that_takes_longer_than_a_recovery_may_has_failed_and_is_not_tried_again() -> None:
    job = drill(recovery={"rto": "7m"})["jobTemplate"]["spec"]
    assert (job["activeDeadlineSeconds"], job["backoffLimit"], job["ttlSecondsAfterFinished"]) == (420, 0, 3600)


@pytest.mark.parametrize(
    ("file", "said", "schedule"),
    [
        ("production", {}, "30 4 * * 0"),
        ("staging", {}, "30 4 * * 0"),
        ("sandbox", {}, "30 4 1 * *"),
        ("sandbox", {"drill": "weekly"}, "30 4 * * 0"),
        ("production", {"drill": "daily"}, "30 4 * * *"),
    ],
)
def test_how_often_it_is_follows_the_tier_unless_it_is_said(file: str, said: dict[str, str], schedule: str) -> None:
    spec = drill(file, recovery=said)
    assert (spec["schedule"], spec["timeZone"], spec["concurrencyPolicy"]) == (schedule, "Etc/UTC", "Forbid")


def test_it_has_no_rights_and_no_token() -> None:
    found = objects(with_clusters(CLUSTER))
    assert found["ServiceAccount", "drill"]["automountServiceAccountToken"] is False
    assert pod()["serviceAccountName"] == "drill"
    assert pod()["automountServiceAccountToken"] is False
    assert not [key for key in found if key[0].endswith("RoleBinding")]


def test_the_namespace_is_closed_but_for_the_bucket() -> None:
    env = environment()
    policies = [item for layer in env.layers for item in layer.manifests if item["kind"] == "NetworkPolicy"]
    own = {item["metadata"]["name"]: item["spec"] for item in policies if item["metadata"]["namespace"] == "drills"}
    assert own.keys() == {"default-deny", "allow-dns", "main"}
    (rule,) = own["main"]["egress"]
    assert own["main"]["policyTypes"] == ["Egress"]
    assert rule["ports"] == [{"port": 443, "protocol": "TCP"}]
    assert rule["to"][0]["ipBlock"]["cidr"] == "0.0.0.0/0"
    assert not [item for item in policies if "cilium" in item["apiVersion"]]


def test_what_reads_the_bucket_has_its_key_and_postgres_has_not() -> None:
    spec = pod()
    first, beside = spec["initContainers"]
    for container, does in ((first, "base"), (beside, "log")):
        assert container["args"] == ["/scripts/fetch.py", does]
        assert container["image"] == "ghcr.io/cloudnative-pg/plugin-barman-cloud-sidecar:v0.13.0"
        said = variables(container)
        assert said["ARCHIVE"] == "orders-1"
        assert said["STORE"] == "s3://episodic-sandbox-backups/postgres"
        assert said["ENDPOINT"] == "https://lon1.digitaloceanspaces.com"
        assert said["AWS_SECRET_ACCESS_KEY"] == {"secretKeyRef": {"name": "backups", "key": "ACCESS_SECRET_KEY"}}
        assert said["AWS_REQUEST_CHECKSUM_CALCULATION"] == "when_required"
    assert ("restartPolicy" in first, beside["restartPolicy"]) == (False, "Always"), "it lasts as long as the recovery"
    (recover,) = spec["containers"]
    assert variables(recover) == {"DATABASE": "shop", "OWNER": "shop", "CHECK": "select true"}
    every = (item for layer in environment().layers for item in layer.manifests)
    keys = (item["metadata"] for item in every if item["kind"] == "ExternalSecret")
    assert ("drills", "backups") in {(item["namespace"], item["name"]) for item in keys}


def test_it_recovers_with_the_image_and_the_size_of_its_cluster_on_a_volume_that_goes_with_it() -> None:
    spec = pod(image="registry.example.org/postgres:17.2", memory="2Gi", storage="20Gi", wal_storage="4Gi")
    (recover,) = spec["containers"]
    assert recover["image"] == "registry.example.org/postgres:17.2"
    assert Memory(recover["resources"]["limits"]["memory"]).mebibytes == 2048
    (claim,) = (item["ephemeral"]["volumeClaimTemplate"] for item in spec["volumes"] if item["name"] == "drill")
    volume = claim["spec"]
    assert in_mebibytes(volume["resources"]["requests"]["storage"]) == 24 * 1024
    assert volume["storageClassName"] == "do-block-storage", "it is deleted with its claim"


def test_the_greatest_volume_that_there_is_is_enough_for_a_drill() -> None:
    spec = pod(storage="16Ti", wal_storage="1Ti")
    (claim,) = (item["ephemeral"]["volumeClaimTemplate"] for item in spec["volumes"] if item["name"] == "drill")
    volume = claim["spec"]
    assert in_mebibytes(volume["resources"]["requests"]["storage"]) == 16 * 1024**2


def test_each_cluster_has_room_for_one_drill_beside_the_volume_of_the_last() -> None:
    other = {**CLUSTER, "name": "other"}
    quota = objects(with_clusters(CLUSTER, other))["ResourceQuota", "drill"]["spec"]["hard"]
    assert quota == {"pods": "2", "persistentvolumeclaims": "4", "services": "0"}


def test_the_check_reaches_postgres_as_it_is_written() -> None:
    (recover,) = pod(recovery={"check": "select $(HOME) is null"})["containers"]
    assert variables(recover)["CHECK"] == "select $$(HOME) is null", "Kubernetes makes one of two again"


def test_the_programs_are_those_of_this_folder() -> None:
    data = objects(with_clusters(CLUSTER))["ConfigMap", "drill"]["data"]
    folder = Path(fetch.__file__).parent
    assert data == {name: (folder / name).read_text() for name in ("fetch.py", "log.sh", "recover.sh")}


def test_files_of_the_log_are_known_by_their_names() -> None:
    wals = "postgres/main-1/wals"
    keys = [
        f"{wals}/0000000100000000/{FIRST}.gz",
        f"{wals}/0000000100000000/00000001000000000000000B",
        f"{wals}/0000000100000000/{FIRST}.00000028.backup.gz",
        f"{wals}/0000000100000000/00000001000000000000000C.partial.gz",
        f"{wals}/00000002.history.gz",
    ]
    assert fetch.names(keys) == {FIRST: keys[0], "00000001000000000000000B": keys[1], "00000002.history": keys[4]}


@pytest.mark.parametrize(
    ("number", "position"), [(0, "0/0"), (10, "0/A000000"), (255, "0/FF000000"), (256, "1/0"), (258, "1/2000000")]
)
def test_a_segment_begins_where_postgres_says(number: int, position: str) -> None:
    assert fetch.position(number) == position
    assert fetch.numbers([f"00000001{number >> 8:08X}{number & 0xFF:08X}"]) == {number}


@pytest.mark.parametrize(
    ("there", "gaps"),
    [
        ({9, 10, 11, 12, 13, 14}, []),
        ({10, 11, 12, 13}, ["0/E000000"]),
        ({10, 12, 14, 15}, ["0/B000000", "0/D000000"]),
        ({11, 12, 13, 14}, ["0/A000000"]),
        ({14}, ["0/A000000", "0/B000000", "0/C000000", "0/D000000"]),
    ],
)
def test_what_lacks_in_the_log_is_found(there: set[int], gaps: list[str]) -> None:
    files = [f"00000001{number >> 8:08X}{number & 0xFF:08X}" for number in there]
    assert fetch.missing(FIRST, LAST, files) == gaps


def test_another_timeline_goes_on_where_the_one_before_ended() -> None:
    files = [FIRST, *(f"00000002000000000000000{digit}" for digit in "BCDE"), "00000002.history"]
    assert fetch.missing(FIRST, LAST, files) == []


class Bucket:
    """The archive of a test, and what Barman was asked for."""

    def __init__(self, room: Path) -> None:
        self.backups = [{"backup_id": "1", "status": "DONE", "begin_wal": FIRST}]
        self.files = [f"wals/00000001000000000000000{digit}.gz" for digit in "ABCDE"]
        self.asked: list[tuple[str, ...]] = []
        self.room, self.last = room, "pg_control"

    def barman(self, command: str, *arguments: str) -> str:
        self.asked.append((command, *arguments))
        if command == "restore":
            for folder in (self.room / "data", self.room / "data" / "global"):
                folder.mkdir()
            (self.room / "data" / "global" / self.last).touch()
        return json.dumps({"backups_list": self.backups})


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    made = Bucket(tmp_path)
    monkeypatch.setattr(fetch, "ROOM", tmp_path)
    monkeypatch.setattr(fetch, "barman", made.barman)
    monkeypatch.setattr(fetch, "keys", lambda: list(made.files))
    monkeypatch.setenv("ARCHIVE", "main-1")
    return made


def test_the_newest_backup_that_was_finished_is_brought_with_what_there_is(bucket: Bucket) -> None:
    bucket.backups += [
        {"backup_id": "3", "status": "FAILED", "begin_wal": FIRST},
        {"backup_id": "2", "status": "DONE", "begin_wal": FIRST},
    ]
    fetch.base()
    assert bucket.asked[-1] == ("restore", "2", str(bucket.room / "data"))
    assert {path.name for path in (bucket.room / "archive").iterdir()} == set(fetch.names(bucket.files))
    assert (bucket.room / "end").read_text() == "0/E000000"


def test_an_archive_with_a_gap_fails_with_the_reason(bucket: Bucket) -> None:
    del bucket.files[2]
    with pytest.raises(SystemExit, match="the log since base backup 1 lacks the segments at 0/C000000"):
        fetch.base()


def test_an_archive_without_a_backup_fails_with_the_reason(bucket: Bucket) -> None:
    bucket.backups = [{"backup_id": "1", "status": "FAILED", "begin_wal": FIRST}]
    with pytest.raises(SystemExit, match="there is no base backup in main-1"):
        fetch.base()


def test_a_base_backup_that_ends_too_early_is_damaged(bucket: Bucket) -> None:
    bucket.last = "another"
    with pytest.raises(SystemExit, match="base backup 1 is damaged: it cannot be unpacked to its end"):
        fetch.base()


class Archive(dict[str, bytes]):
    """A bucket as boto3 shows it."""

    def Object(self, key: str) -> Archive:  # noqa: N802 - boto3's name
        return Archive(body=self[key])

    def get(self) -> dict[str, io.BytesIO]:  # type: ignore[override]
        return {"Body": io.BytesIO(self["body"])}


def test_a_file_of_the_log_comes_unpacked_and_one_that_is_damaged_does_not_come(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packed = gzip.compress(b"log" * 1000)
    archive = Archive({"a.gz": packed, "b": b"plain", "c.gz": packed[:40] + b"?" + packed[41:], "d.gz": packed[:20]})
    for key in (*archive, "absent.gz"):
        fetch.bring(archive, key, tmp_path / key)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.gz": b"log" * 1000, "b": b"plain"}
    assert [line.partition(" ")[0] for line in capsys.readouterr().err.splitlines()] == ["c.gz", "d.gz", "absent.gz"]


def run(script: str, room: Path, *arguments: str) -> int:
    """Run a program of the drill in a folder of a test."""
    text = (Path(fetch.__file__).parent / script).read_text().replace("/drill/", f"{room}/")
    return subprocess.run(("sh", "-c", text, script, *arguments), check=False, timeout=60).returncode


def test_postgres_goes_on_without_a_file_that_the_archive_never_had(tmp_path: Path) -> None:
    assert run("log.sh", tmp_path, "00000002.history", str(tmp_path / "there")) == 1


@pytest.mark.parametrize(("comes", "code"), [(True, 0), (False, 200)])
def test_postgres_stops_at_a_file_that_the_archive_has_and_that_does_not_come(
    tmp_path: Path, comes: bool, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("archive", "wanted", "log"):
        (tmp_path / folder).mkdir()
    (tmp_path / "archive" / FIRST).touch()
    brings = f"until [ -e wanted/{FIRST} ]; do sleep 0.1; done; {'touch' if comes else ':'} log/{FIRST}; rm wanted/*"
    bring = subprocess.Popen(("sh", "-c", brings), cwd=tmp_path)
    assert run("log.sh", tmp_path, FIRST, str(tmp_path / "there")) == code
    assert bring.wait() == 0
    assert (tmp_path / "there").exists() is comes
