"""Where things are in the sandbox, with the commands that lead there."""

from __future__ import annotations

from collections.abc import Iterator

from constructs_lib.environment import Environment
from constructs_lib.platform.applications.ways import address_of
from constructs_lib.platform.observability.grafana import SECRET
from constructs_lib.platform.observability.names import NAMESPACE, RELEASE
from operations.trying.place import EXAMPLE, FILE, FOLDER

PASSWORD = "{.data.admin-password}"  # noqa: S105 - where it is


def lines(env: Environment, context: str) -> Iterator[str]:
    """Yield what a person reads at the end: each thing, then how it is reached."""
    kubectl = f"kubectl --context {context}"
    platform = env.platform
    if platform.observability.has_metrics:
        yield "Grafana, at http://localhost:3000 as admin, with what the second command prints:"
        yield f"  {kubectl} port-forward -n {NAMESPACE} service/{RELEASE}-grafana 3000:80"
        yield f"  {kubectl} get secret {SECRET} -n {NAMESPACE} -o jsonpath='{PASSWORD}' | base64 -d"
    yield "Logs, of any workload (OpenSearch is off in so small a sandbox):"
    yield f"  {kubectl} logs -n traefik deployment/traefik"
    if platform.traefik.enabled:
        host, said = _host(env)
        yield f"{said}:"
        yield f"  {kubectl} port-forward -n traefik service/traefik 8443:443"
        yield f"  curl --insecure --resolve {host}:8443:127.0.0.1 https://{host}:8443/"
    for cluster in platform.cloudnative_pg.clusters if platform.cloudnative_pg.enabled else ():
        yield f"Postgres {cluster.name}:"
        yield f"  {kubectl} exec -it -n databases {cluster.name}-1 -c postgres -- psql"
    yield "What Flux does:"
    yield f"  {kubectl} get kustomizations,helmreleases -n flux-system"
    yield f"Change it: edit {FOLDER / FILE}, and run `bin/operations try` again. End it: `bin/operations try --remove`."


def _host(env: Environment) -> tuple[str, str]:
    """Return a host, and what answers there."""
    if EXAMPLE in env.applications:
        host = address_of(env, EXAMPLE)
        return host, f"The example of an application, https://{host}; it counts its visits in Postgres"
    host = env.ingress_host
    return host, f"An example host, https://{host}; nothing is behind it, so Traefik answers 404"
