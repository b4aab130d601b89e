"""The layout of the GitOps repository, made and read by one module, and agreed on by those who cannot import it."""

from __future__ import annotations

import json
import re
from pathlib import PurePosixPath

import pytest

from constructs_lib.cloud.fluxcd import DEPLOY_KEY_SECRET
from constructs_lib.environment import Environment, load_all
from gitops_render import paths
from gitops_render.paths import Place
from gitops_render.repository import INDEX_NAME, render_repository
from gitops_render.tree import render
from tests.support import ROOT, Synthesised, everything

ENVIRONMENTS = [*load_all(ROOT / "environments"), everything()]


@pytest.mark.parametrize("env", ENVIRONMENTS, ids=lambda env: env.name)
def test_every_rendered_file_is_read_back_to_where_it_is(env: Environment) -> None:
    rendered = render(env)
    files = [*rendered.owned, *rendered.seeds]
    assert len(files) > 200
    for file in files:
        place = Place.of(file)
        assert place is not None
        assert (place.environment, place.path) == (env.name, file.parent)
    places = {Place.of(file) for file in files}
    assert places >= {Place(env.name, *layer.id) for layer in env.layers if layer.objects}


@pytest.mark.parametrize(
    ("file", "place"),
    [
        ("clusters/a/source.yaml", Place("a", "cluster")),
        ("clusters/a/layers/x.yaml", Place("a", "cluster", "layers")),
        ("apps/a/team/deep/x.yaml", Place("a", "apps", "team/deep")),
        ("platform/sources/a/x.yaml", Place("a", "sources")),
        ("platform/cache/a/configs/x.yaml", Place("a", "cache", "configs")),
    ],
)
def test_places(file: str, place: Place) -> None:
    assert Place.of(PurePosixPath(file)) == place
    assert str(place.path) == file.rpartition("/")[0]


@pytest.mark.parametrize("file", ["x.yaml", "clusters/x.yaml", "apps/x.yaml", "platform/cache/x.yaml", ".github/a/b"])
def test_a_file_of_no_environment_has_no_place(file: str) -> None:
    assert Place.of(PurePosixPath(file)) is None


def test_where_the_named_files_are() -> None:
    found = [
        paths.root_file("a"),
        paths.source_file("a"),
        paths.layers_file("a"),
        paths.layers_folder("a"),
        paths.sealed_file("a", "db"),
        paths.index_file("a"),
    ]
    assert list(map(str, found)) == [
        "clusters/a/kustomization.yaml",
        "clusters/a/source.yaml",
        "clusters/a/layers.yaml",
        "clusters/a/layers",
        "platform/secrets/a/sealed/secret-db.yaml",
        ".render/a.json",
    ]


def test_a_sealed_file_says_its_name_and_fits_the_pattern_of_its_environment_alone() -> None:
    file = paths.sealed_file("a", "db")
    assert paths.sealed_name(file) == "db"
    assert re.match(paths.sealed_pattern("a"), str(file))
    assert not re.match(paths.sealed_pattern("b"), str(file))
    assert not re.match(paths.sealed_pattern("a"), f"x/{file}")
    assert not re.match(paths.sealed_pattern("a"), f"{file}.bak")
    assert not re.match(paths.sealed_pattern("a"), str(file).replace(".yaml", "-yaml"))


def test_a_path_of_flux_is_read_back() -> None:
    folder = paths.layers_folder("a")
    assert paths.to_flux(folder) == "./clusters/a/layers"
    assert paths.of_flux(paths.to_flux(folder)) == str(folder)


def test_the_flux_stack_follows_the_root_of_its_environment(stacks: dict[str, Synthesised]) -> None:
    for env in ENVIRONMENTS[:-1]:
        (text,) = stacks[f"{env.name}-flux"].only("helm_release", name="flux")["values"]
        (instance,) = (item for item in json.loads(text)["objects"] if item["kind"] == "FluxInstance")
        sync = instance["spec"]["sync"]
        assert sync["path"] == str(paths.root_file(env.name).parent)
        assert sync["pullSecret"] == DEPLOY_KEY_SECRET
        assert f"name: {DEPLOY_KEY_SECRET}\n" in render(env).seeds[paths.source_file(env.name)].decode()


def test_what_all_share_is_apart_from_every_environment() -> None:
    assert str(paths.index_file("a").parent) == str(paths.settings_file("a").parent) == ".render"
    shared = render_repository(ENVIRONMENTS[:-1]).owned
    assert {path for path in shared if path.parts[0] == ".github"} == {paths.CODE_OWNERS, paths.VALIDATION_WORKFLOW}
    assert INDEX_NAME not in {env.name for env in ENVIRONMENTS}
