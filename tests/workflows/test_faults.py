"""What the commands do when the outside world fails, refuses or is not what it should be."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import yaml

from tests.e2e.vault import Vault
from tests.fakes.server import Fault
from tests.workflows.act import Project
from tests.workflows.world import INFRASTRUCTURE, REPOSITORY, World

ALL = ("check", "secrets", "layout", "settings")
API = "/api/v3"
REPOS = f"{API}/orgs/df12-test/repos"
ONCE = (
    Fault("GET", f"{API}/orgs/df12-test", status=502),
    Fault("GET", f"{API}/orgs/df12-test", cut=True),
    Fault("GET", f"{API}/repos/df12-test/{REPOSITORY}", status=429, headers={"Retry-After": "1"}),
    Fault("GET", f"{API}/repos/df12-test/{REPOSITORY}", status=500, times=2),
    Fault("GET", f"/df12-test/{REPOSITORY}.git/info/refs", status=503),
    Fault("GET", f"/df12-test/{REPOSITORY}.git/info/refs", cut=True),
    Fault("GET", "/token", status=500),
    Fault("GET", "/token", delay_seconds=2),
)


def named(fault: Fault) -> str:
    """Return what a test with this fault is called."""
    how = fault.status or ("cut" if fault.cut else "slow")
    return f"{fault.method} {fault.path.rpartition('/')[2]} {how}"


def bootstrap(world: World, project: Project, *commands: str) -> None:
    """Run commands of the bootstrap that have to succeed."""
    for command in commands or ALL:
        if command == "settings":
            world.synthesise(project.folder)
        world.run("bootstrap", command, folder=project.folder)


@pytest.mark.parametrize("fault", ONCE, ids=named)
def test_what_fails_in_passing_is_tried_again(world: World, project: Project, fault: Fault) -> None:
    server = world.actions if fault.path == "/token" else world.github
    server.faults.append(fault)
    bootstrap(world, project, "check", "secrets", "layout")
    assert fault.times == 0, "the fault was met"
    assert len(world.github.git.log(REPOSITORY)) == 2


LASTING = (
    ("check", Fault("GET", f"{API}/orgs/df12-test", status=404), "GitHub knows no organisation df12-test"),
    (
        "check",
        Fault("GET", f"{API}/orgs/df12-test", status=401),
        "GitHub at .* refuses the token; correct github_token",
    ),
    (
        "layout",
        Fault("POST", REPOS, status=403, message="Resource not accessible by personal access token"),
        "GitHub refuses a new repository .* give the token the permission Administration",
    ),
    ("layout", Fault("POST", f"/df12-test/{REPOSITORY}.git/git-receive-pack", status=403), "git push: .*403"),
    (
        "settings",
        Fault(
            "POST",
            f"{API}/repos/df12-test/{REPOSITORY}/rulesets",
            status=403,
            message="Resource not accessible by personal access token",
        ),
        "gitops-repository: a token lacks a permission; give it those of docs/how-to/bootstrap.md",
    ),
)


@pytest.mark.parametrize(("command", "fault", "sentence"), LASTING, ids=[f"{at}-{f.status}" for at, f, _ in LASTING])
def test_what_a_person_has_to_fix_is_one_sentence_and_the_next_run_goes_on(
    world: World, project: Project, command: str, fault: Fault, sentence: str
) -> None:
    if command == "settings" and not world.providers:
        pytest.skip("tofu init finds no providers")
    bootstrap(world, project, *ALL[: ALL.index(command)])
    world.synthesise(project.folder)
    fault.times = float("inf")
    world.github.faults.append(fault)
    printed = world.run("bootstrap", command, folder=project.folder, code=2)
    assert re.search(sentence, printed), printed
    assert "Traceback" not in printed
    world.github.faults.clear()
    bootstrap(world, project)
    assert len(world.github.git.log(REPOSITORY)) == 2
    if world.providers:
        assert len(world.repository["rulesets"]) == 2
        assert len(world.repository["keys"]) == 3


def test_everything_that_only_a_person_can_bring_is_named_at_once(world: World, project: Project) -> None:
    world.vault.remove("gitops/provisioning")
    world.vault.remove("staging/platform/digitalocean-dns")
    before = world.vault.versions()
    printed = world.run("bootstrap", "check", folder=project.folder, code=2)
    assert "Vault episodic/gitops/provisioning: github_token: is missing; add it" in printed
    assert "Vault episodic/staging/platform/digitalocean-dns: token: is missing; add it" in printed
    world.run("bootstrap", "secrets", folder=project.folder, code=2)
    assert "sandbox/flux" not in before
    world.run("bootstrap", "layout", folder=project.folder, code=2)
    assert world.github.repositories.keys() == {INFRASTRUCTURE}


def test_another_repository_than_the_files_name_is_refused(world: World, project: Project) -> None:
    other = ("--organisation", "df12-test", "--repository", "other")
    printed = world.run("bootstrap", "check", *other, folder=project.folder, code=2)
    assert "gitops.repository: is 'episodic-gitops', asked for was 'other'; make them equal" in printed


def test_a_key_that_seals_for_somebody_else_is_refused(world: World, project: Project) -> None:
    text = (project.folder / "environments/sandbox.yaml").read_text()
    project.write("environments/sandbox.yaml", f"{text}sops_recipient: age1{'q' * 58}\n")
    printed = world.run("bootstrap", "secrets", folder=project.folder, code=2)
    assert "episodic/sandbox/flux: age_key: is not the private half of sops_recipient" in printed


def test_a_job_of_another_repository_or_branch_gets_nothing_from_vault(world: World, project: Project) -> None:
    for changed in ({"repository_id": "1002"}, {"repository_owner_id": "1"}, {"ref": "refs/heads/topic"}):
        before = {name: getattr(world.actions, name) for name in changed}
        for name, value in changed.items():
            setattr(world.actions, name, value)
        printed = world.run("bootstrap", "check", folder=project.folder, code=2)
        assert re.search(r"Vault at \S+ refuses auth/github/login", printed), printed
        for name, value in before.items():
            setattr(world.actions, name, value)


def test_without_a_login_it_is_said_how_to_get_one(world: World, project: Project) -> None:
    printed = world.run("bootstrap", "check", folder=project.folder, code=2, ACTIONS_ID_TOKEN_REQUEST_URL="")
    assert "VAULT_TOKEN: is not set; log in to Vault, or give the job the permission id-token: write" in printed
    world.run(
        "bootstrap", "check", folder=project.folder, ACTIONS_ID_TOKEN_REQUEST_URL="", VAULT_TOKEN=world.vault.token
    )


def test_a_sealed_vault_and_one_that_is_not_trusted_are_named(world: World, project: Project, tmp_path: Path) -> None:
    with Vault(tmp_path / "sealed", sealed=True) as sealed:
        files = {path: yaml.safe_load(path.read_text()) for path in project.folder.glob("environments/*.yaml")}
        for path, data in files.items():
            for server in (data["vault"], data["gitops"]["vault"]):
                server["address"] = sealed.address
            path.write_text(yaml.safe_dump(data))
        untrusted = world.run("bootstrap", "check", folder=project.folder, code=2)
        assert re.search(r"Vault at \S+ cannot be reached \(its certificate is not trusted\)", untrusted), untrusted
        for path, data in files.items():
            for server in (data["vault"], data["gitops"]["vault"]):
                server["ca_bundle"] = sealed.ca
            path.write_text(yaml.safe_dump(data))
        assert "is sealed or not initialised; unseal it" in world.run(
            "bootstrap", "check", folder=project.folder, code=2
        )


def test_the_wrong_passphrase_is_told_from_a_broken_state(
    world: World, project: Project, provision: Callable[..., str]
) -> None:
    provision("plan", "sandbox", "--stage", "foundation", "--prepare")
    provision("apply", "sandbox")
    right = world.vault.read("sandbox/provisioning/state")["state_passphrase"]
    world.vault.write("sandbox/provisioning/state", state_passphrase="another passphrase of some length")
    printed = provision("plan", "sandbox", "--stage", "foundation", code=2)
    assert "its state was written with another state_passphrase than Vault has" in printed
    world.vault.write("sandbox/provisioning/state", state_passphrase="short")
    too_short = provision("plan", "sandbox", "--stage", "foundation", code=2)
    assert "state_passphrase: must have 16 characters or more" in too_short
    world.vault.write("sandbox/provisioning/state", state_passphrase=right)
    assert "sandbox-state: 0 resources to change" in provision("plan", "sandbox", "--stage", "foundation")


@pytest.fixture
def provision(world: World, project: Project) -> Callable[..., str]:
    """Return a function that runs `provision`, with the stacks synthesised and Vault filled."""
    world.run("bootstrap", "secrets", folder=project.folder)
    world.synthesise(project.folder)
    return partial(world.run, "provision", folder=project.folder)


def test_a_refused_token_is_told_from_a_failure(world: World, project: Project, provision: Callable[..., str]) -> None:
    world.vault.write("sandbox/provisioning/plan", digitalocean_token="dop_v1_wrong")
    printed = provision("plan", "sandbox", "--stage", "services", code=2)
    assert "DigitalOcean refuses GET /v2/kubernetes/clusters (401); correct digitalocean_token in Vault" in printed


def test_digitalocean_that_fails_in_passing_is_asked_again(
    world: World, project: Project, provision: Callable[..., str]
) -> None:
    world.digitalocean.faults += [
        Fault("GET", "/v2/kubernetes/clusters", status=503),
        Fault("GET", "/v2/kubernetes/clusters", status=429, headers={"Retry-After": "1"}),
        Fault("GET", "/v2/kubernetes/clusters", cut=True),
    ]
    assert "is planned once the cluster is there" in provision("plan", "sandbox", "--stage", "services")
    assert [fault.times for fault in world.digitalocean.faults] == [0, 0, 0]


def test_a_cluster_that_digitalocean_refuses_is_made_by_the_next_run(
    world: World, project: Project, provision: Callable[..., str]
) -> None:
    if not world.providers:
        pytest.skip("tofu init finds no providers")
    limit = Fault("POST", "/v2/kubernetes/clusters", times=float("inf"), status=422, message="droplet limit exceeded")
    world.digitalocean.faults.append(limit)
    foundation = ("plan", "sandbox", "--stage", "foundation", "--prepare")
    provision(*foundation)
    printed = provision("apply", "sandbox", code=2)
    assert re.search(r"sandbox-cluster: .*droplet limit exceeded", printed), printed
    assert "sandbox-cluster.tfstate" in world.spaces.objects("episodic-sandbox-state")
    world.digitalocean.faults.clear()
    assert "to import" not in provision(*foundation)
    provision("apply", "sandbox")
    end = world.end_state()
    assert (end["clusters"], end["networks"]) == (["episodic-sandbox"], ["episodic-sandbox"])


def test_what_is_protected_or_not_meant_is_not_destroyed(
    world: World, project: Project, provision: Callable[..., str]
) -> None:
    destroy = ("--stage", "services", "--destroy")
    assert "cluster.protected is true" in provision("plan", "production", *destroy, code=2)
    path = project.folder / "environments/staging.yaml"
    path.write_text(path.read_text().replace("cluster:\n", "cluster:\n  protected: false\n", 1))
    assert "has to be confirmed by its name, found ''" in provision("plan", "staging", *destroy, code=2)
    assert "found 'sandbox'" in provision("plan", "staging", *destroy, "--confirm", "sandbox", code=2)
    provision("plan", "staging", *destroy, "--confirm", "staging")


def test_plans_of_another_environment_are_not_applied(
    world: World, project: Project, provision: Callable[..., str]
) -> None:
    assert "plans.out/plans.json: is no list of plans; plan first" in provision("apply", "sandbox", code=2)
    provision("plan", "sandbox", "--stage", "services")
    assert "is of environment sandbox, not of staging" in provision("apply", "staging", code=2)
    assert "unknown environment 'sandbx'" in provision("apply", "sandbx", code=2)
