"""A new password: Vault, the cluster and the server have it one after the other, whatever ends a run."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

import pytest

from constructs_lib.base.errors import ConfigError
from constructs_lib.environment import Environment
from constructs_lib.platform.observability import grafana
from operations.rotation.password import rotate_password
from operations.secrets.entries import ensure_entries
from tests.fakes.kubernetes import FakeKubernetes
from tests.operations.conftest import Outside
from tests.operations.rotation.conftest import Runs

POSTGRES, RABBITMQ, VALKEY, GRAFANA = WHOSE = (
    "postgres/main/episodic",
    "rabbitmq/main/episodic",
    "valkey/main",
    "grafana",
)
SECRETS = {
    POSTGRES: ("databases", "main-episodic"),
    RABBITMQ: ("messaging", "main-episodic"),
    VALKEY: ("cache", "main-password"),
    GRAFANA: ("observability", "grafana-admin"),
}
KEYS = {GRAFANA: "admin-password"}
BEFORE, NOW, LATER = (f"2026-11-30T{hour}:00:00Z" for hour in (11, 12, 13))
DONE = "has the new password; whoever logs in has to have it now"


class Place:
    """An environment whose cluster has what Vault had; External Secrets brings another when it is told to."""

    def __init__(self, outside: Outside, kubernetes: FakeKubernetes) -> None:
        self.outside, self.kubernetes = outside, kubernetes
        self.env: Environment = outside.environment()
        ensure_entries(self.env)
        kubernetes.read_again = self._bring
        self.hears = True
        for whose, (namespace, name) in SECRETS.items():
            kubernetes.put_secret(namespace, name, BEFORE, **{key(whose): self.in_vault(whose)["password"]})
        self.follow()

    def _bring(self, namespace: str, name: str) -> None:
        (whose,) = (whose for whose, where in SECRETS.items() if where == (namespace, name))
        if self.hears:
            self.kubernetes.put_secret(namespace, name, NOW, **{key(whose): self.in_vault(whose)["password"]})

    def follow(self, started: str | None = LATER) -> None:
        """Let the operators do their part: a role altered, nodes started anew."""
        version = self.kubernetes.objects[path(POSTGRES)]["metadata"]["resourceVersion"]
        status = {"managedRolesStatus": {"passwordStatus": {"episodic": {"resourceVersion": version}}}}
        objects = self.kubernetes.objects
        objects["/apis/postgresql.cnpg.io/v1/namespaces/databases/clusters/main"] = {"status": status}
        nodes = [{"status": {"startTime": start}} for start in (LATER, started)]
        for namespace in ("cache", "observability"):
            objects[f"/api/v1/namespaces/{namespace}/pods"] = {"items": nodes}

    def in_vault(self, whose: str) -> dict[str, str]:
        return self.outside.vault.held(f"episodic/sandbox/platform/{whose}")

    def in_cluster(self, whose: str) -> str:
        return b64decode(self.kubernetes.objects[path(whose)]["data"][key(whose)]).decode()

    def rotate(self, whose: str) -> None:
        rotate_password(self.env, whose)


def key(whose: str) -> str:
    return KEYS.get(whose, "password")


def path(whose: str) -> str:
    namespace, name = SECRETS[whose]
    return f"/api/v1/namespaces/{namespace}/secrets/{name}"


@pytest.fixture
def place(outside: Outside, kubernetes: FakeKubernetes) -> Place:
    return Place(outside, kubernetes)


@pytest.mark.parametrize("whose", WHOSE)
def test_vault_then_the_cluster_then_the_server(place: Place, capsys: pytest.CaptureFixture[str], whose: str) -> None:
    old = place.in_vault(whose)["password"]
    place.hears = False
    place.rotate(whose)
    new = place.in_vault(whose)["password"]
    assert (place.in_vault(whose)["former_password"], place.in_cluster(whose)) == (old, old)
    assert old != new
    place.hears = True
    place.rotate(whose)
    assert place.in_cluster(whose) == new
    printed = capsys.readouterr().out
    assert printed.count("External Secrets was told to bring it to") == 2
    place.follow()
    place.rotate(whose)
    assert (place.in_vault(whose)["password"], "former_password" in place.in_vault(whose)) == (new, False)
    assert f"{whose}: {DONE}" in capsys.readouterr().out
    assert (old in printed, new in printed) == (False, False)


def test_it_waits_for_the_role_of_postgres(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        place.rotate(POSTGRES)
    assert "the operator has not given it to role episodic of main yet; run this again" in capsys.readouterr().out
    assert "former_password" in place.in_vault(POSTGRES)


@pytest.mark.parametrize("started", [BEFORE, NOW, None])
@pytest.mark.parametrize(
    ("whose", "restart"),
    [
        (VALKEY, "kubectl -n cache rollout restart statefulset/main"),
        (GRAFANA, "kubectl -n observability rollout restart deployment/kube-prometheus-stack-grafana"),
    ],
)
def test_it_waits_for_every_pod_that_reads_it_when_it_starts(
    place: Place, capsys: pytest.CaptureFixture[str], started: str | None, whose: str, restart: str
) -> None:
    place.rotate(whose)
    place.follow(started)
    place.rotate(whose)
    assert f"its pods take the old one until they start anew ({restart}); run this again" in capsys.readouterr().out
    assert "former_password" in place.in_vault(whose)


def test_grafana_has_no_volume_that_would_keep_the_old_one(outside: Outside) -> None:
    assert "persistence" not in grafana.values(outside.environment())


def test_grafana_without_metrics_has_none(outside: Outside) -> None:
    with pytest.raises(ConfigError, match=r"unknown password 'grafana'"):
        rotate_password(outside.environment(platform__observability={"enabled": False}), GRAFANA)


CLEAN = 3
"""The changes of a rotation: Vault's entry, the word to External Secrets, the entry without the old one."""


