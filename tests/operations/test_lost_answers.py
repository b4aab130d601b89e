"""Every command that changes something, with the answer lost to each of its changes in turn.

What is asked of our own clients is made nevertheless, by the same run. Where a provider of OpenTofu was not told, the
run ends with a sentence, and the next one finds what was made. In the end all is as if nothing had been lost.
"""

from __future__ import annotations

import re
import signal
import tempfile
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

import constructs_lib.environment
from constructs_lib.base.errors import exit_on_bad_input
from operations.clients.clone import Clone
from operations.commands import app
from operations.review.report import MARKER
from operations.secrets.entries import age_recipient
from tests.fakes.kubernetes import FakeKubernetes
from tests.fakes.server import Fault
from tests.fakes.tofu import change, making
from tests.operations.conftest import Outside, opened

REPOSITORY = "episodic-gitops"
Arguments = Sequence[str]

pytestmark = pytest.mark.e2e  # no tool is needed, but a minute is


GIVEN = re.compile(r"/(DO[0-9A-F]{18}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$")
"""The end of a path that DigitalOcean gave, another one in each world."""


class Step(NamedTuple):
    """A request that changes something: the server, and how often the same was asked before."""

    server: str
    method: str
    path: str
    before: int


class Place:
    """An outside world with these environments."""

    def __init__(self, outside: Outside, names: Sequence[str]) -> None:
        self.outside = outside
        self.environments = [outside.environment(name) for name in names]
        outside.synthesise(*self.environments)

    def run(self, arguments: Arguments, codes: tuple[int, ...] = (0,)) -> int:
        """Run a command, which has to end with one of these exit codes."""
        with pytest.raises(SystemExit) as ended, exit_on_bad_input():
            app(list(arguments), prog_name="operations")
        code = int(ended.value.code or 0)
        assert code in codes, f"{arguments} ended with {code}"
        return code

    def changes(self) -> list[tuple[str, str, str]]:
        """Return the server, method and path of each change so far; reading by Git and a lookup of Vault are none."""
        asked = [
            *(("vault", item.method, item.path) for item in self.outside.vault.writes),
            *(("github", item.method, item.path) for item in self.outside.github.writes),
            *(("digitalocean", item.method, item.path) for item in self.outside.digitalocean.writes),
            *(("spaces", method, path) for method, path in self.outside.spaces.writes),
        ]
        told = ((server, method, GIVEN.sub("/*", path)) for server, method, path in asked)
        return [item for item in told if not item[2].endswith(("/git-upload-pack", "/lookup"))]

    def steps(self, commands: Sequence[Arguments]) -> list[Step]:
        """Run commands, and return the changes for which they ask."""
        before = Counter(self.changes())
        for command in commands:
            self.run(command)
        asked = list((Counter(self.changes()) - before).elements())
        return [Step(*item, asked[:number].count(item)) for number, item in enumerate(asked)]

    def end_state(self) -> dict[str, Any]:
        """Return what is there, without what is random."""
        outside = self.outside
        return {
            "vault": {path: (sorted(items[-1]), len(items)) for path, items in outside.vault.entries.items()},
            "logins": (outside.vault.mounts, sorted(outside.vault.auth), len(outside.vault.secret_ids)),
            "repositories": {name: self._repository(name) for name in outside.github.repositories},
            "networks": sorted(item["name"] for item in outside.digitalocean.vpcs.values()),
            "records": {
                zone: sorted(map(_named, held.values())) for zone, held in outside.digitalocean.zones.records.items()
            },
            "keys": sorted(item["name"] for item in outside.digitalocean.spaces_keys.values()),
            "buckets": {name: sorted(outside.spaces.objects(name)) for name in outside.spaces.buckets()},
        }

    def _repository(self, name: str) -> dict[str, Any]:
        scope, git = self.outside.github.repositories[name], self.outside.github.git
        talks = {
            kind: [(item["title"].split()[0], item["state"], len(item["comments"])) for item in scope[kind].values()]
            for kind in ("pulls", "issues")
        }
        keys = sorted(item["title"] for item in scope["keys"].values())
        log = [commit.message for commit in git.log(name)] if git.head(name) else []
        return {**talks, "keys": keys, "messages": log, "trees": len(set(git.branches(name).values()))}


def _named(record: dict[str, Any]) -> tuple[str, str]:
    return record["type"], record["name"]


def nothing(place: Place) -> None:
    """Have nothing there before: of Spaces keys neither."""
    for path, token in (("state", {}), ("plan", {"digitalocean_token": place.outside.digitalocean.token})):
        place.outside.vault.put(f"episodic/sandbox/provisioning/{path}", **token)


def secrets(place: Place) -> None:
    """Fill Vault."""
    place.run(("bootstrap", "secrets"))


def seeded(place: Place) -> None:
    """Bring the GitOps repository up."""
    secrets(place)
    place.run(("bootstrap", "layout"))
    place.outside.github.add_repository("infrastructure")


