"""How an ACME server is told who asks, and shown that the domain is ours by a record of DNS (DNS-01).

Upstream: cert-manager v1.21.1 `pkg/apis/acme/v1/types_issuer.go` (ACMEExternalAccountBinding,
ACMEIssuerDNS01ProviderCloudflare, ACMEIssuerDNS01ProviderRoute53).
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from constructs_lib.base.belonging import COMMON
from constructs_lib.base.fields import VaultName
from constructs_lib.base.settings import Settings
from constructs_lib.platform.vault_eso import DNS_TOKEN, InVault

ACME = {
    "letsencrypt-staging": "https://acme-staging-v02.api.letsencrypt.org/directory",
    "letsencrypt-production": "https://acme-v02.api.letsencrypt.org/directory",
}
AcmeStage = Literal["letsencrypt-staging", "letsencrypt-production"]

ACCOUNT_SECRET = "acme-account"  # noqa: S105 - a name, in Vault and of the Secret
ACCOUNT_KEY = "hmac_key"


class _Challenge(Settings):
    secret: ClassVar[str]
    """The entry in Vault below the platform's path, and the name of the Secret."""
    keys: ClassVar[tuple[str, ...]] = ("token",)
    """The properties of the entry, and the keys of the Secret."""

    @property
    def entry(self) -> InVault:
        """What Vault has to hold."""
        return InVault(self.secret, {key: key for key in self.keys})

    def _key(self, key: str) -> dict[str, str]:
        return {"name": self.secret, "key": key}


class DigitalOcean(_Challenge):
    """The zone is at DigitalOcean."""

    provider: Literal["digitalocean"] = "digitalocean"
    secret: ClassVar[str] = DNS_TOKEN

    def solver(self) -> dict[str, Any]:
        """Return the solver of cert-manager."""
        return {"digitalocean": {"tokenSecretRef": self._key("token")}}


class Cloudflare(_Challenge):
    """The zone is at Cloudflare; the token may edit it (`Zone:DNS:Edit`, `Zone:Zone:Read`)."""

    provider: Literal["cloudflare"]
    secret: ClassVar[str] = "cloudflare-dns"  # noqa: S105 - a name

    def solver(self) -> dict[str, Any]:
        """Return the solver of cert-manager."""
        return {"cloudflare": {"apiTokenSecretRef": self._key("token")}}


class Route53(_Challenge):
    """The zone is at Amazon Route 53, reached with the key of a user who may change it."""

    provider: Literal["route53"]
    hosted_zone: Annotated[VaultName | None, COMMON] = Field(
        default=None, description="The zone's ID; without it the user has to be able to list zones."
    )
    secret: ClassVar[str] = "route53-dns"  # noqa: S105 - a name
    keys: ClassVar[tuple[str, ...]] = ("access_key_id", "secret_access_key")

    def solver(self) -> dict[str, Any]:
        """Return the solver of cert-manager."""
        found: dict[str, Any] = {
            "accessKeyIDSecretRef": self._key("access_key_id"),
            "secretAccessKeySecretRef": self._key("secret_access_key"),
        }
        return {"route53": found if self.hosted_zone is None else {**found, "hostedZoneID": self.hosted_zone}}


DnsChallenge = Annotated[DigitalOcean | Cloudflare | Route53, Field(discriminator="provider")]


class ExternalAccount(Settings):
    """The account at an ACME server that knows its customers; Vault holds its key, base64 for URLs, as `hmac_key`."""

    key_id: Annotated[VaultName, COMMON] = Field(description="The key's ID, which is no secret.")

    def binding(self) -> dict[str, Any]:
        """Return the binding of cert-manager."""
        return {"keyID": self.key_id, "keySecretRef": {"name": ACCOUNT_SECRET, "key": ACCOUNT_KEY}}
