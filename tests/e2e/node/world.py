"""What a cluster of this project needs of the world: Vault, Let's Encrypt, and DigitalOcean's DNS and balancer.

Each is the real program, but for DigitalOcean's, on an address of its own, known by its real name, and vouched for by
a CA that images trust.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import hvac
import requests
from hvac.exceptions import InvalidRequest

from constructs_lib.environment import Environment
from constructs_lib.platform.cert_manager import ACME
from operations.secrets.policies import hcl
from operations.secrets.trust import trusts
from tests.e2e.cluster import BIN
from tests.e2e.node import network
from tests.e2e.node.cluster import ISSUER, NodeCluster
from tests.e2e.node.internet import GITHUB, TRACES, spans_file
from tests.support import ROOT

TOOLS = ("age-keygen", "pebble", "vault-server")
ZONE = "zone"
"""The file with the records of the environment's domain."""
COREFILE = """
{zone}:53 {{
  bind {address}
  file {file} {zone} {{
    reload 1s
  }}
}}
"""


def hosts(env: Environment) -> dict[str, str]:
    """Return the names of the world that the cluster looks up."""
    charts = (release.chart.repository for layer in env.layers for release in layer.releases)
    named = (str(urlsplit(url).hostname) for url in (*ACME.values(), *charts))
    servers = (*named, GITHUB, "api.digitalocean.com", TRACES)
    own = {str(urlsplit(env.vault.address).hostname): network.VAULT, env.backups.host: network.SPACES}
    return own | dict.fromkeys(servers, network.INTERNET)


