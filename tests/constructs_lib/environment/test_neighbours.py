"""A Vault, an object store and the tree's bucket that stand in the same cluster, or show a certificate of their own."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from constructs_lib.cloud.fluxcd import Flux
from constructs_lib.environment import Environment
from constructs_lib.kit import INTERNET, Pods
from gitops_render.tree import render
from tests.support import ON_EXISTING, environment, environment_data, existing, parsed, synthesised

CA = "-----BEGIN CERTIFICATE-----\nours\n-----END CERTIFICATE-----\n"
STORE: dict[str, Any] = {**ON_EXISTING["backups"], "ca_bundle": CA, "inside": {"namespace": "minio", "port": 9000}}
TREE: dict[str, Any] = {"bucket": "lab-tree", "region": "lab", "address": "https://s3.example.org:443", "ca_bundle": CA}


def ends(env: Environment, namespace: str, name: str) -> set[tuple[Any, tuple[Any, ...]]]:
    """Return where the links of a set of pods lead that go to the outside, or to a neighbour."""

    def is_theirs(pods: object) -> bool:
        return isinstance(pods, Pods) and (pods.namespace, pods.name) == (namespace, name)

    own = [link for link in env.platform.links(env) if is_theirs(link.source)]
    return {(link.target, link.ports) for link in own if link.target == INTERNET or link.target.name == "neighbour"}


@pytest.mark.parametrize(("namespace", "name"), [("databases", "main"), ("drills", "main")])
def test_the_way_to_a_store_inside_is_to_its_pods_and_no_longer_to_the_outside(namespace: str, name: str) -> None:
    assert ends(existing(), namespace, name) == {(INTERNET, (443,))}
    assert ends(existing(backups=STORE), namespace, name) == {(Pods("minio", "neighbour"), (9000,))}


def test_so_is_the_way_to_vault_of_applications_too() -> None:
    vault = {**environment_data()["vault"], "inside": {"namespace": "vault", "port": 8201}}
    env = existing(vault=vault)
    inside = (Pods("vault", "neighbour"), (8201,))
    assert ends(existing(), "external-secrets", "controller") == {(INTERNET, (8200,))}
    assert ends(env, "external-secrets", "controller") == {inside}
    assert inside in ends(env, "episodic", "apps")


def test_policies_select_every_pod_of_the_neighbours_namespace() -> None:
    files = render(existing(backups=STORE)).owned
    (policy,) = (parsed(data) for path, data in files.items() if path.name == "networkpolicy-drills-main.yaml")
    (rule,) = policy["spec"]["egress"]
    assert rule["ports"] == [{"port": 9000, "protocol": "TCP"}]
    peer = {"podSelector": {}, "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "minio"}}}
    assert rule["to"] == [peer]


def objects(env: Environment, kind: str) -> list[dict[str, Any]]:
    return [item for layer in env.layers for item in layer.manifests if item["kind"] == kind]


def test_whoever_reads_the_bucket_trusts_its_server() -> None:
    env = existing(backups=STORE)
    secrets = [item for item in objects(env, "ExternalSecret") if item["metadata"]["name"] == "backups"]
    drilled = {"databases": "drills", "messaging": "messaging-drills", "cache": "cache-drills"}
    assert {item["metadata"]["namespace"] for item in secrets} == {*drilled, *drilled.values()}
    for item in secrets:
        data = item["spec"]["target"]["template"]["data"]
        assert data["ca.crt"] == CA
        assert {data[key] for key in ("ACCESS_KEY_ID", "ACCESS_SECRET_KEY")} == {
            "{{ .ACCESS_KEY_ID }}",
            "{{ .ACCESS_SECRET_KEY }}",
        }
    (store,) = objects(env, "ObjectStore")
    assert store["spec"]["configuration"]["endpointCA"] == {"name": "backups", "key": "ca.crt"}
    jobs = objects(env, "CronJob")
    assert len(jobs) == 5, "drills of all three, copies of two"
    for job in jobs:
        pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        for container in (*pod["initContainers"], *pod["containers"]):
            reads = "AWS_ACCESS_KEY_ID" in {item["name"] for item in container.get("env", ())}
            assert ({"name": "AWS_CA_BUNDLE", "value": "/trusted/ca.crt"} in container.get("env", ())) == reads
            mounted = {"name": "trusted", "mountPath": "/trusted", "readOnly": True} in container["volumeMounts"]
            assert mounted == reads
        (volume,) = (item for item in pod["volumes"] if item["name"] == "trusted")
        assert volume["secret"] == {"secretName": "backups", "items": [{"key": "ca.crt", "path": "ca.crt"}]}


def test_a_public_certificate_needs_none_of_it() -> None:
    assert "endpointCA" not in json.dumps(objects(existing(), "ObjectStore"))
    assert "AWS_CA_BUNDLE" not in json.dumps(objects(existing(), "CronJob"))
    assert all(
        "template" not in item["spec"]["target"]
        for item in objects(existing(), "ExternalSecret")
        if item["metadata"]["name"] == "backups"
    )


@pytest.mark.parametrize("key", ["ca_bundle", "inside"])
def test_spaces_is_public_and_outside(key: str) -> None:
    bucket = {"bucket": "lab-backups", "region": "lon1", key: STORE[key]}
    with pytest.raises(
        ValidationError, match=f"{key} is for another S3 than Spaces; add its address, or leave {key} out"
    ):
        existing(backups=bucket)


def flux(**changes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the Secret and the instance of Flux."""
    env = existing(**changes)
    stack = synthesised(lambda made: Flux(made, "flux", env=env))
    (secret,) = stack.all("kubernetes_secret_v1").values()
    (text,) = stack.only("helm_release", name="flux")["values"]
    (instance,) = (item for item in json.loads(text)["objects"] if item["kind"] == "FluxInstance")
    return secret["data_wo"], instance["spec"]


