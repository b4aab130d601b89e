"""What cert-manager shows when its objective or an alert must notice, and when not."""

from __future__ import annotations

from tests.constructs_lib.health.series import always, critical, deployment, gauge, moment, objective, warning

CERTIFICATE = 'name="shop",exported_namespace="episodic"'
NEVER_ISSUED = 'name="new",exported_namespace="episodic"'
DAY = 86400

SLOS = {
    "certificate-expiry": objective(
        99.5,
        {
            f"certmanager_certificate_renewal_timestamp_seconds{{{CERTIFICATE}}}": moment(DAY - 1, DAY),
            f"certmanager_certificate_renewal_timestamp_seconds{{{NEVER_ISSUED}}}": always(0),
        },
    ),
}
ALERTS = {
    "CertificateExpiresSoon": critical(
        "15m",
        {
            f"certmanager_certificate_expiration_timestamp_seconds{{{CERTIFICATE}}}": moment(-3 * DAY, 1 - 3 * DAY),
            f"certmanager_certificate_expiration_timestamp_seconds{{{NEVER_ISSUED}}}": always(0),
        },
    ),
    "CertificateNotReady": warning(
        "1h",
        {
            f'certmanager_certificate_ready_status{{{CERTIFICATE},condition="False"}}': gauge(0, 1),
            f'certmanager_certificate_ready_status{{{CERTIFICATE},condition="True"}}': gauge(1, 0),
        },
    ),
    "CertManagerDown": critical("5m", deployment("cert-manager", "cert-manager")),
}
