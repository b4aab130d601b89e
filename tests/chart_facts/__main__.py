"""`python -m tests.chart_facts`: renders every release with its real chart, and writes the facts beside the tests."""

from __future__ import annotations

from functools import cache

from constructs_lib.base.errors import exit_on_bad_input
from constructs_lib.environment import Environment
from constructs_lib.kit import Manifest, Release, group
from tests.chart_facts import helm
from tests.chart_facts.committed import differences, environments, file_of, releases, text
from tests.chart_facts.defaults import resource
from tests.chart_facts.facts import release_facts
from tests.constructs_lib.platform.collected import COMPONENTS
from tests.support import everything


def facts_of(release: Release) -> Manifest:
    """Return what the chart makes of a release, with the version of the chart."""
    made = helm.objects(helm.template(release))
    chart = f"{release.chart.name} {release.chart.version}"
    return {"chart": chart, **release_facts(made, helm.crds_in_folder(release), release.namespace, waited_for())}


@cache
def waited_for() -> frozenset[str]:
    """Return the kinds for which a layer says when they are ready."""
    ready = (one for layer in everything().layers for one in layer.ready)
    return frozenset(resource(f"{group(one.api_version)}/{one.kind}") for one in ready)


def component_facts(component: str, envs: tuple[Environment, ...]) -> Manifest:
    """Return the facts of a component's releases with everything on, and where each other environment differs."""
    *own, whole = envs
    known = {item.name: facts_of(item) for item in releases(component, whole)}
    found: dict[str, Manifest] = {}
    for env in own:
        changed = {item.name: differences(known[item.name], facts_of(item)) for item in releases(component, env)}
        if changed := {name: paths for name, paths in changed.items() if paths}:
            found[env.name] = changed
    return {"releases": known, "differences": found}


def main() -> None:
    """Write the facts of every component that has a chart."""
    envs = environments()
    for component in COMPONENTS:
        facts = component_facts(component, envs)
        if facts["releases"]:
            file_of(component).write_text(text(facts))


if __name__ == "__main__":
    with exit_on_bad_input():
        main()
