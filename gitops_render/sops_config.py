"""Who can read the sealed Secrets of an environment: the rules that SOPS finds in `.sops.yaml`.

Rules: https://getsops.io/docs/#using-sopsyaml-conf-to-select-kms-pgp-and-age-for-new-files
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.sentences import sentences
from constructs_lib.base.yaml_input import read_document
from gitops_render.paths import SOPS_FILE, sealed_pattern
from gitops_render.yaml_output import to_yaml

ENCRYPTED = "^(data|stringData)$"
"""The keys below which SOPS encrypts: kind and metadata stay readable."""


def sops_config(recipients: Mapping[str, Sequence[str]]) -> bytes:
    """Return `.sops.yaml` from the age recipients of each environment, that of recovery among them.

    There is a rule for each environment that has recipients, and none for any other file.
    """
    rules = [
        {"path_regex": sealed_pattern(environment), "encrypted_regex": ENCRYPTED, "age": ",".join(keys)}
        for environment, keys in recipients.items()
        if keys
    ]
    return to_yaml({"creation_rules": rules})


def read_recipients(output: Path, environment: str) -> frozenset[str]:
    """Return the age recipients that the GitOps repository in `output` has for an environment.

    Raises `ConfigError` if its `.sops.yaml` is not one that `sops_config` gave, or has no rule for the environment.
    """
    path = output / SOPS_FILE
    document = read_document(path)
    try:
        rules = {rule.path_regex: rule for rule in _Rules.model_validate(document.data).creation_rules}
    except ValidationError as error:
        raise ConfigError(*sentences(document, error, _Rules)) from None
    rule = rules.get(sealed_pattern(environment))
    if rule is None:
        raise ConfigError(
            f"{path}: has no rule for '{environment}'; correct the name, or give it recipients and render"
        )
    return frozenset(rule.age.split(","))


def readers(sealed: Mapping[str, Any]) -> frozenset[str]:
    """Return the age recipients of a sealed file; none for one that is not sealed."""
    return frozenset(key["recipient"] for key in sealed.get("sops", {}).get("age") or ())


class _Rule(BaseModel):
    model_config = ConfigDict(extra="forbid")

    path_regex: str
    encrypted_regex: str
    age: str


class _Rules(BaseModel):
    creation_rules: list[_Rule]
