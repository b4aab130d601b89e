"""What has to go on getting through: rendering, sealing, promotion and the applications' own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path, PurePosixPath

import pytest

from constructs_lib.base.errors import ConfigError
from constructs_lib.environment import Environment
from gitops_render.paths import Place, settings_file, source_file
from gitops_render.repository import INDEX_NAME, render_repository
from gitops_render.tree import render
from gitops_render.validate import NOBODYS, Allowed
from gitops_render.validate.change import Change
from gitops_render.write import read_index, wanted_files
from gitops_render.yaml_output import to_yaml
from tests.gitops_render.validate.repository import (
    DB,
    ENVIRONMENTS,
    FOLDER,
    LIST,
    OWN,
    PRODUCTION,
    SANDBOX,
    SHARED,
    STAGING,
    VALUE,
    Files,
    GitOps,
    listed,
    only,
    sealed,
)
from tests.support import ROOT, another_environment, environment, parsed, run_python

MORE = environment(sops_recipient=OWN, platform__vault_eso__replicas=2, **SHARED)


@pytest.fixture
def own(tmp_path: Path) -> GitOps:
    """A repository of the test's own, whose default branch it may change."""
    return GitOps(tmp_path / "clone")


def rendering(gitops: GitOps, *environments: Environment, only: Environment | None = None) -> Files:
    """Return what `bootstrap layout` changes."""
    trees = {env.name: render(env) for env in environments if only is None or env is only}
    trees[INDEX_NAME] = render_repository(environments)
    wanted = dict(item for name, tree in trees.items() for item in wanted_files(gitops.folder, name, tree).items())
    owned = [PurePosixPath(name) for env in trees for name in read_index(gitops.folder, env)]
    gone = [path for path in owned if path not in wanted]
    held = {path: (gitops.folder / path).read_bytes() for path in wanted if (gitops.folder / path).exists()}
    changed = {path: data for path, data in wanted.items() if held.get(path) != data}
    return {**changed, **dict.fromkeys(gone)}


def found(gitops: GitOps, files: Files, *environments: Environment) -> list[str]:
    """Return what the check finds once the environments are these."""
    return Allowed(environments or ENVIRONMENTS).problems(Change(gitops.folder, "main", gitops.propose(files)))


@pytest.mark.parametrize("path", ["apps/sandbox/web.yaml", "apps/staging/new/deep.yaml", "apps/production/README.md"])
def test_applications_change_what_is_theirs(gitops: GitOps, path: str) -> None:
    assert gitops.problems({path: b"anything: [", "apps/sandbox/kustomization.yaml": None}) == []


@pytest.mark.parametrize(
    "path", ["apps/gone/web.yaml", "apps/web.yaml", "README.md", "docs/page.md", "platform/x.yaml"]
)
def test_what_is_nobodys_is_refused(gitops: GitOps, path: str) -> None:
    only(gitops.problems({path: b"a: 1\n"}), path, NOBODYS)


def test_what_is_rendered_comes_in_whole(gitops: GitOps) -> None:
    files = rendering(gitops, MORE, STAGING, PRODUCTION)
    assert len(files) == 3, "an object, the settings, and the index"
    assert found(gitops, files, MORE, STAGING, PRODUCTION) == []
    assert found(gitops, files) != [], "nothing in environments/ asks for it"
    left_out = dict(files)
    path = next(path for path, data in files.items() if isinstance(data, bytes) and b"HelmRelease" in data)
    del left_out[path]
    only(found(gitops, left_out, MORE, STAGING, PRODUCTION), path, "is not what the environment files")


def test_what_is_rendered_no_more_goes(gitops: GitOps) -> None:
    less = environment(sops_recipient=OWN, platform__traefik={"enabled": False}, **SHARED)
    files = rendering(gitops, less, STAGING, PRODUCTION)
    gone = [path for path, data in files.items() if data is None]
    assert gone
    assert found(gitops, files, less, STAGING, PRODUCTION) == []
    kept = {path: data for path, data in files.items() if path != gone[0]}
    only(found(gitops, kept, less, STAGING, PRODUCTION), gone[0], "is not what the environment files")


def test_other_changes_wait_for_no_rendering(gitops: GitOps) -> None:
    assert found(gitops, {"apps/sandbox/web.yaml": b"a: 1\n"}, MORE, STAGING, PRODUCTION) == []


def test_a_new_environment_begins_as_it_is_rendered(gitops: GitOps) -> None:
    review = Environment.model_validate_json(json.dumps(another_environment("review", "10.40.0.0/20", **SHARED)))
    environments = (*ENVIRONMENTS, review)
    files = rendering(gitops, *environments, only=review)
    assert source_file("review") in files
    assert found(gitops, files, *environments) == []
    data = files[source_file("review")]
    assert isinstance(data, bytes)
    other = {**files, source_file("review"): data.replace(b"main", b"side")}
    only(found(gitops, other, *environments), source_file("review"), "may change by promotion alone")


def test_an_environment_without_a_file_goes(own: GitOps) -> None:
    shared = rendering(own, SANDBOX, PRODUCTION, only=PRODUCTION)
    theirs = [path for path in own.unchanged.before if (place := Place.of(path)) and place.environment == "staging"]
    gone = dict.fromkeys([*theirs, ".render/staging.json"])
    assert found(own, {**shared, **gone}, SANDBOX, PRODUCTION) == []
    assert found(own, gone) != [], "it has a file"
    only(found(own, {".render/sandbox.json": None}), ".render/sandbox.json", "is not what the environment files")


