"""Where Flux fetches charts from, and whose signature it asks for.

Fields of the sources: fluxcd/source-controller v1.9.1 `docs/spec/v1`; who signs what: docs/decisions/0037-pins.md.
"""

from __future__ import annotations

from collections.abc import Mapping

from constructs_lib.kit import FLUX_INTERVAL, FLUX_NAMESPACE, FLUX_SOURCE, Chart, Manifest, manifest

CHART_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
"""The layer of an artifact that is a chart (helm.sh, "Use OCI-based registries")."""
GITHUB_ISSUER = "https://token.actions.githubusercontent.com"
"""Who says in which workflow a signature was made (docs.github.com, "OpenID Connect reference")."""


def fetched(chart: Chart) -> Manifest:
    """Return the fields by which a HelmRelease names its chart."""
    if chart.is_verified:
        return {"chartRef": {"kind": "OCIRepository", "name": chart.name}}
    source = {"kind": "HelmRepository", "name": repository_name(chart)}
    spec = {"chart": chart.name, "version": chart.version, "interval": FLUX_INTERVAL, "sourceRef": source}
    return {"chart": {"spec": spec}}


def chart_name(release: Manifest) -> str:
    """Return the name of the chart that the `spec` of a HelmRelease names."""
    return release["chartRef"]["name"] if "chartRef" in release else release["chart"]["spec"]["chart"]


def chart_version(release: Manifest, sources: Mapping[str, Manifest]) -> str:
    """Return the version of that chart; `sources` are the `spec` of each OCIRepository beside it, by name."""
    if "chartRef" in release:
        return sources[release["chartRef"]["name"]]["ref"]["tag"]
    return release["chart"]["spec"]["version"]


def repository_name(chart: Chart) -> str:
    """Return the name of the HelmRepository of a chart's repository, made from its address."""
    address = chart.repository.split("://", 1)[1].rstrip("/")
    return "".join(letter if letter.isalnum() else "-" for letter in address.lower()).strip("-")


def repository(chart: Chart) -> Manifest:
    """Return the HelmRepository that has a chart, and others."""
    spec: Manifest = {"interval": FLUX_INTERVAL, "url": chart.repository}
    if chart.is_oci:
        spec["type"] = "oci"
    return manifest(FLUX_SOURCE, "HelmRepository", repository_name(chart), FLUX_NAMESPACE, spec=spec)


def verified(chart: Chart) -> Manifest:
    """Return the source of a signed chart, which fetches it only if its workflow signed it.

    The `verify` of a HelmRelease itself knows no identity: it would take a signature of anybody.
    """
    identity = {"issuer": _exactly(GITHUB_ISSUER), "subject": _exactly(f"https://github.com/{chart.signed_by}")}
    spec: Manifest = {
        "interval": FLUX_INTERVAL,
        "url": f"{chart.repository.rstrip('/')}/{chart.name}",
        "ref": {"tag": chart.version},
        "layerSelector": {"mediaType": CHART_LAYER, "operation": "copy"},
        "verify": {"provider": "cosign", "matchOIDCIdentity": [identity]},
    }
    return manifest(FLUX_SOURCE, "OCIRepository", chart.name, FLUX_NAMESPACE, spec=spec)


def _exactly(text: str) -> str:
    """Return the pattern that fits `text` alone: Flux reads an identity as a regular expression."""
    dot = r"\."
    return f"^{text.replace('.', dot)}$"
