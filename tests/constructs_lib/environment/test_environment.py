"""The typed environments: what is refused, with which sentence, and what the project's own files say."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from constructs_lib.base.errors import ConfigError
from constructs_lib.environment import StackKind, load, load_all
from constructs_lib.environment.schema import file_schema
from tests.support import ROOT, environment, environment_data, without_lines

Project = Callable[..., Path]
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def test_own_environments_are_valid_and_in_the_order_of_promotion() -> None:
    environments = load_all(ROOT / "environments")
    assert [env.name for env in environments] == ["sandbox", "staging", "production"]


def test_production_is_replicated_and_protected() -> None:
    cluster = load(ROOT / "environments/production.yaml").doks
    assert cluster.high_availability
    assert cluster.protected
    assert cluster.least_nodes("system") >= 3
    assert cluster.control_plane_allowed_addresses


def test_sandbox_is_small_and_disposable() -> None:
    cluster = load(ROOT / "environments/sandbox.yaml").doks
    assert not cluster.high_availability
    assert not cluster.protected
    assert cluster.least_nodes("system") == 2
    assert cluster.least_nodes("workload") == 1


def line_of(path: Path, key: str) -> int:
    """Return the line of a file on which a key of the outermost map stands."""
    return [line.partition(":")[0] for line in path.read_text().splitlines()].index(key) + 1


def gpu(**changes: Any) -> dict[str, Any]:
    """Return a pool of GPU nodes that may vanish."""
    return {"size": "gpu-h100x1-80gb", "min_nodes": 0, "max_nodes": 2, **changes}


def test_a_pool_of_gpu_nodes_may_vanish_and_needs_no_role() -> None:
    pools = environment(cluster__pools__gpu=gpu()).cluster.pools
    assert [(name, pool.role) for name, pool in pools.items()] == [
        ("system", "system"),
        ("workload", "workload"),
        ("gpu", None),
    ]


def test_a_bucket_elsewhere_is_not_made_and_keeps_its_region() -> None:
    elsewhere = environment(backups__address="https://s3.example.org:443", backups__region="eu-central-1")
    assert set(environment().buckets) == {"state", "backups"}
    assert set(elsewhere.buckets) == {"state"}
    assert (elsewhere.backups.endpoint, elsewhere.backups.elsewhere) == ("https://s3.example.org:443", True)
    assert (environment().backups.endpoint, environment().backups.elsewhere) == (
        "https://lon1.digitaloceanspaces.com",
        False,
    )


@pytest.mark.parametrize(
    ("bucket", "sentence"),
    [
        ({"region": "eu-central-1"}, "region must be one of ams3, .*, found 'eu-central-1'; or add address"),
        ({"address": "https://s3.example.org:9000"}, "must be an https:// address without a path, at port 443, found"),
        ({"address": "https://s3.example.org/x"}, "must be an https:// address without a path, at port 443, found"),
        ({"address": "http://s3.example.org"}, "must be an https:// address without a path, at port 443, found"),
    ],
)
def test_a_bucket_that_nobody_reaches_is_refused(bucket: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        environment(backups={"bucket": "b-b", "region": "lon1", **bucket})


def test_a_subnet_with_room_for_just_all_nodes_is_taken() -> None:
    env = environment(cluster__network={"cluster_subnet": "10.100.0.0/20"}, cluster__pools__workload__max_nodes=27)
    assert sum(pool.max_nodes for pool in env.cluster.pools.values()) + 2 == 32


BAD_VALUES: list[tuple[dict[str, Any], str]] = [
    ({"regoin": "lon1"}, "regoin: is not a known key; did you mean 'region'?"),
    ({"cluster__nmae": "x"}, "cluster.nmae: is not a known key; did you mean 'name'?"),
    ({"region": "london"}, "region 'london' is not among ams3, "),
    ({"region": "London"}, "region: must be a region such as 'lon1' or 'eu-central-1', found 'London'"),
    (
        {"cluster__pools__system__min_nodes": "three"},
        "cluster.pools.system.min_nodes: must be a whole number, found 'three'",
    ),
    (
        {"cluster__pools__system__min_nodes": True},
        "cluster.pools.system.min_nodes: must be a whole number, found true",
    ),
    (
        {"platform__observability__logs": {"backend": "none", "nodes": True}},
        "platform.observability.logs.nodes: must be a whole number, found true",
    ),
    ({"cluster__kubernetes_minor": 1.36}, "cluster.kubernetes_minor: must be text, found 1.36; put it in quotes"),
    (
        {"cluster__kubernetes_minor": "1.32"},
        "cluster.kubernetes_minor: must be a minor version from '1.33' on, such as '1.35', found '1.32'",
    ),
    (
        {"cluster__pools__system": {"role": "system", "size": "s-2vcpu-4gb", "min_nodes": 5, "max_nodes": 3}},
        "cluster.pools.system: min_nodes must be at most max_nodes, found 5 and 3",
    ),
    (
        {"cluster__pools__workload__min_nodes": -1},
        "cluster.pools.workload.min_nodes: must be 0 or more, found -1",
    ),
    (
        {"cluster__name": "Episodic_1"},
        "cluster.name: must be 1 to 63 lower-case letters, digits and hyphens, starting with a letter, found",
    ),
    (
        {"cluster__maintenance_window__start_time": "25:00"},
        "cluster.maintenance_window.start_time: must be a time in UTC such as '04:00', found '25:00'",
    ),
    (
        {"cluster__control_plane_allowed_addresses": ["10.0.0.1/8"]},
        "cluster.control_plane_allowed_addresses[0]: must be a range of IPv4 addresses, by its first one, such as",
    ),
    ({"domain": "not a domain"}, "domain: must be a domain such as 'example.org', found 'not a domain'"),
    ({"vpc_range": "8.8.0.0/16"}, "vpc_range must be private (RFC 1918), found 8.8.0.0/16"),
    ({"vpc_range": "10.0.0.0/15"}, "vpc_range must be a /16 to /24, found 10.0.0.0/15"),
    ({"vpc_range": "10.20.0.0/25"}, "vpc_range must be a /16 to /24, found 10.20.0.0/25"),
    ({"vpc_range": "10.229.1.0/24"}, "vpc_range 10.229.1.0/24 overlaps 10.229.0.0/16, which DigitalOcean reserves"),
    ({"vpc_range": "10.245.1.0/24"}, "vpc_range 10.245.1.0/24 overlaps 10.245.0.0/16, which DigitalOcean reserves"),
    ({"vpc_range": "10.246.0.0/24"}, "vpc_range 10.246.0.0/24 overlaps 10.246.0.0/24, which DigitalOcean reserves"),
    ({"vpc_range": "10.244.16.0/20"}, "vpc_range 10.244.16.0/20 overlaps 10.244.0.0/16, which DigitalOcean reserves"),
    (
        {"state__bucket": "My.Bucket"},
        "state.bucket: must be 3 to 63 lower-case letters, digits and inner hyphens, found 'My.Bucket'",
    ),
    ({"vault__address": "http://vault"}, "vault.address: must be an https:// address of a host, without"),
    (
        {"vault__ca_bundle": "not a certificate"},
        "vault.ca_bundle: must be a CA bundle in PEM form, found 'not a certificate'",
    ),
    ({"vault__auth": {"method": "jwt", "mount": "jwt"}}, "vault.auth.role: is missing; add it"),
    ({"vault__auth": {"method": "approle", "mount": "approle"}}, "vault.auth.role_id: is missing; add it"),
    (
        {"vault__auth": {"method": "token"}},
        "vault.auth: method must be 'jwt', 'kubernetes' or 'approle', found 'token'",
    ),
    (
        {"vault__auth": {"method": "kubernetes", "mount": "k8s", "role": "r"}},
        "vault.auth.audiences: must be two or more with method kubernetes, found 'vault' alone; add the issuer",
    ),
    ({"vault__auth": {"mount": "jwt"}}, "vault.auth: needs the key 'method'"),
    ({"vault__kv__flux": "${var.x}"}, "vault.kv.flux: may not hold ${ or %{, which OpenTofu reads as a template"),
    ({"vault__auth__role": "a role"}, "vault.auth.role: must be letters, digits, '_', '.', ':', '/' and '-', found"),
    ({"gitops__required_checks": []}, "gitops.required_checks: must be a list or map of 1 or more, found []"),
    (
        {"gitops__required_checks": ["validate", ""]},
        "gitops.required_checks[1]: must be the name of a status check, found ''",
    ),
    (
        {"cluster__pools__system__labels": {"doks.digitalocean.com/node-pool": "x"}},
        "no doks.digitalocean.com or kubernetes.io, found 'doks.digitalocean.com/node-pool'",
    ),
    (
        {"cluster__pools__system__labels": {"a": "b c"}},
        "cluster.pools.system.labels.a: must be a Kubernetes label value of at most 63 characters, found 'b c'",
    ),
    ({"mode": "aply"}, "mode: must be 'render' or 'apply', found 'aply'; did you mean 'apply'?"),
    (
        {"chart_mirror": "ftp://mirror"},
        "chart_mirror: must be an https://, http:// or oci:// address without a user, found 'ftp://mirror'",
    ),
    ({"reviewers__users": list("abcdefg")}, "reviewers: names 7 reviewers, GitHub allows 6; remove some"),
    ({"tier": "staging"}, "reviewers must name a team or a user in tier staging"),
    ({"platform__traefk": {}}, "platform.traefk: is not a known key; did you mean 'traefik'?"),
    (
        {
            "platform__cert_manager__enabled": False,
            "platform__observability__enabled": False,
            "platform__cloudnative_pg__enabled": False,
            "platform__valkey_operator__enabled": False,
            "platform__traefik__enabled": False,
        },
        "platform.cert_manager.enabled: is false, and rabbitmq_operator needs it; set it to true, or set",
    ),
    (
        {"platform__traefik__extra_values": {"treafik": {}}},
        "extra_values: unknown release 'treafik', known are traefik; did you mean 'traefik'?",
    ),
    (
        {"cluster__pools__workload__taints": [{"key": "a", "value": "b", "effect": "NoSchedule"}]},
        "cluster.pools.workload: taints must all be PreferNoSchedule with role 'workload'",
    ),
    (
        {"cluster__pools__system__labels": {"node-role.kubernetes.io/system": ""}},
        "must be a Kubernetes label key of your own, no doks.digitalocean.com or kubernetes.io, found 'node-role",
    ),
    (
        {"cluster__pools__system__labels": {"pool": "mine"}},
        "cluster.pools.system: labels may not hold 'pool': every node has it with the name of its pool; remove it",
    ),
    (
        {"cluster__pools__system__labels": {"pool-role": "workload"}},
        "cluster.pools.system: labels may not hold 'pool-role': role sets it; remove it",
    ),
    (
        {
            "cluster__pools__workload__taints": [
                {"key": "CriticalAddonsOnly", "value": "", "effect": "PreferNoSchedule"}
            ]
        },
        "cluster.pools.workload: taints may not hold 'CriticalAddonsOnly': role: system sets it; remove it",
    ),
    (
        {"cluster__pools__gpu": gpu(taints=[{"key": "nvidia.com/gpu", "value": "", "effect": "NoSchedule"}])},
        "cluster.pools.gpu: taints may not hold 'nvidia.com/gpu': DigitalOcean sets it on GPU nodes itself; remove it",
    ),
    (
        {"cluster__pools__gpu": gpu(role="workload")},
        "cluster.pools.gpu: role must be left out with the size 'gpu-h100x1-80gb': DigitalOcean taints GPU nodes",
    ),
    ({"cluster__pools__default": gpu()}, "cluster: pools may not hold 'default', which every cluster has already"),
    ({"cluster__pools__a_b": gpu()}, "must be 1 to 20 lower-case letters, digits and hyphens, starting with a letter"),
    (
        {"cluster__pools": {"gpu": gpu()}},
        "cluster: pools must hold one with role 'system', on which platform services run; add it",
    ),
    (
        {"cluster__pools__workload__role": None},
        "cluster: pools must hold one with role 'workload', on which applications run; add it",
    ),
    (
        {"cluster__pools__system__min_nodes": 0},
        "cluster: a pool with role 'system' needs min_nodes of 1 or more: Flux runs there; raise it",
    ),
    ({"cluster__network": {"vpc": {}}}, "cluster.network.vpc: needs either name or id"),
    ({"cluster__network": {"vpc": {"name": "a b"}}}, "cluster.network.vpc.name: must be a name of letters, digits"),
    ({"cluster__network": {"vpc": {"id": "1"}}}, "cluster.network.vpc.id: must be a UUID in lower case, found '1'"),
    (
        {"cluster__network": {"cluster_subnet": "10.20.0.0/18"}},
        "cluster.network.cluster_subnet 10.20.0.0/18 overlaps vpc_range 10.20.0.0/20; choose another range",
    ),
    (
        {"cluster__network": {"cluster_subnet": "10.100.0.0/16", "service_subnet": "10.100.0.0/20"}},
        "cluster.network.service_subnet 10.100.0.0/20 overlaps cluster.network.cluster_subnet 10.100.0.0/16; choose",
    ),
    (
        {"cluster__network": {"service_subnet": "8.8.0.0/20"}},
        "cluster.network.service_subnet must be private (RFC 1918), found 8.8.0.0/20",
    ),
    (
        {"cluster__network": {"service_subnet": "10.101.0.0/25"}},
        "cluster.network.service_subnet must be a /12 to /24, found 10.101.0.0/25",
    ),
    (
        {"cluster__network": {"cluster_subnet": "10.245.0.0/16"}},
        "cluster.network.cluster_subnet 10.245.0.0/16 overlaps 10.245.0.0/16, which DigitalOcean reserves",
    ),
    (
        {"cluster__network": {"cluster_subnet": "10.100.0.0/20"}, "cluster__pools__workload__max_nodes": 28},
        "network.cluster_subnet 10.100.0.0/20 has room for 32 nodes, and pools may grow to 33; widen it or lower",
    ),
    (
        {"cluster__network": {"neighbours": ["10.20.0.0/28", "10.30.0.0/28"]}},
        "cluster.network.neighbours must be a part of vpc_range 10.20.0.0/20, found 10.30.0.0/28; leave it out",
    ),
    (
        {"cluster__network": {"neighbours": ["10.20.0.0/20"]}},
        "cluster.network.neighbours must be a part of vpc_range 10.20.0.0/20, found 10.20.0.0/20; leave it out",
    ),
]


@pytest.mark.parametrize(("changes", "sentence"), BAD_VALUES, ids=[sentence[:40] for _, sentence in BAD_VALUES])
def test_a_bad_value_is_refused_with_file_and_key(project: Project, changes: dict[str, Any], sentence: str) -> None:
    folder = project(sandbox=environment_data(**changes))
    path = folder / "environments/sandbox.yaml"
    with pytest.raises(ConfigError) as caught:
        load(path)
    (problem,) = caught.value.problems
    assert re.match(rf"{re.escape(str(path))}(:\d+)?: ", problem)
    assert sentence in problem


@pytest.mark.parametrize(
    "key", ["name", "region", "domain", "vpc_range", "cluster", "gitops", "vault", "state", "backups"]
)
def test_a_missing_key_is_named(project: Project, key: str) -> None:
    data = environment_data()
    del data[key]
    with pytest.raises(ConfigError, match=f": {key}: is missing; add it$"):
        load(project(sandbox=data) / "environments/sandbox.yaml")


def test_a_rule_about_the_whole_file_names_its_keys_itself(project: Project) -> None:
    path = project(sandbox=environment_data(vpc_range="8.8.0.0/16")) / "environments/sandbox.yaml"
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert (
        str(caught.value)
        == f"{path}:{line_of(path, 'vpc_range')}: vpc_range must be private (RFC 1918), found 8.8.0.0/16"
    )


def test_every_problem_of_a_file_is_told_at_once(project: Project) -> None:
    data = environment_data(region="X", domain="x", mode="x")
    with pytest.raises(ConfigError) as caught:
        load(project(sandbox=data) / "environments/sandbox.yaml")
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"cluster__high_availability": False}, "cluster.high_availability is false in production; raise it or set"),
        ({"cluster__pools__system__min_nodes": 1}, "cluster.pools of role 'system' have min_nodes of 1 in production;"),
        (
            {"cluster__pools__workload__min_nodes": 0},
            "cluster.pools of role 'workload' have min_nodes of 0 in production; raise it or set",
        ),
    ],
)
def test_production_without_redundancy_needs_a_word(project: Project, changes: dict[str, Any], sentence: str) -> None:
    path = project(production=environment_data("production", **changes)) / "environments/production.yaml"
    with pytest.raises(ConfigError, match=sentence):
        load(path)
    project(production=environment_data("production", cluster__allow_single_point_of_failure=True, **changes))
    assert load(path).cluster.allow_single_point_of_failure


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "name: sandbox\n  region: lon1\n",
            "cannot be read as YAML at line 2, column 9: mapping values are not allowed",
        ),
        (
            "name: sandbox\nname: staging\n",
            "cannot be read as YAML at line 2, column 1: the key 'name' stands twice, first at line 1;",
        ),
        ("- a\n- b\n", "must hold keys and values, found a list"),
        ("", "must hold keys and values, found nothing"),
        ("? [a]\n: b\n", "cannot be read as YAML at line 1, column 3: a key must be text"),
        ("a: \x07\n", "cannot be read as YAML"),
    ],
)
def test_unreadable_yaml_is_told_with_its_place(project: Project, text: str, sentence: str) -> None:
    path = project(sandbox=text) / "environments/sandbox.yaml"
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: {sentence}")


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file or directory"):
        load(tmp_path / "sandbox.yaml")
    (tmp_path / "sandbox.yaml").write_bytes(b"name: \xff\n")
    with pytest.raises(ConfigError, match="is not UTF-8 text at byte 6"):
        load(tmp_path / "sandbox.yaml")


def test_a_folder_without_environments(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no environment file found"):
        load_all(tmp_path)


def test_a_file_named_unlike_its_environment(project: Project) -> None:
    with pytest.raises(ConfigError, match="name: must be 'other' like the file, found 'sandbox'"):
        load(project(other=environment_data()) / "environments/other.yaml")


def second(**changes: Any) -> dict[str, Any]:
    """Return a second sandbox that shares nothing with the first but what `changes` says."""
    own = {
        "name": "second",
        "cluster__name": "episodic-second",
        "state__bucket": "episodic-second-state",
        "backups__bucket": "episodic-second-backups",
        "vpc_range": "10.30.0.0/20",
        "domain": "second.episodic.example",
        "vault__auth__mount": "jwt-second",
        "vault__ci__role": "episodic-second",
        **{f"vault__kv__{path}": f"second/{path}" for path in ("flux", "platform", "provisioning")},
    }
    return environment_data(**{**own, **changes})


def test_two_environments_that_share_nothing(project: Project) -> None:
    folder = project(sandbox=environment_data(), second=second())
    assert [env.name for env in load_all(folder / "environments")] == ["sandbox", "second"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"cluster__name": "episodic-sandbox"}, "cluster.name: 'episodic-sandbox' is already used by"),
        ({"state__bucket": "episodic-sandbox-state"}, "state.bucket: 'episodic-sandbox-state' is already used by"),
        ({"backups__bucket": "episodic-sandbox-state"}, "backups.bucket: 'episodic-sandbox-state' is already used by"),
        ({"backups__bucket": "episodic-second-state"}, "backups.bucket: 'episodic-second-state' is already used by"),
        ({"vpc_range": "10.20.8.0/21"}, "vpc_range: '10.20.8.0/21' overlaps '10.20.0.0/20' of"),
        (
            {"cluster__network": {"cluster_subnet": "10.20.0.0/16"}},
            "cluster.network.cluster_subnet: '10.20.0.0/16' overlaps '10.20.0.0/20' of",
        ),
        ({"gitops__repository": "other"}, "gitops: differs from"),
        ({"state__bucket": "episodic-gitops-state"}, "state.bucket: 'episodic-gitops-state' is already used by"),
    ],
)
def test_two_environments_may_not_share(project: Project, changes: dict[str, Any], sentence: str) -> None:
    folder = project(sandbox=environment_data(), second=second(**changes)) / "environments"
    with pytest.raises(ConfigError) as caught:
        load_all(folder)
    told = map(without_lines, caught.value.problems)
    assert any(problem.startswith(f"{folder / 'second.yaml'}: {sentence}") for problem in told)


@pytest.mark.parametrize(("subnet", "told"), [("10.102.0.0/16", 0), ("10.100.0.0/16", 1)])
def test_two_environments_may_share_a_network_that_exists_but_not_a_subnet(
    project: Project, subnet: str, told: int
) -> None:
    def network(pods: str, services: str) -> dict[str, Any]:
        return {"vpc": {"name": "shared"}, "cluster_subnet": pods, "service_subnet": services}

    files = {
        "sandbox": environment_data(cluster__network=network("10.100.0.0/16", "10.110.0.0/20")),
        "second": second(vpc_range="10.20.0.0/20", cluster__network=network(subnet, "10.111.0.0/20")),
    }
    folder = project(**files) / "environments"
    try:
        load_all(folder)
        problems: tuple[str, ...] = ()
    except ConfigError as error:
        problems = error.problems
    assert sum("cluster.network.cluster_subnet: " in problem for problem in problems) == len(problems) == told


def test_a_duplicate_environment(project: Project) -> None:
    folder = project(sandbox=environment_data(), copy=environment_data()) / "environments"
    with pytest.raises(ConfigError, match=r"copy.yaml:\d+: name: must be 'copy' like the file, found 'sandbox'"):
        load_all(folder)


@pytest.mark.parametrize("vpc_range", ["10.20.0.0/16", "172.16.1.0/24", "10.246.1.0/24"])
def test_private_ranges_of_these_sizes_are_taken(vpc_range: str) -> None:
    assert str(environment(vpc_range=vpc_range).vpc_range) == vpc_range


@pytest.mark.parametrize("key", ["critical", "heartbeat"])
def test_somebody_hears_of_production(project: Project, key: str) -> None:
    data = environment_data("production", **{f"platform__observability__alerting__{key}": []})
    path = project(production=data) / "environments/production.yaml"
    with pytest.raises(ConfigError, match=rf"alerting\.{key} names no receiver in production; name one"):
        load(path)


@pytest.mark.parametrize(
    ("mode", "names"),
    [
        ("render", ["sandbox-state", "sandbox-cluster", "sandbox-flux", "sandbox-dns"]),
        ("apply", ["sandbox-state", "sandbox-cluster", "sandbox-flux", "sandbox-platform", "sandbox-dns"]),
    ],
)
def test_an_environment_has_these_stacks_each_after_those_it_needs(mode: str, names: list[str]) -> None:
    env = environment(mode=mode)
    assert [env.stack(kind) for kind in env.stacks] == names


@pytest.mark.parametrize(
    "changes",
    [
        {"dns__zone_at": "elsewhere", "platform__cert_manager__dns_challenge": None},
        {"platform__traefik__enabled": False},
    ],
)
def test_records_are_made_for_an_ingress_whose_zone_is_at_digitalocean(changes: dict[str, Any]) -> None:
    assert StackKind.DNS in environment("production").stacks
    assert StackKind.DNS not in environment("production", **changes).stacks


def test_the_zone_is_the_domain_unless_a_parent_is_named(project: Project) -> None:
    env = environment("production")
    assert (env.dns.zone_at, env.zone, env.ingress_host) == (
        "digitalocean",
        "episodic.example",
        "ingress.episodic.example",
    )
    assert (environment().zone, environment().balancer) == ("episodic.example", "episodic-sandbox-ingress")
    for other in ("other.example", "box.episodic.example", "www.sandbox.episodic.example"):
        sentence = f"dns.zone must be the domain sandbox.episodic.example or a parent of it, found '{other}'"
        with pytest.raises(ConfigError, match=sentence):
            load(project(sandbox=environment_data(dns__zone=other)) / "environments/sandbox.yaml")


def test_what_writes_into_a_zone_needs_it_at_digitalocean(project: Project) -> None:
    data = environment_data(dns__zone_at="elsewhere", platform__external_dns__enabled=True)
    with pytest.raises(ConfigError) as caught:
        load(project(sandbox=data) / "environments/sandbox.yaml")
    for key, other in (
        ("platform.external_dns.enabled", "false"),
        ("platform.cert_manager.dns_challenge", "null, or to the zone's provider"),
    ):
        sentence = f"{key} writes into a zone at DigitalOcean, and dns.zone_at is elsewhere; set it to {other}"
        assert sentence in str(caught.value)


def test_a_zone_elsewhere_may_be_written_to_where_it_is(project: Project) -> None:
    there = {"provider": "cloudflare"}
    data = environment_data(dns__zone_at="elsewhere", platform__cert_manager__dns_challenge=there)
    assert load(project(sandbox=data) / "environments/sandbox.yaml").dns.zone_at == "elsewhere"


def test_a_firewall_that_no_runner_passes_is_refused(project: Project) -> None:
    assert environment().runner == "ubuntu-24.04"
    for runner in ("ubuntu-24.04", "windows-2025", "macos-15"):
        data = environment_data("production", runner=runner)
        sentence = (
            "cluster.control_plane_allowed_addresses lets in no runner that GitHub hosts, whose addresses change, "
            f"and runner is '{runner}'; name the label of runners with an address that is let in"
        )
        with pytest.raises(ConfigError, match=re.escape(sentence)):
            load(project(production=data) / "environments/production.yaml")
    assert environment("production", runner="ours").runner == "ours"
    assert environment("production", runner="ubuntu-24.04", cluster__control_plane_allowed_addresses=[])


def test_a_chart_mirror_replaces_every_repository_and_nothing_else() -> None:
    public, mirrored = environment(), environment(chart_mirror="https://charts.internal")
    charts = [(r.name, r.chart) for layer in public.layers for r in layer.releases]
    assert len(charts) >= 2
    expected = [(name, replace(chart, repository="https://charts.internal")) for name, chart in charts]
    assert [(r.name, r.chart) for layer in mirrored.layers for r in layer.releases] == expected


def test_service_account_auth_has_an_audience() -> None:
    auth = environment(vault__auth={"method": "jwt", "mount": "m", "role": "r"}, vault__ca_bundle=PEM).vault.auth
    assert auth.method == "jwt"
    assert getattr(auth, "audiences") == ("vault",)  # noqa: B009 - only this method has it


def test_the_schema_in_git_is_that_of_the_model() -> None:
    schema = json.loads((ROOT / "environments/environment.schema.json").read_text())
    assert schema == file_schema(), "run make schema"
