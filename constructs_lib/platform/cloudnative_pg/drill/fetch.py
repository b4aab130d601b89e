"""The part of a drill that reads the bucket: a base backup, then each file of the log that Postgres asks for.

It runs in the plugin's image, which has Barman's programs and the library with which they reach S3, and no shell.
Postgres has no key of the bucket: it asks by making a file in `wanted` (`log.sh`).
"""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOM = Path("/drill")
SEGMENT = re.compile(r"[0-9A-F]{24}")
KEPT = re.compile(rf"({SEGMENT.pattern}|[0-9A-F]{{8}}\.history)(\.gz)?")


def barman(command: str, *arguments: str) -> str:
    """Run one of Barman's programs on the archive, and return what it printed."""
    at = (f"--endpoint-url={os.environ['ENDPOINT']}", os.environ["STORE"], os.environ["ARCHIVE"])
    program = (f"barman-cloud-{command}", "--cloud-provider=aws-s3", *at, *arguments)
    return subprocess.run(program, check=True, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603 - our own words


def bucket() -> Any:
    """Return the bucket with the archive, by the library that Barman uses."""
    import boto3

    storage: Any = boto3.resource("s3", endpoint_url=os.environ["ENDPOINT"])
    return storage.Bucket(os.environ["STORE"].split("/")[2])


def keys() -> Iterable[str]:
    """Yield the key of each object in the archive's log."""
    folder = os.environ["STORE"].split("/", 3)[3]
    return (item.key for item in bucket().objects.filter(Prefix=f"{folder}/{os.environ['ARCHIVE']}/wals/"))


def names(found: Iterable[str]) -> dict[str, str]:
    """Return the keys by the names for which Postgres asks: segments of the log, and histories of timelines."""
    matches = {key: KEPT.fullmatch(key.rpartition("/")[2]) for key in found}
    return {match[1]: key for key, match in matches.items() if match}


def numbers(files: Iterable[str]) -> set[int]:
    """Return the place of each segment in the log, whatever its timeline."""
    return {int(name[8:16], 16) << 8 | int(name[16:], 16) for name in files if SEGMENT.fullmatch(name)}


def position(number: int) -> str:
    """Return where a segment of 16 MiB begins, as Postgres writes positions in its log."""
    return f"{number >> 8:X}/{(number & 0xFF) << 24:X}"


def missing(first: str, last: int, files: Iterable[str]) -> list[str]:
    """Return where segments begin that are not among the files, from the segment `first` on up to number `last`."""
    (begin,) = numbers([first])
    return [position(number) for number in sorted(set(range(begin, last + 1)) - numbers(files))]


def base() -> None:
    """Bring the newest base backup, and write down what else there is and how far a recovery has to come."""
    backups = [item for item in json.loads(barman("backup-list", "--format=json"))["backups_list"] if done(item)]
    if not backups:
        sys.exit(f"there is no base backup in {os.environ['ARCHIVE']}")
    newest = max(backups, key=lambda item: item["backup_id"])
    # What was there before the backup is brought has to be whole after it: segments arrive side by side.
    last = max(numbers(names(keys())), default=0)
    barman("restore", newest["backup_id"], str(ROOM / "data"))
    # Barman 3.13 says nothing of an archive that it cannot unpack to its end, where this file is.
    if not (ROOM / "data" / "global" / "pg_control").exists():
        sys.exit(f"base backup {newest['backup_id']} is damaged: it cannot be unpacked to its end")
    files = names(keys())
    if gaps := missing(newest["begin_wal"], last, files):
        sys.exit(f"the log since base backup {newest['backup_id']} lacks the segments at {', '.join(gaps)}")
    for folder in ("archive", "wanted", "log"):
        (ROOM / folder).mkdir()
    for name in files:
        (ROOM / "archive" / name).touch()
    (ROOM / "end").write_text(position(last))
    sys.stdout.write(f"base backup {newest['backup_id']} is there; its log has to reach {position(last)}\n")


def done(backup: dict[str, str]) -> bool:
    """Return whether a backup was finished."""
    return backup["status"] == "DONE"


def log() -> None:
    """Bring what Postgres asks for, as long as the drill lasts."""
    there, archive = names(keys()), bucket()
    while True:
        for wanted in (ROOM / "wanted").iterdir():
            bring(archive, there[wanted.name], ROOM / "log" / wanted.name)
            wanted.unlink()
        time.sleep(0.1)


def bring(archive: Any, key: str, path: Path) -> None:
    """Write what is at a key to a path, unpacked; nothing where it cannot be read, which Postgres sees."""
    try:
        found = archive.Object(key).get()["Body"].read()
        path.write_bytes(gzip.decompress(found) if key.endswith(".gz") else found)
    except Exception as error:  # noqa: BLE001 - whatever it is, the drill has failed and says why
        sys.stderr.write(f"{key} cannot be read: {error!r}\n")


if __name__ == "__main__":
    {"base": base, "log": log}[sys.argv[1]]()
