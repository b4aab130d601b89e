"""What is Ready, what counts, and what is told while waiting."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import ConnectTimeoutError

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.purpose import Purpose
from constructs_lib.environment import Environment
from operations.clients.digitalocean import DigitalOcean
from operations.provisioning import ready
from operations.secrets.credentials import Credentials
from tests.fakes.kubernetes import FakeKubernetes
from tests.fakes.server import Fault
from tests.operations.conftest import Outside
from tests.support import environment

Item = dict[str, Any]


def item(
    name: str = "flux-system",
    status: str | None = "True",
    *,
    message: str = "",
    generation: int = 2,
    observed: int = 2,
    suspend: bool = False,
) -> Item:
    """Return an object of Flux; without a `status` it has no condition Ready."""
    other = {"type": "Reconciling", "status": "True", "message": "other"}
    conditions = [other, *([{"type": "Ready", "status": status, "message": message}] if status else [])]
    return {
        "metadata": {"namespace": "flux-system", "name": name, "generation": generation},
        "spec": {"suspend": True} if suspend else {},
        "status": {"observedGeneration": observed, "conditions": conditions},
    }


class Cluster:
    """The objects of a cluster at each look, by their plural; an error is raised. The last look is repeated."""

    def __init__(self, *looks: dict[str, list[Item]] | Exception) -> None:
        self.looks, self.asked = [*looks], list[tuple[str, str, str]]()

    def list_cluster_custom_object(
        self, group: str, version: str, plural: str, *, _request_timeout: float
    ) -> dict[str, list[Item]]:
        assert _request_timeout == 30
        self.asked.append((group, version, plural))
        look = self.looks[0]
        if isinstance(look, Exception):
            self._next()
            raise look
        if plural == "gitrepositories":
            self._next()
        return {"items": look.get(plural, [])}

    def _next(self) -> None:
        if len(self.looks) > 1:
            self.looks.pop(0)


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


READY = {"kustomizations": [item()]}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    fake = Clock()
    monkeypatch.setattr(ready, "time", fake)
    return fake


def wait(
    monkeypatch: pytest.MonkeyPatch,
    cluster: Cluster,
    timeout: float = 30,
    hosts: Iterable[str] = (),
    connected: list[str] | None = None,
    **changes: Any,
) -> None:
    """Wait for this cluster, and for a host that says this at each look and answers then."""
    said = iter(hosts)

    def unanswered(env: Environment, api: DigitalOcean) -> list[str]:
        return [line for line in [next(said, "")] if line]

    def credentials(_: Environment, purpose: Purpose) -> Credentials:
        assert purpose is Purpose.PLAN
        return Credentials("token", "id", "secret", "passphrase", "own id", "own secret")

    def connect(api: DigitalOcean, env: Environment) -> Cluster:
        assert (type(api), env.name) == (DigitalOcean, "sandbox")
        if connected is not None:
            connected.append(env.cluster.name)
        return cluster

    monkeypatch.setattr(ready, "credentials_of", credentials)
    monkeypatch.setattr(ready, "cluster_client", connect)
    monkeypatch.setattr(ready.host, "unanswered", unanswered)
    ready.wait_ready(environment(**changes), timeout_seconds=timeout, poll_seconds=10)


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (item(), None),
        (item(status="False", message="install\n  failed"), "install failed"),
        (item(status="False"), "is not Ready"),
        (item(status="Unknown", message="running"), "running"),
        (item(status=None), "is being reconciled"),
        (item(observed=1), "is being reconciled"),
        (item(status="False", observed=1, message="old"), "is being reconciled"),
        (item(status="False", suspend=True), None),
        (item(observed=1, suspend=True), None),
    ],
)
def test_an_object_is_ready_if_its_last_version_is_or_if_somebody_suspended_it(
    monkeypatch: pytest.MonkeyPatch,
    clock: Clock,
    capsys: pytest.CaptureFixture[str],
    found: Item,
    why: str | None,
) -> None:
    found["metadata"]["name"] = "x"
    cluster = Cluster({**READY, "helmreleases": [found]})
    if why is None:
        wait(monkeypatch, cluster)
    else:
        sentence = f"^sandbox: not Ready after 30 s: HelmRelease flux-system/x: {why}$"
        with pytest.raises(ConfigError, match=sentence):
            wait(monkeypatch, cluster)
    assert ("flux-system/x" in capsys.readouterr().out) is (why is not None)


def test_an_object_without_a_status_is_being_reconciled(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    new = item("new")
    del new["status"]
    with pytest.raises(ConfigError, match="GitRepository flux-system/new: is being reconciled"):
        wait(monkeypatch, Cluster({**READY, "gitrepositories": [new]}))


def test_the_root_has_to_be_there(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    sentence = "Kustomization flux-system/flux-system: is not there yet"
    for other in ({}, {"kustomizations": [item("traefik")]}, {"helmreleases": [item()]}):
        with pytest.raises(ConfigError, match=sentence):
            wait(monkeypatch, Cluster(other))


def test_the_teams_applications_are_told_and_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    apps = item("apps-episodic", "False", message="the team's own")
    wait(monkeypatch, Cluster({"kustomizations": [item(), apps]}))
    printed = capsys.readouterr().out
    assert "sandbox: Kustomization flux-system/apps-episodic: the team's own\n" in printed
    assert "sandbox: Flux is Ready\n" in printed
    more = item("apps-of-ours", "False", message="ours")
    with pytest.raises(ConfigError, match="apps-of-ours: ours") as told:
        wait(monkeypatch, Cluster({"kustomizations": [item(), apps, more]}))
    assert len(told.value.problems) == 1


def test_a_release_named_apps_is_waited_for(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    with pytest.raises(ConfigError, match="HelmRelease flux-system/apps-episodic: no"):
        wait(monkeypatch, Cluster({**READY, "helmreleases": [item("apps-episodic", "False", message="no")]}))


def test_each_change_is_told_once_and_it_ends_as_soon_as_all_is_ready(
    monkeypatch: pytest.MonkeyPatch, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    early, late = ({**READY, "helmreleases": [item("b", "False", message=text)]} for text in ("pulling", "starting"))
    wait(monkeypatch, Cluster(early, early, late, READY))
    lines = [line for line in capsys.readouterr().out.splitlines() if "HelmRelease" in line]
    assert lines == [f"sandbox: HelmRelease flux-system/b: {text}" for text in ("pulling", "starting")]
    assert clock.now == 130


def test_it_ends_only_once_the_host_answers_and_says_that_its_certificate_was_not_checked(
    monkeypatch: pytest.MonkeyPatch, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    wait(monkeypatch, Cluster(READY), hosts=["https://x/: does not resolve"] * 2)
    printed = capsys.readouterr().out
    assert printed.count("sandbox: https://x/: does not resolve\n") == 1
    assert printed.endswith(
        "sandbox: Flux is Ready\nsandbox: https://ingress.sandbox.episodic.example/ answers; "
        "its certificate was not checked: no system trusts the issuer\n"
    )
    assert clock.now == 120
    with pytest.raises(ConfigError, match=r"^sandbox: not Ready after 30 s: https://x/: does not resolve$"):
        wait(monkeypatch, Cluster(READY), hosts=["https://x/: does not resolve"] * 9)


def test_it_looks_a_last_time_after_the_time_is_up(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    with pytest.raises(ConfigError, match="not Ready after 25 s"):
        wait(monkeypatch, Cluster({}), timeout=25)
    assert clock.now == 130


def test_an_api_server_that_does_not_answer_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    wait(monkeypatch, Cluster(ApiException(status=500), ConnectTimeoutError(), READY))
    printed = capsys.readouterr().out
    assert "sandbox: API server: answers 500\n" in printed
    assert "sandbox: API server: no answer (ConnectTimeoutError); is this address among those" in printed


@pytest.mark.parametrize("status", [401, 403])
def test_credentials_that_are_refused_end_it_at_once(
    monkeypatch: pytest.MonkeyPatch, clock: Clock, status: int
) -> None:
    refused = ApiException(status=status, reason="Forbidden")
    with pytest.raises(ConfigError, match=r"the cluster refuses its credentials \(Forbidden\); run this again"):
        wait(monkeypatch, Cluster(refused))
    assert clock.now == 100


def test_fluxs_kinds_are_asked_for_in_their_versions(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    cluster = Cluster(READY)
    wait(monkeypatch, cluster)
    assert cluster.asked == [
        ("kustomize.toolkit.fluxcd.io", "v1", "kustomizations"),
        ("helm.toolkit.fluxcd.io", "v2", "helmreleases"),
        ("source.toolkit.fluxcd.io", "v1", "gitrepositories"),
        ("source.toolkit.fluxcd.io", "v1", "buckets"),
    ]


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize(("lasts", "times"), [(600, 3), (3600, 1)])
def test_credentials_are_fetched_anew_before_they_expire(
    monkeypatch: pytest.MonkeyPatch, lasts: int, times: int
) -> None:
    connected: list[str] = []
    looks = [{"kustomizations": [item(status=None)]} for _ in range(70)]
    cluster = Cluster(*looks, READY)
    wait(monkeypatch, cluster, timeout=900, connected=connected, cluster__kubeconfig_expire_seconds=lasts)
    assert len(connected) == times


@pytest.mark.parametrize("silent", ["vault", "digitalocean", "cluster"])
def test_it_ends_where_a_server_takes_a_request_and_says_nothing(
    outside: Outside, monkeypatch: pytest.MonkeyPatch, silent: str
) -> None:
    monkeypatch.setattr(ready, "LAST_LOOK", 0.5)
    with FakeKubernetes() as cluster:
        outside.digitalocean.server = cluster.url
        outside.digitalocean.add_cluster("episodic-sandbox")
        servers = {"vault": outside.vault, "digitalocean": outside.digitalocean, "cluster": cluster}
        servers[silent].faults.append(Fault("GET", ".*", times=float("inf"), silent=True))
        with pytest.raises(ConfigError) as told:
            ready.wait_ready(outside.environment(), timeout_seconds=0.2, poll_seconds=0.1)
    assert str(told.value) == (
        "sandbox: not Ready after 0 s: no answer; see whether Vault, DigitalOcean, the API server and the host can be "
        "reached from here"
    )


def test_what_was_seen_is_told_where_the_last_look_does_not_end(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ready, "LAST_LOOK", 0.5)
    cluster = Cluster({"kustomizations": [item(status="False", message="pulling")]})
    looks = iter([list[str]()])

    def unanswered(env: Environment, api: DigitalOcean) -> list[str]:
        for found in looks:
            return found
        time.sleep(60)
        return []

    monkeypatch.setattr(ready, "cluster_client", lambda *_: cluster)  # pyright: ignore[reportUnknownLambdaType]
    monkeypatch.setattr(ready.host, "unanswered", unanswered)
    sentence = "^sandbox: not Ready after 1 s: Kustomization flux-system/flux-system: pulling$"
    with pytest.raises(ConfigError, match=sentence):
        ready.wait_ready(outside.environment(), timeout_seconds=0.6, poll_seconds=0.1)