def test_flux_follows_a_bucket_by_its_key_and_trusts_its_server() -> None:
    secret, spec = flux(source=TREE)
    assert secret == {
        "accesskey": "${var.source_access_key_id}",
        "secretkey": "${var.source_secret_access_key}",
        "ca.crt": CA,
    }
    followed = {key: spec["sync"][key] for key in ("kind", "url", "ref", "pullSecret")}
    wanted = {"kind": "Bucket", "url": "s3.example.org:443", "ref": "lab-tree", "pullSecret": "flux-system"}
    assert followed == wanted
    (patch,) = (item for item in spec["kustomize"]["patches"] if item["target"] == {"kind": "Bucket"})
    change = {"op": "add", "path": "/spec/certSecretRef", "value": {"name": "flux-system"}}
    assert json.loads(patch["patch"]) == [change]


def test_flux_tells_of_a_bucket_that_it_cannot_read() -> None:
    for env, told in ((existing(source=TREE), True), (existing(), False)):
        (alert,) = objects(env, "Alert")
        assert ({"kind": "Bucket", "name": "*"} in alert["spec"]["eventSources"]) is told


def test_a_server_that_everybody_trusts_needs_no_patch() -> None:
    secret, spec = flux(source={**TREE, "ca_bundle": None})
    assert "ca.crt" not in secret
    assert {"kind": "Bucket"} not in [item["target"] for item in spec["kustomize"]["patches"]]


def test_every_layer_comes_from_the_bucket() -> None:
    tree = render(existing(source=TREE))
    (source,) = (parsed(data) for path, data in tree.seeds.items() if path.name == "source.yaml")
    assert source["kind"] == "Bucket"
    assert source["spec"] == {
        "interval": "1m",
        "secretRef": {"name": "flux-system"},
        "endpoint": "s3.example.org:443",
        "bucketName": "lab-tree",
        "region": "lab",
        "certSecretRef": {"name": "flux-system"},
    }
    layers = [
        parsed(data)
        for path, data in tree.owned.items()
        if "/layers" in str(path) and path.name != "kustomization.yaml"
    ]
    assert len(layers) > 20
    assert {item["spec"]["sourceRef"]["kind"] for item in layers} == {"Bucket"}
    untrusted = render(existing(source={**TREE, "ca_bundle": None})).seeds
    assert "certSecretRef" not in str([data for path, data in untrusted.items() if path.name == "source.yaml"])


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"tier": "staging", "reviewers": {"teams": ["a"]}}, "source is for the tier sandbox: a bucket has no review"),
        ({"source": {"bucket": "a-tree", "region": "lon1"}}, "source.address is missing"),
    ],
)
def test_a_bucket_is_a_source_of_sandboxes_alone(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        existing(**{"source": TREE, **changes})


@pytest.mark.parametrize("key", ["backups", "state"])
def test_nobody_writes_where_flux_reads_by_the_key_of_something_else(key: str) -> None:
    bucket = {name: value for name, value in TREE.items() if name != "ca_bundle" or key == "backups"}
    with pytest.raises(ValidationError, match=f"source is the bucket of {key}, 'lab-tree': who writes there would be"):
        existing(**{"source": TREE, key: bucket})
    existing(**{"source": TREE, key: {**bucket, "address": "https://another.example.org"}})
    existing(**{"source": TREE, key: {**bucket, "bucket": "another"}})


def test_a_cluster_of_digitalocean_follows_the_repository() -> None:
    with pytest.raises(ValidationError, match="source is for an existing cluster, found one of DigitalOcean"):
        environment(source=TREE)
    assert environment().source is None


def issuers(**changes: Any) -> Environment:
    return existing(platform__cert_manager={"issuer": "internal-ca", "dns_challenge": None, **changes})


def test_the_internal_ca_signs_the_hosts_certificate_and_nobody_outside_is_asked() -> None:
    env = issuers()
    names = {item["metadata"]["name"] for item in objects(env, "ClusterIssuer")}
    assert names == {"self-signed", "internal-ca"}
    (host,) = (item for item in objects(env, "Certificate") if item["metadata"]["namespace"] == "traefik")
    assert host["spec"]["issuerRef"]["name"] == "internal-ca"
    assert host["spec"]["dnsNames"] == [f"ingress.{env.domain}"]
    assert ends(env, "cert-manager", "controller") == set()
    assert ends(existing(), "cert-manager", "controller") != set()
    assert not [*env.platform.cert_manager.solved(env)]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"dns_challenge": {"provider": "digitalocean"}}, "dns_challenge is for an ACME server.*; set it to null"),
        (
            {"servers": {"letsencrypt-staging": "https://acme.example.org"}},
            "servers is for an ACME server.*; leave it out",
        ),
        ({"external_account": {"key_id": "a"}}, "external_account is for an ACME server.*; leave it out"),
    ],
)
def test_what_is_for_an_acme_server_is_refused_beside_it(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        issuers(**changes)
