"""OpenTofu's errors, as sentences about what a person has to do. Texts: OpenTofu 1.12.6 and the pinned providers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple


class Diagnostic(NamedTuple):
    """An error of OpenTofu."""

    summary: str
    detail: str

    @property
    def text(self) -> str:
        """All of it."""
        return f"{self.summary}\n{self.detail}"


EXPLAINED = (
    (
        r"decryption failed|Failed to decrypt|unable to decrypt",
        "its state was written with another state_passphrase than Vault has; restore that version of the entry",
    ),
    (r"Saved plan is stale", "something changed since the plan was made; plan again"),
    (
        r"^Unauthorized|asked for the client to provide credentials",
        "the API server refuses its credentials, which last for cluster.kubeconfig_expire_seconds; run this again",
    ),
    (
        r"Kubernetes cluster unreachable",
        "the API server does not answer; run this where cluster.control_plane_allowed_addresses lets it in (runner)",
    ),
    (
        r"Unable to authenticate you|status: 401|401 Bad credentials|\b401\b.*Unauthorized",
        "a token was refused; correct digitalocean_token or github_token in Vault",
    ),
    (
        r"Resource not accessible by|\b403\b.*(not accessible|permission|scope)",
        "a token lacks a permission; give it those of docs/how-to/bootstrap.md",
    ),
    (
        r"Can not delete VPC with members",
        "something else is still in its VPC (/v2/vpcs/<id>/members of the API lists it); remove that and destroy again",
    ),
    (r"Instance cannot be destroyed|Resource instance cannot be destroyed", "what it would destroy is protected"),
)
"""Patterns, and what to say instead of OpenTofu's own words."""

TRANSIENT = re.compile(
    r"Failed to query available provider packages|Failed to install provider|connection re(set|fused)|i/o timeout|"
    r"TLS handshake timeout|unexpected EOF|50[0234] ",
    re.IGNORECASE,
)

LOCKED = "Error acquiring the state lock"


def explained(stack: str, folder: str, problem: Diagnostic) -> str:
    """Return one sentence about a problem of a stack."""
    if LOCKED in problem.text:
        return locked(stack, folder, _lock(problem.text))
    for pattern, sentence in EXPLAINED:
        if re.search(pattern, problem.text):
            return f"{stack}: {sentence} ({_short(problem)})"
    return f"{stack}: {_short(problem)}"


def is_transient(problem: Diagnostic) -> bool:
    """Say whether another try may succeed."""
    return bool(TRANSIENT.search(problem.text)) and LOCKED not in problem.text


def locked(stack: str, folder: str, lock: Mapping[str, str]) -> str:
    """Return one sentence about who holds the lock of a stack's state, under OpenTofu's own names."""
    operation = lock["Operation"].removeprefix("OperationType").lower()
    unlock = f"tofu -chdir={folder} force-unlock {lock['ID']}"
    return (
        f"{stack}: its state is locked by {lock['Who']} since {lock['Created']} ({operation}); "
        f"wait for that run, or, if it is dead, run `{unlock}`"
    )


def _lock(text: str) -> dict[str, str]:
    """Return the lock that an error tells of."""
    lines = {
        key: re.search(rf"^\s*{key}:\s*(.+)$", text, re.MULTILINE) for key in ("ID", "Operation", "Who", "Created")
    }
    return {key: line[1].strip() if line else "unknown" for key, line in lines.items()}


def _short(problem: Diagnostic) -> str:
    """Return the error on one line, without the boxes that OpenTofu draws."""
    text = " ".join(re.sub(r"[│╷╵]", " ", f"{problem.summary}: {problem.detail}").split())
    return text.rstrip(": ")[:400]
