"""The registry of the platform's components: YAML key, order, type and JSON Schema come from one line each."""

from __future__ import annotations

from collections.abc import Iterator

from constructs_lib.component import Component, Settings
from constructs_lib.platform.cert_manager import CertManager
from constructs_lib.platform.traefik import Traefik


class Platform(Settings):
    """The components of an environment with their settings."""

    cert_manager: CertManager = CertManager()
    traefik: Traefik = Traefik()

    def components(self) -> Iterator[Component]:
        """Yield every component, enabled or not, in the order of the fields."""
        for name in type(self).model_fields:
            yield getattr(self, name)
