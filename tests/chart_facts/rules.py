"""Every rule that the facts are held to, and what was accepted against it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.chart_facts import defaults, networks, waits
from tests.chart_facts.cluster import Running
from tests.constructs_lib.platform.collected import FOLDER
from tests.support import parsed

ACCEPTED = FOLDER / "accepted.yaml"
RULES: dict[str, Callable[[Running], Iterator[str]]] = {
    rule.__name__: rule
    for rule in (
        defaults.cpu_limited,
        defaults.crd_goes_with_its_release,
        defaults.memory_not_limited,
        defaults.mighty_right,
        defaults.not_hardened,
        defaults.null_field,
        defaults.off_the_system_pool,
        defaults.reads_all_secrets,
        defaults.release_guards_itself,
        defaults.secret_is_missing,
        networks.link_without_pod,
        networks.monitor_without_answer,
        networks.open_to_prometheus_for_nothing,
        networks.pod_without_policy,
        networks.port_for_nobody,
        networks.webhook_closed,
        waits.kind_not_there_yet,
        waits.secret_comes_later,
        waits.wait_for_no_field,
        waits.wait_for_no_object,
    )
}


def accepted() -> dict[str, list[str]]:
    """Return what breaks each rule and stays, each for the reason that stands beside it."""
    rows = parsed(ACCEPTED.read_text())
    return {rule: [line for row in found for line in row["of"]] for rule, found in rows.items()}


def problems(rule: str, found: set[str], known: list[str]) -> list[str]:
    """Return a sentence for each line that is new, and for each that no longer holds."""
    file = ACCEPTED.name
    new = [f"{rule}: {line}; mend it, or give a reason in {file}" for line in sorted(found - set(known))]
    return new + [f"{file}: {rule}: {line}: holds no longer; remove it" for line in known if line not in found]
