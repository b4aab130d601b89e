"""What pods ask for of what their pools have, as it is printed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from constructs_lib.environment import load_all
from gitops_render.capacity import HEADER, cells, rows, to_markdown
from tests.gitops_render.test_cli import cli
from tests.support import ROOT, environment, environment_data, without_lines

Project = Callable[..., Path]


def test_the_table_has_a_line_for_each_place_of_each_environment(tmp_path: Path) -> None:
    (tmp_path / "environments").symlink_to(ROOT / "environments")
    code, out, err = cli(tmp_path, "capacity")
    assert (code, err) == (0, "capacity of 3 environments\n")
    header, *lines, legend = out.splitlines()
    assert header.split() == " ".join(HEADER).split()
    assert [line.split()[:2] for line in lines] == [
        [env.name, pool]
        for env in load_all(ROOT / "environments")
        for pool in ("default", "system", "workload", "quotas")
    ]
    assert "2 to 3 s-4vcpu-8gb" in lines[1]
    assert legend.startswith("Asked for of what ")


def test_json_says_who_asks_for_how_much(tmp_path: Path) -> None:
    (tmp_path / "environments").symlink_to(ROOT / "environments")
    code, out, _ = cli(tmp_path, "capacity", "--json", "--environment", "sandbox")
    assert code == 0
    *rows_, quota = json.loads(out)
    found = {row["pools"][0]["name"]: row for row in rows_}
    system = found["system"]
    assert (system["environment"], list(found)) == ("sandbox", ["default", "system", "workload"])
    assert system["pools"] == [{"name": "system", "size": "s-4vcpu-8gb", "min_nodes": 2, "max_nodes": 3}]
    lasting = [item for item in system["pods"] if not item["passing"]]
    drill = 1
    assert sum(item["pods"] * item["each"]["volumes"] for item in lasting) + drill == system["asked"]["volumes"]
    assert system["at_minimum"]["volumes"] == 14
    assert system["at_maximum"]["memory"] * 2 == system["at_minimum"]["memory"] * 3
    assert quota["quotas"] == ["episodic"]


def test_quotas_of_applications_are_asked_for_of_what_the_platform_leaves() -> None:
    apps = {name: {"owner": "a", "quota": {"cpu": "500m", "memory": "1Gi"}} for name in ("shop", "blog")}
    *_, workload, quota = rows([environment(applications=apps)])
    assert quota["quotas"] == ["shop", "blog"]
    assert quota["asked"] == {"cpu": 1000, "memory": 2048, "volumes": 0}
    for key in ("at_minimum", "at_maximum"):
        assert quota[key] == {unit: workload[key][unit] - workload["asked"][unit] for unit in workload["asked"]}
    (cell,) = cells([quota])
    assert (cell[1], cell[3].split(" of ")[0], cell[5]) == ("quotas in workload", "1", "by size")
    assert not [row for row in rows([environment(applications={})]) if "quotas" in row]


def test_what_fits_on_no_node_is_refused_here_too(project: Project) -> None:
    folder = project(sandbox=environment_data(cluster__pools__system__size="s-1vcpu-2gb"))
    code, out, err = cli(folder, "capacity")
    assert (code, out) == (2, "")
    assert "environments/sandbox.yaml: cluster.pools.system: pods ask for " in without_lines(err)


def test_of_an_unknown_size_only_what_is_asked_for_is_said() -> None:
    (_, system, *_) = cells(rows([environment(cluster__pools__system__size="g-60vcpu-240gb")]))
    assert system[3:] == ("2.7 of an unknown size", "8.2 of an unknown size", "8 of an unknown size")


def test_a_pull_request_is_told_only_of_what_differs() -> None:
    before, after = rows([environment()]), rows([environment(cluster__pools__system__max_nodes=4)])
    assert list(to_markdown(before, before)) == []
    title, *_, header, _, line, _ = to_markdown(before, after)
    assert title == "### Capacity"
    assert header == f"| {' | '.join(HEADER)} |"
    assert line.startswith("| sandbox | system | 2 to 4 s-4vcpu-8gb | 2.7 of 6.2 to 12.5 | ")
