"""The objectives of an environment: those that its components bring, changed and added to by its file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from constructs_lib.base.belonging import COMMON
from constructs_lib.base.errors import ConfigError, unknown
from constructs_lib.base.fields import Name, unique
from constructs_lib.base.quantities import Days
from constructs_lib.base.settings import Settings
from constructs_lib.health import AdditionalSlo, Health, Percent, Slo

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

LONGEST = 30
"""Days of the window unless the environment says otherwise or keeps its metrics for less."""
KEY = "platform.observability.slos"


class Slos(Settings):
    """Objectives: of the platform's services, and of one's own."""

    window: Days | None = Field(
        default=None, description="Rolling window; 30d, or the retention of metrics where that is shorter."
    )
    objectives: Annotated[dict[Name, Percent], COMMON] = Field(
        default_factory=dict, description="Objectives of the platform's own SLOs where they differ, by name."
    )
    additional: Annotated[tuple[AdditionalSlo, ...], unique("name")] = Field(
        default=(), description="Further SLOs, such as those of applications."
    )


def health(env: Environment) -> dict[str, Health]:
    """Return what each component that is on knows about its health, by its key, with this environment's objectives.

    Raises `ConfigError` with a sentence for each objective that cannot be.
    """
    settings = env.platform.observability.slos
    known = env.platform.health(env)
    problems = list(_problems(env, known.values()))
    if problems:
        raise ConfigError(*(f"{KEY}.{problem}" for problem in problems))
    return {
        service: replace(item, slos=tuple(_changed(slo, settings.objectives) for slo in item.slos))
        for service, item in known.items()
    }


def objectives(env: Environment) -> list[Slo]:
    """Return all objectives of an environment. Raises `ConfigError` as `health` does."""
    known = [slo for item in health(env).values() for slo in item.slos]
    return [*known, *env.platform.observability.slos.additional]


def days(env: Environment, slo: Slo) -> int:
    """Return the window of an objective in days."""
    window = slo.window or env.platform.observability.slos.window
    return min(LONGEST, _retention(env)) if window is None else window.number


def _changed(slo: Slo, objectives: dict[str, float]) -> Slo:
    return slo.model_copy(update={"objective": objectives.get(slo.name, slo.objective)})


def _problems(env: Environment, known: Iterable[Health]) -> Iterator[str]:
    settings = env.platform.observability.slos
    own = [slo.name for item in known for slo in item.slos]
    yield from (f"objectives: {unknown('SLO', name, own)}" for name in settings.objectives if name not in own)
    if (window := settings.window) is not None and window.number > _retention(env):
        yield f"window: {_too_long(env, window)}"
    for position, slo in enumerate(settings.additional):
        where = f"additional[{position}]"
        if slo.name in own:
            yield f"{where}.name: the platform has an SLO '{slo.name}' already; rename this one or use objectives"
        if problem := _service_problem(env, slo.service):
            yield f"{where}.service: {problem}"
        if (window := slo.window) is not None and window.number > _retention(env):
            yield f"{where}.window: {_too_long(env, window)}"


def _service_problem(env: Environment, service: str) -> str | None:
    components = env.platform.by_name
    if service in components:
        off = f"component '{service}' is off in this environment; switch it on or remove the SLO"
        return None if components[service].enabled else off
    apps = [*env.applications]
    return None if service in apps else unknown("service", service, [*components, *apps])


def _too_long(env: Environment, window: Days) -> str:
    kept = env.platform.observability.metrics.retention
    return f"{window} is longer than metrics are kept ({kept}); shorten it or raise metrics.retention"


def _retention(env: Environment) -> int:
    return env.platform.observability.metrics.retention.number
