"""Secrets in the GitOps repository: encrypted by SOPS, with age, before they reach the disk.

Clear text goes to `sops` through a pipe and comes back encrypted, so that no file ever holds it.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from constructs_lib.base.errors import ConfigError, unknown
from constructs_lib.base.yaml_input import read_mapping
from constructs_lib.kit import FLUX_NAMESPACE, Manifest
from constructs_lib.platform.baseline import NAMESPACES
from gitops_render import journal
from gitops_render.clear_text import FIELDS, decoded, secrets_in
from gitops_render.paths import KUSTOMIZATION, SOPS_FILE, Place, sealed_file, sealed_folder, sealed_name
from gitops_render.sops import KEY_VARIABLES, sops
from gitops_render.sops_config import read_recipients, readers
from gitops_render.write import refuse_links, writing
from gitops_render.yaml_output import to_yaml

_YAML = ("--input-type", "yaml", "--output-type", "yaml")
_TELLING = 8
"""Shorter values are not looked for in annotations: a port or `true` would be found by chance."""


def seal(
    output: Path, environment: str, inputs: Mapping[str, str], *, overwrite: bool = False
) -> tuple[PurePosixPath, ...]:
    """Encrypt the Secrets in `inputs`, YAML by where it is from, and list them in their folder's kustomization.yaml.

    `output` is the GitOps repository. The paths of the sealed files are returned.
    All of them are written or none, as trees are (`journal`).
    Raises `ConfigError`, with nothing written and no value shown, if an input holds anything but complete Secrets, a
    Secret is sealed already (unless `overwrite`), or SOPS did not encrypt it to the environment's recipients.
    """
    secrets = [secret for where, text in inputs.items() for secret in secrets_in(where, text)]
    paths = [sealed_file(environment, secret["metadata"]["name"]) for secret in secrets]
    with writing(output):
        recipients = read_recipients(output, environment)
        _refuse_namespaces(output, environment, secrets)
        _refuse_clashes(output, paths, secrets, overwrite=overwrite)
        listing = sealed_folder(environment) / KUSTOMIZATION
        data = listed(output / listing, [path.name for path in paths])
        files = {path: _encrypted(output, path, secret) for path, secret in zip(paths, secrets, strict=True)}
        for path, secret in zip(paths, secrets, strict=True):
            verify(path, secret, files[path], recipients)
        files[listing] = data
        refuse_links(output, files)
        journal.replace(output, files)
    return tuple(paths)


def unseal(output: Path, environment: str, name: str, key: str | None = None) -> bytes:
    """Return the Secret `name` of `environment` in clear text, with this age key or that of the environment variables.

    Raises `ConfigError` if there is no such Secret, no key, or the key cannot decrypt it.
    """
    read_recipients(output, environment)
    known = _sealed(output, environment)
    if name not in known:
        raise ConfigError(f"{output / sealed_folder(environment)}: {unknown('Secret', name, known or ['none'])}")
    path = output / sealed_file(environment, name)
    if key is None and not any(os.environ.get(variable) for variable in KEY_VARIABLES):
        raise ConfigError(f"{path}: needs an age key; set {' or '.join(KEY_VARIABLES)}")
    return sops(output, path, "decrypt", *_YAML, str(path.absolute()), key=key)


def reseal(output: Path, environment: str, keys: str) -> tuple[PurePosixPath, ...]:
    """Seal anew what is sealed for others than an environment's recipients, and return the paths.

    `keys` are age keys that read it, one a line. Raises `ConfigError` as `unseal` and `seal`, with nothing written.
    """
    old = sealed_for_others(output, environment, read_recipients(output, environment))
    clear = {name: unseal(output, environment, name, keys).decode() for name in old}
    return seal(output, environment, clear, overwrite=True) if clear else ()


def sealed_for_others(output: Path, environment: str, recipients: frozenset[str]) -> list[str]:
    """Return the names of an environment's sealed Secrets that have not exactly these recipients."""
    files = {name: read_mapping(output / sealed_file(environment, name)) for name in _sealed(output, environment)}
    return [name for name, data in files.items() if readers(data) != recipients]


def _sealed(output: Path, environment: str) -> list[str]:
    folder = output / sealed_folder(environment)
    return sorted(map(sealed_name, folder.glob(sealed_file(environment, "*").name)))


