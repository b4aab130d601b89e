"""The contract with Vault: where it is, who logs in how, and which paths are whose."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from constructs_lib.base.belonging import COMMON, Own
from constructs_lib.base.bucket import AnyPurpose, AppBucket, BucketPurpose
from constructs_lib.base.change import FREELY
from constructs_lib.base.fields import Certificate, HttpsUrl, KeyPath, VaultName
from constructs_lib.base.neighbour import MOVES, Neighbour
from constructs_lib.base.purpose import Purpose
from constructs_lib.base.settings import Settings

OwnPath = Annotated[KeyPath, Own("path in Vault", within=("address", "namespace", "mount"), below=True)]
"""A path of the KV engine with all that is below it."""


class VaultLogin(Settings):
    """How a workflow logs in to Vault: with the token that GitHub signs for it (OpenID Connect)."""

    mount: Annotated[KeyPath, COMMON] = Field(description="Where Vault's JWT auth method for GitHub is mounted.")
    role: Annotated[VaultName, Own("role", within=("address", "namespace", "mount"))] = Field(
        description="How its roles begin: each purpose has one, `<role>-plan`, `<role>-apply` and so on."
    )

    def role_for(self, purpose: Purpose) -> str:
        """Return the role of a purpose."""
        return f"{self.role}-{purpose}"


class VaultServer(Settings):
    """Where Vault is and how a workflow logs in."""

    address: Annotated[HttpsUrl, COMMON]
    namespace: Annotated[KeyPath | None, COMMON] = Field(
        default=None, description="The namespace of HCP Vault or Vault Enterprise; mounts and paths are inside it."
    )
    ca_bundle: Annotated[Certificate | None, FREELY] = Field(
        default=None, description="PEM; leave out for a publicly trusted certificate."
    )
    ci: Annotated[VaultLogin, FREELY]


class GitOpsVault(VaultServer):
    """Where Vault keeps what the bootstrap of the GitOps repository needs."""

    mount: Annotated[KeyPath, COMMON]
    path: OwnPath = Field(description="What the bootstrap reads. Below it, how others reach GitHub, by purpose.")

    def github(self, purpose: Purpose) -> str:
        """Return where the access to GitHub is that a purpose has."""
        return self.path if purpose is Purpose.BOOTSTRAP else f"{self.path}/{purpose}"


class ServiceAccountAuth(Settings):
    """Vault login with a service account token: `jwt` checks its signature, `kubernetes` asks the API server."""

    method: Literal["jwt", "kubernetes"]
    mount: Annotated[KeyPath, Own("auth mount", within=("address", "namespace"))] = Field(
        description="Where the auth method is mounted; one mount for each cluster."
    )
    role: Annotated[VaultName, COMMON]
    audiences: Annotated[tuple[VaultName, ...], COMMON] = Field(
        default=("vault",),
        min_length=1,
        validate_default=True,
        description="Audiences of the token, Vault's first; with `kubernetes` also the issuer of the cluster's tokens.",
    )

    @field_validator("audiences")
    @classmethod
    def _are_for_the_api_server_too(cls, audiences: tuple[str, ...], others: ValidationInfo) -> tuple[str, ...]:
        if others.data.get("method") == "kubernetes" and len(audiences) == 1:
            raise ValueError(
                f"must be two or more with method kubernetes, found '{audiences[0]}' alone; add the issuer of the "
                "cluster's tokens, for the API server reviews none that is not meant for itself too"
            )
        return audiences


class AppRoleAuth(Settings):
    """Vault login with an AppRole. Its secret ID is never in a file: it comes as an OpenTofu variable."""

    method: Literal["approle"]
    mount: Annotated[KeyPath, COMMON]
    role_id: Annotated[VaultName, Own("role", within=("address", "namespace", "mount"))] = Field(
        description="The role's ID, which is no secret."
    )


class KvPaths(Settings):
    """Where the environment's secrets are in Vault's KV engine (version 2)."""

    mount: Annotated[KeyPath, COMMON]
    flux: OwnPath = Field(description="Flux's deploy key and age key.")
    platform: OwnPath = Field(description="Below it, the credentials of the platform's services.")
    provisioning: OwnPath = Field(
        description="What only `apply` reads. Below it, what those read who plan, and the state's."
    )

    def application(self, name: str) -> str:
        """Return the path below which an application's own secrets are; the platform's store reads them too."""
        return f"{self.platform}/apps/{name}"

    def key_of(self, purpose: AnyPurpose) -> str:
        """Return where the key of a bucket is."""
        if isinstance(purpose, AppBucket):
            return f"{self.application(purpose.application)}/buckets/{purpose.name}"
        return self.state if purpose is BucketPurpose.STATE else f"{self.platform}/{purpose}"

    @property
    def state(self) -> str:
        """Where the state's passphrase and the key of its bucket are, which all need who plan."""
        return f"{self.provisioning}/state"

    @property
    def plan(self) -> str:
        """Where the token and the key are that can change nothing."""
        return f"{self.provisioning}/plan"


class Vault(VaultServer):
    """The contract with the shared Vault: where it is, how a cluster logs in and what it may read."""

    inside: Annotated[Neighbour | None, MOVES] = Field(
        default=None, description="Where Vault stands if it is in the same cluster."
    )
    auth: Annotated[ServiceAccountAuth | AppRoleAuth, Field(discriminator="method")]
    kv: KvPaths

    @model_validator(mode="after")
    def _logins_are_apart(self) -> Self:
        if self.auth.mount == self.ci.mount:
            raise ValueError(
                f"auth.mount and ci.mount are both '{self.ci.mount}', and a mount trusts one issuer; choose another"
            )
        return self
