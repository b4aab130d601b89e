"""What keeps the tests that cost money from costing more, or from testing where they must not."""

from __future__ import annotations

import pytest

from operations.clients.digitalocean import DigitalOcean
from tests.fakes.digitalocean import FakeDigitalOcean
from tests.integration.conftest import refuse_cost, refuse_organisation
from tests.support import environment

REFUSED = pytest.fail.Exception


def test_another_organisation_has_to_be_named_on_purpose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INTEGRATION_ORGANISATION", raising=False)
    refuse_organisation(environment().gitops)
    other = environment(gitops__organisation="acme").gitops
    with pytest.raises(REFUSED, match="acme: set INTEGRATION_ORGANISATION=acme to test in it"):
        refuse_organisation(other)
    monkeypatch.setenv("INTEGRATION_ORGANISATION", "acme")
    refuse_organisation(other)


def test_a_run_that_could_cost_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeDigitalOcean() as fake:
        monkeypatch.setenv("DIGITALOCEAN_API_URL", fake.url)
        api = DigitalOcean(fake.token)
        refuse_cost(api, environment(), hours=2)
        with pytest.raises(REFUSED, match=r"would cost up to 3\.93 USD in 10\.0 h; INTEGRATION_MAX_USD allows 2\.00"):
            refuse_cost(api, environment(), hours=10)
