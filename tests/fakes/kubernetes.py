"""What a Kubernetes API server says of who signs its service accounts' tokens (service account issuer discovery)."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm

from tests.fakes.server import FakeServer

ISSUER = "https://kubernetes.default.svc.cluster.local"


class FakeKubernetes(FakeServer):
    """An API server to use as a context manager; `key` signs, until another takes its place."""

    def __init__(self) -> None:
        super().__init__()
        self.key, self.key_type = new_key(), "RSA"
        self.app.add_url_rule("/.well-known/openid-configuration/", view_func=lambda: {"issuer": ISSUER})
        self.app.add_url_rule("/openid/v1/jwks/", view_func=self._keys)

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
