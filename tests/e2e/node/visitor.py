"""Somebody in the world who asks a host of the sandbox by HTTPS, and knows Let's Encrypt alone."""

from __future__ import annotations

import ssl

from urllib3 import HTTPSConnectionPool

from tests.e2e.node import network
from tests.e2e.node.sandbox import Sandbox

ADDRESS = network.INTERNET


def ask(sandbox: Sandbox, host: str, path: str = "/", **headers: str) -> tuple[int, bytes]:
    """Return the status and the body of an answer. Raises what the client raises, for a certificate too."""
    trusted = ssl.create_default_context(cadata=sandbox.world.roots().decode())

    def get() -> tuple[int, bytes]:
        pool = HTTPSConnectionPool(
            *(network.BALANCER, 443),
            ssl_context=trusted,
            assert_hostname=host,
            server_hostname=host,
            source_address=(ADDRESS, 0),
            timeout=60,
        )
        with pool:
            answer = pool.request("GET", path, headers={"Host": host, **headers}, retries=False)
        return answer.status, answer.data

    return sandbox.cluster.middle.call(get)
