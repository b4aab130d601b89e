"""Memory of the programs whose limits are a guess without it, under a load that is said: `make limits`.

Real programs of `tools/bin` with the configurations of the environments; Tempo is wherever `TEMPO` names it, since no
registry of Go modules has it. What is shown is the most that the kernel saw a process hold.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import requests
import yaml
from rich.console import Console
from rich.table import Table

from constructs_lib.base.quantities import Memory
from constructs_lib.environment import load_all
from constructs_lib.platform.observability import traces
from constructs_lib.platform.observability.collector_config import gateway_config
from constructs_lib.platform.observability.collector_objects import GATEWAY_MEMORY
from constructs_lib.platform.observability.names import go_memory_limit
from operations.rehearsal.api_server import free_ports
from tests.e2e.collector import Collector
from tests.support import ROOT

SECONDS = 60
BATCH = 100
SPANS = 1000
"""Spans a second, which is what a hundred requests a second make with ten each."""
SERIES = (10_000, 50_000, 100_000)
SCRAPES = 150
"""A chunk of 120 samples goes to disk: from then on, more of them take no more memory."""


class Row(NamedTuple):
    """Who held how many MiB at most, under which load, of how many."""

    program: str
    load: str
    most: float
    limit: Memory | None


def main() -> int:
    """Measure every program that is here; returns 1 if one held more than its limit."""
    table = Table("program", "load", "most", "limit")
    kept = True
    for row in _rows():
        kept &= row.limit is None or row.most <= row.limit.mebibytes
        table.add_row(row.program, row.load, f"{row.most:.0f} MiB", row.limit or "")
    Console().print(table)
    return 0 if kept else 1


def _rows() -> Iterator[Row]:
    yield _gateway()
    yield from map(_prometheus, SERIES)
    if "TEMPO" in os.environ:
        yield _tempo(Path(os.environ["TEMPO"]))
    else:
        Console(stderr=True).print("tempo: not measured; TEMPO names no program")


def _gateway() -> Row:
    """The gateway of production, whose backends take nothing."""
    env = next(env for env in load_all(ROOT / "environments") if env.name == "production")
    variable = go_memory_limit(GATEWAY_MEMORY)
    os.environ[variable["name"]] = variable["value"]
    with _folder() as folder, Collector(gateway_config(env), folder, f"http://127.0.0.1:{free_ports(1)[0]}") as gateway:
        for batch in _paced():
            gateway.send("traces", batch)
        return Row("gateway", f"{SPANS} spans a second, no backend takes them", _most(gateway.pid), GATEWAY_MEMORY)


def _prometheus(series: int) -> Row:
    """A Prometheus that scrapes one target each second."""
    with _folder() as folder, _exporter(series) as (port, asked):
        config = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
            "scrape_configs": [{"job_name": "limits", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}],
        }
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        own = f"--web.listen-address=127.0.0.1:{free_ports(1)[0]}"
        with _running(
            ROOT / "tools/bin/prometheus", f"--config.file={folder}/prometheus.yml", own, folder=folder
        ) as pid:
            _wait(lambda: len(asked) >= SCRAPES)
            return Row("Prometheus", f"{series} series", _most(pid), None)


def _tempo(program: Path) -> Row:
    """Tempo with its configuration, but for addresses and a folder instead of a bucket."""
    every = [env.platform.observability.traces for env in load_all(ROOT / "environments")]
    settings, bucket = next((each, each.bucket) for each in every if each.bucket)
    query, take, grpc = free_ports(3)
    with _folder() as folder:
        config = traces.config(settings, bucket)
        storage = {"backend": "local", "local": {"path": f"{folder}/blocks"}, "wal": {"path": f"{folder}/wal"}}
        receiver = {"http": {"endpoint": f"127.0.0.1:{take}"}}
        config |= {
            "server": {"http_listen_port": query, "grpc_listen_port": grpc},
            "storage": {"trace": storage},
            "distributor": {"receivers": {"otlp": {"protocols": receiver}}},
        }
        (folder / "tempo.yaml").write_text(json.dumps(config))
        with _running(program, f"-config.file={folder}/tempo.yaml", "-mem-ballast-size-mbs=0", folder=folder) as pid:
            _wait(lambda: _answers(f"http://127.0.0.1:{query}/ready"))
            for batch in _paced():
                requests.post(f"http://127.0.0.1:{take}/v1/traces", json=batch, timeout=30).raise_for_status()
            return Row("Tempo", f"{SPANS} spans a second", _most(pid), settings.memory)


def _paced() -> Iterator[dict[str, Any]]:
    """Yield a batch of spans each time that one is due, for a while."""
    started, count = time.monotonic(), SPANS * SECONDS // BATCH
    for number in range(count):
        time.sleep(max(0.0, started + number * BATCH / SPANS - time.monotonic()))
        yield {"resourceSpans": [{"resource": _RESOURCE, "scopeSpans": [{"spans": [*map(_span, range(BATCH))]}]}]}


_RESOURCE = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}


def _span(number: int) -> dict[str, Any]:
    """One of the ten of its trace, with as many attributes as a request to a server has."""
    now, trace = time.time_ns(), f"{time.monotonic_ns() // 10**8:024x}{number // 10:08x}"
    attributes = [{"key": f"http.attribute.{key}", "value": {"stringValue": f"{now}-{key}"}} for key in range(12)]
    return {
        "traceId": trace,
        "spanId": f"{number + 1:016x}",
        "name": "GET /",
        "kind": 2,
        "startTimeUnixNano": str(now - 10**8),
        "endTimeUnixNano": str(now),
        "attributes": attributes,
    }


@contextmanager
def _exporter(series: int) -> Generator[tuple[int, list[str]]]:
    """Serve so many series, whose values change each time; yields the port and who asked."""
    asked: list[str] = []
    body = "".join(f'limits_total{{pod="app-{number % 300}",path="/{number}"}} @\n' for number in range(series))

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(body.replace("@", str(len(asked))).encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port, asked
        server.shutdown()


@contextmanager
def _running(program: Path, *arguments: str, folder: Path) -> Generator[int]:
    """Run a program in a folder; yields its process."""
    with (
        (folder / "log.txt").open("wb") as log,
        subprocess.Popen([program, *arguments], cwd=folder, stdout=log, stderr=log) as process,
    ):
        try:
            yield process.pid
        finally:
            process.kill()


@contextmanager
def _folder() -> Generator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def _most(pid: int) -> float:
    """MiB that a process held at most (kernel documentation, `filesystems/proc.rst`)."""
    (line,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 2**10


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.ConnectionError:
        return False


def _wait(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.5)


if __name__ == "__main__":
    sys.exit(main())
