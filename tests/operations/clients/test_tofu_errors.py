"""OpenTofu's errors as sentences."""

from __future__ import annotations

import pytest

from operations.clients.tofu_errors import Diagnostic, explained, is_transient

LOCK = """Error message: operation error S3: PutObject, https response error StatusCode: 412
Lock Info:
  ID:        f2ab6c3e
  Path:      episodic-sandbox-state/sandbox-cluster.tfstate
  Operation: OperationTypeApply
  Who:       runner@host
  Version:   1.12.6
  Created:   2026-11-23 10:00:00.1 +0000 UTC
"""


def test_a_lock_is_told_with_who_holds_it_and_how_to_end_it() -> None:
    sentence = explained("sandbox-cluster", "out/sandbox-cluster", Diagnostic("Error acquiring the state lock", LOCK))
    assert sentence == (
        "sandbox-cluster: its state is locked by runner@host since 2026-11-23 10:00:00.1 +0000 UTC (apply); "
        "wait for that run, or, if it is dead, run `tofu -chdir=out/sandbox-cluster force-unlock f2ab6c3e`"
    )


def test_an_unknown_error_keeps_opentofus_words_on_one_line() -> None:
    told = explained("sandbox-cluster", ".", Diagnostic("Odd thing", "│ it\n│ broke"))
    assert told == "sandbox-cluster: Odd thing: it broke"


@pytest.mark.parametrize(
    ("text", "passing"),
    [
        ("Failed to query available provider packages", True),
        ("read: connection reset by peer", True),
        ("503 Service Unavailable", True),
        ("Invalid bucket value", False),
        ("Error acquiring the state lock: 503 Slow Down", False),
    ],
)
def test_only_what_may_pass_is_tried_again(text: str, passing: bool) -> None:
    assert is_transient(Diagnostic("Error", text)) is passing


def test_a_network_that_is_still_in_use_is_told_with_what_to_do() -> None:
    text = "DELETE https://api.digitalocean.com/v2/vpcs/v-1: 409 Can not delete VPC with members"
    told = explained("sandbox-cluster", ".", Diagnostic("Error deleting VPC", text))
    assert told.startswith(
        "sandbox-cluster: something else is still in its VPC (/v2/vpcs/<id>/members of the API lists"
    )


@pytest.mark.parametrize(
    ("summary", "sentence"),
    [
        ("Unauthorized", "the API server refuses its credentials, which last for cluster.kubeconfig_expire_seconds"),
        (
            "Kubernetes cluster unreachable: the server has asked for the client to provide credentials",
            "the API server refuses its credentials",
        ),
        ("Kubernetes cluster unreachable: dial tcp: i/o timeout", "the API server does not answer; run this where"),
        ("401 Unable to authenticate you", "a token was refused; correct digitalocean_token"),
    ],
)
def test_a_cluster_that_refuses_or_is_silent_is_told_with_its_stack(summary: str, sentence: str) -> None:
    assert explained("sandbox-flux", ".", Diagnostic(summary, "")).startswith(f"sandbox-flux: {sentence}")
