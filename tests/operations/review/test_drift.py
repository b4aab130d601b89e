"""What an issue about drift says, and when there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from operations.bootstrap.layout import ensure_layout
from operations.clients.github import GitHub
from operations.clients.tofu import Change
from operations.provisioning.planning import Reading
from operations.review.drift import find_drift, marker, to_markdown
from tests.fakes.tofu import change
from tests.operations.conftest import Outside
from tests.support import environment

READING = Reading("sandbox-cluster", [Change("a.b", "a", ("update",), {}, imported=False, before={})], "~ a.b")


def test_each_environment_has_an_issue_of_its_own() -> None:
    assert marker(environment()) == "<!-- drift:sandbox -->"
    assert marker(environment()) != marker(environment("staging"))


def test_stacks_and_files_that_differ_are_shown() -> None:
    text = to_markdown(environment(), [READING], ["platform/a`b.yaml"])
    assert text.splitlines()[:5] == [
        "<!-- drift:sandbox -->",
        "Environment <b>sandbox</b> differs from <code>environments/sandbox.yaml</code>.",
        "",
        "## OpenTofu",
        "",
    ]
    assert "| sandbox-cluster | 0 | 1 | 0 | 0 | 0 |" in text
    assert "## df12-test/episodic-gitops\n\nThese files are not as they are rendered:\n\n" in text
    assert "- <code>platform/a`b.yaml</code>\n" in text
    assert text.endswith("This issue closes itself once nothing differs.")


def test_only_what_differs_has_a_heading() -> None:
    assert "## df12-test" not in to_markdown(environment(), [READING], [])
    assert "## OpenTofu" not in to_markdown(environment(), [], ["a.yaml"])


def test_drift_is_looked_for_in_stacks_and_files_and_writes_nothing(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = outside.environment()
    outside.synthesise(env)
    outside.github.add_repository("episodic-gitops")
    github = GitHub(outside.github.token)
    ensure_layout(github, github.repository("df12-test/episodic-gitops"), [env], [env])
    writes = len(outside.github.writes)
    assert find_drift(env, [env], github) is None
    outside.tofu.changes["sandbox-cluster"] = [change("digitalocean_tag.x", "update")]
    outside.tofu.save()
    text = find_drift(env, [env], github)
    assert text is not None
    assert "| sandbox-cluster | 0 | 1 | 0 | 0 | 0 |" in text
    outside.tofu.changes = {}
    outside.tofu.save()
    other = outside.environment(platform__vault_eso__replicas=2)
    text = find_drift(other, [other], github)
    assert text is not None
    assert "These files are not as they are rendered:" in text
    sent = [request for request in outside.github.writes[writes:] if "git-upload-pack" not in request.path]
    assert (sent, outside.vault.writes, outside.spaces.buckets()) == ([], [], [])
    assert not Path("plans.out").exists()


def test_what_an_environment_left_behind_is_told(outside: Outside) -> None:
    env = outside.environment()
    outside.synthesise(env)
    outside.github.add_repository("episodic-gitops")
    github = GitHub(outside.github.token)
    ensure_layout(github, github.repository("df12-test/episodic-gitops"), [env], [env])
    for name, tags in (
        ("old", ["environment:gone"]),
        ("eph-1", ["environment:eph-1"]),
        ("mine", ["environment:sandbox"]),
    ):
        outside.digitalocean.add_cluster(name)["tags"] = ["k8s", *tags]
    outside.github.git.edit("episodic-gitops", "clusters/gone/x.yaml", "{apiVersion: v1, kind: ConfigMap}\n")
    text = find_drift(env, [env], github)
    assert text is not None
    assert "## Nobody's\n\nSee docs/how-to/remove-an-environment.md:\n\n" in text
    assert "- cluster old is of environment gone, which has no file\n" in text
    assert text.count("which has no file") == 1
    assert "- <code>clusters/gone</code>\n" in text
