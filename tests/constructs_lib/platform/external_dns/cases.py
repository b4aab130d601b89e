"""What ExternalDNS shows when its objective or its alert must notice, and when not."""

from __future__ import annotations

from tests.constructs_lib.health.series import critical, deployment, moment, objective

SLOS = {"dns-sync": objective(99.0, {"external_dns_controller_last_sync_timestamp_seconds": moment(599, 600)})}
ALERTS = {"ExternalDnsDown": critical("5m", deployment("external-dns", "external-dns"))}
