"""What an environment asks for, and whether it fits where it goes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constructs_lib.base.errors import ConfigError
from constructs_lib.environment import Environment, load, load_all
from constructs_lib.environment.capacity import Place, for_applications, places, quotas
from constructs_lib.environment.fitting import crowded, doubts, too_much
from constructs_lib.environment.packing import fit
from constructs_lib.environment.pools import Pool
from constructs_lib.kit import Room, Workload
from tests.support import ROOT, environment, environment_data, without_lines

Project = Callable[..., Path]
NODE = Room(4000, 8000, 7)
OWN = {env.name: env for env in load_all(ROOT / "environments")}


def pods(each: Room, number: int = 1, name: str = "x", **how: bool) -> Workload:
    return Workload("default", f"Deployment/{name}", each, number, {}, (), **how)


def place(*workloads: Workload, least: int = 1, most: int = 2) -> Place:
    return Place((Pool("system", "s-4vcpu-8gb", least, most, {}, ()),), workloads, (NODE,))


def only(env: Environment, name: str) -> Place:
    (found,) = (item for item in places(env) if item.name == name)
    return found


def system(env: Environment) -> Place:
    return only(env, "system")


@pytest.mark.parametrize("env", OWN.values(), ids=OWN)
def test_the_own_environments_fit_with_one_node_to_spare_and_without_a_doubt(env: Environment) -> None:
    found = places(env)
    assert [item.name for item in found] == ["default", "system", "workload"]
    assert list(doubts(found, production=True)) == []
    assert all(item.loses_one() for item in found)


def test_on_one_node_less_than_production_needs_a_pod_is_left_over() -> None:
    production = system(OWN["production"])
    assert production.takes([5])
    assert not production.takes([4])
    assert production.most == (7,), "a lost node and one that is being replaced"


@pytest.mark.parametrize("unit", Room._fields)
def test_what_just_fits_is_taken_and_one_more_is_not(unit: str) -> None:
    just = Room(**{unit: 2 * NODE._asdict()[unit]})
    half = Room(**{unit: NODE._asdict()[unit]})
    more = half._replace(**{unit: 1})
    assert list(too_much([place(pods(half, 2))])) == []
    assert fit([pods(half), pods(half)], [NODE, NODE])
    assert just == Room.of([half, half])
    (sentence,) = too_much([place(pods(half, 2), pods(more, name="more"))])
    assert "and 2 nodes of s-4vcpu-8gb have " in sentence
    assert not fit([pods(half), pods(half), pods(more)], [NODE, NODE])


def test_pods_that_are_apart_need_a_node_each() -> None:
    alike = pods(Room(1), 3, apart=True)
    assert list(too_much([place(alike, most=3)])) == []
    assert fit([alike] * 3, [NODE] * 3)
    (sentence,) = too_much([place(alike, most=2)])
    assert "the 3 pods of default/Deployment/x may not share a node, and there are at most 2 nodes" in sentence
    assert not fit([alike] * 3, [NODE] * 2)
    assert fit([pods(Room(1), 3)] * 3, [NODE])


def test_a_pod_that_is_larger_than_a_node_fits_on_none() -> None:
    assert list(too_much([place(pods(NODE))])) == []
    (sentence,) = too_much([place(pods(NODE._replace(memory=8001)))])
    assert "asks for 4 cores and 7.9 GiB of memory, and the largest node has 4 cores and 7.8 GiB of memory" in sentence


def test_of_what_passes_only_the_largest_is_counted() -> None:
    found = place(
        pods(Room(1, 10), 2), pods(Room(1, 30), name="a", passing=True), pods(Room(1, 20), name="b", passing=True)
    )
    assert found.asked == Room(3, 50)


def test_what_needs_more_than_always_runs_is_a_doubt() -> None:
    half = pods(Room(0, 4000), 4)
    assert list(doubts([place(half, least=2)], production=False)) == []
    (sentence,) = doubts([place(half, least=1)], production=False)
    assert sentence == (
        "cluster.pools.system: pods need 2 nodes, and 1 node of s-4vcpu-8gb always run: they wait for the autoscaler; "
        "raise min_nodes"
    )


def test_pods_that_only_fit_in_sum_are_a_doubt() -> None:
    (sentence,) = doubts([place(pods(Room(0, 5000), 3))], production=False)
    assert sentence.startswith("cluster.pools.system: pods are too large to share 2 nodes of s-4vcpu-8gb, though ")
    assert list(too_much([place(pods(Room(0, 5000), 3))])) == []


def test_only_production_has_to_survive_the_loss_of_a_node() -> None:
    full = [place(pods(Room(0, 4000), 4), least=2)]
    assert list(doubts(full, production=False)) == []
    (sentence,) = doubts(full, production=True)
    assert sentence.startswith("cluster.pools.system: when one of 2 nodes of s-4vcpu-8gb is lost, its pods do not fit")
    assert list(doubts([place(pods(Room(0, 4000), 4), least=2, most=3)], production=True)) == []


def written(project: Project, **changes: Any) -> Path:
    return project(sandbox=environment_data(**changes)) / "environments/sandbox.yaml"


def test_a_file_that_can_never_fit_is_refused_with_who_asks_for_the_most(project: Project) -> None:
    metrics = {"retention": "3d", "storage": "10Gi", "memory": "20Gi"}
    path = written(project, platform__observability__metrics=metrics)
    with pytest.raises(ConfigError) as error:
        load(path)
    whole, single = map(without_lines, error.value.problems)
    assert whole.startswith(
        f"{path}: cluster.pools.system: pods ask for 27.2 GiB of memory, most of it "
        "observability/StatefulSet/prometheus-kube-prometheus-stack (20.1 GiB of memory), "
    )
    assert "and 3 nodes of s-4vcpu-8gb have 16.6 GiB of memory for them; raise max_nodes, take a larger size" in whole
    assert "a pod of observability/StatefulSet/prometheus-kube-prometheus-stack asks for" in single


def test_a_file_that_waits_for_nodes_is_read_with_a_warning(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(project, cluster__pools__system__min_nodes=1)
    assert load(path).cluster.pools["system"].min_nodes == 1
    assert without_lines(capsys.readouterr().err) == (
        f"warning: {path}: cluster.pools.system: pods need 2 nodes, and 1 node of s-4vcpu-8gb always run: "
        "they wait for the autoscaler; raise min_nodes\n"
    )


def test_an_unknown_size_is_a_warning_and_no_error(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert load(written(project, cluster__pools__system__size="m-32vcpu-256gb"))
    assert "cluster.pools.system: what a node of m-32vcpu-256gb has is not known here" in capsys.readouterr().err


def test_pods_that_no_pool_takes_are_told_with_the_labels_that_they_want(project: Project) -> None:
    values = {"traefik": {"nodeSelector": {"disk": "fast"}}}
    with pytest.raises(ConfigError, match=r"none takes traefik/Deployment/traefik, which needs nodes with .*disk=fast"):
        load(written(project, platform__traefik__extra_values=values))


def test_an_amount_that_is_none_is_told(project: Project) -> None:
    values = {"traefik": {"resources": {"requests": {"memory": "a lot"}}}}
    with pytest.raises(
        ConfigError, match=r"resources of traefik/Deployment/traefik must be an amount .* found 'a lot'"
    ):
        load(written(project, platform__traefik__extra_values=values))


def test_extra_values_count() -> None:
    before, values = system(environment()), {"traefik": {"resources": {"requests": {"memory": "1128Mi"}}}}
    after = system(environment(platform__traefik__extra_values=values))
    assert after.asked.less(before.asked) == Room(memory=1000)


def test_pods_go_to_every_pool_that_takes_them_and_to_no_other() -> None:
    pool = {"size": "s-4vcpu-8gb", "min_nodes": 1, "max_nodes": 4}
    extra = {
        "more": {"role": "system", **pool},
        "own": {**pool, "taints": [{"key": "a", "value": "b", "effect": "NoSchedule"}]},
        "gpu": {**pool, "size": "gpu-h100x1-80gb"},
    }
    data = environment_data()
    data["cluster"]["pools"] |= extra
    found = places(Environment.model_validate_json(json.dumps(data)))
    assert [item.name for item in found] == ["default", "system and more", "workload"]
    assert found[1].room((1, 1)) == found[1].room((2, 0))


def test_what_runs_on_every_node_is_taken_off_each() -> None:
    digitaloceans, ours = Room(702, 690), Room(70, 320)
    bare = Room(3900, 6694, 7).less(digitaloceans)
    assert system(environment()).rooms == (bare.less(ours),)
    assert system(environment(platform__observability={"enabled": False})).rooms == (bare,)


def test_a_pool_that_one_workload_selects_is_part_of_what_all_may_use() -> None:
    pool = {"role": "system", "size": "s-4vcpu-8gb", "min_nodes": 1, "max_nodes": 1, "labels": {"disk": "fast"}}
    data = environment_data(platform__traefik__extra_values={"traefik": {"nodeSelector": {"disk": "fast"}}})
    data["cluster"]["pools"]["fast"] = pool
    env = Environment.model_validate_json(json.dumps(data))
    alone, together = only(env, "fast"), only(env, "system and fast")
    assert [item.name for item in alone.workloads] == ["Deployment/traefik"]
    assert together.asked == system(environment()).asked


AMOUNTS = st.builds(Room, st.integers(0, 3000), st.integers(0, 6000), st.integers(0, 3))
WORKLOADS = st.lists(
    st.builds(pods, AMOUNTS, st.integers(1, 4), st.sampled_from("abcdef"), apart=st.booleans()), max_size=6
)


@settings(deadline=None)
@given(WORKLOADS, st.integers(0, 8))
def test_what_fits_also_fits_on_one_node_more_and_in_sum(workloads: list[Workload], number: int) -> None:
    found = place(*workloads, most=9)
    if found.takes([number]):
        assert found.takes([number + 1])
        assert found.room([number]).holds(found.asked)


@settings(deadline=None)
@given(WORKLOADS, st.integers(0, 8), st.data())
def test_with_one_pod_less_it_still_fits_in_sum(workloads: list[Workload], number: int, data: st.DataObject) -> None:
    whole = place(*workloads)
    kept = data.draw(st.lists(st.sampled_from(workloads), unique_by=id)) if workloads else []
    assert whole.asked.holds(place(*kept).asked)


COUNTS = st.fixed_dictionaries(
    {
        "instances": st.integers(1, 5),
        "pooler": st.integers(1, 4),
        "brokers": st.sampled_from([1, 3, 5]),
        "shards": st.integers(1, 4),
        "copies": st.integers(0, 2),
        "ingress": st.integers(1, 5),
        "metrics": st.integers(1, 3),
        "logs": st.sampled_from([1, 3, 5]),
    }
)


def with_counts(counts: dict[str, int]) -> Environment:
    data = environment_data("staging")
    platform = data["platform"]
    platform["cloudnative_pg"]["clusters"][0] |= {
        "instances": counts["instances"],
        "pooler": {"instances": counts["pooler"]},
    }
    platform["rabbitmq_operator"]["clusters"][0]["replicas"] = counts["brokers"]
    platform["valkey_operator"]["clusters"][0] |= {"shards": counts["shards"], "replicas": counts["copies"]}
    platform["traefik"]["replicas"] = counts["ingress"]
    platform["observability"]["metrics"]["replicas"] = counts["metrics"]
    platform["observability"]["logs"]["nodes"] = counts["logs"]
    return Environment.model_validate_json(json.dumps(data))


@settings(max_examples=20, deadline=None)
@given(COUNTS, COUNTS)
def test_more_replicas_never_ask_for_less(one: dict[str, int], other: dict[str, int]) -> None:
    fewer, more = ({key: pick(one[key], other[key]) for key in one} for pick in (min, max))
    assert system(with_counts(more)).asked.holds(system(with_counts(fewer)).asked)


def for_apps(env: Environment) -> Place:
    found = for_applications(places(env))
    assert found is not None
    return found


def with_quota(memory: str, **changes: Any) -> Environment:
    quota = {"cpu": "250m", "memory": memory}
    apps: dict[str, Any] = {name: {"owner": "a", "quota": quota} for name in ("shop", "blog")}
    apps["old"] = {"owner": "a", "quota": {"cpu": "32", "memory": "256Gi"}, "retired": True}
    return environment(applications=apps, **changes)


def test_quotas_are_what_open_applications_may_ask_for_together() -> None:
    assert quotas(with_quota("2Gi")) == Room(500, 4096)


def test_applications_run_where_pods_do_that_select_no_node() -> None:
    assert for_apps(environment()).name == "workload"
    pools = {
        **environment_data()["cluster"]["pools"],
        "plain": {"size": "s-4vcpu-8gb", "min_nodes": 1, "max_nodes": 1},
        "apart": {
            "size": "s-4vcpu-8gb",
            "min_nodes": 1,
            "max_nodes": 1,
            "taints": [{"key": "only", "value": "some", "effect": "NoSchedule"}],
        },
    }
    assert set(for_apps(environment(cluster__pools=pools)).name.split(" and ")) == {"workload", "plain"}


def test_quotas_that_no_node_could_serve_are_a_doubt() -> None:
    nodes = place(pods(Room(1000, 2000)), most=2)
    assert list(crowded(nodes, Room(7000, 14000))) == []
    (cpu,) = crowded(nodes, Room(7001, 14000))
    assert cpu.startswith("applications: their quotas are 7.1 cores together, and 2 nodes of s-4vcpu-8gb have 7 cores ")
    (memory,) = crowded(nodes, Room(7000, 14001))
    assert "13.7 GiB of memory together" in memory
    assert list(crowded(Place(nodes.pools, (), ()), Room(9000, 99999))) == [], "of an unknown size nothing is said"


def test_loading_warns_of_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for memory, warned in (("1Gi", False), ("100Gi", True)):
        apps = {"shop": {"owner": "a", "quota": {"memory": memory}}}
        (tmp_path / "sandbox.yaml").write_text(json.dumps(environment_data(applications=apps)))
        load(tmp_path / "sandbox.yaml")
        assert ("applications: their quotas are 100 GiB of memory together" in capsys.readouterr().err) is warned
