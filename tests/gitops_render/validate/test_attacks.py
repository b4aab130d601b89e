"""Each hostile change that passed once, and its kind: none does any more."""

from __future__ import annotations

import hashlib
import json
from pathlib import PurePosixPath

import pytest

from gitops_render.paths import source_file
from gitops_render.validate.change import Change
from gitops_render.yaml_output import to_yaml
from tests.gitops_render.validate.repository import ALLOWED, DB, FOLDER, LIST, VALUE, GitOps, listed, only, sealed
from tests.support import parsed

BINDING = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRoleBinding",
    "metadata": {"name": "owner", "namespace": "databases"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
    "subjects": [{"kind": "User", "name": "mallory"}],
}
NAMESPACE = "platform/baseline/sandbox/namespaces/namespace-episodic.yaml"


@pytest.mark.parametrize("name", ["sandbox", "staging"])
def test_another_repository_is_refused(gitops: GitOps, name: str) -> None:
    file = source_file(name)
    only(gitops.problems({file: gitops.read(file).replace(b"df12-test", b"mallory")}), file, "")


def test_a_second_object_beside_the_source_is_refused(gitops: GitOps) -> None:
    file = source_file("staging")
    pinned = gitops.pinned("staging", gitops.second)
    assert gitops.problems({file: pinned}) == []
    only(gitops.problems({file: pinned + b"---\n" + to_yaml(BINDING)}), file, "changes more than spec.ref")


def test_a_secret_in_clear_text_is_refused_in_whatever_style_it_is_written(gitops: GitOps) -> None:
    text = to_yaml(sealed(stringData=None)).decode() + "stringData: {password: hunter2}\n"
    only(gitops.problems({DB: text}), DB, "stringData.password: is not encrypted")
    only(gitops.problems({DB: json.dumps(sealed(data={"password": "aHVudGVyMg=="}))}), DB, "data.password: is not enc")


def test_a_binding_among_the_sealed_secrets_is_refused(gitops: GitOps) -> None:
    new = FOLDER / "secret-owner.yaml"
    bound = to_yaml({**BINDING, "sops": sealed()["sops"]})
    only(gitops.problems({new: bound, LIST: listed("db", "owner")}), new, "is no Secret of v1")
    both = to_yaml(sealed("owner")) + b"---\n" + bound
    only(gitops.problems({new: both, LIST: listed("db", "owner")}), new, "holds 2 documents")


@pytest.mark.parametrize("what", ["secretGenerator", "patches", "resources", "configurations", "components"])
def test_a_list_that_makes_more_than_it_lists_is_refused(gitops: GitOps, what: str) -> None:
    more = {what: [{"name": "x", "literals": ["a=b"]}]}
    only(gitops.problems({LIST: listed("db", **more)}), LIST, "has to list the folder's files and nothing else")


@pytest.mark.parametrize(
    "folder", ["platform/baseline/sandbox/namespaces", "clusters/sandbox", "clusters/sandbox/layers"]
)
def test_an_object_beside_those_that_are_rendered_is_refused(gitops: GitOps, folder: str) -> None:
    new = PurePosixPath(folder, "binding.yaml")
    only(gitops.problems({new: to_yaml(BINDING)}), new, "is neither rendered, sealed, promoted nor")


def test_an_edited_file_together_with_its_digest_is_refused(gitops: GitOps) -> None:
    edited = gitops.read(NAMESPACE).replace(b"restricted", b"privileged")
    assert edited != gitops.read(NAMESPACE)
    index = {**parsed(gitops.read(".render/sandbox.json")), NAMESPACE: hashlib.sha256(edited).hexdigest()}
    found = gitops.problems({NAMESPACE: edited, ".render/sandbox.json": json.dumps(index, indent=1) + "\n"})
    assert [problem.partition(":")[0] for problem in found] == [".render/sandbox.json", NAMESPACE]
    assert "is not what the environment files of the infrastructure repository render" in found[1]


def test_a_pin_to_a_commit_that_does_not_exist_is_refused(gitops: GitOps) -> None:
    file = source_file("staging")
    only(gitops.problems({file: gitops.pinned("staging", "0" * 40)}), file, "is no commit of")


def test_a_pin_to_a_commit_that_was_never_merged_is_refused(gitops: GitOps) -> None:
    beside = gitops.propose({NAMESPACE: to_yaml(BINDING)})
    file = source_file("staging")
    only(gitops.problems({file: gitops.pinned("staging", beside)}), file, f"{beside}: is not on branch main")


@pytest.mark.parametrize("ref", [{"commit": "COMMIT"}, {"branch": "side", "commit": "COMMIT"}, {"branch": "main"}])
def test_a_pin_that_lets_flux_look_elsewhere_is_refused(gitops: GitOps, ref: dict[str, str]) -> None:
    file = source_file("staging")
    data = parsed(gitops.read(file))
    data["spec"]["ref"] = {key: value.replace("COMMIT", gitops.second) for key, value in ref.items()}
    only(gitops.problems({file: to_yaml(data)}), file, "")


def test_the_check_cannot_be_changed_by_what_it_checks(gitops: GitOps) -> None:
    file = ".github/workflows/validate.yml"
    only(gitops.problems({file: b"on: push\n"}), file, "is not what the environment files")
    other = ".github/workflows/other.yml"
    only(gitops.problems({other: b"on: push\n"}), other, "is neither rendered, sealed, promoted nor")


@pytest.mark.parametrize("file", [NAMESPACE, DB, source_file("staging"), "apps/sandbox/web.yaml"])
@pytest.mark.parametrize("mode", ["120000", "100755"])
def test_nothing_becomes_a_link_or_a_program(gitops: GitOps, file: str | PurePosixPath, mode: str) -> None:
    only(gitops.problems({file: b"/etc/passwd"}, mode=mode), file, "")


def test_another_repository_inside_this_one_is_refused(gitops: GitOps) -> None:
    gitops.git("read-tree", "main")
    gitops.git("update-index", "--add", "--cacheinfo", f"160000,{gitops.first},apps/sandbox/other")
    commit = gitops.git("commit-tree", gitops.git("write-tree"), "-p", "main", "-m", "Module")
    gitops.git("read-tree", "main")
    only(ALLOWED.problems(Change(gitops.folder, "main", commit)), "apps/sandbox/other", "is no plain file")


def test_a_sealed_file_that_says_that_it_is_sealed_is_not_believed(gitops: GitOps) -> None:
    for text in (f"{VALUE} hunter2", f"hunter2 {VALUE}", "ENC[hunter2]", "ENC[AES256_GCM,data:hunter2]"):
        only(gitops.problems({DB: to_yaml(sealed(stringData={"a": text}))}), DB, "stringData.a: is not encrypted")
