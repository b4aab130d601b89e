"""The API server of an environment's cluster."""

from __future__ import annotations

import base64

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