@pytest.mark.parametrize("more", [{}, {"type": "Opaque", "immutable": True}, {"data": {"a": VALUE, "b": ""}}])
def test_a_sealed_secret_comes_in_with_its_list(gitops: GitOps, more: dict[str, object]) -> None:
    new: Files = {FOLDER / "secret-new.yaml": to_yaml(sealed("new", **more)), LIST: listed("db", "new")}
    assert gitops.problems(new) == []
    only(gitops.problems({**new, LIST: listed("db")}), FOLDER / "secret-new.yaml", "has to list the folder's files")
    assert gitops.problems({DB: None, LIST: listed()}) == []
    only(gitops.problems({DB: None}), DB, "has to list the folder's files")


@pytest.mark.parametrize(
    "name",
    ["secret-.yaml", "db.yaml", "secret-db.yml", "Secret-db.yaml", ".sops.yaml", "deep/secret-db.yaml", "secret-x"],
)
def test_a_sealed_folder_holds_sealed_secrets_alone(gitops: GitOps, name: str) -> None:
    assert f"{FOLDER / name}: {NOBODYS}" in gitops.problems({FOLDER / name: to_yaml(sealed())})


def test_a_pin_follows_what_ran_before(own: GitOps) -> None:
    third = own.commit("Sandbox goes on")
    staging = source_file("staging")
    pinned = own.pinned("staging", own.second)
    assert own.problems({staging: pinned}) == []
    production = source_file("production")
    only(
        own.problems({production: own.pinned("production", third)}),
        production,
        f"{third}: staging neither runs nor ran this commit",
    )
    (own.folder / staging).write_bytes(pinned)
    own.commit("Promote")
    assert own.problems({production: own.pinned("production", own.second)}) == []
    assert own.problems({staging: own.pinned("staging", own.first)}) == [], "a way back is a promotion too"


def test_a_promotion_by_hand_to_what_an_environment_cannot_become_is_refused(own: GitOps) -> None:
    staging, file = source_file("staging"), own.folder / settings_file("staging")
    settings = parsed(file.read_bytes())
    (cluster,) = settings["platform"]["cloudnative_pg"]["clusters"]
    for change, sentence in (
        ({"storage": "1Gi"}, "cannot come to staging: platform.cloudnative_pg.clusters[main].storage: refused: a "),
        (None, "cannot come to staging: platform.cloudnative_pg.clusters[main]: needs steps: it stays without walls"),
    ):
        changed = [] if change is None else [cluster | change]
        settings["platform"]["cloudnative_pg"]["clusters"] = changed
        file.write_bytes(to_yaml(settings))
        commit = own.commit("Shrink")
        only(own.problems({staging: own.pinned("staging", commit)}), staging, sentence)
    file.unlink()
    commit = own.commit("Forget")
    assert own.problems({staging: own.pinned("staging", commit)}) == [], "what is older than settings is not judged"


def test_what_provisioning_brings_comes_with_any_commit(own: GitOps) -> None:
    staging, file = source_file("staging"), own.folder / settings_file("staging")
    settings = parsed(file.read_bytes()) | {"region": "ams3"}
    file.write_bytes(to_yaml(settings))
    assert own.problems({staging: own.pinned("staging", own.commit("Move"))}) == []


def test_a_first_pin_and_one_without_its_branch_are_put_right(own: GitOps) -> None:
    staging = source_file("staging")
    pinned = own.read(staging)
    for old in (render(STAGING).seeds[staging], pinned.replace(b"    branch: main\n", b"")):
        (own.folder / staging).write_bytes(old)
        own.commit("As it was once")
        assert own.problems({staging: pinned}) == []


def test_the_first_tier_is_never_pinned(own: GitOps) -> None:
    file = source_file("sandbox")
    only(own.problems({file: own.pinned("sandbox", own.first)}), file, "may change by promotion alone")


def test_without_the_tier_before_nothing_is_promoted(own: GitOps) -> None:
    staging = source_file("staging")
    only(
        found(own, {staging: own.pinned("staging", own.second)}, STAGING, PRODUCTION),
        staging,
        "no environment is of tier sandbox, from which",
    )


@pytest.mark.parametrize(
    ("name", "sentence"), [("main", "is no full name"), ("0" * 40, "is no commit of"), ("", "is no")]
)
def test_a_change_that_is_not_there_is_refused(gitops: GitOps, name: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        Change(gitops.folder, "main", name)


def test_what_is_no_commit_is_refused(gitops: GitOps) -> None:
    with pytest.raises(ConfigError, match="is no commit of"):
        Change(gitops.folder, "main", gitops.git("rev-parse", "main^{tree}"))


def test_a_change_from_before_what_is_merged_is_refused(gitops: GitOps) -> None:
    old = gitops.propose({"apps/sandbox/web.yaml": b"a: 1\n"}, onto=gitops.first)
    with pytest.raises(ConfigError, match=f"{old}: lacks what is on branch main meanwhile; update the change"):
        Change(gitops.folder, "main", old)


def test_the_command_says_what_it_found(gitops: GitOps, tmp_path: Path) -> None:
    def run(commit: str) -> subprocess.CompletedProcess[str]:
        command = ("-m", "gitops_render", "validate", commit, "--tree", str(gitops.folder))
        return run_python(*command, folder=ROOT)

    fine, refused = run(gitops.second), run(gitops.propose({"README.md": b"x"}))
    assert (fine.returncode, fine.stdout) == (0, "0 files change, 0 findings\n")
    assert (refused.returncode, refused.stdout) == (1, f"README.md: {NOBODYS}\n1 files change, 1 findings\n")
    assert run("main").returncode == 2