class World:
    """The world of one cluster."""

    def __init__(self, cluster: NodeCluster, env: Environment) -> None:
        self._cluster, self._env = cluster, env
        self._token = ""
        self.sites = cluster.folder / "sites"
        self.age_recipient = ""

    def start(self) -> None:
        """Start everything."""
        public = self._cluster.public
        public.issue("internet", "internet", names=hosts(self._env), addresses=["127.0.0.1", network.INTERNET])
        public.issue("vault", "vault", names=hosts(self._env), addresses=[network.VAULT])
        self._start_vault()
        self._start_lets_encrypt()
        self._start_balancer()

    def roots(self) -> bytes:
        """Return the certificate by which clients know what Let's Encrypt signed."""
        pki = str(self._cluster.public.folder / "ca.crt")

        def get() -> bytes:
            with requests.Session() as session:
                session.trust_env = False
                return session.get("https://127.0.0.1:15000/roots/0", verify=pki, timeout=60).content

        return self._cluster.middle.call(get)

    def spans(self) -> list[bytes]:
        """Return what was sent to whom keeps traces, request by request (OTLP, protobuf)."""
        file = spans_file(self._cluster.folder / ZONE)
        return [bytes.fromhex(line) for line in file.read_text().split()] if file.exists() else []

    def write(self, path: str, **values: str) -> None:
        """Write an entry into Vault, below the environment's platform path."""
        self._vault(partial(_write, f"{self._env.vault.kv.platform}/{path}", self._env.vault.kv.mount, values))

    def entries(self) -> dict[str, dict[str, str]]:
        """Return every entry that Vault has, by its path."""
        found: dict[str, dict[str, str]] = {}
        self._vault(partial(_read, "", self._env.vault.kv.mount, found))
        return found

    def write_all(self, entries: dict[str, dict[str, str]]) -> None:
        """Write entries into Vault."""
        for path, values in entries.items():
            self._vault(partial(_write, path, self._env.vault.kv.mount, values))

    def trust(self) -> None:
        """Set Vault up for the cluster: the way to log in, what may be read, and the age key of Flux."""
        kv, auth = self._env.vault.kv, self._env.vault.auth
        assert auth.method == "jwt"
        key = (self._cluster.authority.folder / "sa.pub").read_text()
        config = {"jwt_validation_pubkeys": [key], "bound_issuer": ISSUER}

        def set_up(client: hvac.Client) -> None:
            client.sys.enable_secrets_engine("kv", path=kv.mount, options={"version": "2"})
            client.sys.enable_auth_method("jwt", path=auth.mount)
            client.write_data(f"auth/{auth.mount}/config", data=config)

        self._vault(set_up)
        self.let_in(self._env)
        self._cluster.eventually(self._has_engine, "Vault's KV engine is ready")

    def let_in(self, env: Environment) -> None:
        """Write the roles by which the stores of the cluster log in, as `operations vault apply` does."""
        (trust,) = trusts([env])
        mine = f"auth/{env.vault.auth.mount}/role/"
        roles = {path: data for path, data in trust.writes.items() if path.startswith(mine)}

        def write(client: hvac.Client) -> None:
            for name, rules in trust.policies.items():
                client.sys.create_or_update_policy(name, hcl(rules))
            for path, role in roles.items():
                client.write_data(path, data=role)

        self._vault(write)

    def _has_engine(self) -> bool:
        kv = self._env.vault.kv
        key = subprocess.run([BIN / "age-keygen"], capture_output=True, text=True, check=True).stdout
        try:
            self._vault(partial(_write, kv.flux, kv.mount, {"age_key": key}))
        except InvalidRequest:  # the engine is being upgraded to version 2
            return False
        self.age_recipient = next(line.rpartition(" ")[2] for line in key.splitlines() if "public key" in line)
        return True

    def _start_vault(self) -> None:
        pki = self._cluster.public.folder
        port = urlsplit(self._env.vault.address).port or 443
        listen = ("-listen", f"{network.VAULT}:{port}", "-cert", str(pki / "vault.crt"), "-key", str(pki / "vault.key"))
        daemon = self._cluster.daemons.start("vault-server", *listen)
        self._cluster.eventually(lambda: '"token"' in daemon.tail(), "Vault says its token")
        self._token = json.loads(daemon.tail(1))["token"]

    def _start_lets_encrypt(self) -> None:
        pki = self._cluster.public.folder
        settings = {
            "listenAddress": "127.0.0.1:14000",
            "managementListenAddress": "127.0.0.1:15000",
            "certificate": str(pki / "internet.crt"),
            "privateKey": str(pki / "internet.key"),
            "httpPort": 80,
            "tlsPort": 443,
            "profiles": {"default": {"description": "as ever", "validityPeriod": 7776000}},
        }
        config = self._cluster.folder / "pebble.json"
        config.write_text(json.dumps({"pebble": settings}))
        server = f"{network.INTERNET}:53"
        self._cluster.daemons.start("pebble", "-config", str(config), "-dnsserver", server, PEBBLE_VA_NOSLEEP="1")
        zone = self._cluster.folder / ZONE
        domain = self._env.domain
        own = [f"{name}.={where}" for name, where in hosts(self._env).items() if name.endswith(f".{domain}")]
        module = ("-m", "tests.e2e.node.internet", network.INTERNET, str(pki), str(self.sites), domain, str(zone), *own)
        self._cluster.daemons.start("internet", *module, program=Path(sys.executable), PYTHONPATH=str(ROOT))

        corefile = self._cluster.folder / "Corefile"
        corefile.write_text(COREFILE.format(zone=domain, address=network.INTERNET, file=zone))
        self._cluster.eventually(zone.exists, "the zone is written")
        self._cluster.daemons.start("coredns", "-conf", str(corefile))

    def _start_balancer(self) -> None:
        source = str(next(self._env.vpc_range.hosts()))
        self._cluster.middle.ip(f"address add {source}/32 dev lan0")
        module = ("-m", "tests.e2e.node.entrance", self._cluster.url, str(self._cluster.authority.folder), source)
        self._cluster.daemons.start("balancer", *module, program=Path(sys.executable), PYTHONPATH=str(ROOT))

    def _vault(self, use: Callable[[hvac.Client], object]) -> None:
        def call() -> None:
            session = requests.Session()
            session.trust_env = False
            ca = str(self._cluster.public.certificate)
            session.verify = ca
            port = urlsplit(self._env.vault.address).port or 443
            client = hvac.Client(f"https://{network.VAULT}:{port}", token=self._token, session=session, verify=ca)
            use(client)

        self._cluster.middle.call(call)


def _read(folder: str, mount: str, found: dict[str, dict[str, str]], client: hvac.Client) -> None:
    kv = client.secrets.kv.v2
    for name in kv.list_secrets(folder, mount_point=mount)["data"]["keys"]:
        if name.endswith("/"):
            _read(folder + name, mount, found, client)
        else:
            found[folder + name] = kv.read_secret(folder + name, mount_point=mount)["data"]["data"]


def _write(path: str, mount: str, values: dict[str, str], client: hvac.Client) -> None:
    client.secrets.kv.v2.create_or_update_secret(path, values, mount_point=mount)
