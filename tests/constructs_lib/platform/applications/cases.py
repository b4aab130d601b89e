"""What Traefik shows when an objective of a shipped application must notice, and when not."""

from __future__ import annotations

from tests.constructs_lib.health.series import Counter, objective

REQUESTS = 'traefik_service_requests_total{{exported_service="{}@kubernetes",code="{}"}}'
OWN = "episodic-episodic-8080"

SLOS = {
    "app-episodic-availability": objective(
        99.5,
        {
            REQUESTS.format(OWN, "499"): Counter(600, 0),
            REQUESTS.format(OWN, "500"): Counter(0, 600),
            # Those of another application count for nothing.
            REQUESTS.format(f"another-{OWN}", "500"): Counter(600, 0),
        },
    ),
}
