"""What a Kubernetes API server says of who signs tokens (service account issuer discovery), and of some objects."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask import Response, request
from jwt.algorithms import RSAAlgorithm

from tests.fakes.server import FakeServer

ISSUER = "https://kubernetes.default.svc.cluster.local"


class FakeKubernetes(FakeServer):
    """An API server to use as a context manager; `key` signs, until another takes its place.

    `objects` are those that it has, by path. `read_again` is called with namespace and name of an ExternalSecret whose
    annotations change, as External Secrets would see it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.key, self.key_type = new_key(), "RSA"
        self.app.add_url_rule("/.well-known/openid-configuration/", view_func=lambda: {"issuer": ISSUER})
        self.app.add_url_rule("/openid/v1/jwks/", view_func=self._keys)
        self.objects: dict[str, Any] = {}
        self.versions = 0
        self.read_again: Callable[[str, str], None] = lambda _namespace, _name: None
        for root in ("api", "apis"):
            self.app.add_url_rule(f"/{root}/<path:_path>", root, self._object, methods=["GET"])
        synced = "/apis/external-secrets.io/v1/namespaces/<namespace>/externalsecrets/<name>"
        self.app.add_url_rule(synced, view_func=self._annotate, methods=["PATCH"])

    def put_secret(self, namespace: str, name: str, written: str = "2026-11-30T12:00:00Z", **values: str) -> None:
        """Write a Secret at a time."""
        self.versions += 1
        metadata = {"name": name, "namespace": namespace, "resourceVersion": str(self.versions)}
        metadata |= {"creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": [{"time": written}]}
        data = {key.replace("_", "-"): b64encode(value.encode()).decode() for key, value in values.items()}
        self.objects[f"/api/v1/namespaces/{namespace}/secrets/{name}"] = {"metadata": metadata, "data": data}

    def _object(self, _path: str) -> Any:
        found = self.objects.get(request.path)
        return Response("{}", 404) if found is None else found

    def _annotate(self, namespace: str, name: str) -> Any:
        if set(request.get_json()["metadata"]) != {"annotations"}:
            return Response("{}", 422)
        self.read_again(namespace, name)
        return {}

    @property
    def pem(self) -> str:
        """The public key, as Vault gives it back."""
        public = self.key.public_key()
        return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode().strip()

    def _keys(self) -> Any:
        public = RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {"keys": [{**public, "use": "sig", "alg": "RS256", "kty": self.key_type}]}


def new_key() -> RSAPrivateKey:
    """Return a key that signs tokens."""
    return generate_private_key(65537, 2048)
