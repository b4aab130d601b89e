"""What belongs to one environment alone: every setting that names something says so, and loading holds it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import pytest
import yaml
from pydantic import BaseModel

from constructs_lib.base.belonging import COMMON, NAMED, Claim, Common, Own, claims
from constructs_lib.base.errors import ConfigError
from constructs_lib.base.fields import KeyPath, Name, Range
from constructs_lib.base.settings import Settings
from constructs_lib.environment import Environment, load_all
from tests.support import ROOT, another_environment, environment_data, without_lines

APPROLE = {"method": "approle", "mount": "approle", "role_id": "sandbox-role"}
AGE = f"age1{'q' * 58}"
FULL: dict[str, Any] = {
    "platform__observability__traces": {
        "backend": "tempo",
        "bucket": {"bucket": "episodic-sandbox-traces", "region": "lon1"},
    },
}
BARE = {IPv4Network, IPv6Network, IPv4Address, IPv6Address}
"""Types that name something, and that a setting uses by a name of `fields` instead."""


def parts(annotation: Any) -> Iterator[Any]:
    """Yield the types that an annotation is made of, and the marks in it."""
    yield annotation
    if get_origin(annotation) is Annotated:
        yield from annotation.__metadata__
    for inner in get_args(annotation):
        yield from parts(inner)


def silent(model: type[BaseModel], seen: set[type[BaseModel]]) -> Iterator[str]:
    """Yield each setting that names something and does not say whether that is its own, in all that a model holds."""
    if model in seen:
        return
    seen.add(model)
    for name, field in model.model_fields.items():
        inner = [*parts(field.annotation)]
        told = [mark for mark in field.metadata if isinstance(mark, Own | Common)]
        bare = any(isinstance(part, type) and part in BARE for part in inner) and NAMED not in {*inner, *field.metadata}
        if bare or (NAMED in [*inner, *field.metadata] and len(told) != 1):
            yield f"{model.__name__}.{name}"
        for part in inner:
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from silent(part, seen)


def test_every_setting_that_names_something_says_whether_it_is_its_own() -> None:
    seen = set[type[BaseModel]]()
    assert [*silent(Environment, seen)] == []
    assert len(seen) > 50, "the walk reaches every block"


def test_a_new_setting_that_says_nothing_is_found() -> None:
    class Inner(Settings):
        path: KeyPath
        said: Annotated[KeyPath, COMMON]
        both: Annotated[KeyPath, COMMON, Own("path")]

    class Outer(Settings):
        inner: tuple[Inner, ...] = ()
        maybe: Name | None = None
        ranges: tuple[Range, ...] = ()
        address: IPv4Address | None = None
        own: Annotated[Name | None, Own("name")] = None
        text: str = ""

    found = ["Inner.path", "Inner.both", "Outer.maybe", "Outer.ranges", "Outer.address"]
    assert [*silent(Outer, set())] == found


def owned(**changes: Any) -> list[Claim]:
    """Return what the sandbox takes for itself."""
    env = Environment.model_validate_json(json.dumps(environment_data(**{**FULL, "sops_recipient": AGE, **changes})))
    return [claim for claim in claims(env) if not claim.common]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes environment files, and returns their folder."""

    def write_all(**files: Any) -> Path:
        for name, data in files.items():
            (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(data))
        return tmp_path

    return write_all


Write = Callable[..., Path]


def second(**changes: Any) -> dict[str, Any]:
    """Return the data of an environment that has all of the sandbox, by other names."""
    data = another_environment("second", "10.30.0.0/20", **FULL, sops_recipient=f"age1{'p' * 58}")
    for key, value in changes.items():
        *parents, last = key.split(".")
        target = data
        for parent in parents:
            target = target[parent]
        target[last] = value
    return data


