"""The API server of an environment's cluster."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from kubernetes import client as kubernetes
from kubernetes import config
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.stacks import CLUSTER_CA, CLUSTER_HOST, CLUSTER_TOKEN, given
from constructs_lib.environment import Environment
from constructs_lib.kit import ROLE_LABEL, SYSTEM_ROLE
from operations.clients.digitalocean import DigitalOcean, Resource
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


def way_in(api: DigitalOcean, env: Environment) -> dict[str, str]:
    """Return the environment variables by which OpenTofu reaches the environment's cluster.

    Raises `ConfigError` as `cluster_access` and `context_client` do.
    """
    if env.cluster.provider == "digitalocean":
        return cluster_access(api, env).variables()
    context_client(env.cluster.context)
    return {"KUBE_CONFIG_PATHS": kubeconfig()}


def kubeconfig() -> str:
    """Return where the user's kubeconfig is, also for who runs elsewhere: a file, or several as in `KUBECONFIG`."""
    named = os.environ.get("KUBECONFIG") or str(Path.home() / ".kube/config")
    return os.pathsep.join(str(Path(path).absolute()) for path in named.split(os.pathsep) if path)


def context_client(context: str) -> kubernetes.ApiClient:
    """Return a client for a context of the user's kubeconfig. Raises `ConfigError` if there is none of this name."""
    try:
        return config.new_client_from_config(kubeconfig(), context)
    except config.ConfigException as error:
        found = " ".join(str(error).split())
        raise ConfigError(
            f"context {context}: {found}; see `kubectl config get-contexts`, or let KUBECONFIG name another file"
        ) from None


def cluster_access(api: DigitalOcean, env: Environment, known: Resource | None = None) -> Access:
    """Return a way to the environment's cluster that is made anew, and lasts as long as the environment says.

    Who has looked the cluster up already says what is `known` of it. Raises `ConfigError` if there is no such cluster.
    """
    cluster = known or api.cluster(env.cluster.name)
    if cluster is None:
        raise ConfigError(f"DigitalOcean has no cluster {env.cluster.name}; provision {env.name} first")
    path = f"/v2/kubernetes/clusters/{cluster['id']}/credentials"
    found = api.get(path, expiry_seconds=env.doks.kubeconfig_expire_seconds)
    mask(found["token"])
    return Access(found["server"], found["token"], base64.b64decode(found["certificate_authority_data"]).decode())


def cluster_client(api: DigitalOcean, env: Environment, known: Resource | None = None) -> kubernetes.CustomObjectsApi:
    """Return a client of the environment's cluster. Raises `ConfigError` as `cluster_access` does."""
    if env.cluster.provider == "existing":
        return kubernetes.CustomObjectsApi(context_client(env.cluster.context))
    access = cluster_access(api, env, known)
    settings = kubernetes.Configuration(host=access.host, api_key={"authorization": f"Bearer {access.token}"})
    settings.ssl_ca_cert = ca_file(access.ca)
    return kubernetes.CustomObjectsApi(kubernetes.ApiClient(settings))


def about(client: kubernetes.ApiClient) -> str:
    """Return the version of a cluster and how many of its nodes are the platform's.

    Raises `ConfigError` if it does not answer, or if no node has the label by which the platform finds its nodes.
    """
    label = f"{ROLE_LABEL}={SYSTEM_ROLE}"
    try:
        version: Any = kubernetes.VersionApi(client).get_code(_request_timeout=TIMEOUT_SECONDS)
        nodes: Any = kubernetes.CoreV1Api(client).list_node(label_selector=label, _request_timeout=TIMEOUT_SECONDS)
    except ApiException as error:
        raise ConfigError(f"the cluster {refusal(error) or f'answers {error.status}'}") from None
    except HTTPError as error:
        raise ConfigError(f"the cluster gives {no_answer(error)}") from None
    if not nodes.items:
        raise ConfigError(f"no node has the label {label}: nothing would start; `kubectl label nodes NODE {label}`")
    return f"{version.git_version}, {len(nodes.items)} nodes with {label}"


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
