"""What stands beside the platform in the sandbox, and is thrown away with it: a Vault in memory, and an object store.

Upstream: hashicorp/vault 2.0.4 `command/server.go` (`-dev` adds what `-config` says), versity/versitygw v1.8.0
`cmd/versitygw`, `auth/iam_internal.go`. Their images are named by tag: no digest of them is known here (decision 0007).
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
STARTS_VAULT = """\
vault server -dev -dev-no-store-token -config=/own/vault.json 2>&1 | while IFS= read -r line; do
  case $line in *"$VAULT_DEV_ROOT_TOKEN_ID"* | *" Key: "*) ;; *) printf '%s\\n' "$line" ;; esac
done
"""
"""The development server prints its root token and its unseal key, by which another one is made: no log gets them. The
image's own entry point would have the token among the arguments too, which all processes of a node may read."""
POSIX = ("posix", "--sidecar", "/own/notes", "/own/buckets")
ACCOUNTS = "/accounts"
"""Where the object store finds who may log in beside its root."""


def objects(keys: Keys, storage_class: str) -> Iterator[Manifest]:
    """Yield all of it, in a namespace of its own."""
    for item in (
        namespace(NAME, part_of=NAME),
        _secret("certificate", {"tls.crt": keys.certificate, "tls.key": keys.private_key}),
        _secret("keys", {"token": keys.vault_token, "id": keys.access_key_id, "secret": keys.secret_access_key}),
        _secret("accounts", {"users.json": _accounts(keys)}),
        manifest("v1", "ConfigMap", "vault", NAME, data={"vault.json": json.dumps(CONFIG)}),
        manifest("v1", "PersistentVolumeClaim", "store", NAME, spec=claim(storage_class, "5Gi")),
        _service("vault", VAULT_PORT, VAULT_PORT),
        _service("store", 443, STORE_PORT),
        _deployment("vault", _vault(), own={"configMap": {"name": "vault"}}),
        _deployment(
            "store",
            _store(),
            own={"persistentVolumeClaim": {"claimName": "store"}},
            accounts={"secret": {"secretName": "accounts"}},
        ),
    ):
        item["metadata"].setdefault("labels", {}).update(MARK)
        yield item


def _accounts(keys: Keys) -> str:
    """Return the accounts of the object store: each may what its bucket's policy says, and nothing else."""
    accounts = {key: {"access": key, "secret": secret, "role": "user"} for key, secret in keys.of_buckets.values()}
    return json.dumps({"accessAccounts": accounts})


def _vault() -> Manifest:
    # The development server listens for itself too, elsewhere than where the file says.
    environ = {"VAULT_DEV_LISTEN_ADDRESS": "127.0.0.1:8202", "HOME": SCRATCH}
    environ |= dict.fromkeys(("SKIP_CHOWN", "SKIP_SETCAP"), "true")
    plain = [{"name": name, "value": value} for name, value in environ.items()]
    return {
        "image": VAULT_IMAGE,
        "command": ["/bin/sh", "-c", STARTS_VAULT],
        "env": [*plain, _from_keys("VAULT_DEV_ROOT_TOKEN_ID", "token")],
        "volumeMounts": [{"name": "own", "mountPath": "/own"}],
        **_answers("/v1/sys/health", VAULT_PORT),
    }


def _store() -> Manifest:
    listens = ["--port", f":{STORE_PORT}", "--cert", f"{CERTIFICATE}/tls.crt", "--key", f"{CERTIFICATE}/tls.key"]
    return {
        "image": STORE_IMAGE,
        "args": [*listens, "--health", "/health", "--iam-dir", ACCOUNTS, *POSIX],
        "env": [_from_keys("ROOT_ACCESS_KEY_ID", "id"), _from_keys("ROOT_SECRET_ACCESS_KEY", "secret")],
        # File systems differ in what they keep beside a file's content, so it is kept in files too.
        "volumeMounts": [
            *({"name": "own", "mountPath": f"/own/{part}", "subPath": part} for part in ("notes", "buckets")),
            {"name": "accounts", "mountPath": ACCOUNTS, "readOnly": True},
        ],
        **_answers("/health", STORE_PORT),
    }


def _deployment(name: str, container: Manifest, **volumes: Manifest) -> Manifest:
    mounts = [*container.pop("volumeMounts"), {"name": "certificate", "mountPath": CERTIFICATE}]
    mounts.append({"name": "scratch", "mountPath": SCRATCH})
    user = 65532
    pod: Manifest = {
        **ON_SYSTEM_POOL,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        # Nobody waits for what either has in memory, and a shell passes no signal on.
        "terminationGracePeriodSeconds": 2,
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
            *({"name": volume, **source} for volume, source in volumes.items()),
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
