"""The pages about the life of an environment, followed word by word with real OpenTofu and the real providers."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from gitops_render.site.examples import in_page
from tests.console import Step, blocks
from tests.e2e.cluster import Cluster
from tests.e2e.jobs import jobs_completed
from tests.support import ROOT, without_times
from tests.workflows.act import Project
from tests.workflows.conftest import project_in
from tests.workflows.flux import BecomesReady
from tests.workflows.world import World

HOW_TO = ROOT / "docs/how-to"
BOOTSTRAP, ADD, REMOVE, POOLS, UPGRADE, NETWORK = (
    HOW_TO / f"{name}.md"
    for name in (
        "bootstrap",
        "add-an-environment",
        "remove-an-environment",
        "resize-and-add-pools",
        "upgrade-kubernetes",
        "bring-your-own-network",
    )
)
STAGES = ("foundation", "services", "dns")


class Reader:
    """Who has a clone of the project and Vault's token, and does what a page says, for one environment of theirs.

    Pages speak of `sandbox`. A command's words are those of the page but for that name.
    """

    def __init__(self, world: World, project: Project, name: str) -> None:
        self.world, self.project, self.name = world, project, name
        self.file = project.folder / f"environments/{name}.yaml"

    def follow(self, page: Path, number: int = 0) -> str:
        """Run the commands of a block of a page, and return what they said, and what a job would show people."""
        return "".join(map(self.run, [*blocks(page)][number]))

    def run(self, step: Step) -> str:
        """Run a command as a page has it."""
        summary = self.world.folder / "summary.md"
        summary.unlink(missing_ok=True)
        author = {f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        own = {"VAULT_TOKEN": self.world.vault.token, "MAKEFLAGS": "READY= TESTS=", "GITHUB_STEP_SUMMARY": str(summary)}
        command = step.command.partition(" #")[0]
        command = command if self.name in command else re.sub(r"\bsandbox\b", self.name, command)
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.project.folder,
            env={**self.world.command_environment(), **author, **own},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        said = without_times(done.stdout)
        assert done.returncode == 0, f"$ {command}\n{said}"
        assert not step.printed or step.matches(said), f"$ {command}\n{said}"
        return said + (summary.read_text() if summary.exists() else "")

    def do(self, command: str) -> str:
        """Run what a page says in words."""
        return self.run(Step(command, ()))

    def change(self, **cluster: Any) -> None:
        """Edit the block `cluster` of the environment's file."""
        self.write({"cluster": {**self.read()["cluster"], **cluster}})

    def read(self) -> dict[str, Any]:
        """Return what the environment's file says."""
        return yaml.safe_load(self.file.read_text())

    def write(self, part: dict[str, Any]) -> None:
        """Let the environment's file say a part otherwise, and merge that."""
        self.file.write_text(yaml.safe_dump({**self.read(), **part}))
        self.project.commit(f"Change {self.name}")

    def applies(self) -> str:
        """Plan again with --prepare, and apply, as the pages say of a laptop; then nothing is left to do."""
        plan = f"bin/operations provision plan {self.name} --stage foundation --prepare"
        said = self.do(plan) + self.do(f"bin/operations provision apply {self.name}")
        assert "0 resources to change in foundation" in self.do(plan)
        return said

    def ends(self) -> None:
        """Do what the workflow does that provisions, with `destroy`."""
        for stage in reversed(STAGES):
            self.do(f"bin/operations provision plan {self.name} --stage {stage} --destroy --confirm {self.name}")
            self.do(f"bin/operations provision apply {self.name} --confirm {self.name}")


def quoted(page: Path, start: str) -> str:
    """Return the sentence that a page says a report has, by its first words, without marks."""
    text = " ".join(page.read_text().split())
    found = re.search(rf'"({re.escape(start)}[^"]*)"', text)
    assert found, f"{page.name}: no report with {start}"
    return found[1]