def keyed(place: Place) -> None:
    """Let the GitOps repository's stack make two deploy keys."""
    secrets(place)
    outside = place.outside
    outside.github.add_repository(REPOSITORY)
    keys = f"{outside.github.url}/api/v3/repos/df12-test/{REPOSITORY}/keys"
    bodies = [{"title": f"flux-{name}", "key": f"ssh-ed25519 {name * 68}", "read_only": True} for name in "AB"]
    outside.tofu.makes["gitops-repository"] = [
        making(f"github_repository_deploy_key.k{number}", keys, outside.github.token, body, repository=REPOSITORY)
        for number, body in enumerate(bodies)
    ]
    outside.tofu.save()


def founded(place: Place) -> None:
    """Let the foundation make a network."""
    secrets(place)
    tofu, api = place.outside.tofu, place.outside.digitalocean
    network = {"name": "episodic-sandbox", "region": "lon1", "ip_range": "10.20.0.0/20", "description": ""}
    tofu.makes["sandbox-cluster"] = [making("digitalocean_vpc.v", f"{api.url}/v2/vpcs", api.token, network)]
    tofu.save()


def made(place: Place) -> None:
    """Let the foundation have made it."""
    founded(place)
    for command in staged("foundation"):
        place.run(command)


def answering(place: Place) -> None:
    """Let there be a balancer and a zone, into which a record comes; the lock is taken twice to look for another."""
    secrets(place)
    tofu, api = place.outside.tofu, place.outside.digitalocean
    api.zones.records[ZONE] = {}
    api.add_balancer(place.environments[0].balancer)
    record = {"type": "A", "name": "ingress.sandbox", "data": "203.0.113.1", "ttl": 300}
    url = f"{api.url}/v2/domains/{ZONE}/records"
    told = {"domain": ZONE, "value": record["data"]}
    tofu.makes["sandbox-dns"] = [making("digitalocean_record.r", url, api.token, record, **told)]
    place.outside.synthesise(place.environments[0], digitalocean_record={"r": {}})


def with_secret_id(place: Place) -> None:
    """Let the cluster log in to Vault by an AppRole."""
    auth = {"method": "approle", "mount": "approle", "role_id": "role"}
    place.environments[0] = place.outside.environment("sandbox", vault__auth=auth)
    vault = place.outside.vault
    vault.secret_ids["first"] = "the first secret ID"
    account = vault.held("episodic/sandbox/provisioning")
    vault.put("episodic/sandbox/provisioning", **{**account, "vault_secret_id": "the first secret ID"})
    secrets(place)


def age_keys(place: Place) -> list[str]:
    """Return the sandbox's age keys."""
    return place.outside.vault.held("episodic/sandbox/flux")["age_key"].split()


def read_by(place: Place, key: str) -> None:
    """Let the sandbox's file name an age key as its reader."""
    update = {"sops_recipient": age_recipient(key)}
    place.environments[0] = place.environments[0].model_copy(update=update)


def sealing(place: Place) -> None:
    """Seal for the sandbox."""
    secrets(place)
    read_by(place, age_keys(place)[0])
    seeded(place)


def with_two_keys(place: Place) -> None:
    """Let the sandbox's file name a second age key."""
    sealing(place)
    place.run(ROTATE_AGE_KEY)
    read_by(place, age_keys(place)[1])


def sealed_anew(place: Place) -> None:
    """Merge what is sealed for it."""
    with_two_keys(place)
    place.run(ROTATE_AGE_KEY)
    talk, scope = place.outside.github.talk, place.outside.github.repositories[REPOSITORY]
    talk.merge(scope, next(iter(scope["pulls"])))


def serving(place: Place) -> None:
    """Let there be a cluster whose login Vault does not know, and something to apply."""
    secrets(place)
    place.outside.digitalocean.add_cluster("episodic-sandbox")
    place.outside.vault.mounts["jwt-sandbox"] = "jwt"
    place.outside.tofu.changes["sandbox-flux"] = [change("terraform_data.x")]
    place.outside.tofu.save()


def promotable(place: Place) -> None:
    """Let staging be behind the sandbox."""
    seeded(place)
    place.outside.github.git.edit(REPOSITORY, "README.md", "another\n")


def reported(place: Place) -> None:
    """Write what is commented."""
    scope = place.outside.github.add_repository("infrastructure")
    place.outside.github.talk.add_pull(scope, "topic", title="Change")
    Path("report.md").write_text(f"{MARKER}\ntext")


def drifted(place: Place) -> None:
    """Let something differ."""
    seeded(place)
    place.outside.tofu.changes["sandbox-cluster"] = [change("digitalocean_tag.x", "update")]
    place.outside.tofu.save()


def settled(place: Place) -> None:
    """Let something have differed."""
    drifted(place)
    place.run(DRIFT)
    place.outside.tofu.changes = {}
    place.outside.tofu.save()


class Scene(NamedTuple):
    """Commands in whose course answers are lost, what has to be there before, and how many changes they are."""

    prepare: Callable[[Place], None]
    commands: Sequence[Arguments]
    changes: int
    names: Sequence[str] = ("sandbox",)


