"""What comes of the entry of an application, in its own namespace: limits, credentials, ways in, and what is watched.

Its namespace and its policies are the baseline's; its database, vhost and user those of the services' components.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from constructs_lib.base.quantities import Minutes
from constructs_lib.kit import Layer, LayerId
from constructs_lib.platform import cert_manager, traefik
from constructs_lib.platform.applications.credentials import credentials, entries
from constructs_lib.platform.applications.limits import limits
from constructs_lib.platform.applications.ways import ways
from constructs_lib.platform.baseline import BASELINE
from constructs_lib.platform.vault_eso import SECRETS_READY, STORE, STORES_READY

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

__all__ = ["entries", "layers"]

LIMITS = LayerId("applications", "limits")
CREDENTIALS = LayerId("applications", "credentials")
WAYS = LayerId("applications", "ways")


def layers(env: Environment) -> Iterator[Layer]:
    """Yield the layers of all applications: nothing where there is none."""
    if not env.applications:
        return
    yield Layer(LIMITS, tuple(limits(env)), after=BASELINE, timeout=Minutes("5m"))
    if env.platform.vault_eso.enabled:
        made = tuple(credentials(env))
        kinds = {item["kind"] for item in made}
        ready = tuple(item for item in (*STORES_READY, *SECRETS_READY) if item.kind in kinds)
        yield Layer(CREDENTIALS, made, after=(STORE,), timeout=Minutes("5m"), ready=ready)
    ins = [traefik.CONFIGS] if env.platform.traefik.enabled else []
    ins += [cert_manager.ISSUERS] if env.platform.cert_manager.enabled else []
    if made := tuple(ways(env)):
        signed = any(item["kind"] == "Certificate" for item in made)
        ready = cert_manager.CERTIFICATES_READY if signed else ()
        yield Layer(WAYS, made, after=(*BASELINE, *ins), timeout=Minutes("5m"), ready=ready)
