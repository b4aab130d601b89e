"""What somebody tried as a new user, and then to break it: each ends in a sentence with the key, and none is taken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from constructs_lib.base.errors import ConfigError
from constructs_lib.environment import load
from tests.support import environment_data


def with_cluster(component: str, *changes: dict[str, Any]) -> dict[str, Any]:
    """Return the change by which a component has a cluster like its first one for each of `changes`."""
    first = environment_data()["platform"][component]["clusters"][0]
    return {f"platform__{component}__clusters": [{**first, **change} for change in changes]}


POSTGRES, RABBITMQ = "cloudnative_pg", "rabbitmq_operator"
SAMPLES: dict[str, tuple[dict[str, Any], str]] = {
    "the namespace of Flux": ({"applications": {"flux-system": {"owner": "a"}}}, "belongs to Kubernetes or Flux"),
    "that of CNI and DNS": ({"applications": {"kube-system": {"owner": "a"}}}, "belongs to Kubernetes or Flux"),
    "that of a component": ({"applications": {"traefik": {"owner": "a"}}}, "is the namespace of traefik"),
    "the Secret of the operator's CA": (with_cluster(POSTGRES, {"roles": [{"name": "ca"}]}), "Secret main-ca"),
    "that of its own role": (with_cluster(POSTGRES, {"roles": [{"name": "app"}]}), "Secret main-app"),
    "that of RabbitMQ's own user": (
        with_cluster(RABBITMQ, {"users": [{"name": "default-user"}]}),
        "Secret main-default-user",
    ),
    "one Secret for two roles": (
        with_cluster(POSTGRES, {"roles": [{"name": "a_b"}]}, {"name": "main-a", "roles": [{"name": "b"}]}),
        "would have one Secret, main-a-b",
    ),
    "a path with ..": ({"vault__kv__platform": "sandbox/../flux"}, "may not hold '.' or '..' as a step"),
    "a port with a letter": ({"vault__address": "https://h:82OO"}, "vault.address: must be an https:// address"),
    "a password in an address": ({"vault__address": "https://user:pw@host"}, "without a user"),
    "a number of thousands of digits": ({"cluster__pools__system__max_nodes": int("9" * 4000)}, "too large"),
    "a schedule of no clock": (
        with_cluster(POSTGRES, {"backup_schedule": "99 99 99 99 99 99"}),
        "has '99' as its second, which goes from 0 to 59",
    ),
    "a day of no calendar": (
        with_cluster(POSTGRES, {"recover_from": {"archive": "a", "until": "2026-13-41T99:99:99Z"}}),
        "until",
    ),
    "a volume of nothing": (with_cluster(POSTGRES, {"storage": "1Mi"}), "must be from 1Gi to 16Ti, found '1Mi'"),
    "an expression that ends too early": (
        {"applications": {"a": {"owner": "a", "uses": {"rabbitmq": {"main": {"configure": "("}}}}}},
        "configure",
    ),
    "a branch that Git refuses": ({"gitops__default_branch": "a..b"}, "has '..' where Git allows none"),
    "a domain that is too long": ({"domain": f"{'a.' * 150}example"}, "letters long, at most"),
    "a size that nobody sells": ({"cluster__pools__system__size": "s-99vcpu-1gb"}, "did you mean 's-8vcpu-16gb'?"),
    "a region that nobody has": ({"region": "xyz9"}, "region 'xyz9' is not among"),
    "a key that is written wrongly": ({"platform__traefik__replcas": 2}, "did you mean 'replicas'?"),
    "what another component needs": (
        {"platform__vault_eso": {"enabled": False}},
        "platform.vault_eso.enabled: is false, and cert_manager needs it",
    ),
    "no number that JSON has": ({"platform__traefik__extra_values": {"a": float("inf")}}, ".inf is no number"),
}
"""What was said in a file, and a part of what is said to that."""
TEXTS: dict[str, tuple[Callable[[str], str], str]] = {
    "an anchor inside itself": (lambda text: f"{text}x-a: &a [*a]\n", "'*a' has no anchor that ends before it"),
    "a number by sixties": (
        lambda text: text.replace("max_nodes: 3", "max_nodes: 1:30"),
        "must be a whole number, found '1:30'",
    ),
    "a merge key with what is unknown": (lambda text: f"<<: {{a: 1}}\n{text}", "a: is not a known key"),
}


def refusal(tmp_path: Path, text: str) -> str:
    """Return what is said of a file, a line for each problem; the file is not taken."""
    path = tmp_path / "sandbox.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as refused:
        load(path)
    assert all(problem.startswith(str(path)) for problem in refused.value.problems)
    assert all(len(problem) < 1000 for problem in refused.value.problems)
    return "\n".join(refused.value.problems)


@pytest.mark.parametrize("sample", SAMPLES)
def test_what_was_tried_is_refused_in_a_sentence(sample: str, tmp_path: Path) -> None:
    changes, sentence = SAMPLES[sample]
    assert sentence in refusal(tmp_path, yaml.safe_dump(environment_data(**changes)))


@pytest.mark.parametrize("sample", TEXTS)
def test_so_is_what_yaml_makes_of_it(sample: str, tmp_path: Path) -> None:
    change, sentence = TEXTS[sample]
    assert sentence in refusal(tmp_path, change(yaml.safe_dump(environment_data())))


def test_a_value_is_read_as_editors_read_it_and_shown_short(tmp_path: Path) -> None:
    """YAML 1.2's core: 012 is twelve, and no octal ten."""
    path = tmp_path / "sandbox.yaml"
    path.write_text(yaml.safe_dump(environment_data()).replace("max_nodes: 3", "max_nodes: 012"))
    assert load(path).cluster.pools["system"].max_nodes == 12
    assert len(refusal(tmp_path, yaml.safe_dump(environment_data(domain="x" * 100_000)))) < 1000
