"""A process that does DigitalOcean's part for a cluster: `python -m tests.e2e.node.digitalocean SERVER PKI VOLUMES`."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import requests

from tests.e2e.node import balancer, volumes
from tests.e2e.node.api import Api


def main(server: str, pki: str, folder: str) -> None:
    """Look every half second for what is missing; the API server may be away meanwhile."""
    api = Api(server, Path(pki))
    while True:
        try:
            volumes.update(api, Path(folder))
            balancer.update(api)
        except requests.RequestException as error:
            sys.stderr.write(f"{error}\n")
        time.sleep(0.5)


if __name__ == "__main__":
    main(*sys.argv[1:])
