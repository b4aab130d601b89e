"""PromQL as a field of an environment file, and what a query reads."""

from __future__ import annotations

from functools import cache
from typing import Annotated

from pydantic import AfterValidator


@cache
def _check(query: str) -> str:
    import promql_parser

    try:
        promql_parser.parse(query)
    except ValueError as error:
        raise ValueError(f"is no PromQL ({str(error).strip()}), found '{query}'") from None
    return query


PromQL = Annotated[str, AfterValidator(_check)]
"""An instant query (Prometheus 3 as the package promql-parser reads it)."""
