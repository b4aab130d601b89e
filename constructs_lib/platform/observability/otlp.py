"""A backend outside of the cluster that takes OTLP, such as a vendor's.

Upstream: open-telemetry/opentelemetry-collector 0.158.0 `exporter/otlphttpexporter/README.md` (`headers`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from constructs_lib.base.belonging import COMMON
from constructs_lib.base.fields import HttpsUrl
from constructs_lib.base.service_fields import HeaderName
from constructs_lib.base.settings import Settings
from constructs_lib.kit import Manifest
from constructs_lib.platform.observability.names import NAMESPACE
from constructs_lib.platform.vault_eso import InVault, external_secret

if TYPE_CHECKING:
    from constructs_lib.environment import Environment


class Otlp(Settings):
    """Where a signal is sent by OTLP over HTTP, and by which headers the backend knows the sender."""

    endpoint: Annotated[HttpsUrl, COMMON]
    headers: tuple[HeaderName, ...] = Field(
        default=(),
        description="Names of headers; Vault holds their values, in otlp/<signal> below the platform's path.",
    )

    def exporter(self, signal: str) -> Manifest:
        """Return the exporter's settings for a signal such as `traces`."""
        headers = {name: f"${{env:{_variable(signal, name)}}}" for name in self.headers}
        return {"endpoint": self.endpoint, **({"headers": headers} if headers else {})}

    def variables(self, signal: str) -> dict[str, tuple[str, str]]:
        """Return the variables of the gateway: by name, the Secret and the key in it."""
        return {_variable(signal, name): (f"otlp-{signal}", name) for name in self.headers}

    def credentials(self, env: Environment, signal: str) -> list[Manifest]:
        """Return the ExternalSecret with the values of the headers."""
        entry = InVault(f"otlp/{signal}", {name: name for name in self.headers})
        return [external_secret(env, f"otlp-{signal}", NAMESPACE, entry)] if self.headers else []


def _variable(signal: str, header: str) -> str:
    return f"OTLP_{signal}_{header}".upper().replace("-", "_")


def outside(env: Environment) -> dict[str, Otlp]:
    """Return the backends outside of the cluster, by their signal."""
    settings = env.platform.observability
    backends = {"traces": settings.traces.otlp, "logs": settings.logs.otlp}
    return {signal: otlp for signal, otlp in backends.items() if otlp is not None}