@pytest.mark.parametrize("whose", WHOSE)
@pytest.mark.parametrize("number", range(CLEAN + 1))
def test_a_run_that_is_killed_after_any_change_is_finished_by_the_next(
    place: Place, runs: Runs, whose: str, number: int
) -> None:
    old, seen = place.in_vault(whose)["password"], set[str]()
    runs.killed_after = number
    for _ in range(4):
        runs(lambda: place.rotate(whose))
        place.follow()
        seen.add(place.in_vault(whose)["password"])
        assert place.in_cluster(whose) in {*place.in_vault(whose).values()}, "Vault has what the cluster has"
        if "former_password" not in place.in_vault(whose):
            break
    assert place.in_vault(whose)["password"] == place.in_cluster(whose)
    assert "former_password" not in place.in_vault(whose)
    assert (len(seen), old in seen) == (1, False), "one rotation, not two"
    assert runs.changes == CLEAN


@pytest.mark.parametrize("whose", ["postgres/main", "influxdb", "../flux", ""])
def test_another_is_told_with_those_that_are_known(place: Place, whose: str) -> None:
    with pytest.raises(ConfigError, match=r"unknown password '.*', known are postgres/main/episodic, rabbitmq/main/ep"):
        place.rotate(whose)
    assert not any("former_password" in versions[-1] for versions in place.outside.vault.entries.values())


def test_where_there_is_no_cluster_yet_it_is_all_in_vault(outside: Outside) -> None:
    env: Any = outside.environment()
    ensure_entries(env)
    old = outside.vault.held("episodic/sandbox/platform/valkey/main")["password"]
    rotate_password(env, VALKEY)
    held = outside.vault.held("episodic/sandbox/platform/valkey/main")
    assert (set(held), held["password"] != old) == ({"password"}, True)


def test_one_that_vault_has_not_got_is_made_by_the_bootstrap(outside: Outside) -> None:
    with pytest.raises(ConfigError, match="valkey/main: password: is missing; run `bootstrap secrets`"):
        rotate_password(outside.environment(), VALKEY)
