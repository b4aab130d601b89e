"""What stands beside the platform in the sandbox, and is thrown away with it: a Vault in memory, and an object store.

Upstream: hashicorp/vault 2.0.4 `command/server.go` (`-dev` adds what `-config` says), versity/versitygw v1.8.0
`cmd/versitygw`. Their images are named by tag: no digest of them is known here (decision 0007).
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from constructs_lib.kit import (
    CONFINED,
    ON_SYSTEM_POOL,
    Manifest,
    Room,
    claim,
    manifest,
    namespace,
    resources,
)
from operations.trying.keys import Keys
from operations.trying.place import MARK, NAME, STORE_PORT, VAULT_PORT

VAULT_IMAGE = "docker.io/hashicorp/vault:2.0.4"
STORE_IMAGE = "ghcr.io/versity/versitygw:v1.8.0"
ASKED = {"vault": ("50m", "256Mi"), "store": ("50m", "128Mi")}
OWN = Room(100, 384, 1)
"""What both ask for together."""
CERTIFICATE = "/certificate"
SCRATCH = "/tmp"  # noqa: S108 - in the container
LISTENER = {"address": f"0.0.0.0:{VAULT_PORT}", "tls_cert_file": f"{CERTIFICATE}/tls.crt"}
CONFIG = {"listener": [{"tcp": {**LISTENER, "tls_key_file": f"{CERTIFICATE}/tls.key"}}]}


def objects(keys: Keys, storage_class: str) -> Iterator[Manifest]:
    """Yield all of it, in a namespace of its own."""
    for item in (
        namespace(NAME, part_of=NAME),
        _secret("certificate", {"tls.crt": keys.certificate, "tls.key": keys.private_key}),
        _secret("keys", {"token": keys.vault_token, "id": keys.access_key_id, "secret": keys.secret_access_key}),
        manifest("v1", "ConfigMap", "vault", NAME, data={"vault.json": json.dumps(CONFIG)}),
        manifest("v1", "PersistentVolumeClaim", "store", NAME, spec=claim(storage_class, "5Gi")),
        _service("vault", VAULT_PORT, VAULT_PORT),
        _service("store", 443, STORE_PORT),
        _deployment("vault", _vault(), {"configMap": {"name": "vault"}}),
        _deployment("store", _store(), {"persistentVolumeClaim": {"claimName": "store"}}),
    ):
        item["metadata"].setdefault("labels", {}).update(MARK)
        yield item


def _vault() -> Manifest:
    # The development server listens for itself too, elsewhere than where the file says.
    environ = {"VAULT_DEV_LISTEN_ADDRESS": "127.0.0.1:8202", "HOME": SCRATCH}
    environ |= dict.fromkeys(("SKIP_CHOWN", "SKIP_SETCAP"), "true")
    plain = [{"name": name, "value": value} for name, value in environ.items()]
    return {
        "image": VAULT_IMAGE,
        "args": ["server", "-dev", "-dev-no-store-token", "-config=/own/vault.json"],
        "env": [*plain, _from_keys("VAULT_DEV_ROOT_TOKEN_ID", "token")],
        "volumeMounts": [{"name": "own", "mountPath": "/own"}],
        **_answers("/v1/sys/health", VAULT_PORT),
    }


def _store() -> Manifest:
    listens = ["--port", f":{STORE_PORT}", "--cert", f"{CERTIFICATE}/tls.crt", "--key", f"{CERTIFICATE}/tls.key"]
    return {
        "image": STORE_IMAGE,
        "args": [*listens, "--health", "/health", "posix", "--sidecar", "/own/notes", "/own/buckets"],
        "env": [_from_keys("ROOT_ACCESS_KEY_ID", "id"), _from_keys("ROOT_SECRET_ACCESS_KEY", "secret")],
        # File systems differ in what they keep beside a file's content, so it is kept in files too.
        "volumeMounts": [
            {"name": "own", "mountPath": f"/own/{part}", "subPath": part} for part in ("notes", "buckets")
        ],
        **_answers("/health", STORE_PORT),
    }


def _deployment(name: str, container: Manifest, own: Manifest) -> Manifest:
    mounts = [*container.pop("volumeMounts"), {"name": "certificate", "mountPath": CERTIFICATE}]
    mounts.append({"name": "scratch", "mountPath": SCRATCH})
    user = 65532
    pod: Manifest = {
        **ON_SYSTEM_POOL,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            **dict.fromkeys(("runAsUser", "runAsGroup", "fsGroup"), user),
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": name,
                **container,
                "resources": resources(*ASKED[name]),
                "securityContext": CONFINED,
                "volumeMounts": mounts,
            }
        ],
        "volumes": [
            {"name": "own", **own},
            {"name": "scratch", "emptyDir": {}},
            {"name": "certificate", "secret": {"secretName": "certificate"}},
        ],
    }
    labels = {"app": name, **MARK}
    template = {"metadata": {"labels": labels}, "spec": pod}
    spec = {"selector": {"matchLabels": {"app": name}}, "strategy": {"type": "Recreate"}, "template": template}
    return manifest("apps/v1", "Deployment", name, NAME, spec=spec)


def _answers(path: str, port: int) -> Manifest:
    return {"readinessProbe": {"httpGet": {"path": path, "port": port, "scheme": "HTTPS"}, "periodSeconds": 2}}


def _from_keys(variable: str, key: str) -> dict[str, Any]:
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": "keys", "key": key}}}


def _service(name: str, port: int, target: int) -> Manifest:
    spec = {"selector": {"app": name}, "ports": [{"name": "https", "port": port, "targetPort": target}]}
    return manifest("v1", "Service", name, NAME, spec=spec)


def _secret(name: str, data: dict[str, str]) -> Manifest:
    encoded = {key: b64encode(value.encode()).decode() for key, value in data.items()}
    return manifest("v1", "Secret", name, NAME, data=encoded)
