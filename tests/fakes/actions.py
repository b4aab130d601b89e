"""The address at which GitHub Actions gives a job its OpenID Connect token (docs: OpenID Connect reference)."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import jwt
import yaml
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask import abort, request

from tests.fakes.server import FakeServer
from tests.support import ROOT

REQUEST_TOKEN = "actions-id-token-request-token"
ISSUER = "https://token.actions.githubusercontent.com"


class FakeActions(FakeServer):
    """Signs tokens for jobs of one repository and branch; `public_key` is what Vault checks them with.

    Which job asks is in the address that it was given (`environment`, or the stub of `setup-python` in a workflow):
    its file and its GitHub environment are those of the workflows in `folder`.
    """

    def __init__(self, folder: Path = ROOT / ".github/workflows") -> None:
        super().__init__()
        self.repository, self.ref = "df12-test/infrastructure", "refs/heads/main"
        self.repository_id, self.repository_owner_id = "1001", "4242"
        self._jobs = dict(_jobs(folder))
        self._key = generate_private_key(65537, 2048)
        self.tokens: list[str] = []
        self.app.add_url_rule("/token", view_func=self._token)

    @property
    def public_key(self) -> str:
        """The public key in PEM."""
        return self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def environment(self, job: str = "", environment: str = "") -> dict[str, str]:
        """Return the variables that a job with `id-token: write` has, for an environment of ours."""
        asks = f"&job={job}&environment={environment}" if job else ""
        url = f"{self.url}/token?api-version=2.0{asks}"
        return {"ACTIONS_ID_TOKEN_REQUEST_URL": url, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": REQUEST_TOKEN}

    def claims(self, job: str, environment: str) -> dict[str, str]:
        """Return the claims about a job, as GitHub makes them."""
        claims = {
            "sub": f"repo:{self.repository}:ref:{self.ref}",
            "repository": self.repository,
            "repository_id": self.repository_id,
            "repository_owner_id": self.repository_owner_id,
            "ref": self.ref,
        }
        if job in self._jobs:
            file, place = self._jobs[job]
            claims["job_workflow_ref"] = f"{self.repository}/.github/workflows/{file}@{self.ref}"
            if place:
                claims["environment"] = re.sub(r"\$\{\{ [\w.]+ \}\}", environment, place)
                claims["sub"] = f"repo:{self.repository}:environment:{claims['environment']}"
        return claims

    def signed(self, audience: str, **claims: str) -> str:
        """Return a token with these claims."""
        now = int(time.time())
        times = {"iat": now, "nbf": now - 5, "exp": now + 300}
        return jwt.encode({"iss": ISSUER, "aud": audience, **claims, **times}, self._key, "RS256")

    def _token(self) -> dict[str, str]:
        if request.headers.get("Authorization") != f"Bearer {REQUEST_TOKEN}":
            abort(401, "Unauthorized")
        asking = self.claims(request.args.get("job", ""), request.args.get("environment", ""))
        self.tokens.append(self.signed(request.args["audience"], **asking))
        return {"value": self.tokens[-1]}


def _jobs(folder: Path) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield each job that may ask for a token, with its file and its GitHub environment."""
    for path in sorted(folder.glob("*.yml")):
        for name, job in yaml.safe_load(path.read_text())["jobs"].items():
            if "id-token" in job["permissions"] and "uses" not in job:
                yield name, (path.name, job.get("environment", ""))
