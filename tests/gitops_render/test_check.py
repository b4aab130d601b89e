"""Each policy fires on the project's own tree or stacks, once they are broken in its way, and only then."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from constructs_lib.environment import load_all
from gitops_render.check import POLICIES, check_stacks, check_trees, read_stacks, read_trees
from gitops_render.check.model import StackFile, Tree
from gitops_render.objects import Item
from gitops_render.seal import listed
from gitops_render.sops_config import sops_config
from gitops_render.tree import render
from tests.gitops_render.test_cli import cli
from tests.support import ROOT, Synthesised, environment, everything, parsed

Manifest = dict[str, Any]


def tree_of(env: Any) -> Tree:
    rendered = render(env)
    files = rendered.owned | rendered.seeds
    return Tree(env.name, tuple(Item(path, parsed(data)) for path, data in files.items()))


@pytest.mark.parametrize("env", [*load_all(ROOT / "environments"), everything()], ids=lambda env: env.name)
def test_the_own_tree_is_clean(env: Any) -> None:
    assert check_trees([tree_of(env)]) == []


def test_the_tree_of_a_cluster_that_logs_in_with_an_approle_is_clean() -> None:
    approle = {"method": "approle", "mount": "approle", "role_id": "role"}
    assert check_trees([tree_of(environment(vault__auth=approle))]) == []


def test_the_own_stacks_are_clean(stacks: dict[str, Synthesised]) -> None:
    assert check_stacks(StackFile(PurePosixPath(name), dict(stack.data)) for name, stack in stacks.items()) == []


@cache
def sandbox() -> Tree:
    return tree_of(environment())


class Broken:
    """The tree of the sandbox, to be broken."""

    def __init__(self) -> None:
        self.items = [Item(item.path, copy.deepcopy(item.data)) for item in sandbox().items]

    def one(self, kind: str, name: str = "", group: str = "") -> Manifest:
        found = (i for i in self.items if i.kind == kind and name in ("", i.name) and i.group.startswith(group))
        return next(found).data

    def layer(self, name: str) -> Manifest:
        return self.one("Kustomization", name, "kustomize.toolkit")["spec"]

    def release(self, name: str = "traefik") -> Manifest:
        return self.one("HelmRelease", name)["spec"]

    def remove(self, kind: str, name: str) -> None:
        self.items = [item for item in self.items if (item.kind, item.name) != (kind, name)]

    def add(self, kind: str, api: str = "v1", folder: str = "platform/traefik/sandbox/configs", **body: Any) -> None:
        data = {"apiVersion": api, "kind": kind, "metadata": {"name": "added", "namespace": "traefik"}, **body}
        self.items.append(Item(PurePosixPath(folder, f"{kind.lower()}-added.yaml"), data))
        listing = next(item for item in self.items if item.path == PurePosixPath(folder, "kustomization.yaml"))
        listing.data["resources"].append(f"{kind.lower()}-added.yaml")

    def findings(self) -> set[str]:
        return {finding.policy for finding in check_trees([Tree("sandbox", tuple(self.items))])}


def pop(mapping: Manifest, key: str) -> None:
    mapping.pop(key)


def webhook_closed(tree: Broken) -> None:
    tree.remove("NetworkPolicy", "webhook")


def budget_of_the_only_pod(tree: Broken) -> None:
    pods = {"metadata": {"labels": {"app": "x", "tier": "web"}}}
    tree.add("Deployment", api="apps/v1", spec={"template": pods})
    selector = {"matchLabels": {"app": "x"}}
    tree.add("PodDisruptionBudget", api="policy/v1", spec={"minAvailable": 1, "selector": selector})


SEALED = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "added"}, "data": {"a": "ENC[]"}, "sops": {}}

BREAKS: dict[str, list[Callable[[Broken], None]]] = {
    "FLUX001": [
        lambda t: pop(t.layer("traefik-configs"), "interval"),
        lambda t: pop(t.layer("traefik-configs"), "retryInterval"),
        lambda t: pop(t.layer("traefik-configs"), "timeout"),
        lambda t: t.layer("traefik-configs").update(prune=False),
        lambda t: t.layer("traefik-configs").update(suspend=True),
        lambda t: t.layer("traefik-configs").update(force=True),
    ],
    "FLUX002": [lambda t: t.layer("traefik-configs").update(path="./platform/nowhere")],
    "FLUX003": [
        lambda t: t.layer("traefik-configs")["sourceRef"].update(kind="Bucket"),
        lambda t: t.release()["chart"]["spec"]["sourceRef"].update(name="nothing"),
        lambda t: t.remove("OCIRepository", "external-secrets"),
    ],
    "FLUX004": [lambda t: t.layer("traefik-configs")["dependsOn"].append({"name": "nothing"})],
    "FLUX005": [lambda t: t.layer("traefik-controllers")["dependsOn"].append({"name": "traefik-configs"})],
    "FLUX006": [
        lambda t: t.layer("traefik-configs").update(dependsOn=[{"name": "baseline-rbac"}]),
        lambda t: t.remove("GitRepository", "rabbitmq-cluster-operator"),
    ],
    "FLUX007": [lambda t: t.layer("traefik-configs").update(wait=False)],
    "FLUX008": [
        lambda t: t.remove("Middleware", "rate-limit"),
        lambda t: t.items.append(Item(PurePosixPath("platform/traefik/sandbox/configs/x.yaml"), t.one("TLSOption"))),
    ],
    "FLUX009": [
        lambda t: t.items.append(Item(PurePosixPath("platform/cache/sandbox/configs/x.yaml"), t.one("TLSOption")))
    ],
    "FLUX010": [
        lambda t: pop(t.layer("apps-episodic"), "serviceAccountName"),
        lambda t: pop(t.release(), "serviceAccountName"),
    ],
    "FLUX011": [lambda t: t.one("GitRepository", "platform")["spec"].update(url="http://github.com/x/y")],
    "FLUX012": [lambda t: t.one("GitRepository", "platform")["spec"].update(ref={"commit": "0" * 40})],
    "FLUX013": [
        lambda t: t.one("Kustomization", group="kustomize.config").update(secretGenerator=[{"name": "x"}]),
        lambda t: t.one("Kustomization", group="kustomize.config").update(patches=[]),
    ],
    "FLUX014": [lambda t: pop(t.one("OCIRepository")["spec"]["verify"], "matchOIDCIdentity")],
    "HELM001": [
        lambda t: t.one("OCIRepository")["spec"].update(ref={"semver": "2.x"}),
        lambda t: t.release()["chart"]["spec"].update(version="41.x"),
        lambda t: t.release()["chart"]["spec"].update(version="41.0.0 || 42.0.0"),
        lambda t: pop(t.release()["chart"]["spec"], "version"),
    ],
    "HELM002": [lambda t: t.release().update(timeout="10m"), lambda t: t.release().update(timeout="1h")],
    "HELM003": [lambda t: t.release()["driftDetection"].update(mode="warn")],
    "HELM004": [lambda t: pop(t.release()["upgrade"], "crds"), lambda t: pop(t.release()["install"], "crds")],
    "HELM005": [
        lambda t: pop(t.release()["install"], "strategy"),
        lambda t: pop(t.release()["upgrade"], "remediation"),
    ],
    "HELM006": [
        lambda t: pop(t.one("HelmRepository", "quay-io-jetstack-charts")["spec"], "type"),
        lambda t: t.one("HelmRepository", "traefik-github-io-charts")["spec"].update(type="oci"),
    ],
    "SEC001": [
        lambda t: t.add("Secret", stringData={"a": "b"}),
        lambda t: t.add("Secret", data={"a": "Yg=="}),
        lambda t: t.add("Secret", data={"a": "ENC[]", "b": "Yg=="}, sops={}),
        lambda t: t.add("Secret", stringData={"a": "ENC[] and clear"}, sops={}),
    ],
    "SEC002": [
        lambda t: t.layer("secrets-controllers").update(decryption={"provider": "sops"}),
        lambda t: t.add("Secret", data={"a": "ENC[]"}, sops={}),
        lambda t: t.items.append(Item(PurePosixPath("platform/nowhere/x.yaml"), SEALED)),
    ],
    "SEC003": [
        lambda t: t.one("Namespace", "observability-agents")["metadata"].update(annotations={}),
        lambda t: t.one("Namespace", "traefik")["metadata"].update(labels={}),
    ],
    "SEC004": [
        lambda t: t.one("ExternalSecret")["spec"]["secretStoreRef"].update(name="nothing"),
        lambda t: t.remove("SecretStore", "vault"),
        lambda t: t.one("SecretStore")["metadata"].update(namespace="elsewhere"),
    ],
    "SEC005": [
        lambda t: t.one("ClusterSecretStore")["spec"].update(conditions=[]),
        lambda t: t.one("ClusterSecretStore")["spec"]["provider"]["vault"].update(server="http://vault"),
    ],
    "SEC006": [
        lambda t: t.one("RabbitmqCluster")["spec"].update(image="rabbitmq"),
        lambda t: t.one("Cluster")["spec"].update(imageName="host:5000/postgresql:latest"),
        lambda t: t.layer("rabbitmq-cluster-operator")["images"][0].update(newTag="latest"),
        lambda t: t.release()["values"].update(image={"repository": "traefik", "tag": "latest"}),
    ],
    "SEC007": [lambda t: t.one("ExternalSecret").update(apiVersion="external-secrets.io/v1beta1")],
    "SEC008": [
        lambda t: t.one("Certificate")["spec"]["issuerRef"].update(name="nothing"),
        lambda t: t.one("Valkey")["spec"].update(certIssuer="nothing"),
        lambda t: t.one("Ingress", "www")["metadata"]["annotations"].update(
            {"cert-manager.io/cluster-issuer": "nothing"}
        ),
    ],
    "SEC009": [
        lambda t: t.one("ClusterIssuer", "letsencrypt-staging")["spec"]["acme"].update(server="http://acme"),
        lambda t: t.one("ClusterIssuer", "letsencrypt-staging")["spec"]["acme"].update(solvers=[]),
        lambda t: t.one("ClusterIssuer", "letsencrypt-staging")["spec"]["acme"].update(privateKeySecretRef={}),
    ],
    "SEC010": [
        lambda t: t.remove("ExternalSecret", "main-password"),
        lambda t: t.remove("Certificate", "main-rabbitmq-tls"),
        lambda t: t.remove("ExternalSecret", "grafana-admin"),
        lambda t: t.one("Ingress", "www")["metadata"].pop("annotations"),
    ],
    "SEC011": [lambda t: t.layer("traefik-configs").update(decryption={"provider": "sops"})],
    "NET001": [
        lambda t: t.one("NetworkPolicy", "default-deny")["spec"].update(policyTypes=["Ingress"]),
        lambda t: t.one("NetworkPolicy", "default-deny")["spec"].update(ingress=[{}]),
        lambda t: t.one("NetworkPolicy", "default-deny")["spec"].update(egress=[{}]),
        lambda t: t.one("NetworkPolicy", "default-deny")["spec"].update(podSelector={"matchLabels": {"a": "b"}}),
    ],
    "NET002": [webhook_closed],
    "TLS001": [
        lambda t: t.one("RabbitmqCluster")["spec"]["tls"].update(disableNonTLSListeners=False),
        lambda t: t.one("Valkey")["spec"].update(anonymousAuth=True),
        lambda t: t.one("Valkey")["spec"].update(tls=False),
    ],
    "TLS002": [
        lambda t: t.one("ObjectStore")["spec"]["configuration"].update(endpointURL="http://x"),
        lambda t: t.add("Ingress", "networking.k8s.io/v1", spec={"rules": []}),
    ],
    "DATA001": [
        lambda t: t.one("Cluster")["metadata"].update(annotations={}),
        lambda t: t.one("Namespace", "traefik")["metadata"].update(annotations={}),
        lambda t: t.add("PersistentVolumeClaim"),
        lambda t: t.one("Valkey")["metadata"]["annotations"].update({"kustomize.toolkit.fluxcd.io/force": "enabled"}),
    ],
    "DATA002": [
        lambda t: t.one("ScheduledBackup")["spec"].update(schedule="0 2 * * *"),
        lambda t: t.one("ScheduledBackup")["spec"].update(schedule="0 0 2 * * * *"),
        lambda t: pop(t.one("ScheduledBackup")["spec"], "method"),
    ],
    "DATA003": [
        lambda t: (
            t.add(
                "PodDisruptionBudget",
                "policy/v1",
                spec={"selector": {"matchLabels": {"cnpg.io/cluster": "main"}}},
            )
            or t.items[-1].data["metadata"].update(namespace="databases")
        )
    ],
    "POD001": [
        lambda t: pop(t.one("Cluster")["spec"], "resources"),
        lambda t: pop(t.one("Valkey")["spec"]["resources"], "limits"),
        lambda t: pop(t.one("Valkey")["spec"]["resources"]["requests"], "cpu"),
    ],
    "UPG001": [
        lambda t: t.add("CronJob", api="batch/v1beta1"),
        lambda t: t.add("FlowSchema", api="flowcontrol.apiserver.k8s.io/v1beta3"),
    ],
    "UPG002": [
        lambda t: t.add("PodDisruptionBudget", api="policy/v1", spec={"maxUnavailable": 0}),
        lambda t: t.add("PodDisruptionBudget", api="policy/v1", spec={"minAvailable": "100%"}),
        budget_of_the_only_pod,
        lambda t: t.release()["values"].update(podDisruptionBudget={"enabled": True, "minAvailable": 1}),
        lambda t: pop(t.one("Cluster", "main", "postgresql.cnpg")["spec"], "enablePDB"),
    ],
}


def test_the_tree_to_be_broken_is_whole() -> None:
    assert Broken().findings() == set()


@pytest.mark.parametrize(
    ("policy", "break_it"), [(policy, break_it) for policy, breaks in BREAKS.items() for break_it in breaks]
)
def test_a_broken_tree_is_found(policy: str, break_it: Callable[[Broken], None]) -> None:
    tree = Broken()
    break_it(tree)
    assert policy in tree.findings()


STACK_BREAKS: dict[str, tuple[str, Callable[[Manifest], Any]]] = {
    "TOFU001": ("sandbox-state", lambda d: d["terraform"]["encryption"]["plan"].update(enforced=False)),
    "TOFU001 of the state": (
        "sandbox-state",
        lambda d: d["terraform"]["encryption"]["state"].update(enforced=False),
    ),
    "TOFU002": ("sandbox-flux", lambda d: d["resource"].update(kubernetes_manifest={"x": {}})),
    "TOFU003": (
        "gitops-repository",
        lambda d: next(iter(d["resource"]["github_repository_deploy_key"].values())).update(read_only=False),
    ),
    "TOFU004": ("sandbox-cluster", lambda d: d.update(output={"kubeconfig": {"value": "x", "sensitive": True}})),
    "TOFU005": (
        "sandbox-state",
        lambda d: next(iter(d["resource"]["digitalocean_spaces_bucket"].values())).update(acl="public-read"),
    ),
    "TOFU005 of no list of rights": (
        "sandbox-state",
        lambda d: next(iter(d["resource"]["digitalocean_spaces_bucket"].values())).pop("acl"),
    ),
    "TOFU005 of no versions": (
        "sandbox-state",
        lambda d: next(iter(d["resource"]["digitalocean_spaces_bucket"].values())).pop("versioning"),
    ),
    "TOFU005 of versions": (
        "sandbox-state",
        lambda d: next(iter(d["resource"]["digitalocean_spaces_bucket"].values())).update(
            versioning={"enabled": False}
        ),
    ),
    "TOFU006": (
        "sandbox-state",
        lambda d: d["terraform"]["required_providers"]["digitalocean"].update(version="~> 2.71"),
    ),
}


@pytest.mark.parametrize("broken", STACK_BREAKS)
def test_a_broken_stack_is_found(broken: str, stacks: dict[str, Synthesised]) -> None:
    name, break_it = STACK_BREAKS[broken]
    data = copy.deepcopy(dict(stacks[name].data))
    assert check_stacks([StackFile(PurePosixPath(name), data)]) == []
    break_it(data)
    assert {finding.policy for finding in check_stacks([StackFile(PurePosixPath(name), data)])} == {
        broken.partition(" ")[0]
    }


def test_every_policy_is_broken_by_a_test() -> None:
    assert [policy.id for policy in POLICIES] == [
        *BREAKS,
        *dict.fromkeys(name.partition(" ")[0] for name in STACK_BREAKS),
    ]


def test_a_sealed_secret_in_the_layer_that_decrypts_is_as_it_should_be() -> None:
    tree = Broken()
    tree.add("Secret", folder="platform/secrets/sandbox/sealed", data={"a": "ENC[]"}, sops={})
    assert tree.findings() == set()


@pytest.mark.parametrize(
    "version",
    [
        *("external-secrets.io/v1beta1", "helm.toolkit.fluxcd.io/v2beta2", "kustomize.toolkit.fluxcd.io/v1beta2"),
        *("source.toolkit.fluxcd.io/v1beta2", "notification.toolkit.fluxcd.io/v1beta2", "opensearch.opster.io/v1"),
    ],
)
def test_a_version_that_no_api_server_will_serve_is_found(version: str) -> None:
    tree = Broken()
    tree.add("Old", version)
    assert "SEC007" in tree.findings()


def test_versions_beside_those_are_served() -> None:
    tree = Broken()
    for version in ("external-secrets.io/v1", "notification.toolkit.fluxcd.io/v1beta3", "example.org/v1beta1"):
        tree.add("New", version)
    assert "SEC007" not in tree.findings()


def test_a_budget_of_other_pods_is_no_second_one() -> None:
    tree = Broken()
    tree.add("PodDisruptionBudget", "policy/v1", spec={"selector": {"matchLabels": {"app": "mine"}}})
    assert "DATA003" not in tree.findings()


def test_a_budget_in_another_namespace_is_no_second_one() -> None:
    tree = Broken()
    labels = {"cnpg.io/cluster": "main"}
    tree.add("PodDisruptionBudget", "policy/v1", spec={"selector": {"matchLabels": labels}})
    assert "DATA003" not in tree.findings()


def test_a_webhook_that_only_some_may_call_is_closed_to_the_api_server() -> None:
    tree = Broken()
    for item in (item for item in tree.items if item.kind == "NetworkPolicy" and item.name == "webhook"):
        for rule in item.spec["ingress"]:
            rule["from"] = [{"podSelector": {}}]
    assert "NET002" in tree.findings()


def test_the_namespaces_of_flux_and_of_digitalocean_need_no_default_deny() -> None:
    tree = Broken()
    for name in ("flux-system", "kube-system"):
        tree.add("Namespace", folder="platform/baseline/sandbox/namespaces")
        tree.items[-1].data["metadata"]["name"] = name
    assert "NET001" not in tree.findings()


def test_objects_of_one_name_in_two_api_groups_are_two_objects() -> None:
    tree = Broken()
    tree.add("Middleware", "example.org/v1")
    tree.items[-1].data["metadata"].update(name="rate-limit")
    assert "FLUX009" not in tree.findings()


def test_trees_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    for file in ("clusters/b/x.yaml", "apps/b/x.yaml", "platform/cache/a/configs/x.yaml"):
        path = tmp_path / file
        path.parent.mkdir(parents=True)
        path.write_text("{apiVersion: v1, kind: A, metadata: {name: a}}")
    assert [tree.environment for tree in read_trees(tmp_path)] == ["a", "b"]


def test_an_object_is_in_the_namespace_that_the_kustomize_file_of_its_folder_names(tmp_path: Path) -> None:
    files = {
        "apps/sandbox/shop/kustomization.yaml": "kind: Kustomization\napiVersion: k/v1\nnamespace: shop\n",
        "apps/sandbox/shop/one.yaml": "kind: Service\napiVersion: v1\nmetadata: {name: one}\n",
        "apps/sandbox/blog/one.yaml": "kind: Service\napiVersion: v1\nmetadata: {name: two}\n",
        "clusters/sandbox/one.yaml": "kind: Namespace\napiVersion: v1\nmetadata: {name: shop}\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tree,) = read_trees(tmp_path)
    found = {(item.kind, item.name): item.namespace for item in tree.items}
    assert found == {
        ("Kustomization", ""): "",
        ("Service", "one"): "shop",
        ("Service", "two"): "",
        ("Namespace", "shop"): "",
    }


def test_an_image_by_digest_needs_no_tag() -> None:
    tree = Broken()
    tree.one("RabbitmqCluster")["spec"].update(image=f"host:5000/rabbitmq@sha256:{'0' * 64}")
    assert tree.findings() == set()


@pytest.fixture
def rendered(tmp_path: Path, stacks: dict[str, Synthesised]) -> Path:
    """A folder in which all is rendered and synthesised, as `make` leaves it."""
    (tmp_path / "environments").symlink_to(ROOT / "environments")
    assert cli(tmp_path, "render", "--tree", "gitops.out")[0] == 0
    for name, stack in stacks.items():
        folder = tmp_path / "cdktf.out/stacks" / name
        folder.mkdir(parents=True)
        (folder / "cdk.tf.json").write_text(json.dumps(stack.data))
    return tmp_path


def test_the_command(rendered: Path) -> None:
    code, printed, _ = cli(rendered, "check")
    assert (code, printed) == (0, f"gitops.out and cdktf.out: {len(POLICIES)} policies, 0 findings\n")
    broken = rendered / "gitops.out/platform/cache/staging/configs/valkey-cache-main.yaml"
    broken.write_text(broken.read_text().replace("tls: true", "tls: false"))
    code, printed, _ = cli(rendered, "check")
    assert code == 1
    assert printed.startswith("TLS001 platform/cache/staging/configs/valkey-cache-main.yaml: Valkey cache main lets")
    assert "Fix: switch TLS on" in printed
    code, printed, _ = cli(rendered, "check", "--json")
    assert (code, [item["policy"] for item in json.loads(printed)]) == (1, ["TLS001"])


def test_what_is_sealed_for_another_key_than_the_environment_has_is_told(rendered: Path) -> None:
    own, other = (f"age1{letter * 58}" for letter in "qp")
    (rendered / "gitops.out/.sops.yaml").write_bytes(sops_config({"staging": [own]}))
    file = "platform/secrets/staging/sealed/secret-db.yaml"
    for key, ended in ((own, 0), (other, 1)):
        sealed = {"metadata": {"name": "db", "namespace": "databases"}, "sops": {"age": [{"recipient": key}]}}
        (rendered / "gitops.out" / file).write_text(json.dumps({"apiVersion": "v1", "kind": "Secret", **sealed}))
        listing = (rendered / "gitops.out" / file).with_name("kustomization.yaml")
        listing.write_bytes(listed(listing, ["secret-db.yaml"]))
        code, printed, _ = cli(rendered, "check")
        assert code == ended, printed
    assert printed.startswith(f"SEAL001 {file}: Secret databases db is sealed for {other[:12]}…, and .sops.yaml names ")


def test_the_policies_are_listed_with_reason_and_fix(tmp_path: Path) -> None:
    code, printed, _ = cli(tmp_path, "check", "--list", "--json")
    listed = json.loads(printed)
    assert (code, [row["id"] for row in listed]) == (0, [policy.id for policy in POLICIES])
    assert all(row["reason"] and row["fix"] for row in listed)
    assert cli(tmp_path, "check", "--list")[1].count("Fix: ") == len(POLICIES)


def test_what_cannot_be_read_is_told(rendered: Path) -> None:
    code, _, said = cli(rendered, "check", "--tree", "nowhere")
    assert (code, said) == (2, "nowhere: holds no rendered tree; render one, or name another with --tree\n")
    code, _, said = cli(rendered, "check", "--stacks", "nowhere")
    assert (code, said) == (2, "nowhere: holds no stack; synthesise them, or name another folder with --stacks\n")
    stack = rendered / "cdktf.out/stacks/sandbox-flux/cdk.tf.json"
    text = stack.read_text()
    stack.write_text("{")
    code, _, said = cli(rendered, "check")
    assert (code, said) == (2, f"{stack.relative_to(rendered)}: cannot be read as JSON; synthesise again\n")
    stack.write_text(text)
    (rendered / "gitops.out/apps/sandbox/x.yaml").write_text("a: [")
    code, _, said = cli(rendered, "check")
    assert (code, said) == (2, "gitops.out/apps/sandbox/x.yaml: cannot be read as YAML; correct it, or render again\n")


def test_stacks_are_read_from_their_folder(rendered: Path) -> None:
    assert len(read_stacks(rendered / "cdktf.out")) == 13
