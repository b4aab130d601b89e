"""Who can be told of an alert, each by a credential in a file that comes from Vault.

Upstream: prometheus/alertmanager v0.34.0 `docs/configuration.md`.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from constructs_lib.base.belonging import COMMON
from constructs_lib.base.fields import HttpsUrl, Name
from constructs_lib.base.service_fields import Email, Smarthost
from constructs_lib.base.settings import Settings
from constructs_lib.kit import (
    Values,
)

SECRETS = "/etc/alertmanager/secrets"
TEXT = (
    "{{ range .Alerts }}{{ .Annotations.summary }}{{ .Annotations.message }} {{ .Annotations.runbook_url }}\n{{ end }}"
)


class _Receiver(Settings):
    name: Annotated[Name, COMMON] = Field(
        description="Its credentials are in Vault below the platform's path, in alerting/<name>."
    )
    credential: ClassVar[str]
    """The property of its entry in Vault."""

    @property
    def secret(self) -> str:
        """The name of the Secret with its credential."""
        return f"alert-{self.name}"

    @property
    def file(self) -> str:
        """The path of the credential in Alertmanager's pods."""
        return f"{SECRETS}/{self.secret}/{self.credential}"


class Slack(_Receiver):
    """A channel of Slack; Vault holds the incoming webhook as `url`."""

    type: Literal["slack"]
    credential: ClassVar[str] = "url"
    channel: str = Field(description="Such as #platform-alerts.")

    def config(self) -> tuple[str, Values]:
        """Return the receiver's key in Alertmanager's configuration, and its settings."""
        settings = {"api_url_file": self.file, "channel": self.channel, "send_resolved": True, "text": TEXT}
        return "slack_configs", settings


class PagerDuty(_Receiver):
    """A service of PagerDuty (Events API v2); Vault holds its integration key as `routing_key`."""

    type: Literal["pagerduty"]
    credential: ClassVar[str] = "routing_key"

    def config(self) -> tuple[str, Values]:
        """Return the receiver's key in Alertmanager's configuration, and its settings."""
        links = [{"text": "Runbook", "href": "{{ .CommonAnnotations.runbook_url }}"}]
        settings = {"routing_key_file": self.file, "description": TEXT.strip(), "links": links}
        return "pagerduty_configs", settings


class Teams(_Receiver):
    """A channel of Microsoft Teams; Vault holds the address of its Workflows webhook as `url`."""

    type: Literal["teams"]
    credential: ClassVar[str] = "url"

    def config(self) -> tuple[str, Values]:
        """Return the receiver's key in Alertmanager's configuration, and its settings."""
        return "msteamsv2_configs", {"webhook_url_file": self.file, "text": TEXT, "send_resolved": True}


class Opsgenie(_Receiver):
    """A team of Opsgenie; Vault holds the key of its API integration as `api_key`."""

    type: Literal["opsgenie"]
    credential: ClassVar[str] = "api_key"
    api_url: Annotated[HttpsUrl, COMMON] = Field(
        default="https://api.opsgenie.com/", description="Of the EU: https://api.eu.opsgenie.com/."
    )

    def config(self) -> tuple[str, Values]:
        """Return the receiver's key in Alertmanager's configuration, and its settings."""
        settings = {"api_key_file": self.file, "api_url": self.api_url, "description": TEXT}
        return "opsgenie_configs", settings | {
            "priority": '{{ if eq .CommonLabels.severity "critical" }}P1{{ else }}P3{{ end }}'
        }


class Mail(_Receiver):
    """An e-mail address; Vault holds the password at the mail server as `smtp_password`."""

    type: Literal["email"]
    credential: ClassVar[str] = "smtp_password"
    to: Email
    sender: Email
    smarthost: Smarthost = Field(description="Host and port of the mail server; DigitalOcean blocks 25, 465 and 587.")
    username: str = Field(examples=["platform"])

    def config(self) -> tuple[str, Values]:
        """Return the receiver's key in Alertmanager's configuration, and its settings."""
        settings = {
            "to": self.to,
            "from": self.sender,
            "smarthost": self.smarthost,
            "auth_username": self.username,
            "auth_password_file": self.file,
            "require_tls": True,
        }
        return "email_configs", settings


class Webhook(_Receiver):
    """An address that takes Alertmanager's webhook, such as that of a heartbeat service; Vault holds it as `url`."""

    type: Literal["webhook"]
    credential: ClassVar[str] = "url"

    def config(self) -> tuple[str, Values]:
        """Return the receiver's key in Alertmanager's configuration, and its settings."""
        return "webhook_configs", {"url_file": self.file}


Receiver = Annotated[Slack | Teams | PagerDuty | Opsgenie | Mail | Webhook, Field(discriminator="type")]
