"""What applications may do in the sandbox: as their role says, and what they bring beyond that Flux may not apply."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import pytest
import requests

from constructs_lib.kit import FLUX_NAMESPACE, Manifest, app_account
from tests.e2e import rights
from tests.e2e.node.application import APP, bring
from tests.e2e.node.conftest import REPORT
from tests.e2e.node.sandbox import Sandbox
from tests.e2e.test_applications import ATTACKS, FORBIDDEN, GOOD

T = TypeVar("T")
ACCOUNT = f"system:serviceaccount:{FLUX_NAMESPACE}:{app_account(APP)}"
POD = f"system:serviceaccount:{APP}:default"
LAYER = f"apps-{APP}"
ELSEWHERE = ("databases", FLUX_NAMESPACE, "")
SAMPLE = ("create", "delete", "get", "impersonate")
"""The verbs that are asked for elsewhere, where each is refused."""


def in_network(sandbox: Sandbox, use: Callable[[requests.Session], T], **settings: object) -> T:
    """Call a function with a session in the cluster's own network."""

    def call() -> T:
        with requests.Session() as session:
            session.trust_env, session.verify = False, str(sandbox.cluster.authority.certificate)
            for name, value in settings.items():
                setattr(session, name, value)
            return use(session)

    return sandbox.cluster.middle.call(call)


def asked(sandbox: Sandbox, user: str, place: str, *verbs: str) -> dict[tuple[str, str], set[str]]:
    """Return what a user may do in a namespace, or everywhere."""
    kinds = list(rights.resources(sandbox.cluster))
    pki = sandbox.cluster.authority.folder

    def ask(session: requests.Session) -> dict[tuple[str, str], set[str]]:
        subject = rights.Asked(session, sandbox.cluster.url, user)
        return rights.allowed(subject, place, kinds, verbs or rights.VERBS)

    return in_network(sandbox, ask, cert=(str(pki / "admin.crt"), str(pki / "admin.key")))


def test_each_cell_of_resource_and_verb_is_as_it_is_written(platform: Sandbox) -> None:
    kinds = list(rights.resources(platform.cluster))
    wanted = rights.expected(kinds)
    assert {group for _, group in wanted} == set(rights.CELLS)
    assert asked(platform, ACCOUNT, APP) == wanted
    REPORT.append(f"sandbox: rights of applications, {len(kinds)} kinds and parts of kinds asked about")


@pytest.mark.parametrize("place", ELSEWHERE)
def test_nothing_is_allowed_elsewhere(platform: Sandbox, place: str) -> None:
    assert asked(platform, ACCOUNT, place, *SAMPLE) == {}


def test_a_pod_with_its_token_may_ask_who_it_is_and_nothing_else(platform: Sandbox) -> None:
    token = platform.cluster.kubectl("create", "token", "default", "-n", APP).strip()
    api, url = "/apis/authentication.k8s.io/v1/selfsubjectreviews", platform.cluster.url
    own = f"/api/v1/namespaces/{APP}"
    paths = (
        f"{own}/secrets",
        f"{own}/pods",
        f"{own}/configmaps",
        "/api/v1/namespaces/databases/secrets",
        "/api/v1/nodes",
    )

    def ask(session: requests.Session) -> tuple[str, dict[str, int]]:
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        said = session.post(url + api, json=review, timeout=60).json()
        return said["status"]["userInfo"]["username"], {
            path: session.get(url + path, timeout=60).status_code for path in paths
        }

    assert in_network(platform, ask, headers={"Authorization": f"Bearer {token}"}) == (POD, dict.fromkeys(paths, 403))


def is_there(sandbox: Sandbox, item: Manifest) -> bool:
    """Return whether somebody has made an object."""
    return sandbox.cluster.find(item) is not None


REFUSED = (ATTACKS["everybody may come"], (FORBIDDEN["a Secret"], "forbidden"))
"""What admission refuses, and what the role does not hold, each with what is said."""


def test_flux_applies_what_an_application_may_have_and_says_why_nothing_else(platform: Sandbox) -> None:
    cluster, repository, waiting = platform.cluster, platform.follower.repository, platform.follower.waiting
    before = repository.git("rev-parse", "HEAD")
    for item, sentence in REFUSED:
        bring(platform, item)
        cluster.eventually(partial(says, platform, sentence), f"{LAYER} says: {sentence}")
        assert not is_there(platform, item)
    item = GOOD["ways between its pods"]
    bring(platform, item)
    cluster.eventually(lambda: is_there(platform, item), "it is applied")
    repository.git("revert", "--no-edit", f"{before}..HEAD")
    cluster.eventually(lambda: not is_there(platform, item) and LAYER not in waiting(), "all is as it was")


def says(sandbox: Sandbox, sentence: str) -> bool:
    """Return whether the applications' layer says a sentence."""
    return sentence in sandbox.follower.waiting().get(LAYER, "")
