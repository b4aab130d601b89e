"""The folder of the sandbox, laid out as this project is, so that every command works in it.

It is below the folder of states, which Git ignores and `make clean` leaves.
"""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path
from textwrap import indent

from constructs_lib.base.stacks import LOCAL_STATES
from constructs_lib.environment import ENVIRONMENTS, Environment, load
from gitops_render.example import PORT
from operations.trying.facts import Facts

NAME = "try"
"""The name of the environment, of its cluster, and of the namespace with what stands beside the platform."""
FOLDER = Path(LOCAL_STATES, NAME)
FILE = ENVIRONMENTS / f"{NAME}.yaml"
KEYS = Path("keys.json")
DOMAIN = "try.test"
"""Nobody has it (RFC 6761)."""
MARK = {"app.kubernetes.io/managed-by": "operations-try"}
"""The label of what `try` makes itself; what Flux makes of it carries Flux' own."""

VAULT, STORE = f"vault.{NAME}.svc", f"store.{NAME}.svc"
HOSTS = (VAULT, STORE, f"{VAULT}.cluster.local", f"{STORE}.cluster.local")
VAULT_PORT, STORE_PORT = 8200, 8443
MANY = 10000
"""From how many thousandths of a core, or MiB, on a file counts in whole ones."""
MOST = 256
"""How many GiB of a node a file can say at the most."""
BACKUPS, SOURCE = "try-backups", "try-source"
"""The buckets."""
EXAMPLE = "example"
"""The application, and its host."""

TEXT = """\
# The sandbox that `bin/operations try` brought to the cluster of the context below. Change it and run that again: the
# tree is rendered into the bucket that Flux follows. `../../bin/gitops_render show {name}` shows all of it, in
# {folder}.
name: {name}
tier: sandbox
region: local
domain: {domain}
dns: {{zone_at: elsewhere}}
vpc_range: {node_range}

cluster:
  provider: existing
  name: {name}
  context: {context}
  kubernetes_minor: "{minor}"
  protected: false
  storage_class: {storage_class}
  kept_storage_class: {storage_class}
  load_balancer: {{service: NodePort}}
  network: {{cluster_subnet: {pod_range}, service_subnet: {service_range}}}
  pools: # what each node had free when this was written
    all: {{role: system, min_nodes: {nodes}, max_nodes: {nodes}, cpu: "{cpu}", memory: {memory}}}

# Flux follows the bucket `source`, so nothing of this is there, nor asked for.
gitops:
  organisation: nobody
  repository: nothing
  infrastructure_repository: nothing
  state: {{bucket: try-nothing, region: lon1}}
  vault:
    address: https://{vault}:{vault_port}
    ci: {{mount: github, role: {name}-gitops}}
    mount: {name}
    path: gitops

vault:
  address: https://{vault}:{vault_port}
  inside: {{namespace: {name}, port: {vault_port}}}
  auth: {{method: jwt, mount: {name}, role: external-secrets}}
  ci: {{mount: github, role: {name}}}
  kv: {{mount: {name}, flux: flux, platform: platform, provisioning: provisioning}}
  ca_bundle: &ca |
{ca}
state: null
source: {{bucket: {source}, region: us-east-1, address: "https://{store}", ca_bundle: *ca}}
backups:
  bucket: {backups}
  region: us-east-1
  address: https://{store}
  inside: {{namespace: {name}, port: {store_port}}}
  ca_bundle: *ca

applications:
  {example}: # its files are in gitops.out/apps/{name}/{example}: change them; without that folder they are made anew
    owner: nobody
    hosts: {{{example}: {{port: {port}}}}}
    uses: {{postgres: {{main: {{}}}}}}
    slo: {{availability: 99.5}}

platform: # small, and without RabbitMQ, logs and traces: `rabbitmq_operator: {{}}` in the place of its line turns it on
  vault_eso: {{replicas: 1}}
  cert_manager: {{replicas: 1, issuer: internal-ca, dns_challenge: null}}
  traefik: {{replicas: 1}}
  cloudnative_pg:
    clusters:
      - name: main
        storage: 1Gi
        wal_storage: 1Gi
        cpu: 100m
        memory: 256Mi
        backup_retention: 1d
  rabbitmq_operator: {{enabled: false}}
  valkey_operator: {{enabled: false}}
  observability:
    metrics: {{retention: 1d, storage: 2Gi, memory: 512Mi}}
    collectors: {{queue: 1Gi}}
"""


def written(folder: Path, facts: Facts, ca: str) -> None:
    """Write the environment's file, unless there is one, which its owner may have changed."""
    path = folder / FILE
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(text(facts, ca), encoding="utf-8")
    part.rename(path)


def text(facts: Facts, ca: str) -> str:
    """Return the file for a cluster, whose nodes are taken for as large as the smallest of them."""
    least = facts.least
    return TEXT.format(
        **facts._asdict()
        | {
            "folder": FOLDER,
            "name": NAME,
            "domain": DOMAIN,
            "nodes": len(facts.nodes),
            "cpu": f"{least.cpu}m" if least.cpu < MANY else str(least.cpu // 1000),
            "memory": f"{least.memory}Mi" if least.memory < MANY else f"{min(least.memory // 1024, MOST)}Gi",
            "vault": VAULT,
            "vault_port": VAULT_PORT,
            "store": STORE,
            "store_port": STORE_PORT,
            "example": EXAMPLE,
            "port": PORT,
            "source": SOURCE,
            "backups": BACKUPS,
            "ca": indent(ca, "    "),
        }
    )


def roomy(ca: str) -> str:
    """Return the file for a cluster that has room for everything, by which what is needed can be told."""
    from constructs_lib.kit import Room
    from operations.trying.facts import Node

    anywhere = IPv4Network("192.0.2.0/24")
    nodes = (Node("any", Room(64000, 2**17, 110), labelled=True),)
    return text(Facts("any", "1.36", "any", nodes, anywhere, anywhere, anywhere), ca)


def loaded(folder: Path) -> Environment:
    """Return the environment in a folder. Raises `ConfigError` as `load` does."""
    return load(folder / FILE)
