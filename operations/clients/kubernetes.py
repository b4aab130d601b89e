"""The API server of an environment's cluster."""

from __future__ import annotations

import base64
import json
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from kubernetes import client as kubernetes

from constructs_lib.base.errors import ConfigError
from constructs_lib.environment import Environment
from operations.clients.digitalocean import DigitalOcean
from operations.clients.http import ca_file

CREDENTIALS_SECONDS = 3600


def cluster_client(api: DigitalOcean, env: Environment) -> kubernetes.CustomObjectsApi:
    """Return a client of the environment's cluster, with credentials of its own that expire soon.

    Raises `ConfigError` if there is no such cluster.
    """
    cluster = api.cluster(env.cluster.name)
    if cluster is None:
        raise ConfigError(f"DigitalOcean has no cluster {env.cluster.name}; provision {env.name} first")
    given = api.get(f"/v2/kubernetes/clusters/{cluster['id']}/credentials", expiry_seconds=CREDENTIALS_SECONDS)
    settings = kubernetes.Configuration(host=given["server"], api_key={"authorization": f"Bearer {given['token']}"})
    settings.ssl_ca_cert = ca_file(base64.b64decode(given["certificate_authority_data"]).decode())
    return kubernetes.CustomObjectsApi(kubernetes.ApiClient(settings))


class Issuer(NamedTuple):
    """Who signs the tokens of a cluster's service accounts: its name, and its public keys in PEM."""

    name: str
    keys: list[str]


def issuer(client: kubernetes.ApiClient) -> Issuer:
    """Return who signs a cluster's tokens (kubernetes.io, "Service account issuer discovery").

    Raises `ConfigError` if a key is not RSA, the only kind that is known of DOKS.
    """
    name = _fetched(kubernetes.WellKnownApi(client).get_service_account_issuer_open_id_configuration)["issuer"]
    keys = _fetched(kubernetes.OpenidApi(client).get_service_account_issuer_open_id_keyset)["keys"]
    return Issuer(name, [_pem(key) for key in keys])


def _fetched(call: Any) -> Any:
    """Return the JSON that the client would take for a text."""
    return json.loads(call(_preload_content=False).data)


def _pem(key: dict[str, str]) -> str:
    if key["kty"] != "RSA":
        raise ConfigError(f"the cluster signs its tokens with a key of type {key['kty']}; only RSA is known here")
    numbers = RSAPublicNumbers(_number(key["e"]), _number(key["n"]))
    return numbers.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode().strip()


def _number(text: str) -> int:
    return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
