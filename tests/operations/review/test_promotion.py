"""Promotion as a pull request."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from constructs_lib.base.errors import ConfigError
from gitops_render.diff import Difference
from gitops_render.helm import Charts
from gitops_render.objects import Identity
from gitops_render.releases import Made
from operations.bootstrap.layout import ensure_layout
from operations.clients.github import GitHub
from operations.review.promotion import propose_promotion
from tests.fakes.github import FakeGitHub
from tests.support import environment, environment_data

NAME = "episodic-gitops"
SANDBOX, STAGING = environment(), environment("staging")


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A seeded repository, in which the sandbox runs one commit more than staging is pinned to."""
    folder = tmp_path_factory.mktemp("seeded") / NAME
    with FakeGitHub() as server, pytest.MonkeyPatch.context() as monkeypatch:
        server.add_repository(NAME)
        monkeypatch.setenv("GITHUB_API_URL", f"{server.url}/api/v3")
        github = GitHub(server.token)
        ensure_layout(github, github.repository(f"df12-test/{NAME}"), (SANDBOX, STAGING), (SANDBOX, STAGING))
        shutil.copytree(server.git.folder / f"{NAME}.git", folder)
    return folder


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, seeded: Path) -> Iterator[FakeGitHub]:
    """A GitHub of the test's own that has this repository."""
    with FakeGitHub() as server:
        server.add_repository(NAME)
        shutil.copytree(seeded, server.git.folder / f"{NAME}.git", dirs_exist_ok=True)
        monkeypatch.setenv("GITHUB_API_URL", f"{server.url}/api/v3")
        yield server
        assert server.refused == []


def promote(fake: FakeGitHub, commit: str | None = None) -> str:
    github = GitHub(fake.token)
    return propose_promotion(github, github.repository(f"df12-test/{NAME}"), SANDBOX, STAGING, commit)


def test_the_pull_request_pins_the_target_and_lists_what_comes_in(fake: FakeGitHub) -> None:
    new, old = fake.git.log(NAME)
    body = promote(fake)
    (pull,) = fake.repositories[NAME]["pulls"].values()
    assert pull["head"]["ref"] == f"promote/staging/{old.id[:12]}-{new.id[:12]}"
    assert pull["title"] == f"Promote staging to {new.id[:12]}"
    assert pull["body"] == body
    way = f"<code>{old.id}</code> → <code>{new.id}</code>"
    assert body.startswith(f"Lets <b>staging</b> run what <b>sandbox</b> runs: {way}.\n\n- <b>staging</b>: <b>nothing ")
    assert "<summary>1 commits</summary>" in body
    assert "Pin staging to the first commit</code>\n" in body
    source = fake.git.read(NAME, "clusters/staging/source.yaml", pull["head"]["ref"])
    assert yaml.safe_load(source)["spec"]["ref"] == {"branch": "main", "commit": new.id}


def test_the_root_does_not_come_by_promotion(fake: FakeGitHub) -> None:
    """Between the two commits only the pin in `clusters/` differs, which is read from the branch."""
    assert "No rendered object changes." in promote(fake)


def test_a_second_run_finds_the_first_ones_pull_request(fake: FakeGitHub, capsys: pytest.CaptureFixture[str]) -> None:
    new, old = (commit.id for commit in fake.git.log(NAME))
    assert promote(fake) == promote(fake)
    assert len(fake.repositories[NAME]["pulls"]) == 1
    printed = capsys.readouterr().out
    assert f"staging: pull request 1 opened: {old} -> {new}\n" in printed
    assert f"staging: pull request 1 is open: {old} -> {new}\n" in printed


def test_what_staging_runs_already_is_no_promotion_and_closes_an_older_one(
    fake: FakeGitHub, capsys: pytest.CaptureFixture[str]
) -> None:
    promote(fake)
    old = fake.git.log(NAME)[1].id
    fake.talk.add_pull(fake.repositories[NAME], f"promote/staging/{old[:12]}-{old[:12]}")
    assert promote(fake, old) == f"staging runs {old} already."
    assert [pull["state"] for pull in fake.repositories[NAME]["pulls"].values()] == ["closed", "closed"]
    printed = capsys.readouterr().out
    assert "closed pull request 1, which something newer replaces\n" in printed
    assert f"staging: runs {old} already\n" in printed


