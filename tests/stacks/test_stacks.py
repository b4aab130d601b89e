"""What holds for the JSON of all stacks of the project's own environments."""

from __future__ import annotations

import json
import re

import pytest

from tests.support import Synthesised

Stacks = dict[str, Synthesised]
ENVIRONMENTS = ("sandbox", "staging", "production")

STATEFUL = {
    "state": {
        "digitalocean_spaces_bucket.state_bucket_803B4E61",
        "digitalocean_spaces_bucket.backups_bucket_5DB31D01",
    },
    "cluster": {
        "digitalocean_kubernetes_cluster.doks_cluster_E4D6AF1C",
        "digitalocean_kubernetes_node_pool.doks_pool_system_EB8A5B00",
        "digitalocean_kubernetes_node_pool.doks_pool_workload_F56003D5",
        "digitalocean_vpc.doks_vpc_6A005D0F",
    },
}
"""A changed address is a destroyed and a new resource: change these only with a `moved` block."""


def test_every_environment_has_its_stacks(stacks: Stacks) -> None:
    own = {f"{env}-{kind}" for env in ENVIRONMENTS for kind in ("state", "cluster", "flux", "dns")}
    assert stacks.keys() == own | {"gitops-repository"}


def test_every_stack_keeps_encrypted_state_of_its_own(stacks: Stacks) -> None:
    places: set[tuple[str, str]] = set()
    for name, stack in stacks.items():
        backend = stack.data["terraform"]["backend"]["s3"]
        places.add((backend["bucket"], backend["key"]))
        prefix = name.rsplit("-", 1)[0] if name != "gitops-repository" else "gitops"
        assert backend["bucket"] == f"episodic-{prefix}-state"
        assert backend["key"] == f"{name}.tfstate"
        for kind in ("state", "plan"):
            assert stack.data["terraform"]["encryption"][kind]["enforced"] is True
    assert len(places) == len(stacks)


@pytest.mark.parametrize("kind", ["state", "cluster"])
@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_stateful_resources_keep_their_addresses(stacks: Stacks, env: str, kind: str) -> None:
    assert STATEFUL[kind] <= stacks[f"{env}-{kind}"].addresses


def test_nothing_needs_a_cluster_at_plan_time(stacks: Stacks) -> None:
    for stack in stacks.values():
        assert not [address for address in stack.addresses if address.startswith("kubernetes_manifest")]


def test_no_output_is_sensitive(stacks: Stacks) -> None:
    for stack in stacks.values():
        for output in stack.data.get("output", {}).values():
            assert not output.get("sensitive")


def test_no_stack_reads_the_state_of_another(stacks: Stacks) -> None:
    for stack in stacks.values():
        assert "terraform_remote_state" not in stack.data.get("data", {})


def test_secrets_are_references_to_sensitive_variables(stacks: Stacks) -> None:
    secret = re.compile(r"passphrase|identity|secret[-_]id|token|password|encrypted_value|(access|secret)_key$")
    found = 0
    for stack in stacks.values():
        for path, value in leaves(stack.data):
            if secret.search(path[-1]) and path[0] != "variable" and not path[-1].endswith("_revision"):
                found += 1
                assert re.fullmatch(r"\$\{(var|data)\..+\}", str(value)), f"{'.'.join(path)} is {value!r}"
                for variable in re.findall(r"var\.(\w+)", str(value)):
                    assert stack.data["variable"][variable].get("sensitive") is True
    assert found > len(stacks)


def leaves(data: object, *path: str) -> list[tuple[tuple[str, ...], object]]:
    if isinstance(data, dict):
        return [leaf for key, value in data.items() for leaf in leaves(value, *path, str(key))]
    if isinstance(data, list):
        return [leaf for value in data for leaf in leaves(value, *path)]
    return [(path, data)]


def test_providers_are_those_of_the_bindings(stacks: Stacks) -> None:
    versions = {
        (provider["source"], provider["version"])
        for stack in stacks.values()
        for provider in stack.data["terraform"]["required_providers"].values()
    }
    assert versions == {
        ("digitalocean/digitalocean", "2.71.0"),
        ("integrations/github", "6.9.0"),
        ("helm", "3.1.1"),
        ("kubernetes", "2.38.0"),
    }


def test_no_path_of_this_machine_is_in_the_json(stacks: Stacks) -> None:
    for stack in stacks.values():
        assert not re.search(r'"/(home|root|tmp|work|usr|var)/', json.dumps(stack.data))


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_the_buckets_of_an_environment(stacks: Stacks, env: str) -> None:
    buckets = stacks[f"{env}-state"].all("digitalocean_spaces_bucket").values()
    purposes = {"state", "backups"} | (set() if env == "sandbox" else {"traces"})
    assert {bucket["name"] for bucket in buckets} == {f"episodic-{env}-{purpose}" for purpose in purposes}
    kept = {"episodic-sandbox-state"} if env == "sandbox" else {f"episodic-{env}-{purpose}" for purpose in purposes}
    for bucket in buckets:
        is_kept = bucket["name"] in kept
        assert (bucket["lifecycle"]["prevent_destroy"], bucket["force_destroy"]) == (is_kept, not is_kept)


def test_flux_is_given_the_way_to_its_cluster(stacks: Stacks) -> None:
    stack = stacks["staging-flux"]
    assert "data" not in stack.data
    (helm,) = stack.data["provider"]["helm"]
    assert helm["kubernetes"]["token"] == "${var.cluster_token}"
    assert "experiments" not in helm
