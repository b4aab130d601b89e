"""Where state is kept, and that it is encrypted."""

from __future__ import annotations

from constructs_lib.base.stacks import OUTPUT, local_state, stack_folder
from constructs_lib.cloud.state_backend import keep_state
from constructs_lib.environment.repository import AnyStateBucket, StateBucket
from tests.support import Synthesised, synthesised


def kept(*, use_lockfile: bool = True) -> Synthesised:
    state = StateBucket(bucket="example-state", region="ams3", use_lockfile=use_lockfile)
    return synthesised(lambda stack: keep_state(stack, "example", state))


def test_state_is_in_the_bucket_under_the_stacks_name() -> None:
    backend = kept().data["terraform"]["backend"]["s3"]
    assert (backend["bucket"], backend["key"]) == ("example-state", "example.tfstate")
    assert backend["endpoints"] == {"s3": "https://ams3.digitaloceanspaces.com"}
    assert backend["region"] == "us-east-1", "a name that the AWS SDK knows; the endpoint decides"
    assert "access_key" not in backend
    assert "secret_key" not in backend


def test_checks_that_only_amazon_passes_are_off() -> None:
    backend = kept().data["terraform"]["backend"]["s3"]
    skipped = {key for key, value in backend.items() if key.startswith("skip_") and value is True}
    assert skipped == {
        "skip_credentials_validation",
        "skip_metadata_api_check",
        "skip_region_validation",
        "skip_requesting_account_id",
        "skip_s3_checksum",
    }


def test_the_lock_can_be_switched_off() -> None:
    assert kept().data["terraform"]["backend"]["s3"]["use_lockfile"] is True
    assert kept(use_lockfile=False).data["terraform"]["backend"]["s3"]["use_lockfile"] is False


def test_state_and_plan_are_encrypted_and_nothing_else_is_accepted() -> None:
    stack = kept()
    encryption = stack.data["terraform"]["encryption"]
    enforced = {"method": "method.aes_gcm.state", "enforced": True, "fallback": {"method": "method.aes_gcm.next"}}
    assert encryption["state"] == enforced
    assert encryption["plan"] == enforced
    keys = {name: {"keys": f"${{key_provider.pbkdf2.{name}}}"} for name in ("state", "next")}
    assert encryption["method"] == {"aes_gcm": keys}
    other = '${var.next_state_passphrase == "" ? var.state_passphrase : var.next_state_passphrase}'
    passphrases = {"state": {"passphrase": "${var.state_passphrase}"}, "next": {"passphrase": other}}
    assert encryption["key_provider"] == {"pbkdf2": passphrases}, "nobody knows a passphrase that is none of ours"


def test_the_passphrase_has_no_default_and_is_never_shown() -> None:
    variable = kept().data["variable"]["state_passphrase"]
    assert (variable["type"], variable["sensitive"]) == ("string", True)
    assert variable["nullable"] is False
    assert "default" not in variable


def test_another_s3_is_told_its_region_and_the_bucket_by_the_path() -> None:
    state = AnyStateBucket(bucket="lab-state", region="eu-central-1", address="https://s3.example.org")
    backend = synthesised(lambda stack: keep_state(stack, "example", state)).data["terraform"]["backend"]["s3"]
    assert (backend["region"], backend["use_path_style"]) == ("eu-central-1", True)
    assert backend["endpoints"] == {"s3": "https://s3.example.org"}
    assert backend["use_lockfile"] is True
    assert "use_path_style" not in kept().data["terraform"]["backend"]["s3"]


def test_without_a_bucket_it_is_an_encrypted_file_beside_the_output() -> None:
    terraform = synthesised(lambda stack: keep_state(stack, "example", None)).data["terraform"]
    assert terraform["backend"] == {"local": {"path": "../../../states/example.tfstate"}}
    seen = stack_folder(OUTPUT, "example").resolve() / terraform["backend"]["local"]["path"]
    assert seen.resolve() == local_state("example").resolve()
    assert terraform["encryption"] == kept().data["terraform"]["encryption"]
