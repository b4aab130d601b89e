"""The part of a copy that reaches the bucket: it puts the room there as one object, or brings one back.

It runs in the image of Barman's plugin, which has the library that reaches S3. The bucket keeps what an object was
before for days, so each copy is the object anew, and the ones before it are its versions.
"""

from __future__ import annotations

import os
import shutil
import sys
import tarfile
from datetime import datetime
from pathlib import Path
from typing import Any

ROOM = Path("/room")


def bucket() -> Any:
    """Return the bucket."""
    import boto3

    storage: Any = boto3.resource("s3", endpoint_url=os.environ["ENDPOINT"])
    return storage.Bucket(os.environ["BUCKET"])


def put() -> None:
    """Make one object of all that is in the room."""
    files = sorted(path for path in ROOM.iterdir() if path.is_file())
    if not files:
        sys.exit("there is nothing to copy")
    packed = ROOM / "copy.tar.gz"
    with tarfile.open(packed, "w:gz") as archive:
        for path in files:
            archive.add(path, path.name)
    bucket().upload_file(str(packed), os.environ["KEY"])
    sys.stdout.write(f"{os.environ['KEY']}: {packed.stat().st_size} bytes\n")


def get() -> None:
    """Bring back what the newest version had, or the newest until UNTIL."""
    key, until = os.environ["KEY"], os.environ.get("UNTIL")
    versions = [item for item in bucket().object_versions.filter(Prefix=key) if item.object_key == key and item.size]
    if until:
        latest = datetime.fromisoformat(until)
        versions = [item for item in versions if item.last_modified <= latest]
    if not versions:
        sys.exit(f"there is no copy {key}{f' until {until}' if until else ''}")
    newest = max(versions, key=lambda item: item.last_modified)
    packed = ROOM / "copy.tar.gz"
    with packed.open("wb") as file:
        shutil.copyfileobj(newest.get()["Body"], file)
    try:
        with tarfile.open(packed) as archive:
            archive.extractall(ROOM, filter="data")
    except (tarfile.TarError, EOFError, OSError) as error:
        sys.exit(f"{key} of {newest.last_modified:%Y-%m-%dT%H:%M:%SZ} is damaged: {error!r}")
    packed.unlink()
    sys.stdout.write(f"{key} of {newest.last_modified:%Y-%m-%dT%H:%M:%SZ} is there\n")


if __name__ == "__main__":
    {"put": put, "get": get}[sys.argv[1]]()
