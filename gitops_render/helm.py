"""Helm, and the charts that it reads: those of the folder, or of the mirror, that `CHARTS` names.

In a folder a chart is unpacked, as `<name>` or `<name>-<version>`, or is an archive as `helm pull` leaves it. A mirror
is a repository (`https://…`) or a registry (`oci://…`) that has them all.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import yaml

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.programs import installed, passed_on, run
from constructs_lib.kit import KEEP_IN_HELM, Manifest

CHARTS = "CHARTS"
HELM = "HELM"
"""The variables that name the charts, and a helm that is not on `PATH`."""
SECONDS = 300.0
"""How long helm may take for a chart, which it may have to fetch."""

APIS = tuple(
    f"{version}/{kind}".rstrip("/")
    for version, kinds in (
        ("monitoring.coreos.com/v1", ("PodMonitor", "PrometheusRule", "ServiceMonitor")),
        ("cert-manager.io/v1", ("Certificate", "Issuer")),
    )
    for kind in ("", *kinds)
)
"""What a cluster has before the charts that ask for it: the CRDs of the baseline and of cert-manager."""


class Loader(yaml.CSafeLoader):
    """Reads the value `=`, which some CRDs have, as text."""


def _text(_: Loader, node: yaml.ScalarNode) -> str:
    return node.value


Loader.add_constructor("tag:yaml.org,2002:value", _text)


class Asked(NamedTuple):
    """What helm is asked for: a release of a chart, with `values` as JSON, on a version of Kubernetes.

    Without one it is helm's own.
    """

    name: str
    namespace: str
    chart: str
    version: str
    values: str
    kubernetes: str | None


def objects(text: str) -> list[Manifest]:
    """Return the objects in what helm printed; those of a list are objects too."""
    return [one for item in yaml.load_all(text, Loader) if item for one in _held(item)]


def _held(item: Manifest) -> list[Manifest]:
    return item["items"] if item["kind"].endswith("List") and "items" in item else [item]


def charts_named() -> Charts | None:
    """Return the charts that `CHARTS` names, if it names any. Raises `ConfigError` if helm is not there."""
    place = os.environ.get(CHARTS)
    if not place:
        return None
    helm = installed("helm", f"install it, or name it by {HELM}", command=os.environ.get(HELM) or None)
    return Charts(place, helm)


@dataclass(frozen=True)
class Charts:
    """The charts of a folder or a mirror, at `place`, and the program `helm`."""

    place: str
    helm: str

    def template(self, asked: Asked, *options: str) -> str:
        """Return what helm makes of a release, by default without what is in the chart's `crds/`.

        Raises `ConfigError` where it cannot, or the version that is asked for is not there.
        """
        version = () if asked.kubernetes is None else (f"--kube-version={asked.kubernetes}",)
        shown = (*version, *(f"--api-versions={api}" for api in APIS))
        place = (f"--namespace={asked.namespace}", "--values=-", "--skip-tests")
        found = self._found(asked.chart, asked.version)
        return _printed(self.helm, "template", asked.name, *found, *place, *shown, *options, given=asked.values)

    def crds(self, asked: Asked) -> list[Manifest]:
        """Return the CRDs in the chart's `crds/`, which helm makes and never deletes. Raises as `template` does."""
        return objects(_printed(self.helm, "show", "crds", *self._found(asked.chart, asked.version)))

    def made(self, asked: Asked) -> Iterator[Manifest]:
        """Yield all that a release makes; what helm never deletes says so. Raises as `template` does."""
        made, crds = objects(self.template(asked)), self.crds(asked)
        for item in (*made, *crds):
            # Templates leave fields empty, which is not to have them.
            item["metadata"] = {key: value for key, value in item["metadata"].items() if value is not None}
        for item in crds:
            item["metadata"]["annotations"] = {**item["metadata"].get("annotations", {}), **KEEP_IN_HELM}
        yield from (*made, *crds)

    def _found(self, chart: str, version: str) -> tuple[str, ...]:
        """Return how helm is told of a chart."""
        if self.place.startswith("oci://"):
            return f"{self.place.rstrip('/')}/{chart}", f"--version={version}"
        if "://" in self.place:
            return chart, f"--repo={self.place}", f"--version={version}"
        folder = Path(self.place)
        archive = folder / f"{chart}-{version}.tgz"
        if archive.is_file():
            return (str(archive),)
        unpacked = (folder / f"{chart}-{version}", folder / chart)
        there = {found: path for path in reversed(unpacked) if (found := _version(path)) is not None}
        if version not in there:
            found = f"only {chart} {', '.join(sorted(there))}" if there else f"no {chart}"
            raise ConfigError(f"{folder}: has {found}, and {version} is asked for; unpack that one to {unpacked[0]}")
        return (str(there[version]),)


def _version(folder: Path) -> str | None:
    try:
        return str(yaml.load((folder / "Chart.yaml").read_bytes(), yaml.CSafeLoader)["version"])
    except (OSError, yaml.YAMLError, TypeError, KeyError):
        return None


def _printed(helm: str, *arguments: str, given: str = "") -> str:
    doing = f"helm {' '.join(arguments[:3])}"
    environ = passed_on("HELM_")
    done = run([helm, *arguments], doing=doing, deadline=SECONDS, input=given, text=True, env=environ)
    if done.returncode:
        raise ConfigError(f"{doing}: {' '.join(done.stderr.split())}")
    return done.stdout
