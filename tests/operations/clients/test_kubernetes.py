"""The client of an environment's cluster."""

from __future__ import annotations

from pathlib import Path

import pytest
from kubernetes import client as kubernetes

from constructs_lib.base.errors import ConfigError
from operations.clients import kubernetes as clients
from operations.clients.digitalocean import DigitalOcean
from operations.clients.kubernetes import cluster_client, issuer
from tests.fakes.digitalocean import FakeDigitalOcean
from tests.fakes.kubernetes import ISSUER, FakeKubernetes
from tests.fakes.server import Fault
from tests.support import environment


def test_it_has_credentials_of_its_own_that_expire(monkeypatch: pytest.MonkeyPatch) -> None:
    env = environment(cluster__kubeconfig_expire_seconds=900)
    with FakeDigitalOcean(server="https://cluster.example", ca=b"certificate") as fake:
        monkeypatch.setenv("DIGITALOCEAN_API_URL", fake.url)
        api = DigitalOcean(fake.token)
        with pytest.raises(ConfigError, match="DigitalOcean has no cluster episodic-sandbox; provision sandbox first"):
            cluster_client(api, env)
        cluster = fake.add_cluster(env.cluster.name)
        client = cluster_client(api, env).api_client
        path = f"/v2/kubernetes/clusters/{cluster['id']}/credentials?expiry_seconds=900"
        assert fake.requests[-1].path == path
    settings = client.configuration
    assert settings.host == "https://cluster.example"
    assert settings.get_api_key_with_prefix("authorization") == f"Bearer {fake.cluster_token}"
    assert Path(str(settings.ssl_ca_cert)).read_text() == "certificate"


def test_a_key_that_is_not_rsa_is_told() -> None:
    with FakeKubernetes() as server:
        client = kubernetes.ApiClient(kubernetes.Configuration(host=server.url))
        assert issuer(client, "mine") == (ISSUER, [server.pem])
        server.key_type = "EC"
        sentence = "cluster mine: signs its tokens with a key of type EC, and only RSA is known here; set vault.auth to"
        with pytest.raises(ConfigError, match=sentence):
            issuer(client, "mine")


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (401, r"cluster mine: refuses its credentials \(UNAUTHORIZED\); run this again"),
        (403, r"cluster mine: refuses its credentials \(FORBIDDEN\); run this again"),
        (404, r"cluster mine: does not say who signs its tokens \(it answers 404\); run this again"),
    ],
)
def test_an_api_server_that_refuses_is_told(status: int, sentence: str) -> None:
    with FakeKubernetes() as server:
        server.faults.append(Fault("GET", "/openid/v1/jwks/", status=status))
        client = kubernetes.ApiClient(kubernetes.Configuration(host=server.url))
        with pytest.raises(ConfigError, match=sentence):
            issuer(client, "mine")


def test_an_api_server_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "TIMEOUT_SECONDS", 0.2)
    with FakeKubernetes() as server:
        server.faults.append(Fault("GET", "/openid/v1/jwks/", times=9, delay_seconds=0.5))
        client = kubernetes.ApiClient(kubernetes.Configuration(host=server.url))
        with pytest.raises(ConfigError, match=r"cluster mine: no answer \(MaxRetryError\); is this address among"):
            issuer(client, "mine")