def shown(said: str) -> str:
    """Return what was said as a page quotes it."""
    return " ".join(re.sub(r"</?code>", "`", said).split())


@pytest.fixture
def living(make_world: Callable[..., World], flux_cluster: Cluster) -> Iterator[World]:
    """A world whose one cluster turns out to be a real API server."""
    world = make_world("world", flux_cluster)
    if not world.providers:
        pytest.skip("tofu init finds no providers")
    with BecomesReady(flux_cluster, world.digitalocean, "episodic-review-ingress"), jobs_completed(flux_cluster):
        yield world


def test_an_environment_is_added_resized_upgraded_and_removed_as_the_pages_say(living: World, tmp_path: Path) -> None:
    world, project = living, project_in(living, tmp_path / "project")
    reader = Reader(world, project, "review")
    reader.follow(ADD)
    world.bring(reader.read())
    project.commit("Add review")
    reader.follow(BOOTSTRAP, 1)
    (cluster,) = world.digitalocean.clusters.values()
    assert (cluster["name"], world.end_state()["records"]) == ("episodic-review", ["*.review", "ingress.review"])

    pools = reader.read()["cluster"]["pools"]
    system = next(pool for pool in cluster["node_pools"] if pool["labels"]["pool"] == "system")
    system["count"] = 3
    reader.change(pools={**pools, "system": {**pools["system"], "size": "s-8vcpu-16gb"}})
    assert quoted(POOLS, "pool `system` moves") in shown(reader.follow(POOLS))
    reader.applies()
    assert world.end_state()["pools"] == ["default", "system-s-8vcpu-16gb", "workload-s-2vcpu-4gb"]

    reader.change(kubernetes_minor="1.37")
    assert quoted(UPGRADE, "Kubernetes moves") in shown(reader.follow(UPGRADE))
    reader.applies()
    assert cluster["version"] == "1.37.1-do.0"

    reader.ends()
    left = world.end_state()
    assert (left["clusters"], left["networks"], left["records"]) == ([], [], [])
    reader.follow(REMOVE)
    project.commit("Remove review")
    reader.do("bin/operations bootstrap settings")
    assert world.repository["environments"].keys() == {"sandbox", "staging", "production"}
    assert "flux-review" not in {key["title"] for key in world.repository["keys"].values()}


def test_an_environment_comes_into_a_network_that_is_there_as_the_page_says(
    make_world: Callable[..., World], tmp_path: Path
) -> None:
    world = make_world()
    if not world.providers:
        pytest.skip("tofu init finds no providers")
    project = project_in(world, tmp_path / "project")
    reader = Reader(world, project, "sandbox")
    network, neighbours = in_page(NETWORK.read_text())
    vpc = {"id": "5a4981aa-9653-4bd1-bef5-d6bff52042e4", "name": "shared", "region": "lon1", "description": ""}
    rest = {"ip_range": network["vpc_range"], "urn": "x", "created_at": "2026-01-01T00:00:00Z", "default": False}
    world.digitalocean.vpcs[vpc["id"]] = {**vpc, **rest}
    reader.write({"vpc_range": network["vpc_range"]})
    reader.change(**network["cluster"])
    reader.do("bin/operations bootstrap secrets")
    reader.follow(NETWORK)
    reader.applies()
    (cluster,) = world.digitalocean.clusters.values()
    subnets = {key: network["cluster"]["network"][key] for key in ("cluster_subnet", "service_subnet")}
    assert cluster.items() >= {"vpc_uuid": vpc["id"], **subnets}.items()

    reader.change(network={**network["cluster"]["network"], **neighbours["cluster"]["network"]})
    reader.follow(NETWORK)
    assert "0 resources to change in foundation" in reader.do(
        "bin/operations provision plan sandbox --stage foundation"
    )
    reader.ends()
    assert (world.digitalocean.clusters, world.digitalocean.vpcs.keys()) == ({}, {vpc["id"]})
