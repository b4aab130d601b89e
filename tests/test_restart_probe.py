"""What the page for applications says of a changed password: its probe tells it from one that is the same."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.constructs_lib.platform.applications.test_applications import keys, using
from tests.restart_probe import restarting


@pytest.mark.parametrize(("in_file", "code"), [("a $b 'c'", 0), ("another", 1), ("", 1)])
def test_a_container_is_alive_while_its_variable_is_what_the_file_says(tmp_path: Path, in_file: str, code: int) -> None:
    (container,) = restarting()["containers"]
    (mount,) = container["volumeMounts"]
    command = [
        part.replace(mount["mountPath"], str(tmp_path)) for part in container["livenessProbe"]["exec"]["command"]
    ]
    (tmp_path / "PGPASSWORD").write_text(in_file)
    done = subprocess.run(command, env={"PGPASSWORD": "a $b 'c'", "PATH": "/usr/bin:/bin"}, check=False)
    assert done.returncode == code


def test_it_mounts_and_reads_the_one_secret_that_the_application_gets() -> None:
    said = restarting()
    (container,), (volume,) = said["containers"], said["volumes"]
    names = {volume["secret"]["secretName"], *(one["secretRef"]["name"] for one in container["envFrom"])}
    assert names == {"postgres-main"}
    assert "PGPASSWORD" in keys(using({"postgres": {"main": {}}}), "postgres-main")
