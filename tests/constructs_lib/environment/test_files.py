"""What an environment's file says, over what `_shared.yaml` says for all."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.yaml_input import read_document
from constructs_lib.environment import SHARED, load, load_all, read
from constructs_lib.environment.schema import file_schema
from tests.support import ROOT, another_environment, environment_data

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes files by their stem and returns their folder."""

    def write(**files: Any) -> Path:
        for stem, data in files.items():
            (tmp_path / f"{stem}.yaml").write_text(data if isinstance(data, str) else yaml.safe_dump(data))
        return tmp_path

    return write


def apart(data: dict[str, Any], *keys: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the data without these keys, and the data of these keys alone."""
    return {key: data[key] for key in data if key not in keys}, {key: data[key] for key in keys}


def problems(folder: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_all(folder)
    return [problem.replace(f"{folder}/", "") for problem in caught.value.problems]


def test_what_all_share_stands_once_and_a_file_may_say_otherwise(write: Write) -> None:
    own, shared = apart(environment_data(), "gitops", "region", "dns")
    other = another_environment("second", "10.30.0.0/20")
    other = {key: value for key, value in other.items() if key not in shared} | {"region": "ams3", "dns": {}}
    first, second = load_all(write(sandbox=own, second=other, _shared=shared))
    assert first == load(write(sandbox=environment_data(), _shared={}) / "sandbox.yaml")
    assert (first.region, second.region) == ("lon1", "ams3")
    assert second.dns.zone == "episodic.example", "maps are merged key by key"
    assert second.gitops == first.gitops


def test_a_problem_of_the_shared_file_is_said_once_and_there(write: Write) -> None:
    own, shared = apart(environment_data(), "gitops")
    other, _ = apart(another_environment("second", "10.30.0.0/20"), "gitops")
    shared["gitops"]["approvals"] = 9
    text = yaml.safe_dump(shared)
    line = text.splitlines().index("  approvals: 9") + 1
    folder = write(sandbox=own, second=other, _shared=text)
    assert problems(folder) == [f"_shared.yaml:{line}: gitops.approvals: must be 6 or less, found 9"]


def test_a_list_is_replaced_as_a_whole(write: Write) -> None:
    folder = write(sandbox=environment_data(), _shared={"cluster": {"tags": ["shared"], "network": {"neighbours": []}}})
    assert load(folder / "sandbox.yaml").doks.tags == ("shared",)
    write(sandbox=environment_data(cluster__tags=["own"]))
    assert load(folder / "sandbox.yaml").doks.tags == ("own",)


def test_anchors_stand_below_keys_that_nobody_reads(write: Write) -> None:
    text = yaml.safe_dump(environment_data(cluster__pools={}))
    pool = "x-pool: &pool {size: s-4vcpu-8gb, min_nodes: 2, max_nodes: 3}\n"
    pools = "  pools:\n    system: {<<: *pool, role: system}\n    workload: {<<: *pool, role: workload, max_nodes: 4}\n"
    env = load(write(sandbox=pool + text.replace("  pools: {}\n", pools)) / "sandbox.yaml")
    assert [(name, pool.max_nodes) for name, pool in env.cluster.pools.items()] == [("system", 3), ("workload", 4)]


@pytest.mark.parametrize("name", ["dev.yml", "Sandbox.YAML"])
def test_a_file_that_would_not_be_read_is_told(write: Write, name: str) -> None:
    folder = write(sandbox=environment_data())
    (folder / name).write_text("")
    assert problems(folder) == [f"{name}: is not read; name it {Path(name).stem}.yaml"]


def test_what_editors_and_systems_leave_there_is_passed_over(write: Write) -> None:
    folder = write(sandbox=environment_data())
    for name in (".sandbox.yaml", "sandbox.yaml~", "environment.schema.json"):
        (folder / name).write_text("{")
    assert [env.name for env in load_all(folder)] == ["sandbox"]


@pytest.mark.parametrize("path", sorted((ROOT / "environments").glob("*.yaml")), ids=lambda path: path.name)
def test_editors_take_each_shipped_file_and_know_its_keys(path: Path) -> None:
    validator = Draft202012Validator(file_schema())
    data = read_document(path).data
    assert not list(validator.iter_errors(data))
    assert not list(validator.iter_errors({**data, "x-anchors": [1]}))
    assert list(validator.iter_errors({**data, "regoin": "lon1"}))
    wrong = {**data, "platform": {"valkey_operator": {"clusters": [{"shards": 1}]}}}
    assert [error.message for error in validator.iter_errors(wrong)] == ["'name' is a required property"]


def test_the_shipped_files_say_nothing_that_is_shared_already() -> None:
    shared = read_document(ROOT / "environments" / SHARED).data

    def said_again(own: Any, below: Any) -> list[str]:
        same = [key for key in own if key in below and own[key] == below[key]]
        return same + [
            key for key in own if isinstance(own[key], dict) and key in below and said_again(own[key], below[key])
        ]

    for path in sorted((ROOT / "environments").glob("[a-z]*.yaml")):
        assert said_again(read_document(path).data, shared) == [], path
        assert json.loads(json.dumps(read(path).data)) == read(path).data


def test_every_pattern_of_the_schema_is_one_that_editors_read() -> None:
    patterns = re.findall(r'"pattern": ("(?:[^"\\]|\\.)*")', json.dumps(file_schema()))
    assert len(patterns) > 30
    for pattern in map(json.loads, patterns):
        assert re.compile(pattern)
        assert not re.search(r"\(\?(?![:=!])", pattern), f"{pattern}: ECMAScript has no such group"