def staged(stage: str) -> list[Arguments]:
    """Return the commands that provision a stage."""
    return [("provision", "plan", "sandbox", "--stage", stage, "--prepare"), ("provision", "apply", "sandbox")]


def ended(stage: str) -> list[Arguments]:
    """Return the commands that destroy what a stage made."""
    return [
        ("provision", "plan", "sandbox", "--stage", stage, "--destroy", "--prepare"),
        ("provision", "apply", "sandbox"),
    ]


ZONE = "episodic.example"
ROTATE_SPACES_KEY = ("rotate", "spaces-key", "sandbox", "backups")
ROTATE_SECRET_ID = ("rotate", "approle", "sandbox")
ROTATE_AGE_KEY = ("rotate", "age-key", "sandbox")
DRIFT = ("drift", "sandbox", "--report", "df12-test/infrastructure")
SCENES = {
    "secrets": Scene(nothing, [("bootstrap", "secrets")], 16),
    "layout": Scene(secrets, [("bootstrap", "layout")], 2),
    "settings": Scene(keyed, [("bootstrap", "settings")], 3),
    "foundation": Scene(founded, staged("foundation"), 1),
    "services": Scene(serving, staged("services"), 1),
    "dns": Scene(answering, staged("dns"), 5),
    "destroy": Scene(made, ended("foundation"), 1),
    "drift": Scene(drifted, [DRIFT], 1),
    "no drift": Scene(settled, [DRIFT], 2),
    "promote": Scene(promotable, [("promote", "sandbox", "staging")], 2, ("sandbox", "staging")),
    "rotate a password": Scene(secrets, [("rotate", "password", "sandbox", "postgres/main/episodic")], 2),
    "rotate a deploy key": Scene(seeded, [("rotate", "deploy-key", "sandbox")], 4),
    "rotate a Spaces key": Scene(secrets, [ROTATE_SPACES_KEY] * 2, 3),
    "rotate a secret ID": Scene(with_secret_id, [ROTATE_SECRET_ID] * 2, 4),
    "rotate a passphrase": Scene(secrets, [("rotate", "state-passphrase", "sandbox")], 3),
    "a second age key": Scene(sealing, [ROTATE_AGE_KEY], 1),
    "seal for another age key": Scene(with_two_keys, [ROTATE_AGE_KEY], 2),
    "the end of an age key": Scene(sealed_anew, [ROTATE_AGE_KEY], 1),
    "comment": Scene(reported, [("comment", "df12-test/infrastructure", "1")], 1),
}

World = Callable[[Sequence[str]], AbstractContextManager[Place]]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slept: list[float]) -> Iterator[World]:
    """Return a function that opens a new outside world with a cluster, in which nobody waits between two tries."""
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=list[float]().append))
    # Old enough that nobody has the Spaces keys before it any more.
    monkeypatch.setattr("tests.fakes.digitalocean.NOW", "2020-01-01T00:00:00Z")
    monkeypatch.setattr(Clone.ask.retry, "sleep", list[float]().append)  # pyright: ignore[reportFunctionMemberAccess]
    handler = signal.getsignal(signal.SIGTERM)

    @contextmanager
    def open_one(names: Sequence[str]) -> Generator[Place]:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        with opened(folder, monkeypatch) as outside, FakeKubernetes() as cluster:
            outside.digitalocean.server = cluster.url
            place = Place(outside, names)
            monkeypatch.setattr(constructs_lib.environment, "load_all", lambda: place.environments)
            for name in ("DRY_RUN", "CONFIRM"):
                monkeypatch.delenv(name, raising=False)
            monkeypatch.setenv("GITHUB_TOKEN", outside.github.token)
            yield place

    yield open_one
    signal.signal(signal.SIGTERM, handler)


def lose(place: Place, step: Step) -> Fault:
    """Let the answer to a change be lost that a run is going to ask for."""
    server: Any = getattr(place.outside, step.server)
    fault = Fault(step.method, re.escape(step.path).replace(r"\*", "[^/]+"), lost=True, spared=step.before)
    server.faults.append(fault)
    return fault


@pytest.mark.parametrize("name", SCENES)
def test_a_lost_answer_changes_nothing_in_the_end(world: World, name: str) -> None:
    scene = SCENES[name]
    with world(scene.names) as place:
        scene.prepare(place)
        steps, end = place.steps(scene.commands), place.end_state()
    assert len(steps) == scene.changes, steps
    for step in steps:
        with world(scene.names) as place:
            scene.prepare(place)
            fault = lose(place, step)
            by_a_provider = step.server == "digitalocean" or step.path.endswith("/keys")
            codes = [place.run(command, codes=(0, 2) if by_a_provider else (0,)) for command in scene.commands]
            assert fault.times == 0, f"{step} was not asked for"
            if any(codes):
                place.steps(scene.commands)
            assert place.end_state() == end, step
