"""What a pull request and a page say that an application gets."""

from __future__ import annotations

from typing import Any

from gitops_render.applications import applications_of, changed_applications
from tests.support import environment

ALL: dict[str, Any] = {
    "owner": "team-shop",
    "hosts": {"www": {"port": 80}, "admin": {"port": 81, "public": False}},
    "uses": {
        "postgres": {"main": {"extensions": ["vector"]}},
        "rabbitmq": {"main": {"vhost": "orders"}},
        "valkey": {"main": {"shared": True}},
        "bucket": {"uploads": {}},
        "secrets": {"stripe": ["api_key", "hook"]},
        "reaches": {"api.example.org": 443},
        "calls": ["blog"],
        "vault": True,
    },
    "quota": {"cpu": "2", "memory": "4Gi", "storage": "20Gi"},
    "slo": {"availability": 99.5, "latency": {"seconds": 0.3, "percent": 95}},
}
BLOG = {"owner": "blogs"}
QUOTA = "a quota of 1 CPU, 2Gi of memory and 10Gi of volumes"


def settings(**apps: Any) -> dict[str, Any]:
    return {"sandbox": environment(applications=apps).model_dump(mode="json")}


def said(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [*changed_applications(before, after)]


def test_a_new_application_is_one_sentence_with_all_that_it_gets() -> None:
    assert said(settings(blog=BLOG), settings(blog=BLOG, **{"my-shop": ALL})) == [
        (
            "sandbox: the application my-shop of team-shop gets the database my_shop in Postgres main with vector, "
            "the vhost orders in RabbitMQ main, Valkey main, whose keys it shares, "
            "the bucket episodic-sandbox-my-shop-uploads to readwrite, the secret stripe (api_key, hook), "
            "the way to api.example.org:443, the way to the application blog, a login to Vault, "
            "the host www.sandbox.episodic.example, a quota of 2 CPU, 4Gi of memory and 20Gi of volumes, "
            "an objective of 99.5 % of requests without an error and an objective of 95 % of requests within 0.3 s."
        )
    ]


def test_a_change_says_what_comes_and_what_goes() -> None:
    old, new = ({**BLOG, "uses": {"reaches": {host: 443}}} for host in ("a.example.org", "b.example.org"))
    ways = ("the way to b.example.org:443", "the way to a.example.org:443")
    assert said(settings(blog=old), settings(blog=new)) == [
        f"sandbox: the application blog of blogs gets {ways[0]} and no longer has {ways[1]}."
    ]
    assert said(settings(blog=old), settings(blog=old)) == []


def test_one_that_is_retired_has_nothing_and_one_that_goes_leaves_what_it_holds() -> None:
    gone = {**BLOG, "retired": True}
    assert said(settings(blog=BLOG), settings(blog=gone)) == [
        f"sandbox: the application blog of blogs gets nothing any more, since it is retired and no longer has {QUOTA}."
    ]
    assert said(settings(blog=gone), settings()) == [
        "sandbox: the application blog goes; what it holds stays until somebody deletes it."
    ]


def test_a_tree_of_another_version_may_know_no_applications() -> None:
    assert said({"sandbox": {}}, settings(blog=BLOG)) == [f"sandbox: the application blog of blogs gets {QUOTA}."]
    assert said({}, {}) == []


def test_a_page_says_what_each_has() -> None:
    assert [*applications_of(settings(blog=BLOG)["sandbox"])] == [f"the application blog of blogs has {QUOTA}."]