def problems(folder: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_all(folder)
    return [without_lines(problem) for problem in caught.value.problems]


def test_two_environments_that_share_nothing_are_taken(write: Write) -> None:
    folder = write(sandbox=environment_data(**FULL, sops_recipient=AGE), second=second())
    assert [env.name for env in load_all(folder)] == ["sandbox", "second"]


OWNED = {
    *("domain", "vpc_range", "cluster.name", "vault.ci.role", "vault.auth.mount", "sops_recipient"),
    *("vault.kv.flux", "vault.kv.platform", "vault.kv.provisioning"),
    *("state.bucket", "backups.bucket", "platform.observability.traces.bucket.bucket"),
}


def test_this_is_what_an_environment_has_for_itself() -> None:
    assert {claim.key for claim in owned()} == OWNED | {"name"}


@pytest.mark.parametrize("key", sorted(OWNED))
def test_no_environment_takes_what_another_has(write: Write, key: str) -> None:
    (claim,) = (claim for claim in owned() if claim.key == key)
    folder = write(sandbox=environment_data(**FULL, sops_recipient=AGE), second=second(**{key: str(claim.value)}))
    taken = f"'{claim.value}' is already used by {folder / 'sandbox.yaml'} ({key})"
    assert problems(folder) == [f"{folder / 'second.yaml'}: {key}: {taken}; choose another {claim.own.kind}"]


def test_an_approle_has_a_role_of_its_own_and_shares_its_mount(write: Write) -> None:
    folder = write(sandbox=environment_data(vault__auth=APPROLE), second=second(**{"vault.auth": APPROLE}))
    (problem,) = problems(folder)
    assert problem.startswith(f"{folder / 'second.yaml'}: vault.auth.role_id: 'sandbox-role' is already used by ")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"vault.kv.flux": "sandbox"}, "vault.kv.flux: 'sandbox' overlaps 'sandbox/flux' of {}/sandbox.yaml"),
        ({"vault.kv.flux": "sandbox/platform/x"}, "vault.kv.flux: 'sandbox/platform/x' overlaps 'sandbox/platform' of"),
        (
            {"vault.kv.flux": "second/platform"},
            "vault.kv.platform: 'second/platform' is already used by {}/second",
        ),
        ({"vault.kv.flux": "gitops/provisioning"}, "vault.kv.flux: 'gitops/provisioning' is already used by"),
        ({"vault.ci.role": "episodic-gitops"}, "vault.ci.role: 'episodic-gitops' is already used by"),
        ({"state.bucket": "episodic-gitops-state"}, "state.bucket: 'episodic-gitops-state' is already used by"),
        ({"vpc_range": "10.20.8.0/21"}, "vpc_range: '10.20.8.0/21' overlaps '10.20.0.0/20' of {}/sandbox.yaml"),
    ],
)
def test_what_lies_within_or_belongs_to_all_is_taken_too(write: Write, changes: dict[str, Any], sentence: str) -> None:
    folder = write(sandbox=environment_data(**FULL, sops_recipient=AGE), second=second(**changes))
    assert any(found.startswith(f"{folder}/second.yaml: {sentence.format(folder)}") for found in problems(folder))


PLAIN, RANGE, PATH = Own("name"), Own("range"), Own("path", below=True)
NEAR = [
    *(Claim("", PLAIN, value, (), common=False) for value in ("a", "a/b", "b")),
    *(Claim("", PATH, value, (), common=False) for value in ("a", "a/b", "a/b/c", "ab", "b/a")),
    *(Claim("", RANGE, IPv4Network(value), (), common=False) for value in ("10.0.0.0/8", "10.9.0.0/16", "0.0.0.0/0")),
]


def test_nothing_is_left_uncompared_that_may_meet() -> None:
    pairs = [(one, other) for one in NEAR for other in NEAR if one.own == other.own]
    assert {(one.value, other.value) for one, other in pairs if one.meets(other) and one.near != other.near} == set()
    names = [claim for claim in NEAR if claim.own != RANGE]
    assert len({claim.near for claim in names}) == 6, "and not each is compared with all"


@pytest.mark.parametrize(
    ("changes", "shared"),
    [
        ({"vault.address": "https://other.example"}, {"vault.kv.flux": "sandbox/flux"}),
        ({"vault.address": "https://other.example"}, {"vault.auth.mount": "jwt-sandbox"}),
        ({"vault.kv.mount": "other"}, {"vault.kv.flux": "sandbox/flux"}),
        ({"vault.ci.mount": "other"}, {"vault.ci.role": "episodic-sandbox"}),
        ({}, {"vault.kv.flux": "sandbox/flux-of-second"}),
    ],
)
def test_another_vault_or_mount_has_names_of_its_own(
    write: Write, changes: dict[str, Any], shared: dict[str, Any]
) -> None:
    load_all(write(sandbox=environment_data(**FULL, sops_recipient=AGE), second=second(**changes, **shared)))


def test_clusters_in_one_vpc_name_subnets_of_their_own(write: Write) -> None:
    def network(number: int, **more: Any) -> dict[str, Any]:
        own = {"cluster_subnet": f"10.{number}.0.0/16", "service_subnet": f"172.{number - 80}.0.0/20"}
        return {"vpc": {"name": "shared"}, **own, **more}

    def files(first: dict[str, Any], other: dict[str, Any]) -> Path:
        data = second(vpc_range="10.20.0.0/20")
        data["cluster"]["network"] = other
        return write(sandbox=environment_data(cluster__network=first), second=data)

    load_all(files(network(100), network(101)))
    elsewhere = {"vpc": {"name": "another"}}
    load_all(write(sandbox=environment_data(cluster__network=elsewhere), second=second()))
    folder = files(network(100, service_subnet=None), network(101, cluster_subnet=None))
    missing = "is missing, and {}.yaml is in the same VPC; name a range that no other cluster has"
    assert problems(folder) == [
        f"{folder}/sandbox.yaml: cluster.network.service_subnet: {missing.format(folder / 'second')}",
        f"{folder}/second.yaml: cluster.network.cluster_subnet: {missing.format(folder / 'sandbox')}",
    ]


def test_a_cluster_does_not_log_in_where_workflows_do(write: Write) -> None:
    folder = write(sandbox=environment_data(vault__auth__mount="github"))
    sentence = "vault: auth.mount and ci.mount are both 'github', and a mount trusts one issuer; choose another"
    assert problems(folder) == [f"{folder / 'sandbox.yaml'}: {sentence}"]


def test_the_projects_own_environments_share_nothing() -> None:
    assert load_all(ROOT / "environments")