def refuse_stream_into(output: Path, stream: int) -> None:
    """Raise `ConfigError` if the open file `stream` is one in `output`: clear text may not get there."""
    to = os.fstat(stream)
    for path in output.rglob("*"):
        if path.is_file() and os.path.samestat(to, path.stat()):
            raise ConfigError(f"{path}: would hold clear text in the GitOps repository; write it elsewhere")


def _refuse_namespaces(output: Path, environment: str, secrets: list[Manifest]) -> None:
    """Raise `ConfigError` for a namespace that the environment does not have, where its tree has namespaces."""
    folder = output / Place(environment, *NAMESPACES).path
    known = sorted([path.stem.removeprefix("namespace-") for path in folder.glob("namespace-*.yaml")])
    wrong = [item["metadata"] for item in secrets if item["metadata"]["namespace"] not in (*known, FLUX_NAMESPACE)]
    if known and wrong:
        raise ConfigError(
            *(
                f"Secret {metadata['name']}: metadata.namespace: "
                f"{unknown('namespace', metadata['namespace'], [*known, FLUX_NAMESPACE])}"
                for metadata in wrong
            )
        )


def _namespace_in(path: Path) -> str | None:
    """Return the namespace of the Secret that is sealed at `path`, if that holds one."""
    with suppress(ConfigError, AttributeError):
        return read_mapping(path).get("metadata", {}).get("namespace")
    return None


def _refuse_clashes(output: Path, paths: list[PurePosixPath], secrets: list[Manifest], *, overwrite: bool) -> None:
    problems = [f"{path}: would hold two Secrets; rename one" for path in sorted({*paths}) if paths.count(path) > 1]
    for path, secret in zip(paths, secrets, strict=True):
        there, own = _namespace_in(output / path), secret["metadata"]["namespace"]
        if there not in (None, own):
            problems.append(f"{path}: holds the Secret of that name in namespace {there}, found {own}; rename yours")
    if not overwrite and not problems:
        taken = (path for path in paths if (output / path).exists())
        problems += [f"{path}: holds a Secret already; rename yours, or seal with --overwrite" for path in taken]
    if problems:
        raise ConfigError(*problems)


def listed(listing: Path, names: list[str]) -> bytes:
    """Return the kustomization.yaml at `listing`, which rendering seeds and `seal` owns, with `names` in it.

    Raises `ConfigError` if there is none, or none that lists resources.
    """
    data = read_mapping(listing)
    resources = data.get("resources") or []
    if not isinstance(resources, list):
        raise ConfigError(f"{listing}: resources: must be a list; restore it from Git")
    return to_yaml({**data, "resources": sorted({*map(str, resources), *names})})


def _encrypted(output: Path, path: PurePosixPath, secret: Manifest) -> bytes:
    override = str(output / path)
    return sops(output, output / path, "encrypt", "--filename-override", override, *_YAML, given=to_yaml(secret))


def verify(path: PurePosixPath, secret: Manifest, sealed: bytes, recipients: frozenset[str]) -> None:
    """Raise `ConfigError` unless `sealed`, which is for `path`, is `secret` for the eyes of `recipients` alone."""
    found = yaml.load(sealed, yaml.CSafeLoader)
    if readers(found) != recipients:
        raise ConfigError(f"{path}: sops chose other recipients; render {SOPS_FILE} anew")
    values = [text for field in FIELDS for text in _leaves(found.pop(field, None) or {})]
    if not all(text == "" or text.startswith("ENC[") for text in values):
        raise ConfigError(f"{path}: sops left a value in clear text; render {SOPS_FILE} anew")
    public = {key: value for key, value in found["metadata"].items() if key not in {"name", "namespace", "labels"}}
    texts = [*values, *_leaves({**found, "metadata": public})]
    if any(clear in text for clear in _clear_values(secret) for text in texts):
        raise ConfigError(
            f"{path}: a value of the Secret also stands outside data and stringData, where it would stay in clear "
            "text; remove it there (an annotation?)"
        )


def _clear_values(secret: Manifest) -> Iterator[str]:
    """Yield the values of `secret`, each as it is and in base64, unless too short to tell anything."""
    for field in FIELDS:
        for value in (secret.get(field) or {}).values():
            clear = decoded(value) if field == "data" else value.encode()
            texts = (value, (clear or b"").decode(errors="replace"), base64.b64encode(clear or b"").decode())
            yield from (text for text in texts if len(text) >= _TELLING)


def _leaves(value: Any) -> Iterator[str]:
    """Yield each value in nested data as text."""
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    if items is None:
        yield str(value)
    else:
        for item in items:
            yield from _leaves(item)
