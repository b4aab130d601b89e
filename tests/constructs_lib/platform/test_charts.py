"""What charts and operators really make fits our objects: policies, links, monitors, webhooks, Secrets and defaults.

The facts are data: `<component>/chart_facts.yaml`, which `make chart-facts` writes, and `operand_facts.yaml` beside it.
Where `CHARTS` names a folder with the charts (`<name>/Chart.yaml`), and helm is there, they are rendered anew.
"""

from __future__ import annotations

from functools import cache

import pytest

from tests.chart_facts.__main__ import component_facts
from tests.chart_facts.cluster import Running
from tests.chart_facts.committed import committed, environments, releases
from tests.chart_facts.helm import with_charts
from tests.chart_facts.rules import RULES, accepted, problems
from tests.chart_facts.values import silent
from tests.constructs_lib.platform.collected import COMPONENTS
from tests.support import everything

RELEASES = {item.name: item for component in COMPONENTS for item in releases(component, everything())}
SILENT = "silent_value"


@cache
def running() -> tuple[Running, ...]:
    return tuple(map(Running, environments()))


@pytest.mark.parametrize("rule", RULES)
def test_what_breaks_a_rule_is_known_with_its_reason(rule: str) -> None:
    found = {line for one in running() for line in RULES[rule](one)}
    assert problems(rule, found, accepted().get(rule, [])) == []


def test_only_rules_that_exist_are_accepted_against() -> None:
    assert set(accepted()) <= {*RULES, SILENT}


@pytest.mark.parametrize("component", COMPONENTS)
def test_the_facts_are_those_of_the_pinned_charts(component: str) -> None:
    pinned = {item.name: f"{item.chart.name} {item.chart.version}" for item in releases(component, everything())}
    facts = {name: one["chart"] for name, one in committed(component)["releases"].items()}
    assert facts == pinned, "run `make chart-facts CHARTS=<folder of charts>`"


@with_charts
@pytest.mark.parametrize("component", COMPONENTS)
def test_the_facts_are_current(component: str) -> None:
    made = component_facts(component, environments())
    assert made == committed(component), "run `make chart-facts CHARTS=<folder of charts>`"


@with_charts
@pytest.mark.parametrize("name", RELEASES)
def test_every_value_that_is_set_changes_what_the_chart_makes(name: str) -> None:
    known = [line for line in accepted()[SILENT] if line.startswith(f"{name}: ")]
    assert problems(SILENT, set(silent(RELEASES[name])), known) == []
