"""The API server of an environment's cluster."""

from __future__ import annotations

import base64
import json
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from kubernetes import client as kubernetes
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.stacks import CLUSTER_CA, CLUSTER_HOST, CLUSTER_TOKEN, given
from constructs_lib.environment import Environment
from operations.clients.digitalocean import DigitalOcean
from operations.clients.http import TIMEOUT_SECONDS, ca_file
from operations.console import mask

OTHERWISE = "set vault.auth to method kubernetes or approle"
"""What needs no keys of the cluster."""


class Access(NamedTuple):
    """The way to an API server: its address, a token, and the certificate in PEM that it is trusted by."""

    host: str
    token: str
    ca: str

    def variables(self) -> dict[str, str]:
        """Return the environment variables by which OpenTofu takes it."""
        return {given(CLUSTER_HOST): self.host, given(CLUSTER_TOKEN): self.token, given(CLUSTER_CA): self.ca}


def cluster_access(api: DigitalOcean, env: Environment) -> Access:
    """Return a way to the environment's cluster that is made anew, and lasts as long as the environment says.

    Raises `ConfigError` if there is no such cluster.
    """
    cluster = api.cluster(env.cluster.name)
    if cluster is None:
        raise ConfigError(f"DigitalOcean has no cluster {env.cluster.name}; provision {env.name} first")
    path = f"/v2/kubernetes/clusters/{cluster['id']}/credentials"
    found = api.get(path, expiry_seconds=env.cluster.kubeconfig_expire_seconds)
    mask(found["token"])
    return Access(found["server"], found["token"], base64.b64decode(found["certificate_authority_data"]).decode())


def cluster_client(api: DigitalOcean, env: Environment) -> kubernetes.CustomObjectsApi:
    """Return a client of the environment's cluster. Raises `ConfigError` as `cluster_access` does."""
    access = cluster_access(api, env)
    settings = kubernetes.Configuration(host=access.host, api_key={"authorization": f"Bearer {access.token}"})
    settings.ssl_ca_cert = ca_file(access.ca)
    return kubernetes.CustomObjectsApi(kubernetes.ApiClient(settings))


def refusal(error: ApiException) -> str | None:
    """Return what to do where a cluster takes no credentials of ours; nothing if it answers something else."""
    return f"refuses its credentials ({error.reason}); run this again" if error.status in {401, 403} else None


def no_answer(error: HTTPError) -> str:
    """Return what to do where an API server does not answer."""
    return f"no answer ({type(error).__name__}); is this address among those that may reach it?"


class Issuer(NamedTuple):
    """Who signs the tokens of a cluster's service accounts: its name, and its public keys in PEM."""

    name: str
    keys: list[str]


def issuer(client: kubernetes.ApiClient, cluster: str) -> Issuer:
    """Return who signs the tokens of a cluster of this name (kubernetes.io, "Service account issuer discovery").

    Raises `ConfigError` if it does not say so, or if a key is not RSA, the only kind that is known of DOKS.
    """
    name = _fetched(kubernetes.WellKnownApi(client).get_service_account_issuer_open_id_configuration, cluster)["issuer"]
    keys = _fetched(kubernetes.OpenidApi(client).get_service_account_issuer_open_id_keyset, cluster)["keys"]
    for key in keys:
        if key["kty"] != "RSA":
            found = f"signs its tokens with a key of type {key['kty']}, and only RSA is known here"
            raise ConfigError(f"cluster {cluster}: {found}; {OTHERWISE}")
    return Issuer(name, [_pem(key) for key in keys])


def _fetched(call: Any, cluster: str) -> Any:
    """Return the JSON that the client would take for a text."""
    try:
        return json.loads(call(_preload_content=False, _request_timeout=TIMEOUT_SECONDS).data)
    except ApiException as error:
        other = f"does not say who signs its tokens (it answers {error.status}); run this again, or {OTHERWISE}"
        why = refusal(error) or other
    except HTTPError as error:
        why = no_answer(error)
    raise ConfigError(f"cluster {cluster}: {why}")


def _pem(key: dict[str, str]) -> str:
    numbers = RSAPublicNumbers(_number(key["e"]), _number(key["n"]))
    return numbers.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode().strip()


def _number(text: str) -> int:
    return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
