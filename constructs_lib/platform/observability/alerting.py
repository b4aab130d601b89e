"""Who hears of what: Alertmanager's configuration, and Flux' errors on their way to it.

Upstream: prometheus/alertmanager v0.34.0 `docs/configuration.md`; kube-prometheus-stack 88.5.3 `values.yaml`
(alertmanager.config); fluxcd/notification-controller v1.9.3 `docs/spec/v1beta3/{providers,alerts}.md`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, model_validator

from constructs_lib.base.belonging import COMMON
from constructs_lib.base.errors import unknown
from constructs_lib.base.fields import HttpsUrl, Name, unique
from constructs_lib.base.github_fields import GitHubName
from constructs_lib.base.settings import Settings
from constructs_lib.kit import (
    FLUX_NAMESPACE,
    FLUX_NOTIFIER,
    INTERNET,
    Link,
    Manifest,
    Values,
    manifest,
)
from constructs_lib.platform.observability.names import ALERTMANAGER, ALERTMANAGER_PORT, NAMESPACE, RELEASE
from constructs_lib.platform.observability.receivers import Mail, Receiver
from constructs_lib.platform.observability.telemetry import WATCHDOG
from constructs_lib.platform.vault_eso import InVault, external_secret

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

SERVICE = f"http://{RELEASE}-alertmanager.{NAMESPACE}.svc:{ALERTMANAGER_PORT}"
NOBODY = "nobody"
OWNER = "owner"
"""The label of an alert with the team that answers for the application that it is about."""
FLUX_API = "notification.toolkit.fluxcd.io/v1beta3"
FLUX_KINDS = ("GitRepository", "HelmChart", "HelmRelease", "HelmRepository", "Kustomization", "OCIRepository")


class Alerting(Settings):
    """Who hears of alerts. Without receivers an environment is quiet: its alerts stay in Alertmanager."""

    receivers: Annotated[tuple[Receiver, ...], unique("name")] = ()
    critical: Annotated[tuple[Name, ...], COMMON] = Field(default=(), description="Receivers of what cannot wait.")
    warning: Annotated[tuple[Name, ...], COMMON] = Field(
        default=(), description="Receivers of what can wait until the morning."
    )
    heartbeat: Annotated[tuple[Name, ...], COMMON] = Field(
        default=(), description="Receivers of the dead man's switch, each minute."
    )
    owners: Annotated[dict[GitHubName, tuple[Name, ...]], COMMON] = Field(
        default_factory=dict,
        examples=[{"episodic": ["chat"]}],
        description="Receivers of what is wrong with an owner's applications, in place of those of all alerts.",
    )
    runbooks: Annotated[HttpsUrl | None, COMMON] = Field(
        default=None, description="The folder of the runbooks; that of the infrastructure repository unless given."
    )

    @model_validator(mode="after")
    def _receivers_are_declared(self) -> Self:
        known = [receiver.name for receiver in self.receivers]
        named = {key: getattr(self, key) for key in ("critical", "warning", "heartbeat")}
        for key, names in (named | {f"owners.{owner}": names for owner, names in self.owners.items()}).items():
            for name in names:
                if name not in known:
                    raise ValueError(f"{key}: {unknown('receiver', name, known)}")
        return self

    def links(self) -> Iterator[Link]:
        """Yield the way of Flux's events in, and to mail servers out; HTTPS is open anyway."""
        yield Link(FLUX_NOTIFIER, ALERTMANAGER, (ALERTMANAGER_PORT,))
        for receiver in self.receivers:
            if isinstance(receiver, Mail):
                yield Link(ALERTMANAGER, INTERNET, (int(receiver.smarthost.rpartition(":")[2]),))

    def credentials(self, env: Environment) -> Iterator[Manifest]:
        """Yield an ExternalSecret for each receiver."""
        for receiver in self.receivers:
            entry = InVault(f"alerting/{receiver.name}", {receiver.credential: receiver.credential})
            yield external_secret(env, receiver.secret, NAMESPACE, entry)


def runbooks(env: Environment) -> str:
    """Return the address of the folder with the runbooks."""
    gitops = env.gitops
    repository = gitops.infrastructure_repository
    own = f"https://github.com/{gitops.organisation}/{repository}/blob/HEAD/docs/runbooks"
    return env.platform.observability.alerting.runbooks or own


def alertmanager_config(settings: Alerting) -> Values:
    """Return Alertmanager's configuration: all of it, so that nothing of the chart's own is left."""
    receivers: list[Any] = [{"name": NOBODY}]
    for name, wanted in (
        ("critical", settings.critical),
        ("warning", settings.warning),
        ("heartbeat", settings.heartbeat),
        *((f"owner-{owner}", names) for owner, names in settings.owners.items()),
    ):
        receivers.append({"name": name, **_configs(settings, wanted)})
    return {
        "global": {"resolve_timeout": "5m"},
        "route": _route(settings.owners),
        "inhibit_rules": _inhibit_rules(),
        "receivers": receivers,
        "templates": [],
    }


def _configs(settings: Alerting, wanted: tuple[str, ...]) -> Values:
    configs: dict[str, list[Values]] = {}
    for receiver in settings.receivers:
        if receiver.name in wanted:
            key, config = receiver.config()
            configs.setdefault(key, []).append(config)
    return configs


def _route(owners: Iterable[str]) -> Values:
    heartbeat = {"group_wait": "0s", "group_interval": "1m", "repeat_interval": "1m", "group_by": ["alertname"]}
    return {
        "receiver": NOBODY,
        "group_by": ["alertname", "service", "slo", "namespace"],
        "group_wait": "30s",
        "group_interval": "5m",
        "repeat_interval": "12h",
        "routes": [
            {"matchers": [f'alertname="{WATCHDOG.name}"'], "receiver": "heartbeat", **heartbeat},
            *({"matchers": [f'{OWNER}="{owner}"'], "receiver": f"owner-{owner}"} for owner in owners),
            {"matchers": ['severity="critical"'], "receiver": "critical", "repeat_interval": "4h"},
            # Flux calls it an error.
            {"matchers": ['severity=~"warning|error"'], "receiver": "warning"},
        ],
    }


def _inhibit_rules() -> list[Values]:
    """The greater silences the lesser of the same alert."""
    same = ["alertname", "namespace", "service", "slo"]
    return [
        {"source_matchers": ['severity="critical"'], "target_matchers": ['severity=~"warning|info"'], "equal": same},
        {"source_matchers": ['severity="warning"'], "target_matchers": ['severity="info"'], "equal": same},
    ]


def flux_notifications(env: Environment) -> Iterator[Manifest]:
    """Yield what sends the errors of Flux to Alertmanager, whose routes then decide."""
    spec = {"type": "alertmanager", "address": f"{SERVICE}/api/v2/alerts/"}
    yield manifest(FLUX_API, "Provider", "alertmanager", FLUX_NAMESPACE, spec=spec)
    kinds = FLUX_KINDS if env.source is None else ("Bucket", *FLUX_KINDS)
    sources = [{"kind": kind, "name": "*"} for kind in kinds]
    spec = {
        "providerRef": {"name": "alertmanager"},
        "eventSeverity": "error",
        "eventSources": sources,
        # The provider makes labels of it, but for the summary.
        "eventMetadata": {"service": "baseline", "summary": f"Flux ({runbooks(env)}/flux-reconciliation.md): "},
    }
    yield manifest(FLUX_API, "Alert", "errors", FLUX_NAMESPACE, spec=spec)
