"""What stand-ins for operators make, compared with the committed facts of what those make."""

from __future__ import annotations

from constructs_lib.environment import Environment
from constructs_lib.kit import Manifest
from tests.chart_facts.cluster import Running
from tests.chart_facts.committed import differences
from tests.chart_facts.facts import release_facts


def check(env: Environment, item: Manifest, made: list[Manifest]) -> None:
    """Fail where labels or containers of pods that are made for an object differ from the facts, or are not in them."""
    name = f"{item['kind']}/{item['metadata']['name']}"
    known = dict(Running(env).facts)[name]["pods"]
    for workload, found in release_facts(made, (), item["metadata"]["namespace"])["pods"].items():
        facts = known[workload]
        containers = {key: facts["containers"].get(key) for key in found["containers"]}
        wrong = differences(
            {"labels": facts["labels"], "containers": containers},
            {"labels": found["labels"], "containers": found["containers"]},
        )
        assert not wrong, f"{name}: {workload} differs from the facts: {wrong}"
