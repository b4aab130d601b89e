"""Both modes apply the same: what Flux is given equals what OpenTofu is given, for every environment."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Set
from functools import cache
from inspect import signature
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import pytest

from constructs_lib.cloud.providers import helm
from constructs_lib.environment import Environment, load_all
from constructs_lib.kit import Layer, LayerId, manifest
from gitops_render.tree import render
from stacks.platform import PlatformStack
from tests.support import ROOT, Synthesised, environment, everything, parsed, stack_of

ENVIRONMENTS = {env.name: env for env in (*load_all(ROOT / "environments"), everything())}
every_environment = pytest.mark.parametrize("env", ENVIRONMENTS.values(), ids=ENVIRONMENTS)


SOURCES = ("HelmRepository", "OCIRepository")


class Installed(NamedTuple):
    """A Helm release as a cluster sees it."""

    namespace: str
    repository: str
    chart: str
    version: str
    values: dict[str, Any]
    seconds: int
    history: int
    undone: bool


class Applied(NamedTuple):
    """What a mode puts into a cluster."""

    releases: dict[str, Installed]
    objects: dict[tuple[str, str, str], dict[str, Any]]


def by_flux(env: Environment) -> Applied:
    paths = render(env).owned
    items = [parsed(data) for path, data in paths.items() if path.parts[0] == "platform"]
    sources = {item["metadata"]["name"]: item["spec"] for item in items if item["kind"] in SOURCES}
    releases: dict[str, Installed] = {}
    for item in (item for item in items if item["kind"] == "HelmRelease"):
        spec = item["spec"]
        upgrade = spec["upgrade"]
        undone = upgrade.get("remediation", {}).get("strategy") == "rollback"
        assert upgrade.get("cleanupOnFail", False) is undone
        releases[spec["releaseName"]] = Installed(
            spec["targetNamespace"],
            *fetched(spec, sources),
            spec["values"],
            seconds=seconds(spec["timeout"]),
            history=spec["maxHistory"],
            undone=undone,
        )
    made_for_flux = (*SOURCES, "HelmRelease")
    return Applied(releases, identified(item for item in items if item["kind"] not in made_for_flux))


def fetched(release: dict[str, Any], sources: dict[str, dict[str, Any]]) -> tuple[str, str, str]:
    """Return the repository, the name and the version of the chart that Flux fetches."""
    if "chartRef" in release:
        source = sources[release["chartRef"]["name"]]
        repository, _, name = source["url"].rpartition("/")
        return repository, name, source["ref"]["tag"]
    chart = release["chart"]["spec"]
    return sources[chart["sourceRef"]["name"]]["url"], chart["chart"], chart["version"]


def by_tofu(env: Environment) -> Applied:
    releases: dict[str, Installed] = {}
    objects: list[dict[str, Any]] = []
    for item in platform(env).all("helm_release").values():
        (text,) = item["values"]
        values = json.loads(text.replace("$${", "${").replace("%%{", "%{"))
        if "repository" in item:
            assert item["cleanup_on_fail"] is item["atomic"]
            releases[item["name"]] = Installed(
                item["namespace"],
                item["repository"],
                item["chart"],
                item["version"],
                values,
                seconds=item["timeout"],
                history=item["max_history"],
                undone=item["atomic"],
            )
        else:
            objects += [made for made in values["objects"] if made["kind"] != "Job"]
    return Applied(releases, identified(objects))


def seconds(minutes: str) -> int:
    """Return a time such as Flux writes it, `14m`, in seconds as OpenTofu has it."""
    assert minutes.endswith("m")
    return 60 * int(minutes.removesuffix("m"))


def platform(env: Environment) -> Synthesised:
    return known(env.name) if env is ENVIRONMENTS.get(env.name) else synthesise(env)


@cache
def known(name: str) -> Synthesised:
    return synthesise(ENVIRONMENTS[name])


def synthesise(env: Environment) -> Synthesised:
    return stack_of(lambda app: PlatformStack(app, f"{env.name}-platform", env=env))


def identified(items: Any) -> dict[tuple[str, str, str], dict[str, Any]]:
    named = [item for item in items if item["apiVersion"] != "kustomize.config.k8s.io/v1beta1"]
    return {(item["kind"], item["metadata"].get("namespace", ""), item["metadata"]["name"]): item for item in named}


@every_environment
def test_releases_and_objects_are_equal(env: Environment) -> None:
    flux, tofu = by_flux(env), by_tofu(env)
    assert len(flux.releases) >= 8
    assert flux.releases == tofu.releases
    assert len(flux.objects) >= 80
    assert flux.objects == tofu.objects


@every_environment
def test_what_one_mode_keeps_the_other_keeps_too(env: Environment) -> None:
    kept = {key for key, item in by_flux(env).objects.items() if annotations_of(item).get(PRUNE) == "disabled"}
    assert len(kept) >= 15
    assert kept == {key for key, item in by_tofu(env).objects.items() if annotations_of(item).get(POLICY) == "keep"}
    holding_data = ("Namespace", "Cluster", "ObjectStore", "RabbitmqCluster", "Valkey", "OpenSearchCluster")
    assert {key for key in by_flux(env).objects if key[0] in holding_data} <= kept


PRUNE, POLICY = "kustomize.toolkit.fluxcd.io/prune", "helm.sh/resource-policy"


def annotations_of(item: dict[str, Any]) -> dict[str, str]:
    return item["metadata"].get("annotations", {})


@every_environment
def test_a_release_with_data_is_neither_undone_nor_pruned(env: Environment) -> None:
    objects = (parsed(data) for data in render(env).owned.values())
    pruned = {
        item["spec"]["releaseName"]: annotations_of(item).get(PRUNE) != "disabled"
        for item in objects
        if item["kind"] == "HelmRelease"
    }
    assert pruned == {name: release.undone for name, release in by_tofu(env).releases.items()}


@every_environment
def test_a_layer_waits_for_the_same_layers_in_both_modes(env: Environment) -> None:
    layers = {name: str(layer.id) for layer in env.layers for name in made_by(layer)}
    flux, tofu = waits_in_flux(env), waits_in_tofu(env)
    filled = set(layers.values())
    for name, layer in layers.items():
        assert {layers[other] for other in upstream(tofu, name)} - {layer} == upstream(flux, layer) & filled, name


def waits_in_flux(env: Environment) -> dict[str, set[str]]:
    """Return what each layer names in `dependsOn`."""
    folder = PurePosixPath("clusters", env.name, "layers")
    items = [parsed(data) for path, data in render(env).owned.items() if path.parent == folder]
    layers = {item["metadata"]["name"]: item["spec"] for item in items if "metadata" in item}
    return {name: {needed["name"] for needed in spec.get("dependsOn", [])} for name, spec in layers.items()}


def waits_in_tofu(env: Environment) -> dict[str, set[str]]:
    """Return the releases that each release names in `depends_on`, all by their names in the cluster."""
    releases = platform(env).all("helm_release")
    names = {f"helm_release.{address}": item["name"] for address, item in releases.items()}
    return {item["name"]: {names[needed] for needed in item.get("depends_on", [])} for item in releases.values()}


def upstream(waits: Mapping[str, Set[str]], name: str) -> set[str]:
    """Return all that is ready before `name` starts."""
    found: set[str] = set()
    new = set(waits[name])
    while new:
        found |= new
        new = {far for needed in new for far in waits[needed]} - found
    return found


def made_by(layer: Layer) -> Iterator[str]:
    """Yield the names of the Helm releases that apply a layer."""
    yield from (release.name for release in layer.releases)
    if layer.manifests:
        yield str(layer.id)


def test_what_opentofu_would_read_as_a_template_arrives_as_it_is() -> None:
    text = "${notional} %{if} $${twice} and $1"
    env = environment()
    layer = Layer(LayerId("x", "y"), (manifest("v1", "ConfigMap", "a", "b", data={"text": text}),))
    object.__setattr__(env, "layers", (layer,))
    (item,) = platform(env).all("helm_release").values()
    assert "$${notional} %%{if}" in item["values"][0]
    assert by_flux(env).objects == identified(layer.manifests)


def test_the_embedded_chart_is_found_from_the_stacks_folder() -> None:
    charts = {
        item["chart"]
        for item in platform(ENVIRONMENTS["sandbox"]).all("helm_release").values()
        if "repository" not in item
    }
    assert len(charts) == 1
    assert charts.pop().startswith("assets/")


def test_a_release_comes_after_the_plain_objects_of_its_own_layer() -> None:
    stack = platform(ENVIRONMENTS["staging"])
    names = {item["name"]: name for name, item in stack.all("helm_release").items()}
    waits_for = stack.only("helm_release", name="tempo")["depends_on"]
    assert f"helm_release.{names['observability-backends']}" in waits_for


@pytest.mark.parametrize(
    ("layer", "operator"),
    [
        ("messaging-controllers", "rabbitmq-cluster-operator"),
        ("messaging-topology-controllers", "messaging-topology-operator"),
    ],
)
def test_where_flux_applies_an_operator_helm_waits_until_it_is_ready(layer: str, operator: str) -> None:
    release = platform(ENVIRONMENTS["sandbox"]).only("helm_release", name=layer)
    (job,) = [item for item in json.loads(release["values"][0])["objects"] if item["kind"] == "Job"]
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "post-install,post-upgrade"
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["command"][:3] == ["kubectl", "wait", "--for=condition=Ready"]
    assert container["command"][-1] == f"kustomization.kustomize.toolkit.fluxcd.io/{operator}"


def test_only_what_holds_no_data_is_undone_when_it_fails() -> None:
    stack = platform(ENVIRONMENTS["sandbox"])
    assert stack.only("helm_release", name="traefik")["atomic"] is True
    assert stack.only("helm_release", name="cloudnative-pg")["atomic"] is False
    assert stack.only("helm_release", name="databases-configs")["atomic"] is False


@every_environment
def test_a_layer_may_take_as_long_in_both_modes(env: Environment) -> None:
    folder = PurePosixPath("clusters", env.name, "layers")
    owned = render(env).owned
    by_tofu = {item["name"]: item["timeout"] for item in platform(env).all("helm_release").values()}
    for layer in env.layers:
        timeout = seconds(parsed(owned[folder / f"{layer.id}.yaml"])["spec"]["timeout"])
        assert timeout == layer.timeout.seconds
        for name in made_by(layer):
            assert by_tofu[name] == (timeout if name == str(layer.id) else timeout - 60), name


def test_flux_alone_tries_a_release_again_since_the_helm_provider_cannot() -> None:
    assert [name for name in signature(helm.release.Release.__init__).parameters if "retr" in name] == []


def test_how_long_and_how_often_is_what_the_documentation_says() -> None:
    stack = platform(ENVIRONMENTS["staging"])
    assert stack.only("helm_release", name="databases-configs")["timeout"] == 900
    assert stack.only("helm_release", name="tempo")["timeout"] == 1140
    assert {item["max_history"] for item in stack.all("helm_release").values()} == {5}
