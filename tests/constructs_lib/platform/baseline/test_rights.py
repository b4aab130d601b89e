"""The role of applications and the policies beside it, as they are rendered; an API server tries them in tests/e2e."""

from __future__ import annotations

from typing import Any

import pytest

from constructs_lib.environment import Environment, load_all
from constructs_lib.platform import baseline
from tests.support import ROOT, environment, everything, parsed

ENVIRONMENTS = (*load_all(ROOT / "environments"), everything())
every_environment = pytest.mark.parametrize("env", ENVIRONMENTS, ids=lambda env: env.name)
ATTACKS = parsed((ROOT / "tests/e2e/applications.yaml").read_text())["attacks"]
REFUSED = {
    "apps-networks": (["networkpolicies"], ["CREATE", "UPDATE", "DELETE"]),
    "apps-certificates": (["certificates"], ["CREATE", "UPDATE"]),
    "apps-ingresses": (["ingresses"], ["CREATE", "UPDATE"]),
    "apps-routes": (["ingressroutes", "ingressroutetcps"], ["CREATE", "UPDATE"]),
    "apps-monitors": (["servicemonitors", "podmonitors"], ["CREATE", "UPDATE"]),
    "apps-secret-stores": (["secretstores"], ["CREATE", "UPDATE"]),
    "apps-external-secrets": (["externalsecrets"], ["CREATE", "UPDATE"]),
    "apps-role-bindings": (["rolebindings"], ["CREATE", "UPDATE"]),
    "apps-services": (["services"], ["CREATE", "UPDATE"]),
}


def granted(env: Environment, kind: str) -> dict[str, dict[str, Any]]:
    """Return the objects of a kind in the layer of rights, by name."""
    items = (item for layer in env.layers if layer.id == baseline.RBAC for item in layer.manifests)
    return {item["metadata"]["name"]: item for item in items if item["kind"] == kind}


def rights(env: Environment) -> dict[tuple[str, str], list[str]]:
    """Return the verbs that the role of applications has on each resource."""
    rules = granted(env, "ClusterRole")["platform-apps"]["rules"]
    return {(group, name): rule["verbs"] for rule in rules for group in rule["apiGroups"] for name in rule["resources"]}


def test_the_role_of_applications_is_its_own_and_names_every_verb() -> None:
    role = granted(environment(), "ClusterRole")["platform-apps"]
    assert "labels" not in role["metadata"]
    assert "aggregationRule" not in role
    written = ["get", "list", "watch", "create", "update", "patch", "delete"]
    found = rights(environment())
    assert {name for (_, name), verbs in found.items() if verbs == ["get", "list", "watch"]} == {
        "events",
        "pods",
        "replicasets",
    }
    assert all(verbs == written for (_, name), verbs in found.items() if name not in ("events", "pods", "replicasets"))


def test_no_application_reads_a_secret_or_has_a_kind_of_flux() -> None:
    found = rights(environment())
    assert not {name for _, name in found} & {"secrets", "clusterissuers", "issuers", "certificaterequests"}
    assert not [group for group, _ in found if "fluxcd" in group]
    assert ("cert-manager.io", "certificates") in found
    assert ("external-secrets.io", "externalsecrets") in found


@every_environment
def test_what_applications_may_not_do_is_refused_in_their_namespaces(env: Environment) -> None:
    policies, bindings = (granted(env, f"ValidatingAdmissionPolicy{end}") for end in ("", "Binding"))
    assert bindings.keys() == policies.keys() == REFUSED.keys()
    for name, (kinds, operations) in REFUSED.items():
        spec = policies[name]["spec"]
        (rule,) = spec["matchConstraints"]["resourceRules"]
        assert (rule["resources"], rule["operations"], rule["apiVersions"]) == (kinds, operations, ["*"])
        assert spec["failurePolicy"] == "Fail"
        assert bindings[name]["spec"] == {
            "policyName": name,
            "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": {"matchLabels": {"app.kubernetes.io/part-of": "apps"}}},
        }


def test_who_is_meant_is_an_application_and_cert_manager_for_certificates_alone() -> None:
    meant = {
        name: [one["expression"] for one in item["spec"]["matchConditions"]]
        for name, item in granted(environment(), "ValidatingAdmissionPolicy").items()
    }
    application = (
        "request.userInfo.username.startsWith('system:serviceaccount:flux-system:flux-app-') || "
        "request.userInfo.username.startsWith('system:serviceaccount:' + request.namespace + ':')"
    )
    shim = f"{application} || request.userInfo.username == 'system:serviceaccount:cert-manager:cert-manager'"
    assert meant.pop("apps-certificates") == [shim]
    assert set(map(tuple, meant.values())) == {(application,)}


def test_every_kind_that_is_refused_is_one_that_the_role_holds() -> None:
    held = {name for _, name in rights(environment())}
    assert {kind for kinds, _ in REFUSED.values() for kind in kinds} <= held


def test_each_sentence_is_tried_by_an_attack() -> None:
    said = [
        one["message"]
        for item in granted(environment(), "ValidatingAdmissionPolicy").values()
        for one in item["spec"]["validations"]
    ]
    for message in said:
        assert [part for part in ATTACKS if part in message], f"no attack of applications.yaml is told: {message}"
    assert all([message for message in said if part in message] for part in ATTACKS)


def test_the_policies_that_close_a_namespace_are_named_as_they_are_rendered() -> None:
    env = environment()
    items = [item for layer in env.layers for item in layer.manifests if item["kind"] == "NetworkPolicy"]
    names = sorted({item["metadata"]["name"] for item in items if item["metadata"]["namespace"] == "episodic"})
    assert {"default-deny", "allow-dns", "apps"} <= set(names)
    first = granted(env, "ValidatingAdmissionPolicy")["apps-networks"]["spec"]["validations"][0]
    assert first["expression"] == f"!(request.name in {names})"


def test_vault_and_the_paths_of_the_platform_are_those_of_the_environment() -> None:
    env = environment(vault__address="https://vault.example.org")
    found = granted(env, "ValidatingAdmissionPolicy")
    (store,) = found["apps-secret-stores"]["spec"]["validations"]
    assert "== 'https://vault.example.org'" in store["expression"]
    store, entry = (item["expression"] for item in found["apps-external-secrets"]["spec"]["validations"])
    assert store.startswith("(!has(object.spec.secretStoreRef) || ")
    assert "['/sandbox/flux/', '/sandbox/platform/', '/sandbox/provisioning/']" in entry


def test_each_application_has_the_hosts_of_its_entry_and_no_other() -> None:
    shop = {"owner": "shop", "hosts": {"shop": {"port": 80}, "inside": {"port": 80, "public": False}}}
    found = granted(environment(applications__shop=shop), "ValidatingAdmissionPolicy")
    domain = "sandbox.episodic.example"
    declared = f"{{'episodic': ['www.{domain}'], 'shop': ['shop.{domain}']}}[request.namespace]"
    for name in ("apps-certificates", "apps-ingresses", "apps-routes"):
        text = " ".join(item["expression"] for item in found[name]["spec"]["validations"])
        assert declared in text
        assert "endsWith('.episodic.example')" in text, "other environments have hosts in the zone too"


def test_without_applications_nothing_is_refused() -> None:
    env = environment(applications={})
    assert granted(env, "ValidatingAdmissionPolicy") == {}
    assert granted(env, "RoleBinding") == {}
