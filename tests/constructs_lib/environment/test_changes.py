"""What changing each setting does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from constructs_lib.base.change import FREE, Change, Effect, Rule
from constructs_lib.base.transition import change_of, models_of, transitions
from constructs_lib.environment import Environment
from tests.support import ROOT, environment


def settings(model: type[BaseModel], key: str = "", *, said: bool = False) -> Iterator[tuple[str, bool, Change | None]]:
    """Yield every setting that is no block with whether something says what its change does."""
    for name, info in model.model_fields.items():
        change = change_of(info)
        inner = list(models_of(info))
        if not inner or change is not None:
            yield f"{key}{name}", said or change is not None, change
        for block in inner:
            yield from settings(block, f"{key}{name}.", said=said or change is not None)


def rules(change: Change) -> Iterator[Rule]:
    for rule in (change.rule, change.larger, change.smaller, change.added, change.removed):
        yield from (found for found in (rule, rule and rule.done) if found is not None)


def test_no_setting_is_silent_about_its_change() -> None:
    assert [key for key, said, _ in settings(Environment) if not said] == []


def test_every_rule_says_what_it_does_and_its_page_is_there() -> None:
    found = [rule for _, _, change in settings(Environment) if change for rule in rules(change)]
    assert {rule.effect for rule in found} == set(Effect) - {Effect.UNKNOWN}
    for rule in (rule for rule in found if rule != FREE):
        assert rule.what
        assert bool(rule.page) == (rule.effect is Effect.STEPS), rule
        if rule.page:
            assert (ROOT / f"docs/how-to/{rule.page}.md").is_file(), rule
        if rule.effect is Effect.REFUSED:
            assert "; " in rule.what, f"{rule} does not say what to do instead"


POSTGRES, RABBITMQ, VALKEY = (
    f"platform.{name}.clusters" for name in ("cloudnative_pg", "rabbitmq_operator", "valkey_operator")
)

APPS = "applications"


def plain(**changes: Any) -> dict[str, Any]:
    """Return production with a role, a database and a user beside its application's."""
    data = environment("production", **changes).model_dump(mode="json")
    platform = data["platform"]
    platform["cloudnative_pg"]["clusters"][0]["roles"] = [{"name": "reader"}]
    platform["cloudnative_pg"]["clusters"][0]["databases"] = [{"name": "reports", "owner": "reader"}]
    platform["rabbitmq_operator"]["clusters"][0]["users"] = [{"name": "reader"}]
    return data


def put(data: dict[str, Any], key: str, value: Any) -> Any:
    """Set what is at `key` (`a.b[name].c`; `None` takes an entry away), and return what was there."""
    target: Any = data
    *parents, last = re.findall(r"\[[^\]]*\]|[^.\[]+", key)
    for part in parents:
        target = (
            next(item for item in target if item["name"] == part[1:-1])
            if part[0] == "[" and isinstance(target, list)
            else target[part.strip("[]")]
        )
    if last[0] == "[" and isinstance(target, list):
        at = next(number for number, item in enumerate(target) if item["name"] == last[1:-1])
        return target.pop(at)
    name = last.strip("[]")
    if value is None and last[0] == "[":
        return target.pop(name)
    old, target[name] = target.get(name), value
    return old


