"""OpenTofu variables: how a secret reaches a plan without ever being in a file."""

from __future__ import annotations

from cdktf import TerraformStack, TerraformVariable


def secret_variable(stack: TerraformStack, name: str, description: str, *, ephemeral: bool = False) -> str:
    """Add a required, sensitive text variable to `stack` and return a reference to it.

    An `ephemeral` variable is in no state and no plan; only write-only arguments may use it.
    """
    variable = TerraformVariable(stack, name, type="string", sensitive=True, nullable=False, description=description)
    if ephemeral:
        variable.add_override("ephemeral", True)
    return f"${{var.{name}}}"
