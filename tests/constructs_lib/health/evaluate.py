"""PromQL evaluated in a few lines: as much of it as the rules use, so that tests of thresholds need no tools.

tests/e2e/test_rules.py runs the same cases through promtool, which keeps this honest.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import promql_parser as promql

from tests.constructs_lib.health.series import START, Case, Minutes

Labels = frozenset[tuple[str, str]]
Vector = dict[Labels, float]
Samples = Mapping[Labels, Sequence[float | None]]

ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": lambda left, right: left / right if right else float("nan"),
}
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
AGGREGATIONS: dict[str, Callable[[list[float]], float]] = {
    "sum": sum,
    "max": max,
    "min": min,
    "count": lambda values: float(len(values)),
}


def samples(case: Case, minutes: Minutes) -> dict[Labels, list[float | None]]:
    """Return the samples of a case, one each minute."""
    return {_labels_of(name): values(minutes) for name, values in case.items()}


def evaluate(query: str, series: Samples) -> Vector:
    """Return what a query gives at the last minute; a scalar has no labels."""
    result = _evaluate(promql.parse(query), series)
    return result if isinstance(result, dict) else {frozenset(): result}


class Selector(NamedTuple):
    """What a query reads: a metric, and for each label it asks for the kind (such as Equal) and the value."""

    metric: str
    matchers: dict[str, tuple[str, str]]


def selectors(query: str) -> list[Selector]:
    """Return everything that a query reads."""
    found: list[Selector] = []

    def visit(node: Any) -> None:
        if isinstance(node, promql.VectorSelector):
            matchers = {one.name: (_kind(one), one.value) for one in node.matchers.matchers}
            found.append(Selector(node.name or "", matchers))

    promql.walk(promql.parse(query), visit)
    return found


def _kind(matcher: Any) -> str:
    return str(matcher.op).rpartition(".")[2]


def _labels_of(name: str) -> Labels:
    selector: Any = promql.parse(name)
    labels = {one.name: one.value for one in selector.matchers.matchers}
    return frozenset({**labels, "__name__": selector.name}.items())


def _evaluate(node: Any, series: Samples) -> Vector | float:
    match node:
        case promql.NumberLiteral():
            return node.val
        case promql.ParenExpr():
            return _evaluate(node.expr, series)
        case promql.VectorSelector():
            return {labels: values[-1] for labels, values in _selected(node, series).items() if values[-1] is not None}
        case promql.AggregateExpr():
            return _aggregated(node, series)
        case promql.Call():
            return _called(node, series)
        case promql.BinaryExpr():
            return _combined(node, _evaluate(node.lhs, series), _evaluate(node.rhs, series))
        case _:
            raise NotImplementedError(str(node))


def _selected(node: Any, series: Samples) -> dict[Labels, Sequence[float | None]]:
    return {labels: values for labels, values in series.items() if _matches(node, dict(labels))}


def _matches(node: Any, labels: dict[str, str]) -> bool:
    if labels["__name__"] != node.name:
        return False
    for one in node.matchers.matchers:
        value, kind = labels.get(one.name, ""), _kind(one)
        is_equal = value == one.value if kind in ("Equal", "NotEqual") else re.fullmatch(one.value, value) is not None
        if is_equal == kind.startswith("Not"):
            return False
    return True


def _aggregated(node: Any, series: Samples) -> Vector:
    groups: dict[Labels, list[float]] = {}
    for labels, value in _vector(_evaluate(node.expr, series)).items():
        wanted = node.modifier.labels if node.modifier else []
        groups.setdefault(_only(labels, wanted), []).append(value)
    return {labels: AGGREGATIONS[str(node.op)](values) for labels, values in groups.items()}


def _called(node: Any, series: Samples) -> Vector | float:
    arguments, name = node.args, node.func.name
    match name:
        case "time":
            return float(START + 60 * (max(map(len, series.values()), default=1) - 1))
        case "vector":
            value = _evaluate(arguments[0], series)
            assert isinstance(value, float)
            return {frozenset(): value}
        case "absent":
            return {} if _evaluate(arguments[0], series) else {frozenset(): 1.0}
        case "clamp_min":
            bound = _evaluate(arguments[1], series)
            assert isinstance(bound, float)
            return {labels: max(value, bound) for labels, value in _vector(_evaluate(arguments[0], series)).items()}
        case "rate" | "increase" | "deriv":
            return _slopes(arguments[0], series, per=1.0 if name != "increase" else arguments[0].range.total_seconds())
        case _:
            raise NotImplementedError(name)


def _slopes(node: Any, series: Samples, *, per: float) -> Vector:
    """Return how much each series grows in `per` seconds, from the first to the last sample of the range."""
    count = int(node.range.total_seconds() // 60)
    slopes: Vector = {}
    for labels, values in _selected(node.vector_selector, series).items():
        known = [(60 * number, value) for number, value in enumerate(values[-count:]) if value is not None]
        if len(known) > 1:
            (began, first), (ended, last) = known[0], known[-1]
            slopes[_unnamed(labels)] = (last - first) / (ended - began) * per
    return slopes


def _combined(node: Any, left: Vector | float, right: Vector | float) -> Vector | float:
    op = str(node.op)
    if op in ("and", "or", "unless"):
        return _both(node, op, _vector(left), _vector(right))
    if not isinstance(left, dict) and not isinstance(right, dict):
        return ARITHMETIC[op](left, right)
    pairs = list(_pairs(node, left, right))
    if op in ARITHMETIC:
        return {_unnamed(labels): ARITHMETIC[op](one, other) for labels, one, other in pairs}
    if node.modifier and node.modifier.return_bool:
        return {_unnamed(labels): float(COMPARISONS[op](one, other)) for labels, one, other in pairs}
    return {labels: one for labels, one, other in pairs if COMPARISONS[op](one, other)}


def _pairs(node: Any, left: Vector | float, right: Vector | float) -> Iterator[tuple[Labels, float, float]]:
    """Yield what is compared or calculated with what; a result has the labels of the left side, or of the vector."""
    if not isinstance(left, dict):
        yield from ((labels, left, value) for labels, value in _vector(right).items())
    elif not isinstance(right, dict):
        yield from ((labels, value, right) for labels, value in left.items())
    else:
        others = {_key(node, labels): value for labels, value in right.items()}
        for labels, value in left.items():
            if (key := _key(node, labels)) in others:
                yield labels, value, others[key]


def _both(node: Any, op: str, left: Vector, right: Vector) -> Vector:
    if op != "or":
        keys = {_key(node, labels) for labels in right}
        return {labels: value for labels, value in left.items() if (_key(node, labels) in keys) is (op == "and")}
    keys = {_key(node, labels) for labels in left}
    return left | {labels: value for labels, value in right.items() if _key(node, labels) not in keys}


def _key(node: Any, labels: Labels) -> Labels:
    matching = node.modifier.matching if node.modifier else None
    return _unnamed(labels) if matching is None else _only(labels, matching.labels)


def _only(labels: Labels, wanted: Sequence[str]) -> Labels:
    return frozenset((name, value) for name, value in labels if name in wanted)


def _unnamed(labels: Labels) -> Labels:
    return frozenset((name, value) for name, value in labels if name != "__name__")


def _vector(value: Vector | float) -> Vector:
    assert isinstance(value, dict)
    return value
