"""DigitalOcean's balancer as its clients see it: `python -m tests.e2e.node.entrance SERVER PKI SOURCE`.

It passes connections on to the machines that say that pods of the Service serve there, from an address of the VPC, and
says before all else who the client is where the Service asks for the PROXY protocol (version 1, as DigitalOcean's do).
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import requests

from tests.e2e.node import network
from tests.e2e.node.api import Api

PORTS = (80, 443)
WITH_HEADER = "service.beta.kubernetes.io/do-loadbalancer-enable-proxy-protocol"
"""The annotation that asks for it (digitalocean-cloud-controller-manager)."""


def ways(api: Api, port: int) -> Iterator[tuple[str, int, bool]]:
    """Yield the address and the port of each machine behind a port of the balancer, and whether there is a header."""
    machines = [address for node in api.list("/api/v1/nodes") for address in _addresses(node)]
    for item in api.list("/api/v1/services"):
        spec = item["spec"]
        if spec.get("type") != "LoadBalancer":
            continue
        with_header = item["metadata"].get("annotations", {}).get(WITH_HEADER) == "true"
        for behind in (entry["nodePort"] for entry in spec["ports"] if entry["port"] == port):
            yield from ((name, behind, with_header) for name in machines if _serves(name, spec["healthCheckNodePort"]))


def _addresses(node: dict[str, Any]) -> Iterator[str]:
    yield from (entry["address"] for entry in node["status"]["addresses"] if entry["type"] == "InternalIP")


def _serves(machine: str, port: int) -> bool:
    """Return what kube-proxy says: whether pods of the Service are on that machine."""
    with requests.Session() as session, contextlib.suppress(requests.RequestException):
        session.trust_env = False
        return session.get(f"http://{machine}:{port}/healthz", timeout=60).ok
    return False


async def pass_on(
    api: Api, source: str, port: int, client: asyncio.StreamReader, answers: asyncio.StreamWriter
) -> None:
    """Pass a connection on; without a machine that serves it ends at once."""
    try:
        found = await asyncio.to_thread(lambda: next(ways(api, port), None))
        if found is not None:
            machine, behind, with_header = found
            reader, writer = await asyncio.open_connection(machine, behind, local_addr=(source, 0))
            if with_header:
                address, number = answers.get_extra_info("peername")
                writer.write(f"PROXY TCP4 {address} {network.BALANCER} {number} {port}\r\n".encode())
            await asyncio.gather(_copy(client, writer), _copy(reader, answers))
            writer.close()
    except OSError as error:  # of the API server's as well
        sys.stderr.write(f"{error}\n")
    finally:
        answers.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()


async def _serve(api: Api, source: str) -> None:
    for port in PORTS:
        await asyncio.start_server(partial(pass_on, api, source, port), network.BALANCER, port)
    await asyncio.Event().wait()


def main(server: str, pki: str, source: str) -> None:
    """Serve for ever."""
    asyncio.run(_serve(Api(server, Path(pki)), source))


if __name__ == "__main__":
    main(*sys.argv[1:])