@pytest.mark.parametrize(
    ("key", "value", "effect"),
    [
        ("region", "ams3", Effect.REFUSED),
        ("vpc_range", "10.99.0.0/20", Effect.REFUSED),
        ("mode", "apply", Effect.REFUSED),
        ("tier", "staging", Effect.ROLLS),
        ("domain", "other.example", Effect.ROLLS),
        ("dns.zone_at", "elsewhere", Effect.REPLACES),
        ("cluster.name", "other", Effect.REFUSED),
        ("cluster.kubernetes_minor", "1.37", Effect.ROLLS),
        ("cluster.kubernetes_minor", "1.38", Effect.REFUSED),
        ("cluster.kubernetes_minor", "1.35", Effect.REFUSED),
        ("cluster.generation", 2, Effect.STEPS),
        ("cluster.high_availability", False, Effect.REFUSED),
        ("cluster.network.cluster_subnet", "10.100.0.0/16", Effect.REFUSED),
        ("cluster.protected", False, Effect.FREE),
        ("cluster.maintenance_window.day", "any", Effect.FREE),
        ("cluster.pools[system].size", "s-16vcpu-32gb", Effect.ROLLS),
        ("cluster.pools[system].max_nodes", 9, Effect.FREE),
        ("cluster.pools[workload]", None, Effect.ROLLS),
        ("gitops.organisation", "other", Effect.REFUSED),
        ("gitops.approvals", 2, Effect.FREE),
        ("state.bucket", "other", Effect.REFUSED),
        ("state.use_lockfile", False, Effect.FREE),
        ("backups.bucket", "other", Effect.REFUSED),
        ("sops_recipient", "age1x", Effect.FREE),
        ("vault.kv.platform", "production/other", Effect.ROLLS),
        (f"{POSTGRES}[main]", None, Effect.STEPS),
        (f"{POSTGRES}[main].storage", "100Gi", Effect.FREE),
        (f"{POSTGRES}[main].storage", "49Gi", Effect.REFUSED),
        (f"{POSTGRES}[main].wal_storage", "1Gi", Effect.REFUSED),
        (f"{POSTGRES}[main].instances", 5, Effect.FREE),
        (f"{POSTGRES}[main].instances", 2, Effect.ROLLS),
        (f"{POSTGRES}[main].image", "ghcr.io/cloudnative-pg/postgresql:18.9-system-trixie", Effect.ROLLS),
        (f"{POSTGRES}[main].image", "ghcr.io/cloudnative-pg/postgresql:17.1-system-trixie", Effect.REFUSED),
        (f"{POSTGRES}[main].image", "registry.example.org:5000/postgresql:17.1", Effect.REFUSED),
        (f"{POSTGRES}[main].image", "registry.example.org:5000/postgresql:18.1", Effect.ROLLS),
        (f"{POSTGRES}[main].image", "ghcr.io/cloudnative-pg/postgresql:19.1-system-trixie", Effect.REFUSED),
        (f"{POSTGRES}[main].memory", "4Gi", Effect.ROLLS),
        (f"{POSTGRES}[main].roles[reader]", None, Effect.STEPS),
        (f"{POSTGRES}[main].databases[reports]", None, Effect.STEPS),
        (f"{POSTGRES}[main].backup_retention", "7d", Effect.REPLACES),
        (f"{POSTGRES}[main].backup_retention", "60d", Effect.FREE),
        (f"{POSTGRES}[main].recover_from", {"archive": "x", "until": None}, Effect.STEPS),
        (f"{POSTGRES}[main].retired", "closed", Effect.ROLLS),
        (f"{POSTGRES}[main].pooler", None, Effect.REPLACES),
        ("platform.cloudnative_pg.enabled", False, Effect.STEPS),
        ("platform.cloudnative_pg.operator_replicas", 3, Effect.ROLLS),
        (f"{RABBITMQ}[main]", None, Effect.STEPS),
        (f"{RABBITMQ}[main].replicas", 5, Effect.FREE),
        (f"{RABBITMQ}[main].replicas", 1, Effect.REFUSED),
        (f"{RABBITMQ}[main].storage", "10Gi", Effect.REFUSED),
        (f"{RABBITMQ}[main].users[reader]", None, Effect.REPLACES),
        (f"{RABBITMQ}[main].policies[delivery-limit]", None, Effect.REPLACES),
        (f"{APPS}[episodic]", None, Effect.STEPS),
        (f"{APPS}[episodic].owner", "other", Effect.FREE),
        (f"{RABBITMQ}[main].policies[delivery-limit].vhost", "other", Effect.REFUSED),
        (f"{APPS}[episodic].hosts[www].port", 9090, Effect.REPLACES),
        (f"{APPS}[episodic].hosts[www].public", False, Effect.REPLACES),
        (f"{APPS}[episodic].hosts[www]", None, Effect.REPLACES),
        (f"{APPS}[episodic].uses.postgres[main]", None, Effect.STEPS),
        (f"{APPS}[episodic].uses.postgres[main].database", "other", Effect.STEPS),
        (f"{APPS}[episodic].uses.rabbitmq[main]", None, Effect.STEPS),
        (f"{APPS}[episodic].uses.rabbitmq[main].vhost", "other", Effect.STEPS),
        (f"{APPS}[episodic].uses.valkey[main]", None, Effect.ROLLS),
        (f"{APPS}[episodic].uses.reaches[api.example.org]", None, Effect.REPLACES),
        (f"{APPS}[episodic].quota.memory", "8Gi", Effect.FREE),
        (f"{APPS}[episodic].quota.memory", "1Gi", Effect.REPLACES),
        (f"{APPS}[episodic].retired", True, Effect.ROLLS),
        ("platform.rabbitmq_operator.enabled", False, Effect.STEPS),
        (f"{VALKEY}[main]", None, Effect.STEPS),
        (f"{VALKEY}[main].shards", 4, Effect.REFUSED),
        (f"{VALKEY}[main].replicas", 2, Effect.REFUSED),
        (f"{VALKEY}[main].storage", "10Gi", Effect.REFUSED),
        ("platform.valkey_operator.enabled", False, Effect.STEPS),
        ("platform.traefik.enabled", False, Effect.REPLACES),
        ("platform.traefik.replicas", 5, Effect.ROLLS),
        ("platform.observability.enabled", False, Effect.REPLACES),
        ("platform.observability.metrics.storage", "200Gi", Effect.STEPS),
        ("platform.observability.metrics.retention", "60d", Effect.ROLLS),
        ("platform.observability.metrics.retention", "1d", Effect.REPLACES),
        ("platform.observability.logs.backend", "none", Effect.REPLACES),
        ("platform.observability.logs.storage", "10Gi", Effect.REFUSED),
        ("platform.observability.traces.backend", "otlp", Effect.REPLACES),
    ],
)  # fmt: skip
def test_each_change_is_judged_by_what_it_does_to_what_runs(key: str, value: Any, effect: Effect) -> None:
    before, after = plain(), plain()
    put(after, key, value)
    found = list(transitions(Environment, before, after))
    assert [item.rule.effect for item in found] == [effect], found
    assert found[0].key == key