def test_pull_requests_of_other_targets_stay_open(fake: FakeGitHub) -> None:
    fake.talk.add_pull(fake.repositories[NAME], "promote/production/abc")
    fake.talk.add_pull(fake.repositories[NAME], "promote/staging/old")
    promote(fake)
    pulls = fake.repositories[NAME]["pulls"].values()
    assert [pull["state"] for pull in pulls] == ["open", "closed", "open"]


def test_a_way_back_merges_though_what_it_goes_back_to_was_proposed_before(fake: FakeGitHub) -> None:
    first = fake.git.log(NAME)[0].id
    promote(fake)
    (left,) = (branch for branch in fake.git.branches(NAME) if branch != "main")
    fake.git.edit(NAME, "apps/sandbox/more.yaml", "{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}\n")
    second = fake.git.log(NAME)[0].id
    promote(fake)
    assert left not in fake.git.branches(NAME), "what something newer replaces goes, its branch too"
    fake.talk.merge(fake.repositories[NAME], 2)
    fake.git.git(NAME, "branch", left, first)
    assert promote(fake, first).startswith("Takes <b>staging</b> back to what <b>sandbox</b> runs or ran: ")
    assert fake.repositories[NAME]["pulls"][3]["title"] == f"Take staging back to {first[:12]}"
    states = {number: pull["state"] for number, pull in fake.repositories[NAME]["pulls"].items()}
    assert states == {1: "closed", 2: "closed", 3: "open"}
    assert fake.repositories[NAME]["pulls"][3]["head"]["ref"] == f"promote/staging/{second[:12]}-{first[:12]}"
    fake.talk.merge(fake.repositories[NAME], 3)
    assert yaml.safe_load(fake.git.read(NAME, "clusters/staging/source.yaml"))["spec"]["ref"]["commit"] == first
    assert list(fake.git.branches(NAME)) == ["main"]


def test_what_changes_for_the_target_alone_is_shown(fake: FakeGitHub) -> None:
    github = GitHub(fake.token)
    changed = [environment(platform__traefik__replicas=2), environment("staging", platform__traefik__replicas=4)]
    ensure_layout(github, github.repository(f"df12-test/{NAME}"), changed, changed)
    fake.talk.merge(fake.repositories[NAME], 1)
    body = promote(fake)
    assert "- <b>staging</b>: <b>rolls</b>\n" in body
    assert "<code>platform.traefik.replicas</code> <code>2</code> → <code>4</code>" in body
    assert "| staging | " in body
    assert "<b>sandbox</b>: " not in body


def test_a_commit_that_never_ran_is_refused_with_nothing_pushed(fake: FakeGitHub) -> None:
    branches = fake.git.branches(NAME)
    with pytest.raises(ConfigError, match="is no commit of"):
        promote(fake, "0" * 40)
    assert fake.git.branches(NAME) == branches
    assert fake.repositories[NAME]["pulls"] == {}


def test_an_environment_that_followed_the_branch_so_far_is_pinned(fake: FakeGitHub) -> None:
    first = fake.git.log(NAME)[1].id
    fake.git.git(NAME, "update-ref", "refs/heads/main", first)
    body = promote(fake)
    assert f"<code>branch main</code> → <code>{first}</code>.\n\n- <b>staging</b>: <b>nothing changes</b>" in body
    assert "No rendered object changes." in body
    assert "commits</summary>" not in body
    (pull,) = fake.repositories[NAME]["pulls"].values()
    source = fake.git.read(NAME, "clusters/staging/source.yaml", pull["head"]["ref"])
    assert yaml.safe_load(source)["spec"]["ref"] == {"branch": "main", "commit": first}


def change_staging(fake: FakeGitHub, **changes: Any) -> None:
    """Merge the rendering of a changed staging, which sandbox runs then too."""
    github = GitHub(fake.token)
    both = [SANDBOX, environment("staging", **changes)]
    ensure_layout(github, github.repository(f"df12-test/{NAME}"), both, both)
    fake.talk.merge(fake.repositories[NAME], max(fake.repositories[NAME]["pulls"]))


