"""The address at which GitHub Actions gives a job its OpenID Connect token (docs: OpenID Connect reference)."""

from __future__ import annotations

import time

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask import abort, request

from tests.fakes.server import FakeServer

REQUEST_TOKEN = "actions-id-token-request-token"
ISSUER = "https://token.actions.githubusercontent.com"


class FakeActions(FakeServer):
    """Signs tokens for jobs of one repository and branch; `public_key` is what Vault checks them with."""

    def __init__(self, repository: str = "df12-test/infrastructure", ref: str = "refs/heads/main") -> None:
        super().__init__()
        self.repository, self.ref = repository, ref
        self._key = generate_private_key(65537, 2048)
        self.tokens: list[str] = []
        self.app.add_url_rule("/token", view_func=self._token)

    @property
    def public_key(self) -> str:
        """The public key in PEM."""
        return self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def environment(self) -> dict[str, str]:
        """Return the variables that a job with `id-token: write` has."""
        url = f"{self.url}/token?api-version=2.0"
        return {"ACTIONS_ID_TOKEN_REQUEST_URL": url, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": REQUEST_TOKEN}

    def _token(self) -> dict[str, str]:
        if request.headers.get("Authorization") != f"Bearer {REQUEST_TOKEN}":
            abort(401, "Unauthorized")
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": request.args["audience"],
            "sub": f"repo:{self.repository}:ref:{self.ref}",
            "repository": self.repository,
            "ref": self.ref,
            "iat": now,
            "nbf": now - 5,
            "exp": now + 300,
        }
        self.tokens.append(jwt.encode(claims, self._key, "RS256"))
        return {"value": self.tokens[-1]}
