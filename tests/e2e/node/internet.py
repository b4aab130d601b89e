"""The rest of the world as a cluster sees it, by HTTPS: `python -m tests.e2e.node.internet ADDRESS PKI SITES …`.

Let's Encrypt is Pebble, Let's Encrypt's own test server, which this process puts behind the names and paths of the real
one. DigitalOcean keeps the records of one zone, in a file that a real DNS server reads. Registries of charts serve the
files of the folder SITES, each below its name, and GitHub the repositories there, by Git's own server. Who keeps traces
writes down what comes. Nobody else answers.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import ssl
import subprocess
import sys
from collections.abc import Iterable
from email.parser import BytesHeaderParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import requests

from tests.e2e.node import network
from tests.e2e.node.images import MANIFEST

GITHUB = "github.com"
TRACES = "traces.example.org"
PEBBLE = "https://127.0.0.1:14000"
PASSED_ON = ("Content-Type", "Accept", "User-Agent", "Host")
SENT_BACK = ("Content-Type", "Location", "Replay-Nonce", "Link", "Retry-After")
ZONE = """
$ORIGIN {name}.
$TTL 5
@ IN SOA ns1 hostmaster {serial} 60 60 600 5
@ IN NS ns1
ns1 IN A {address}
* IN A {balancer}
"""
"""What ExternalDNS would write is there from the start: all hosts lead to the balancer of the ingress."""


class Zone:
    """The records of a domain."""

    def __init__(self, name: str, file: Path, address: str, hosts: Iterable[str] = ()) -> None:
        self.name, self._file, self._address = name, file, address
        self._hosts = [" IN A ".join(host.split("=")) for host in hosts]
        self._serial = 0
        self.records: dict[int, dict[str, Any]] = {}
        self.write()

    def add(self, record: dict[str, Any]) -> dict[str, Any]:
        """Add a record and return it as DigitalOcean does."""
        kept = self.records[self._serial + 1] = {**record, "id": self._serial + 1}
        self.write()
        return kept

    def remove(self, number: int) -> None:
        """Remove a record."""
        self.records.pop(number, None)
        self.write()

    def write(self) -> None:
        """Write the zone with the next serial number, by which the DNS server sees that it is new."""
        self._serial += 1
        head = ZONE.format(name=self.name, serial=self._serial, address=self._address, balancer=network.BALANCER)
        lines = [f'{record["name"]} IN {record["type"]} "{record["data"]}"' for record in self.records.values()]
        new = self._file.with_suffix(".new")
        new.write_text(head + "\n".join([*self._hosts, *lines]) + "\n")
        new.rename(self._file)


class Handler(BaseHTTPRequestHandler):
    """Answers for everyone, by the name that was asked for."""

    protocol_version = "HTTP/1.1"
    pki = sites = spans = Path()
    zone: Zone

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        host = self.headers.get("Host", "")
        if "letsencrypt.org" in host:
            self._pass_on(body)
        elif host == "api.digitalocean.com" and self.path.startswith(f"/v2/domains/{self.zone.name}/records"):
            self._records(body)
        elif (host, self.path) == (TRACES, "/v1/traces"):
            self._keep(body)
        elif host == GITHUB:
            self._git(body)
        elif self.path == "/v2/":  # a registry says that it is one
            self._send_json(200, {})
        elif (file := self.sites / host / self.path.lstrip("/")).is_file():
            self._serve(file.read_bytes(), MANIFEST if file.parent.name == "manifests" else "application/octet-stream")
        else:
            self._send(404, {}, b"nobody is here\n")

    def _pass_on(self, body: bytes) -> None:
        headers = {name: self.headers[name] for name in PASSED_ON if name in self.headers}
        path = "/dir" if self.path == "/directory" else self.path
        with requests.Session() as session:
            session.trust_env = False
            ca = str(self.pki / "ca.crt")
            answer = session.request(self.command, PEBBLE + path, data=body, headers=headers, verify=ca, timeout=60)
        sent = {name: answer.headers[name] for name in SENT_BACK if name in answer.headers}
        self._send(answer.status_code, sent, answer.content)

    def _git(self, body: bytes) -> None:
        """Answer as git-http-backend(1) does, which is a program of CGI."""
        path, _, query = self.path.partition("?")
        environ = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.sites / GITHUB),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
        }
        said = subprocess.run(["git", "http-backend"], input=body, env=environ, capture_output=True, check=True).stdout
        head, _, content = said.partition(b"\r\n\r\n")
        headers = dict(BytesHeaderParser().parsebytes(head).items())
        self._send(int(headers.pop("Status", "200").split()[0]), headers, content)

    def _serve(self, content: bytes, kind: str) -> None:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self._send(200, {"Content-Type": kind, "Docker-Content-Digest": digest}, content)

    def _records(self, body: bytes) -> None:
        if self.command == "POST":
            self._send_json(201, {"domain_record": self.zone.add(json.loads(body))})
        elif self.command == "DELETE":
            self.zone.remove(int(self.path.rpartition("/")[2]))
            self._send(204, {}, b"")
        else:
            found = list(self.zone.records.values())
            self._send_json(200, {"domain_records": found, "links": {}, "meta": {"total": len(found)}})

    def _keep(self, body: bytes) -> None:
        packed = self.headers.get("Content-Encoding") == "gzip"
        with self.spans.open("a") as file:
            file.write(f"{(gzip.decompress(body) if packed else body).hex()}\n")
        self._send(200, {"Content-Type": "application/x-protobuf"}, b"")

    def _send_json(self, status: int, answer: object) -> None:
        self._send(status, {"Content-Type": "application/json"}, json.dumps(answer).encode())

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def spans_file(zone: Path) -> Path:
    """Return where traces are written down, beside the file of the zone."""
    return zone.with_name("spans")


def main(address: str, pki: str, sites: str, zone: str, file: str, *hosts: str) -> None:
    """Serve for ever; the zone has `hosts` as well, each `NAME=ADDRESS`."""
    Handler.pki, Handler.sites, Handler.zone = Path(pki), Path(sites), Zone(zone, Path(file), address, hosts)
    Handler.spans = spans_file(Path(file))
    server = ThreadingHTTPServer((address, 443), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{pki}/internet.crt", f"{pki}/internet.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
