"""The registry of the platform's components: YAML key, order, type and JSON Schema come from one line each."""

from __future__ import annotations

from collections.abc import Iterator

from constructs_lib.base.settings import Settings
from constructs_lib.platform.baseline import Baseline
from constructs_lib.platform.cert_manager import CertManager
from constructs_lib.platform.cloudnative_pg import CloudnativePg
from constructs_lib.platform.component import Component
from constructs_lib.platform.external_dns import ExternalDns
from constructs_lib.platform.observability import Observability
from constructs_lib.platform.rabbitmq_operator import RabbitmqOperator
from constructs_lib.platform.traefik import Traefik
from constructs_lib.platform.valkey_operator import ValkeyOperator
from constructs_lib.platform.vault_eso import VaultEso


class Platform(Settings):
    """The components of an environment with their settings."""

    baseline: Baseline = Baseline()
    vault_eso: VaultEso = VaultEso()
    cert_manager: CertManager = CertManager()
    traefik: Traefik = Traefik()
    external_dns: ExternalDns = ExternalDns()
    cloudnative_pg: CloudnativePg = CloudnativePg()
    rabbitmq_operator: RabbitmqOperator = RabbitmqOperator()
    valkey_operator: ValkeyOperator = ValkeyOperator()
    observability: Observability = Observability()

    def components(self) -> Iterator[Component]:
        """Yield every component, enabled or not, in the order of the fields."""
        return iter(self.by_name.values())

    @property
    def by_name(self) -> dict[str, Component]:
        """Every component, enabled or not, by its key."""
        return {name: getattr(self, name) for name in type(self).model_fields}
