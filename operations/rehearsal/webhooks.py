"""What operators refuse, asked of their real programs on loopback, where those of the real node are built.

Each may look at everything and change nothing, so of an operator that has controllers too only the webhooks take part.
Configurations are upstream's: those that came with the program, and those that charts make. That of RabbitMQ's cluster
operator is not asked: it judges what no file of ours can say, and listens where the topology operator does.
"""

from __future__ import annotations

import base64
import datetime
import ipaddress
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from constructs_lib.base.errors import ConfigError
from constructs_lib.kit import FLUX_NAMESPACE, Manifest, manifest
from gitops_render.helm import Loader
from operations.rehearsal.api_server import BIN, READY_SECONDS, ApiServer, free_ports, listens

ACCOUNT = "webhooks"
RBAC = "rbac.authorization.k8s.io"
KINDS = frozenset({"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"})


class Program(NamedTuple):
    """A program that serves webhooks for objects of API groups.

    `files` are what came with it below `tools/bin`, and `arguments` what it is started with, where `{port}` and
    `{certs}` stand for its port and the folder of its certificate. One that cannot be told its port has a `fixed` one.
    """

    tool: str
    groups: frozenset[str]
    arguments: str
    files: tuple[str, ...] = ()
    name: str | None = None
    fixed: int | None = None


PROGRAMS = (
    Program(
        "cloudnative-pg",
        frozenset({"postgresql.cnpg.io"}),
        "controller --webhook-port={port} --metrics-bind-address=0",
        ("charts/cloudnative-pg.yaml",),
    ),
    Program(
        "messaging-topology-operator",
        frozenset({"rabbitmq.com"}),
        "--webhook-cert-path={certs} --metrics-bind-address=0 --health-probe-bind-address=0",
        (
            "releases/cluster-operator/crd/bases/*.yaml",
            "releases/messaging-topology-operator/crd/bases/*.yaml",
            "releases/messaging-topology-operator/webhook/manifests.yaml",
        ),
        fixed=9443,
    ),
    Program(
        "external-secrets",
        frozenset({"external-secrets.io", "generators.external-secrets.io"}),
        "webhook --port={port} --cert-dir={certs} --metrics-addr=0 --healthz-addr=127.0.0.1:0",
    ),
    Program(
        "cert-manager",
        frozenset({"cert-manager.io", "acme.cert-manager.io"}),
        "--secure-port={port} --healthz-port=0 --metrics-listen-address=0"
        " --tls-cert-file={certs}/tls.crt --tls-private-key-file={certs}/tls.key --kubeconfig={kubeconfig}",
        name="cert-manager-webhook",
    ),
)


def brought(groups: Collection[str]) -> Iterator[Manifest]:
    """Yield the CRDs and configurations that came with the built programs which judge objects of these API groups."""
    for program in PROGRAMS:
        if program.groups & set(groups) and (BIN / program.tool).exists():
            for path in (path for pattern in program.files for path in sorted(BIN.glob(pattern))):
                items = yaml.load_all(path.read_bytes(), Loader)
                yield from (item for item in items if item and item["kind"] in {"CustomResourceDefinition", *KINDS})


def ask(server: ApiServer, configurations: Iterable[Manifest]) -> tuple[str, ...]:
    """Start the built programs that `configurations` ask, let the API server ask them, and return their names.

    Raises `ConfigError` for a program that ends, or does not listen in time.
    """
    held = [item for item in configurations if item["kind"] in KINDS]
    wanted = [one for one in PROGRAMS if (BIN / one.tool).exists() and any(_of(one, item) for item in held)]
    ports = dict(zip(wanted, free_ports(len(wanted)), strict=True))
    ports = {one: one.fixed or port for one, port in ports.items() if one.fixed is None or not listens(one.fixed)}
    if not ports:
        return ()
    certs = server.folder / "webhooks"
    certificate = _certificate(certs)
    reader = _reader(server)
    for program, port in ports.items():
        _start(server, program, port, certs, reader)
    _await(server, ports.values())
    server.apply(*(wired for item in held if (wired := _wired(item, ports, certificate))["webhooks"]))
    return tuple(sorted(program.tool for program in ports))


def _of(program: Program, configuration: Manifest) -> list[Manifest]:
    """Return the webhooks of a configuration that a program serves."""
    return [
        hook
        for hook in configuration["webhooks"]
        if {group for rule in hook.get("rules") or [{}] for group in rule.get("apiGroups", [""])} <= program.groups
    ]


def _wired(configuration: Manifest, ports: dict[Program, int], certificate: bytes) -> Manifest:
    """Return a configuration with the webhooks that are served, at where they are."""
    hooks: list[Manifest] = []
    for program, port in ports.items():
        for hook in _of(program, configuration):
            path = hook["clientConfig"]["service"].get("path", "/")
            url = f"https://127.0.0.1:{port}{path}"
            hooks.append({**hook, "clientConfig": {"url": url, "caBundle": base64.b64encode(certificate).decode()}})
    named = {"name": configuration["metadata"]["name"]}
    return {**configuration, "metadata": named, "webhooks": hooks}


def _start(server: ApiServer, program: Program, port: int, certs: Path, reader: Path) -> None:
    arguments = program.arguments.format(port=port, certs=certs, kubeconfig=reader).split()
    known = {"KUBECONFIG": str(reader), "OPERATOR_NAMESPACE": FLUX_NAMESPACE, "OPERATOR_IMAGE_NAME": "none:0"}
    server.start(program.name or program.tool, *arguments, tool=program.tool, WEBHOOK_CERT_DIR=str(certs), **known)


def _await(server: ApiServer, ports: Iterable[int]) -> None:
    """Wait until something listens on each port."""
    left, end = set(ports), time.monotonic() + READY_SECONDS
    while left:
        server.refuse_ended()
        if time.monotonic() > end:
            raise ConfigError(f"webhooks: do not listen after {READY_SECONDS} s")
        left = {port for port in left if not listens(port)}
        time.sleep(0.2)


def _reader(server: ApiServer) -> Path:
    """Return how an account reaches the API server that may look at everything and change nothing."""
    rules: Sequence[Manifest] = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]}]
    role = {"apiGroup": RBAC, "kind": "ClusterRole", "name": ACCOUNT}
    subject = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": FLUX_NAMESPACE}
    server.apply(
        manifest("v1", "ServiceAccount", ACCOUNT, FLUX_NAMESPACE),
        manifest(f"{RBAC}/v1", "ClusterRole", ACCOUNT, rules=rules),
        manifest(f"{RBAC}/v1", "ClusterRoleBinding", ACCOUNT, roleRef=role, subjects=[subject]),
    )
    path = server.folder / "reader"
    server.write_kubeconfig(path, server.kubectl("create", "token", ACCOUNT, "-n", FLUX_NAMESPACE).strip())
    return path


def _certificate(folder: Path) -> bytes:
    """Make a certificate for 127.0.0.1 that vouches for itself, under each name by which a program looks for it."""
    key = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "rehearsal")])
    now = datetime.datetime.now(datetime.UTC)
    subjects = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=365))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(subjects), critical=False)
        .sign(key, SHA256())
    ).public_bytes(Encoding.PEM)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    folder.mkdir()
    for path in ("tls", "apiserver"):
        (folder / f"{path}.crt").write_bytes(made)
        (folder / f"{path}.key").write_bytes(private)
    (folder / "ca.crt").write_bytes(made)
    return made
