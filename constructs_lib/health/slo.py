"""Service level objectives, and the rules that come from them: multi-window, multi-burn-rate alerts.

Method: Google, The Site Reliability Workbook, chapter 5 "Alerting on SLOs", section 6. The pairs of windows and their
burn rates are those of kubernetes-monitoring/kubernetes-mixin `config.libsonnet` (SLOs.apiserver).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, NamedTuple, Self

from pydantic import AfterValidator, Field, model_validator

from constructs_lib.base.belonging import COMMON
from constructs_lib.base.fields import Name
from constructs_lib.base.quantities import Days
from constructs_lib.base.service_fields import MetricName, Runbook, ServiceKey
from constructs_lib.base.settings import Settings
from constructs_lib.health.alert import Alert, Severity
from constructs_lib.health.promql import PromQL
from constructs_lib.kit import Manifest


def _below_all(percent: float) -> float:
    if 0 < percent < 100:
        return percent
    raise ValueError(f"must be above 0 and below 100 (percent), found {percent:g}; all of it leaves no error budget")


Percent = Annotated[float, AfterValidator(_below_all)]


class Ratio(Settings):
    """Good among all, each an instant query: rates over five minutes, or gauges. Sums are taken of both."""

    good: PromQL
    total: PromQL


class Latency(Settings):
    """How many requests of a classic histogram took at most a threshold, which must be one of its buckets."""

    histogram: MetricName = Field(description="Its name without _bucket.")
    selector: str = Field(
        default="", examples=['entrypoint="websecure"'], description='Label matchers, such as entrypoint="websecure".'
    )
    threshold_seconds: float = Field(gt=0, examples=[0.3])

    @property
    def ratio(self) -> Ratio:
        """The same as good among all."""
        # Prometheus 3 writes whole buckets as 1.0, older servers and some exporters as 1.
        bound = f"{self.threshold_seconds:g}"
        le = f'le="{bound}"' if "." in bound else f'le=~"{bound}([.]0)?"'
        both = ",".join(filter(None, (self.selector, le)))
        return Ratio(
            good=f"rate({self.histogram}_bucket{{{both}}}[5m])",
            total=f"rate({self.histogram}_count{{{self.selector}}}[5m])",
        )


class Slo(Settings):
    """An objective: which share of what a service does must be good, in a rolling window."""

    name: Annotated[Name, COMMON]
    objective: Percent = Field(description="Percent that must be good.")
    ratio: Ratio | None = Field(default=None, description="The indicator; this or latency.")
    latency: Latency | None = Field(default=None, description="The indicator; this or ratio.")
    window: Days | None = Field(default=None, description="Rolling window; that of the environment unless given.")
    runbook: Runbook = Field(default="error-budget-burn", description="A page of docs/runbooks, or an https address.")

    @model_validator(mode="after")
    def _one_indicator(self) -> Self:
        _ = self.indicator
        return self

    @property
    def indicator(self) -> Ratio:
        """Good among all."""
        if self.ratio is not None and self.latency is None:
            return self.ratio
        if self.latency is not None and self.ratio is None:
            return self.latency.ratio
        raise ValueError(f"'{self.name}' needs either ratio or latency as its indicator; set one of them")

    @property
    def budget(self) -> float:
        """The share that may be bad."""
        return round(1 - self.objective / 100, 9)


class AdditionalSlo(Slo):
    """An objective that an environment adds for a service: a component that is on, or an application."""

    service: ServiceKey = Field(description="A component that is on, or an application.")


class Pair(NamedTuple):
    """Two windows, in hours: an alert when both burn the budget `rate` times faster than is sustainable."""

    severity: Severity
    long: float
    short: float
    rate: float


PAIRS = (
    Pair("critical", 1, 5 / 60, 14.4),
    Pair("critical", 6, 0.5, 6),
    Pair("warning", 24, 2, 3),
    Pair("warning", 72, 6, 1),
)
SAMPLES = 60
"""How often an hour what is bad and what there is are recorded: each minute."""

HOLD: dict[Severity, str] = {"critical": "2m", "warning": "15m"}


def rule_groups(service: str, slo: Slo, days: int, runbooks: str) -> list[Manifest]:
    """Return the groups of a service's objective with a window of `days`: what is recorded often, and what rarely."""
    shares = {f"slo:bad:ratio_{duration(hours)}": _share(slo, hours) for hours in _windows(slo, days)}
    alerts = [alert.rule(service, runbooks, slo=slo.name) for alert in burn_alerts(slo, days)]
    labels = {"slo": slo.name, "service": service}
    often = [*_recorded(_indicator(slo) | shares, labels), *alerts]
    return [
        {"name": f"slo-{slo.name}", "interval": "1m", "rules": often},
        {"name": f"slo-{slo.name}-window", "interval": "5m", "rules": _recorded(_over_window(slo, days), labels)},
    ]


