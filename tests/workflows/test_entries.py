"""Entries in a real Vault: what is there is kept, whoever wrote it."""

from __future__ import annotations

from constructs_lib.environment.vault import VaultLogin, VaultServer
from operations.clients.vault import Secrets
from tests.workflows.act import Project
from tests.workflows.world import World


def test_two_runs_at_once_do_not_overwrite_each_other(world: World) -> None:
    server = VaultServer(address=world.vault.address, ca_bundle=world.vault.ca, ci=VaultLogin(mount="m", role="r"))
    secrets = Secrets(world.vault.client(), server, "episodic")
    calls: list[str] = []

    def make() -> str:
        """Be slow: the other run writes its key first."""
        calls.append("made")
        world.vault.write("race/flux", deploy_key="theirs")
        return "ours"

    assert secrets.add("race/flux", {"deploy_key": make}) == ()
    assert (calls, world.vault.read("race/flux")) == (["made"], {"deploy_key": "theirs"})


def test_what_a_person_put_there_is_kept(world: World, project: Project) -> None:
    world.vault.write("sandbox/platform/grafana", username="root", password="my-own-password")
    world.run("bootstrap", "secrets", folder=project.folder)
    assert world.vault.read("sandbox/platform/grafana") == {"username": "root", "password": "my-own-password"}
    keys = [
        line
        for _ in range(2)
        for line in world.run("deploy-key", "sandbox", folder=project.folder).splitlines()
        if line.startswith("ssh-ed25519 ")
    ]
    assert keys == [keys[0]] * 2


def test_in_apply_mode_the_platform_is_a_service_too_and_ends_first(world: World, project: Project) -> None:
    world.run("bootstrap", "secrets", folder=project.folder)
    path = project.folder / "environments/sandbox.yaml"
    path.write_text(f"{path.read_text()}mode: apply\n")
    world.synthesise(project.folder)

    def waiting(*options: str) -> list[str]:
        command = ("provision", "plan", "sandbox", "--stage", "services", *options)
        printed = world.run(*command, folder=project.folder)
        return [line.partition(":")[0] for line in printed.splitlines() if "once the cluster is there" in line]

    assert waiting() == ["sandbox-flux", "sandbox-platform"]
    assert waiting("--destroy") == ["sandbox-platform", "sandbox-flux"]
