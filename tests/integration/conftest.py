"""Tests that make short-lived resources on DigitalOcean and GitHub, and pay for them: only with INTEGRATION=1.

| variable | what it is |
| --- | --- |
| `INTEGRATION` | `1` to run these tests |
| `DIGITALOCEAN_TOKEN`, `GITHUB_TOKEN` | the accounts; without them Vault is asked, as the workflows do |
| `INTEGRATION_LIFE_SECONDS` | how long a resource may live before `sweep` removes it; 7200 if not set |
| `INTEGRATION_MAX_USD` | the cost guard: what one run may cost at most; 2 if not set |
| `INTEGRATION_ORGANISATION` | an organisation other than `df12-test`, named on purpose |
"""

from __future__ import annotations

import os
import re
import secrets
import time
from pathlib import Path

import pytest

from constructs_lib.base.purpose import Purpose
from constructs_lib.environment import Environment, load
from constructs_lib.environment.pools import DEFAULT_POOL
from constructs_lib.environment.repository import GitOps
from operations.clients.digitalocean import DigitalOcean
from operations.clients.github import GitHub
from operations.provisioning.refusals import EPHEMERAL
from operations.secrets.credentials import integration_token
from operations.secrets.gitops_client import gitops_client
from tests.support import ROOT

SAFE_ORGANISATION = "df12-test"
LIFE_SECONDS = int(os.environ.get("INTEGRATION_LIFE_SECONDS", "7200"))
MAX_USD = float(os.environ.get("INTEGRATION_MAX_USD", "2"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip every test of this folder that was not asked for."""
    for item in items:
        if Path(__file__).parent in item.path.parents and os.environ.get("INTEGRATION") != "1":
            item.add_marker(pytest.mark.skip(reason="costs money: set INTEGRATION=1"))


@pytest.fixture(scope="session")
def base() -> Environment:
    """The sandbox of this checkout, which the short-lived environment is made after."""
    return load(ROOT / "environments/sandbox.yaml")


@pytest.fixture(scope="session")
def digitalocean_token(base: Environment) -> str:
    """The account that pays."""
    return os.environ.get("DIGITALOCEAN_TOKEN") or integration_token(base.gitops)


@pytest.fixture(scope="session")
def api(digitalocean_token: str) -> DigitalOcean:
    """DigitalOcean's API."""
    return DigitalOcean(digitalocean_token)


@pytest.fixture
def name() -> str:
    """A name that no other run has, with the prefix that `sweep` looks for."""
    run = re.sub(r"\W", "", os.environ.get("GITHUB_RUN_ID", ""))[-10:]
    return f"{EPHEMERAL}{run}{secrets.token_hex(3)}"


@pytest.fixture
def tag() -> str:
    """The tag that says when `sweep` may remove a resource."""
    return f"expires:{int(time.time() + LIFE_SECONDS)}"


@pytest.fixture
def github(base: Environment) -> GitHub:
    """GitHub, once it is sure that the organisation is one to test in."""
    refuse_organisation(base.gitops)
    token = os.environ.get("GITHUB_TOKEN")
    return GitHub(token) if token else gitops_client(base.gitops, Purpose.INTEGRATION)


def refuse_organisation(gitops: GitOps) -> None:
    """Fail unless an organisation is the one for tests, or was named on purpose."""
    allowed = {SAFE_ORGANISATION, os.environ.get("INTEGRATION_ORGANISATION")}
    if gitops.organisation not in allowed:
        pytest.fail(f"{gitops.organisation}: set INTEGRATION_ORGANISATION={gitops.organisation} to test in it")


def refuse_cost(api: DigitalOcean, env: Environment, hours: float) -> None:
    """Fail if the nodes of an environment could cost more than the guard allows."""
    prices = {size["slug"]: size["price_hourly"] for size in api.list("/v2/sizes", "sizes")}
    nodes = [(pool.max_nodes, pool.size) for pool in env.doks.pools.values()]
    cost = hours * sum(count * prices[size] for count, size in [*nodes, (DEFAULT_POOL.nodes, DEFAULT_POOL.size)])
    if cost > MAX_USD:
        pytest.fail(f"would cost up to {cost:.2f} USD in {hours:.1f} h; INTEGRATION_MAX_USD allows {MAX_USD:.2f}")