def _recorded(records: dict[str, str], labels: dict[str, str]) -> list[Manifest]:
    return [{"record": name, "expr": expr, "labels": labels} for name, expr in records.items()]


def pairs(slo: Slo, days: int) -> list[Pair]:
    """Return the pairs that tell before the budget is spent, and do not need more than all to be bad."""
    return [pair for pair in PAIRS if pair.long * pair.rate <= days * 24 and pair.rate < 1 / slo.budget]


def burn_alerts(slo: Slo, days: int) -> Iterator[Alert]:
    """Yield an alert for each severity; its name is that of the objective."""
    for severity, hold in HOLD.items():
        terms = [_burns(slo, pair) for pair in pairs(slo, days) if pair.severity == severity]
        if terms:
            yield Alert(
                name=f"{_camel(slo.name)}BudgetBurn",
                expr=" or ".join(terms),
                hold=hold,
                severity=severity,
                summary=f"{slo.name} ({slo.objective:g} % good in {days} days) burns its error budget too fast: "
                "{{ $value | humanizePercentage }} bad.",
                runbook=slo.runbook,
            )


def _burns(slo: Slo, pair: Pair) -> str:
    limit = f"{pair.rate * slo.budget:.6g}"
    long, short = (
        f'slo:bad:ratio_{duration(hours)}{{slo="{slo.name}"}} > {limit}' for hours in (pair.long, pair.short)
    )
    return f"({long} and {short})"


def _windows(slo: Slo, days: int) -> list[float]:
    return sorted({hours for pair in pairs(slo, days) for hours in (pair.long, pair.short)})


def _indicator(slo: Slo) -> dict[str, str]:
    """Return what is bad and what there is; when nothing is good, `good` has no series at all."""
    total = f"sum({slo.indicator.total})"
    good = f"(sum({slo.indicator.good}) or 0 * {total})"
    return {"slo:bad:rate5m": f"clamp_min({total} - {good}, 0)", "slo:total:rate5m": total}


def _share(slo: Slo, hours: float) -> str:
    """Return what is bad of a window. Nothing is known from before the first sample, which counts as good."""
    window = f'{{slo="{slo.name}"}}[{duration(hours)}]'
    bad, total = f"sum_over_time(slo:bad:rate5m{window})", f"avg_over_time(slo:total:rate5m{window})"
    return f"{bad} / ({total} * {hours * SAMPLES:g} > 0)"


def _over_window(slo: Slo, days: int) -> dict[str, str]:
    return {
        "slo:bad:ratio_window": _share(slo, days * 24),
        "slo:objective:ratio": f"vector({round(1 - slo.budget, 9)})",
        "slo:error_budget:remaining": f'1 - slo:bad:ratio_window{{slo="{slo.name}"}} / {slo.budget:g}',
    }


def duration(hours: float) -> str:
    """Return hours as Prometheus writes them, such as 30m or 6h."""
    if hours < 1:
        return f"{hours * 60:.0f}m"
    return f"{hours:.0f}h" if hours % 24 else f"{hours / 24:.0f}d"


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("-"))
