"""Policies on where things come from: secrets, images, versions of APIs, certificates."""

from __future__ import annotations

from collections.abc import Iterator

from constructs_lib.kit import (
    DEPLOY_KEY_SECRET,
    ENFORCED,
    PRIVILEGED_REASON,
)
from constructs_lib.platform import cert_manager, vault_eso
from constructs_lib.platform.observability import opensearch
from constructs_lib.platform.rabbitmq_operator import settings as rabbitmq
from constructs_lib.platform.valkey_operator import cluster as valkey
from gitops_render.check.model import KUSTOMIZE, Found, Tree, at, fields_named, tree_policy
from gitops_render.clear_text import FIELDS
from gitops_render.objects import Item

GONE = (
    ("external-secrets.io", "v1beta1"),
    ("helm.toolkit.fluxcd.io", "v2beta"),
    ("kustomize.toolkit.fluxcd.io", "v1beta"),
    ("source.toolkit.fluxcd.io", "v1beta"),
    ("notification.toolkit.fluxcd.io", "v1beta2"),
    ("opensearch.opster.io", ""),
)


@tree_policy("SEC001", "whoever reads the repository reads the secret", "seal it, or bring it from Vault")
def _no_clear_text(tree: Tree) -> Iterator[Found]:
    for item in tree.of("Secret"):
        values = [value for field in FIELDS for value in (item.data.get(field) or {}).values()]
        if values and ("sops" not in item.data or not all(map(_is_sealed, values))):
            yield at(item, "is in clear text")


def _is_sealed(value: object) -> bool:
    return value == "" or (isinstance(value, str) and value.startswith("ENC[") and value.endswith("]"))


@tree_policy(
    "SEC002",
    "the age key comes through the store: what the store waits for cannot be decrypted yet",
    "let the sealed layer come after the store, and decrypt nowhere else",
)
def _store_needs_no_key(tree: Tree) -> Iterator[Found]:
    ours = (item for item in tree.of("ClusterSecretStore") if item.name in vault_eso.STORES)
    stores = {layer.name for item in ours if (layer := tree.layer_of(item))}
    for layer in tree.layers.values():
        if "decryption" in layer.spec and not stores <= tree.waits_for(layer.name):
            yield at(layer, "decrypts, but does not come after the secrets store")
    for item in (item for item in tree.items if "sops" in item.data):
        layer = tree.layer_of(item)
        if layer is None or "decryption" not in layer.spec:
            yield at(item, "is encrypted in a layer that does not decrypt")


@tree_policy("SEC003", "a privileged pod owns its node", f"lower the standard, or say why in {PRIVILEGED_REASON}")
def _privileged(tree: Tree) -> Iterator[Found]:
    for item in tree.of("Namespace"):
        level = item.data["metadata"].get("labels", {}).get(ENFORCED)
        if level is None:
            yield at(item, "enforces no pod security standard")
        if level == "privileged" and not item.annotations.get(PRIVILEGED_REASON):
            yield at(item, "allows privileged pods without a reason")


@tree_policy("SEC004", "a secret from a store that is not there never comes", "correct secretStoreRef")
def _store_exists(tree: Tree) -> Iterator[Found]:
    kinds = ("ClusterSecretStore", "SecretStore")
    stores = {(kind, item.namespace, item.name) for kind in kinds for item in tree.of(kind)}
    for item in tree.of("ExternalSecret"):
        named = item.spec.get("secretStoreRef", {})
        kind, name = named.get("kind", "SecretStore"), named.get("name")
        if (kind, "" if kind == "ClusterSecretStore" else item.namespace, name) not in stores:
            yield at(item, f"reads the store {name}, which does not exist")


@tree_policy("SEC005", "a store without conditions serves every namespace", "set conditions, and an https:// server")
def _store_is_closed(tree: Tree) -> Iterator[Found]:
    for item in tree.of("ClusterSecretStore"):
        if not item.spec.get("conditions"):
            yield at(item, "serves every namespace")
        if not str(item.spec.get("provider", {}).get("vault", {}).get("server", "")).startswith("https://"):
            yield at(item, "reaches Vault without TLS")


ISSUER = cert_manager.ISSUER_ANNOTATION
IMAGE_KEYS = {"image", "imageName"}
"""Fields that are an image, if they are text."""
TAG_KEYS = {"newTag", "tag"}
"""Fields that are the tag of an image."""


@tree_policy("SEC006", "a moving tag changes what runs without a commit", "give the image an exact tag or digest")
def _pinned_images(tree: Tree) -> Iterator[Found]:
    for item in tree.items:
        for path, key, value in fields_named(item.data, IMAGE_KEYS | TAG_KEYS):
            if key in TAG_KEYS and value == "latest":
                yield at(item, f"runs the tag latest ({path})")
            if key in IMAGE_KEYS and isinstance(value, str):
                tag = value.rpartition("/")[2].partition(":")[2]
                if tag in ("", "latest"):
                    yield at(item, f"runs {value} ({path})")