ALLOWED, USER = "cluster.control_plane_allowed_addresses", f"{RABBITMQ}[main].users[reader]"
ONE, OTHER = "203.0.113.10/32", "198.51.100.0/24"
MAY = {"vhost": "episodic", "configure": ".*", "write": ".*", "read": ".*"}


@pytest.mark.parametrize(
    ("key", "old", "new", "effect"),
    [
        (ALLOWED, [ONE], [ONE, OTHER], Effect.ROLLS),
        (ALLOWED, [], [ONE], Effect.ROLLS),
        (ALLOWED, [ONE, OTHER], [ONE], Effect.REPLACES),
        (ALLOWED, [ONE], [], Effect.REPLACES),
        (f"{USER}.permissions", [], [MAY], Effect.ROLLS),
        (f"{USER}.permissions", [MAY], [], Effect.REPLACES),
        (f"{USER}.permissions", [MAY], [MAY | {"read": "^mine$"}], Effect.ROLLS),
        (f"{USER}.tags", [], ["administrator"], Effect.ROLLS),
        (f"{APPS}[episodic].pod_security", "restricted", "baseline", Effect.ROLLS),
        (f"{APPS}[episodic].pod_security", "baseline", "privileged", Effect.ROLLS),
        (f"{APPS}[episodic].pod_security", "baseline", "restricted", Effect.REPLACES),
        (f"{APPS}[episodic].pod_security", "privileged", "baseline", Effect.REPLACES),
    ],
)
def test_what_cuts_somebody_off_or_opens_something_is_never_free(key: str, old: Any, new: Any, effect: Effect) -> None:
    before, after = plain(), plain()
    put(before, key, old)
    put(after, key, new)
    assert [item.rule.effect for item in transitions(Environment, before, after)] == [effect]


@pytest.mark.parametrize("key", [POSTGRES, RABBITMQ, VALKEY])
def test_what_holds_data_goes_only_once_it_may_be_deleted_and_its_operator_after_it(key: str) -> None:
    def judged(before: dict[str, Any], after: dict[str, Any]) -> set[Effect]:
        return {item.rule.effect for item in transitions(Environment, before, after)}

    for retired, effect in ((None, Effect.STEPS), ("closed", Effect.STEPS), ("deletable", Effect.REPLACES)):
        before, after = plain(), plain()
        put(before, f"{key}[main].retired", retired)
        put(after, f"{key}[main]", None)
        assert judged(before, after) == {effect}
    component = key.removesuffix(".clusters")
    before, after = plain(), plain()
    for side in (before, after):
        put(side, key, [])
    put(after, f"{component}.enabled", value=False)
    assert judged(before, after) == {Effect.REPLACES}


def test_an_application_goes_only_once_it_is_retired() -> None:
    before, after = plain(), plain()
    put(before, f"{APPS}[episodic].retired", value=True)
    put(after, f"{APPS}[episodic]", None)
    assert [item.rule.effect for item in transitions(Environment, before, after)] == [Effect.REPLACES]


@pytest.mark.parametrize(
    ("old", "new", "effect"), [("apply", "render", Effect.STEPS), ("render", "apply", Effect.REFUSED)]
)
def test_apply_mode_is_left_by_steps_and_never_entered(old: str, new: str, effect: Effect) -> None:
    before, after = plain(), plain()
    put(before, "mode", old)
    put(after, "mode", new)
    assert [item.rule.effect for item in transitions(Environment, before, after)] == [effect]


def test_a_recovery_that_is_there_stays_as_it_is() -> None:
    before, after = plain(), plain()
    put(before, f"{POSTGRES}[main].recover_from", {"archive": "x", "until": None})
    put(after, f"{POSTGRES}[main].recover_from", {"archive": "y", "until": None})
    assert {item.rule.effect for item in transitions(Environment, before, after)} == {Effect.REFUSED}


def test_what_pods_reach_in_their_network_may_change_at_any_time() -> None:
    before, after = plain(), plain()
    put(after, "cluster.network.neighbours", ["10.22.1.0/24"])
    judged = [
        item.rule.effect for side in ((before, after), (after, before)) for item in transitions(Environment, *side)
    ]
    assert judged == [Effect.FREE, Effect.ROLLS]
