"""Where a stack keeps its state: a bucket, or a file beside it, encrypted by OpenTofu itself before it is written."""

from __future__ import annotations

from typing import Any

from cdktf import LocalBackend, S3Backend, TerraformStack, TerraformVariable

from constructs_lib.base.stacks import NEXT_STATE_PASSPHRASE, STATE_PASSPHRASE, local_state_seen, state_key
from constructs_lib.cloud.variables import secret_variable
from constructs_lib.environment.repository import StateBucket

METHOD = "aes_gcm"
KEY_PROVIDER = "pbkdf2"


def keep_state(stack: TerraformStack, name: str, state: StateBucket | None) -> None:
    """Keep the state of `stack` as `name` in the bucket `state`, with state and plan files encrypted and that enforced.

    Without a bucket it is a file beside the output. cdktf 0.21 has no encryption, hence the override.
    """
    if state is None:
        LocalBackend(stack, path=local_state_seen(name))
    else:
        _keep_in_bucket(stack, name, state)
    passphrase = secret_variable(
        stack, STATE_PASSPHRASE, "Encrypts state and plan files: 16 characters or more, the same for every run."
    )
    TerraformVariable(
        stack,
        NEXT_STATE_PASSPHRASE,
        type="string",
        sensitive=True,
        default="",
        description="The passphrase that takes its place, while a rotation is under way.",
    )
    stack.add_override("terraform.encryption", _encryption(passphrase))


def _keep_in_bucket(stack: TerraformStack, name: str, state: StateBucket) -> None:
    """Keep a state as DigitalOcean's Spaces reference says, "Terraform backend" (verified there 2026-06-22).

    Another S3 is told its region, and the bucket by the path. cdktf 0.21 has no `use_lockfile`, hence the override.
    """
    S3Backend(
        stack,
        bucket=state.bucket,
        key=state_key(name),
        # On Spaces any region that the AWS SDK accepts; the endpoint decides.
        region=state.region if state.elsewhere else "us-east-1",
        use_path_style=state.elsewhere or None,
        endpoints={"s3": state.endpoint},
        skip_credentials_validation=True,
        skip_metadata_api_check=True,
        skip_region_validation=True,
        skip_requesting_account_id=True,
        skip_s3_checksum=True,
    )
    stack.add_override("terraform.backend.s3.use_lockfile", state.use_lockfile)


def _encryption(passphrase: str) -> dict[str, Any]:
    """What `next` encrypted can be read as well; without a rotation it is the same passphrase under another name."""
    # In JSON, OpenTofu 1.12 takes a bare reference for a method and a template for its keys.
    fallback = {"method": f"method.{METHOD}.next"}
    protected = {"method": f"method.{METHOD}.state", "enforced": True, "fallback": fallback}
    following = f"var.{NEXT_STATE_PASSPHRASE}"
    passphrases = {
        "state": passphrase,
        "next": f'${{{following} == "" ? var.{STATE_PASSPHRASE} : {following}}}',
    }
    return {
        "key_provider": {KEY_PROVIDER: {name: {"passphrase": text} for name, text in passphrases.items()}},
        "method": {METHOD: {name: {"keys": f"${{key_provider.{KEY_PROVIDER}.{name}}}"} for name in passphrases}},
        "state": protected,
        "plan": protected,
    }