@tree_policy("SEC007", "the API server does not serve it, or will not soon", "use the current version")
def _served(tree: Tree) -> Iterator[Found]:
    for item in tree.items:
        own, _, version = item.data["apiVersion"].rpartition("/")
        if any(own == group and version.startswith(start) for group, start in GONE):
            yield at(item, f"is of {item.data['apiVersion']}")


@tree_policy("SEC008", "a certificate from an issuer that is not there never comes", "correct issuerRef")
def _issuer_exists(tree: Tree) -> Iterator[Found]:
    issuers = {item.name for item in tree.of("ClusterIssuer")}
    for item in tree.items:
        wanted = item.annotations.get(ISSUER) or item.spec.get("certIssuer")
        if item.kind == "Certificate":
            wanted = item.spec.get("issuerRef", {}).get("name")
        if wanted is not None and wanted not in issuers:
            yield at(item, f"is issued by {wanted}, which does not exist")


@tree_policy("SEC009", "an issuer without account key or solver gets no certificate", "complete spec.acme")
def _acme(tree: Tree) -> Iterator[Found]:
    for item in tree.of("ClusterIssuer"):
        acme = item.spec.get("acme")
        if acme is None:
            continue
        if not str(acme.get("server", "")).startswith("https://"):
            yield at(item, "reaches its server without TLS")
        if not acme.get("privateKeySecretRef", {}).get("name"):
            yield at(item, "names no secret for its account key")
        if not acme.get("solvers"):
            yield at(item, "has no solver")


SECRET_KEYS = {
    *("passwordSecret", "importCredentialsSecret", "servicePassword", "adminCredentialsSecret", "passwordFrom"),
    *("accessKeyId", "secretAccessKey", "secretKeyRef", "secretRef", "tokenSecretRef"),
}
"""Fields that name a Secret under `name`."""
SECRET_NAMES = {"secretName", "caSecretName", "existingSecret"}
"""Fields that are the name of a Secret."""


SECRET_OF = {
    "OpenSearchCluster": opensearch.ca_secret,
    "Valkey": valkey.certificate_secret,
    "RabbitmqCluster": rabbitmq.administrator_secret,
}
"""The name of the Secret that an operator makes for a resource of a kind."""


@tree_policy("SEC010", "what waits for a secret that nothing makes never starts", "correct the name, or add the secret")
def _secret_exists(tree: Tree) -> Iterator[Found]:
    made = set(_secrets_made(tree))
    for item in tree.items:
        namespace = item.spec.get("targetNamespace") or item.namespace
        for name in _secrets_named(item):
            wanted = cert_manager.NAMESPACE if item.kind == "ClusterIssuer" else namespace
            # The flux stack makes the deploy key.
            if name != DEPLOY_KEY_SECRET and (wanted, name) not in made:
                yield at(item, f"names the secret {name}, which nothing makes in {wanted}")


def _secrets_made(tree: Tree) -> Iterator[tuple[str, str]]:
    for item in tree.of("ExternalSecret"):
        yield item.namespace, item.spec.get("target", {}).get("name", item.name)
    for item in tree.of("Certificate"):
        yield item.namespace, item.spec.get("secretName", "")
    for item in tree.of("Ingress"):
        if ISSUER in item.annotations:
            yield from ((item.namespace, one["secretName"]) for one in item.spec.get("tls", ()) if "secretName" in one)
    for item in tree.of("Secret"):
        yield item.namespace, item.name
    for kind, secret in SECRET_OF.items():
        for item in tree.of(kind):
            yield item.namespace, secret(item.name)


def _secrets_named(item: Item) -> Iterator[str]:
    if item.kind in ("Certificate", "ClusterSecretStore"):
        return
    for _, key, value in fields_named(item.spec, SECRET_KEYS | SECRET_NAMES):
        if key in SECRET_KEYS and isinstance(value, dict) and "name" in value:
            yield value["name"]
        if key in SECRET_NAMES and isinstance(value, str):
            yield value


@tree_policy("SEC011", "what is decrypted is not reviewed, so it may bring Secrets alone", "put it in another layer")
def _only_secrets_are_sealed(tree: Tree) -> Iterator[Found]:
    for item in tree.items:
        layer = tree.layer_of(item)
        if (
            layer
            and "decryption" in layer.spec
            and item.group != KUSTOMIZE
            and (item.group, item.kind) != ("", "Secret")
        ):
            yield at(item, "is among the sealed Secrets, but is none")
