"""A real collector on loopback with a rendered configuration, in which only addresses are changed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from pathlib import Path
from typing import Any, Self

import requests
import yaml

from constructs_lib.kit import Manifest
from constructs_lib.platform.observability.names import GATEWAY_HEADLESS, GATEWAY_HOST
from operations.rehearsal.api_server import free_ports
from tests.e2e.certificate import make_certificate
from tests.support import ROOT

BINARY = ROOT / "tools/bin/otelcol"
# A collector that is not in a cluster has no API server to ask, and asks in vain in the background.
ENVIRONMENT = {
    "COLLECTOR_NAME": "gateway-collector-0",
    "INFLUXDB_TOKEN": "influxdb-token",
    "KUBERNETES_SERVICE_HOST": "127.0.0.1",
    "KUBERNETES_SERVICE_PORT": "9",
    "NODE_NAME": "node-1",
    "OPENSEARCH_PASSWORD": "opensearch-password",
    "OTLP_LOGS_X_API_KEY": "key of logs",
    "OTLP_TRACES_X_API_KEY": "key of traces",
    "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test",
}
PORTS: tuple[int, ...] = (4317, 4318, 4319, 8888, 13133)


def validate(config: Manifest, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the collector's own check of a configuration whose folders are below `folder`."""
    path = _written(_local(config, folder, {}), folder)
    command = [str(BINARY), "validate", f"--config=file:{path}"]
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False)


class Collector:
    """A collector to use as a context manager; it may be killed and entered again, and finds its queue."""

    def __init__(self, config: Manifest, folder: Path, backend: str) -> None:
        self._folder = folder
        self._ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        make_certificate(folder / "tls.crt", folder / "tls.key", GATEWAY_HOST)
        (folder / "ca.crt").write_bytes((folder / "tls.crt").read_bytes())
        local = _local(config, folder, self._ports)
        local["processors"]["k8s_attributes"]["auth_type"] = "none"
        for name, exporter in local["exporters"].items():
            if name.startswith("otlp_http/"):
                path = re.sub(r"https?://[^/]+", "", exporter["endpoint"])
                exporter |= {"endpoint": backend + path, "encoding": "json", "compression": "none"}
                exporter["retry_on_failure"] |= {"initial_interval": "100ms", "max_interval": "200ms"}
        self._path = _written(local, folder)

    def __enter__(self) -> Self:
        with (self._folder / "log.txt").open("ab") as log:
            self._process = subprocess.Popen(
                [str(BINARY), f"--config=file:{self._path}"], env={**os.environ, **ENVIRONMENT}, stdout=log, stderr=log
            )
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                if requests.get(f"http://127.0.0.1:{self._ports[13133]}", timeout=1).ok:
                    return self
            except requests.ConnectionError:
                assert self._process.poll() is None, (self._folder / "log.txt").read_text()
                time.sleep(0.1)
        raise AssertionError((self._folder / "log.txt").read_text())

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def kill(self) -> None:
        """End it as an out-of-memory kill does."""
        self._process.kill()
        self._process.wait()

    @property
    def address(self) -> str:
        """Where it takes OTLP over HTTPS, as the CA in `ca.crt` of its folder says."""
        return f"https://127.0.0.1:{self._ports[4318]}"

    def send(self, signal: str, body: dict[str, Any]) -> None:
        """Send OTLP over HTTPS in JSON."""
        url = f"{self.address}/v1/{signal}"
        requests.post(url, json=body, verify=str(self._folder / "ca.crt"), timeout=10).raise_for_status()

    def metrics(self) -> str:
        """Return what Prometheus would scrape."""
        return requests.get(f"http://127.0.0.1:{self._ports[8888]}/metrics", timeout=10).text


def _local(config: Manifest, folder: Path, ports: dict[int, int]) -> Manifest:
    """Return `config` with its folders below `folder` and its ports on loopback."""
    text = json.dumps(config)
    for mount in ("/var/lib/otelcol", "/var/lib/otel-agent"):
        (folder / "queue").mkdir(exist_ok=True)
        text = text.replace(mount, str(folder / "queue"))
    for mount in ("/tls/", "/ca/", "/logs-ca/"):
        text = text.replace(f'"{mount}', f'"{folder}/')
    text = text.replace("0.0.0.0", "127.0.0.1").replace(f"{GATEWAY_HEADLESS}.cluster.local", "localhost")  # noqa: S104
    for port, other in ports.items():
        text = re.sub(rf'(:|"|: ){port}("|\b)', rf"\g<1>{other}\g<2>", text)
    return json.loads(text)


def _written(config: Manifest, folder: Path) -> Path:
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    return path
