"""What of a tree is rehearsed."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from constructs_lib.base.errors import ConfigError
from constructs_lib.kit import Manifest
from gitops_render.tree import render
from gitops_render.write import write
from operations.rehearsal.trees import kinds_of, own_crds, read, read_crds, stand_ins
from tests.support import environment, parsed

SEALED = "platform/secrets/sandbox/sealed"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sandbox's tree, with a sealed Secret, and another environment's."""
    folder = tmp_path_factory.mktemp("tree")
    for env in (environment(sops_recipient=f"age1{'q' * 58}"), environment("staging")):
        write(folder, env.name, render(env))
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": "x"}, "sops": {}}
    (folder / SEALED / "secret-db.yaml").write_text(yaml.safe_dump(secret))
    listing = parsed((folder / SEALED / "kustomization.yaml").read_text())
    listing["resources"] = ["secret-db.yaml"]
    (folder / SEALED / "kustomization.yaml").write_text(yaml.safe_dump(listing))
    return folder


def test_it_is_one_environments_files_and_what_flux_applies_of_them(folder: Path) -> None:
    tree = read(folder, "sandbox")
    assert tree.files
    assert all("/sandbox/" in name for name in tree.files)
    assert {"layers", "traefik-configs", "apps-episodic"} <= tree.layers
    assert not any(item.group == "kustomize.config.k8s.io" for item in tree.objects)
    name = "platform/traefik/sandbox/configs/middleware-traefik-rate-limit.yaml"
    assert parsed(tree.files[name]) == parsed((folder / name).read_text())


def test_layers_do_not_wait_for_what_never_is_ready_and_need_no_key(folder: Path) -> None:
    tree = read(folder, "sandbox")
    layer = parsed(tree.files["clusters/sandbox/layers/secrets-sealed.yaml"])
    before = parsed((folder / "clusters/sandbox/layers/secrets-sealed.yaml").read_text())
    assert "decryption" in before["spec"]
    left = {key: value for key, value in before["spec"].items() if key != "decryption"}
    assert layer["spec"] == {**left, "wait": False, "retryInterval": "1s"}
    databases = parsed(tree.files["clusters/sandbox/layers/databases-configs.yaml"])["spec"]
    assert "healthCheckExprs" not in databases
    assert databases["dependsOn"]


def test_sealed_secrets_are_left_out_of_files_lists_and_objects(folder: Path) -> None:
    tree = read(folder, "sandbox")
    assert f"{SEALED}/secret-db.yaml" not in tree.files
    assert parsed(tree.files[f"{SEALED}/kustomization.yaml"])["resources"] == []
    assert not any(item.kind == "Secret" for item in tree.objects)


def test_a_tree_without_layers_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match="Flux applies no layers of nowhere there"):
        read(folder, "nowhere")


def crd(kind: str, group: str = "example.org") -> Manifest:
    names = {"kind": kind, "plural": f"{kind.lower()}s"}
    return {"kind": "CustomResourceDefinition", "metadata": {"name": kind}, "spec": {"group": group, "names": names}}


def test_kinds_that_nobody_knows_have_a_stand_in(folder: Path) -> None:
    kinds = kinds_of(read(folder, "sandbox"))
    assert kinds["postgresql.cnpg.io", "Cluster"] == ("postgresql.cnpg.io/v1", True)
    assert kinds["external-secrets.io", "ClusterSecretStore"] == ("external-secrets.io/v1", False)
    known = kinds.keys() - {("external-secrets.io", "ClusterSecretStore"), ("networking.k8s.io", "NetworkPolicy")}
    store, policy = stand_ins(kinds, known)
    assert store["metadata"]["name"] == "clustersecretstores.external-secrets.io"
    assert (store["spec"]["scope"], policy["spec"]["scope"]) == ("Cluster", "Namespaced")
    assert policy["spec"]["names"]["plural"] == "networkpolicies"
    (version,) = store["spec"]["versions"]
    assert (version["name"], version["subresources"]) == ("v1", {"status": {}})
    assert ("source.toolkit.fluxcd.io", "Bucket") in kinds_of()


def test_crds_of_a_folder_are_those_that_are_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(yaml.safe_dump_all([crd("A"), crd("B"), {"kind": "Namespace"}]))
    (tmp_path / "b.yaml").write_text(yaml.safe_dump(crd("A", "other.org")))
    assert read_crds(tmp_path, {("example.org", "A")}) == [crd("A")]
    (tmp_path / "c.yaml").write_text("a: [")
    with pytest.raises(ConfigError, match=r"c\.yaml: cannot be read as YAML"):
        read_crds(tmp_path, set())


def test_a_trees_own_crds_are_found(tmp_path: Path, folder: Path) -> None:
    tree = read(folder, "sandbox")
    assert own_crds(tree) == []
    own = tree._replace(objects={**tree.objects, next(iter(tree.objects)): crd("A")})
    assert own_crds(own) == [crd("A")]
