"""What Traefik shows when its objectives or its alert must notice, and when not."""

from __future__ import annotations

from tests.constructs_lib.health.series import Counter, critical, deployment, objective

REQUESTS = 'traefik_entrypoint_requests_total{{entrypoint="{}",code="{}"}}'
DURATION = 'traefik_entrypoint_request_duration_seconds_{}{{entrypoint="websecure",code="200",protocol="{}"{}}}'

SLOS = {
    "traefik-availability": objective(
        99.9,
        {
            REQUESTS.format("websecure", "499"): Counter(600, 0),
            REQUESTS.format("websecure", "500"): Counter(0, 600),
            # What is only sent on to HTTPS counts for nothing.
            REQUESTS.format("web", "500"): Counter(600, 0),
        },
    ),
    "traefik-latency": objective(
        99.0,
        {
            DURATION.format("count", "http", ""): Counter(600, 600),
            DURATION.format("bucket", "http", ',le="0.3"'): Counter(0, 0),
            DURATION.format("bucket", "http", ',le="1.2"'): Counter(600, 0),
            DURATION.format("bucket", "http", ',le="5.0"'): Counter(600, 600),
            # A web socket lasts as long as its client likes.
            DURATION.format("count", "websocket", ""): Counter(600, 0),
            DURATION.format("bucket", "websocket", ',le="1.2"'): Counter(0, 0),
        },
    ),
}
ALERTS = {"TraefikDown": critical("5m", deployment("traefik", "traefik"))}