CLUSTERS = environment_data("staging")["platform"]["cloudnative_pg"]["clusters"]


SMALLER = [{**CLUSTERS[0], "storage": "1Gi"}]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"platform__cloudnative_pg__clusters": SMALLER}, r"clusters\[main\].storage: refused: a volume never shrinks"),
        ({"platform__cloudnative_pg__clusters": []}, r"clusters\[main\]: needs steps: it stays without walls"),
    ],
)
def test_what_is_refused_or_leaves_a_step_out_is_not_promoted(
    fake: FakeGitHub, changes: dict[str, Any], problem: str
) -> None:
    change_staging(fake, **changes)
    branches, pulls = fake.git.branches(NAME), set(fake.repositories[NAME]["pulls"])
    with pytest.raises(ConfigError, match=problem):
        promote(fake)
    assert (fake.git.branches(NAME), set(fake.repositories[NAME]["pulls"])) == (branches, pulls)


def test_what_provisioning_brings_is_no_matter_of_a_promotion(fake: FakeGitHub) -> None:
    change_staging(fake, cluster__kubernetes_minor="1.38", region="ams3")
    assert "- <b>staging</b>: <b>" in promote(fake)


def test_a_way_back_says_that_it_is_one_and_is_refused_where_there_is_none(fake: FakeGitHub) -> None:
    first = fake.git.log(NAME)[0].id
    change_staging(fake, platform__cloudnative_pg__clusters=[{**CLUSTERS[0], "storage": "90Gi"}])
    promote(fake)
    number = max(fake.repositories[NAME]["pulls"])
    assert fake.repositories[NAME]["pulls"][number]["title"].startswith("Promote staging to ")
    fake.talk.merge(fake.repositories[NAME], number)
    with pytest.raises(ConfigError, match=r"storage: refused: a volume never shrinks"):
        promote(fake, first)


def test_what_the_api_server_never_changes_is_not_promoted_and_charts_are_looked_at(
    fake: FakeGitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    crd = Identity("CustomResourceDefinition", "", "x", "apiextensions.k8s.io")
    other, mine = (Difference(name, "release x", crd, "changed") for name in ("sandbox", "staging"))
    made = [Made([other, mine], {"staging": ["no <chart>"]})]
    monkeypatch.setattr("gitops_render.releases.charts_named", lambda: Charts("/charts", "helm"))

    def differently(*_: object) -> Made:
        return made[0]

    monkeypatch.setattr("gitops_render.releases.made_differently", differently)
    body = promote(fake)
    assert "- <b>staging</b>: <b>not judged</b>\n  - no &lt;chart&gt;\n" in body
    assert "| staging | 0 | 1 | 0 | 0 |" in body
    made[0] = Made([replace(mine, refused=("spec.versions (v1)",))], {})
    fake.git.edit(NAME, "apps/sandbox/more.yaml", "{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}\n")
    with pytest.raises(ConfigError, match=r"CustomResourceDefinition x: the API server never changes spec.versions"):
        promote(fake)


def test_a_refused_promotion_leaves_the_one_before_it(fake: FakeGitHub) -> None:
    promote(fake)
    change_staging(fake, platform__cloudnative_pg__clusters=SMALLER)
    with pytest.raises(ConfigError, match="never shrinks"):
        promote(fake)
    assert fake.repositories[NAME]["pulls"][1]["state"] == "open"


def test_a_step_that_was_promoted_before_lets_the_next_one_follow(fake: FakeGitHub) -> None:
    for retired in ("closed", "deletable"):
        change_staging(fake, platform__cloudnative_pg__clusters=[{**CLUSTERS[0], "retired": retired}])
        promote(fake)
        fake.talk.merge(fake.repositories[NAME], max(fake.repositories[NAME]["pulls"]))
    change_staging(fake, platform__cloudnative_pg__clusters=[])
    body = promote(fake)
    assert "- <b>staging</b>: <b>needs steps</b>\n" in body, "what an application had there, and no refusal"
    assert "deletes <code>Cluster databases main</code> with its data" in body
