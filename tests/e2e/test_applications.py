"""What the account of applications may do, asked of a real API server, and what is refused though its role says yes.

Each attack is tried twice: with all rights in the namespace and without the policies it gets through, so that it is an
attack and no mistake; with the policies it does not.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import yaml

from constructs_lib.environment.applications import SERVICES
from constructs_lib.kit import Manifest, manifest, namespace
from constructs_lib.platform import baseline
from gitops_render.example import example
from tests.e2e import rights
from tests.e2e.cluster import CRDS, TOOLS, Cluster
from tests.e2e.conftest import require
from tests.support import environment, parsed

APP = "episodic"
FLUX_APPS = "system:serviceaccount:flux-system:flux-app-episodic"
PLATFORM = "system:serviceaccount:flux-system:flux-platform"
POD = f"system:serviceaccount:{APP}:default"
CERT_MANAGER = "system:serviceaccount:cert-manager:cert-manager"
RBAC = "rbac.authorization.k8s.io"
BROUGHT = ("cert-manager", "external-secrets", "flux", "prometheus-operator", "traefik")
"""Whose kinds the API server gets."""
VERSIONS = {
    "v1": ("ConfigMap", "Namespace", "Secret", "Service"),
    "networking.k8s.io/v1": ("Ingress", "NetworkPolicy"),
    f"{RBAC}/v1": ("Role", "RoleBinding"),
    "admissionregistration.k8s.io/v1": ("ValidatingAdmissionPolicyBinding",),
    "cert-manager.io/v1": ("Certificate", "CertificateRequest", "Issuer"),
    "external-secrets.io/v1": ("ClusterSecretStore", "ExternalSecret", "SecretStore"),
    "kustomize.toolkit.fluxcd.io/v1": ("Kustomization",),
    "monitoring.coreos.com/v1": ("PodMonitor", "ServiceMonitor"),
    "source.toolkit.fluxcd.io/v1": ("GitRepository", "HelmRepository"),
}
ENV = environment()
OURS = [item for layer in ENV.layers for item in layer.manifests]
GRANTED = [item for layer in ENV.layers if layer.id == baseline.RBAC for item in layer.manifests]
EVERYTHING = manifest(
    f"{RBAC}/v1",
    "RoleBinding",
    "everything",
    APP,
    roleRef={"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"},
    subjects=[{"kind": "User", "name": name, "apiGroup": RBAC} for name in (FLUX_APPS, POD, CERT_MANAGER)],
)
"""All rights in the namespace: more than `admin` ever had."""


def whole(
    kind: str, name: str = "x", namespace: str = APP, metadata: Manifest | None = None, **body: object
) -> Manifest:
    """Return the object that the file says in short."""
    (version,) = (version for version, kinds in VERSIONS.items() if kind in kinds)
    item = manifest(version, kind, name, namespace or None, **body)
    item["metadata"] |= metadata or {}
    return item


FILE = parsed((Path(__file__).parent / "applications.yaml").read_text())
ATTACKS = {
    name: (whole(**item), sentence) for sentence, items in FILE["attacks"].items() for name, item in items.items()
}
GOOD, FORBIDDEN = ({name: whole(**item) for name, item in FILE[kind].items()} for kind in ("good", "forbidden"))
EACH = {sentence: attack for attack in ATTACKS.values() for sentence in attack[1:]}
"""One attack for each sentence."""
TAKEN = "serverside-applied"
END = ("delete", "networkpolicy", "default-deny", "-n", APP)
SENTENCE = "this policy closes the namespace"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """An API server with the kinds that applications use, and their namespace."""
    require(*TOOLS)
    if not CRDS.is_dir():
        pytest.skip(f"no CRDs in {CRDS}; set CRDS")
    with Cluster(tmp_path_factory.mktemp("cluster") / "cluster") as running:
        for name in BROUGHT:
            running.kubectl("apply", "--server-side", "-f", str(CRDS / f"{name}.yaml"))
        running.kubectl("wait", "crd", "--all", "--for=condition=Established", "--timeout=60s")
        running.apply(namespace("flux-system"), namespace("databases"), namespace(APP, part_of="apps"))
        running.apply(
            *(item for item in OURS if item["kind"] == "NetworkPolicy" and item["metadata"]["namespace"] == APP)
        )
        yield running


def tried(cluster: Cluster, item: Manifest, user: str = FLUX_APPS) -> str:
    """Return what the API server says to an object that an account applies, of which nothing stays."""
    asked = ("apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-", f"--as={user}")
    return cluster.kubectl(*asked, text=yaml.safe_dump(item), code=None)


def not_so(cluster: Cluster, wanted: dict[str, tuple[Manifest, str]], user: str = FLUX_APPS) -> dict[str, str]:
    """Return what the API server says to each object where that is not what is wanted."""
    said = {name: tried(cluster, item, user) for name, (item, _) in wanted.items()}
    return {name: text for name, text in said.items() if wanted[name][1] not in text}


@pytest.fixture(scope="module")
def before(cluster: Cluster) -> dict[str, str]:
    """What the API server says to attacks without the policies, where it does not take them."""
    end = cluster.kubectl(*END, "--dry-run=server", f"--as={PLATFORM}", code=None)
    assert "orbidden" in end, "nobody has rights yet"
    cluster.apply(EVERYTHING, GOOD["a role"])
    said = not_so(cluster, {name: (item, TAKEN) for name, (item, _) in ATTACKS.items()})
    end = cluster.kubectl(*END, "--dry-run=server", f"--as={FLUX_APPS}", code=None)
    return said if "deleted" in end else {**said, "the end of default-deny": end}


@pytest.fixture(scope="module")
def closed(cluster: Cluster, before: dict[str, str]) -> Cluster:
    """The API server once the policies hold: it takes a moment to know them."""
    cluster.apply(*GRANTED)
    for sentence, (item, _) in EACH.items():
        for _ in range(60):
            if sentence in tried(cluster, item):
                break
            time.sleep(0.2)
    return cluster


def test_the_platform_asks_the_internal_ca_for_the_name_of_a_host_and_nobody_else_may(closed: Cluster) -> None:
    issuer = {"issuer": "internal-ca", "dns_challenge": None}
    layers = environment(platform__cert_manager=issuer).layers
    items = [item for layer in layers for item in layer.manifests if item["metadata"].get("namespace") == APP]
    (certificate,) = (item for item in items if (item["kind"], item["metadata"]["name"]) == ("Certificate", "www-tls"))
    assert TAKEN in tried(closed, certificate, PLATFORM)
    for user in (FLUX_APPS, CERT_MANAGER):
        assert "signs for Services of the application's own namespace alone" in tried(closed, certificate, user)


def test_the_example_of_an_application_is_taken_and_so_is_its_pod(closed: Cluster) -> None:
    files = example(APP, dict.fromkeys(SERVICES, "main"), ENV.name)
    found = {path.name: parsed(data) for path, data in files.items() if path.suffix == ".yaml"}
    listing = found.pop("kustomization.yaml")
    assert [*found] == listing["resources"]
    for item in found.values():
        item["metadata"]["namespace"] = listing["namespace"]
        assert TAKEN in tried(closed, item)
    pod = manifest("v1", "Pod", APP, APP, spec=found["deployment.yaml"]["spec"]["template"]["spec"])
    asked = ("apply", "--server-side", "--dry-run=server", "-f", "-")
    assert TAKEN in closed.kubectl(*asked, text=yaml.safe_dump(pod), code=None)
    del pod["spec"]["securityContext"]
    assert "violates PodSecurity" in closed.kubectl(*asked, text=yaml.safe_dump(pod), code=None)


@pytest.fixture
def with_our_rights_alone(closed: Cluster) -> Iterator[Cluster]:
    """The API server on which nobody has all rights in the namespace."""
    closed.kubectl("delete", "rolebinding", "everything", "-n", APP)
    yield closed
    closed.apply(EVERYTHING)


def test_every_attack_gets_through_without_the_policies(before: dict[str, str]) -> None:
    assert before == {}, "a mistake, no attack"


def test_every_attack_is_refused_with_the_policies(closed: Cluster) -> None:
    assert not_so(closed, ATTACKS) == {}


def test_pods_of_an_application_are_refused_as_its_account_is(closed: Cluster) -> None:
    assert not_so(closed, EACH, POD) == {}


@pytest.mark.parametrize("user", [FLUX_APPS, POD])
def test_nobody_of_an_application_deletes_what_closes_its_namespace(closed: Cluster, user: str) -> None:
    assert SENTENCE in closed.kubectl(*END, f"--as={user}", code=1)


def test_cert_manager_makes_no_certificate_of_an_ingress_that_its_application_may_not_have(closed: Cluster) -> None:
    by_annotation = ("a name of another namespace", "a common name", "a wildcard", "a wildcard as common name")
    assert not_so(closed, {name: ATTACKS[name] for name in by_annotation}, CERT_MANAGER) == {}
    assert TAKEN in tried(closed, GOOD["a public certificate"], CERT_MANAGER)


def test_what_applications_need_is_theirs(with_our_rights_alone: Cluster) -> None:
    assert not_so(with_our_rights_alone, {name: (item, TAKEN) for name, item in GOOD.items()}) == {}


def test_what_the_role_does_not_hold_is_forbidden(with_our_rights_alone: Cluster) -> None:
    assert not_so(with_our_rights_alone, {name: (item, "orbidden") for name, item in FORBIDDEN.items()}) == {}


def test_the_platform_goes_on_doing_what_it_does(with_our_rights_alone: Cluster) -> None:
    kinds = {"Certificate", "ConfigMap", "NetworkPolicy", "RoleBinding"}
    made = [item for item in OURS if item["metadata"].get("namespace") == APP and item["kind"] in kinds]
    assert {item["kind"] for item in made} == kinds
    wanted = {f"{item['kind']} {item['metadata']['name']}": (item, TAKEN) for item in made}
    assert not_so(with_our_rights_alone, wanted, PLATFORM) == {}


def test_each_cell_of_resource_and_verb_is_as_it_is_written_here(with_our_rights_alone: Cluster) -> None:
    cluster = with_our_rights_alone
    session = requests.Session()
    session.trust_env, session.verify = False, str(cluster.folder / "certs/apiserver.crt")
    session.headers["Authorization"] = f"Bearer {cluster.token}"
    asked = rights.Asked(session, cluster.url, FLUX_APPS)
    kinds = list(rights.resources(cluster))
    assert rights.allowed(asked, APP, kinds) == rights.expected(kinds)
    for elsewhere in ("databases", "flux-system", ""):
        assert rights.allowed(asked, elsewhere, kinds) == {}
