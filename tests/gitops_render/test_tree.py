"""The rendered tree: where things are, in which order Flux applies them, and what every Flux object carries."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import pytest

from constructs_lib.base.errors import ConfigError
from constructs_lib.environment import Environment, load_all
from constructs_lib.kit import Chart, Layer, LayerId, Release, manifest
from gitops_render.charts import repository_name
from gitops_render.tree import render
from tests.support import ROOT, environment, everything, parsed

ENVIRONMENTS = load_all(ROOT / "environments")
OPERATORS_OF_UPSTREAM = ("rabbitmq-cluster-operator", "messaging-topology-operator")
"""Flux Kustomizations that are objects of the platform: they read a repository of their own."""
every_environment = pytest.mark.parametrize("env", ENVIRONMENTS, ids=lambda env: env.name)


def objects(env: Environment) -> dict[PurePosixPath, dict[str, Any]]:
    """Return every rendered object by its path."""
    rendered = render(env)
    return {path: parsed(data) for path, data in (rendered.owned | rendered.seeds).items()}


def of_kind(env: Environment, kind: str, group: str = "") -> list[dict[str, Any]]:
    return [item for item in objects(env).values() if item["kind"] == kind and item["apiVersion"].startswith(group)]


SOURCES = ("HelmRepository", "OCIRepository")


def layers(env: Environment) -> dict[str, dict[str, Any]]:
    """Return the Flux Kustomizations by name."""
    found = of_kind(env, "Kustomization", "kustomize.toolkit.fluxcd.io")
    return {item["metadata"]["name"]: item["spec"] for item in found}


def test_where_things_are() -> None:
    found = {str(path) for path in objects(environment())}
    assert found >= {
        "apps/sandbox/episodic/kustomization.yaml",
        "clusters/sandbox/kustomization.yaml",
        "clusters/sandbox/source.yaml",
        "clusters/sandbox/layers.yaml",
        "clusters/sandbox/layers/cert-manager-controllers.yaml",
        "platform/baseline/sandbox/namespaces/namespace-traefik.yaml",
        "platform/cert-manager/sandbox/controllers/helmrelease-cert-manager.yaml",
        "platform/cert-manager/sandbox/issuers/clusterissuer-letsencrypt-staging.yaml",
        "platform/cache/sandbox/configs/valkey-cache-main.yaml",
        "platform/databases/sandbox/configs/cluster-databases-main.yaml",
        "platform/messaging/sandbox/configs/rabbitmqcluster-messaging-main.yaml",
        "platform/observability/sandbox/controllers/helmrelease-kube-prometheus-stack.yaml",
        "platform/secrets/sandbox/sealed/kustomization.yaml",
        "platform/secrets/sandbox/store/externalsecret-sops-age.yaml",
        "platform/sources/sandbox/quay-io-jetstack-charts.yaml",
        "platform/traefik/sandbox/configs/middleware-traefik-security-headers.yaml",
    }
    areas = {path.split("/")[1] for path in found if path.startswith("platform/")}
    assert areas >= {
        *("baseline", "cache", "cert-manager", "databases", "messaging", "observability", "secrets", "sources"),
        "traefik",
    }


@every_environment
def test_every_folder_lists_exactly_its_files(env: Environment) -> None:
    found = objects(env)
    for path, item in found.items():
        if path.name == "kustomization.yaml":
            beside = {other.name for other in found if other.parent == path.parent} - {"kustomization.yaml"}
            assert set(item["resources"]) == beside, path


@every_environment
def test_the_root_reads_nothing_of_the_layers_from_main(env: Environment) -> None:
    root = objects(env)[PurePosixPath("clusters", env.name, "kustomization.yaml")]
    assert root["resources"] == ["source.yaml", "layers.yaml"]
    assert layers(env)["layers"]["path"] == f"./clusters/{env.name}/layers"


@every_environment
def test_every_path_and_dependency_exists(env: Environment) -> None:
    folders = {f"./{path.parent}" for path in objects(env)}
    found = layers(env)
    for name, spec in found.items():
        if name in OPERATORS_OF_UPSTREAM:
            continue
        assert spec["sourceRef"] == {"kind": "GitRepository", "name": "platform"}, name
        assert spec["path"] in folders, name
        for needed in spec.get("dependsOn", []):
            assert needed["name"] in found, name


@every_environment
def test_every_layer_is_pruned_waited_for_and_retried_soon(env: Environment) -> None:
    for name, spec in layers(env).items():
        assert (spec["prune"], spec["force"]) == (True, False), name
        assert spec["wait"] is (name != "layers"), name
        assert (spec["interval"], spec["retryInterval"]) == ("1h", "2m"), name


@every_environment
def test_each_layer_acts_as_an_account_that_is_there_before_it(env: Environment) -> None:
    """A locked-down Flux forbids what names no account; the platform's own is made by `baseline-rbac`."""
    first = {"layers", "platform-sources", "baseline-namespaces", "baseline-rbac"}
    found = layers(env)
    for name, spec in found.items():
        if name in ("apps-episodic", *OPERATORS_OF_UPSTREAM):
            continue
        assert spec["serviceAccountName"] == ("kustomize-controller" if name in first else "flux-platform"), name
        assert name in first or "baseline-rbac" in upstream_of(found, name), name
    assert found["apps-episodic"]["serviceAccountName"] == "flux-app-episodic"
    assert found["apps-episodic"]["path"] == f"./apps/{env.name}/episodic"


def upstream_of(found: dict[str, dict[str, Any]], name: str) -> set[str]:
    """Return every layer that is ready before `name` starts."""
    needed = {item["name"] for item in found[name].get("dependsOn", [])}
    return needed.union(*(upstream_of(found, other) for other in needed))


@every_environment
def test_only_the_sealed_layer_decrypts_and_nothing_encrypted_is_upstream_of_its_key(env: Environment) -> None:
    found = layers(env)
    decrypting = {name: spec["decryption"] for name, spec in found.items() if "decryption" in spec}
    assert decrypting == {"secrets-sealed": {"provider": "sops", "secretRef": {"name": "sops-age"}}}
    assert "secrets-store" in upstream_of(found, "secrets-sealed")
    assert "secrets-sealed" not in upstream_of(found, "secrets-store")


@every_environment
def test_applications_wait_for_their_services_and_not_for_telemetry(env: Environment) -> None:
    needed = {item["name"] for item in layers(env)["apps-episodic"]["dependsOn"]}
    services = ("databases", "messaging", "cache", "traefik")
    assert {f"{area}-configs" for area in services} | {"secrets-sealed", "messaging-topology"} <= needed
    assert not [name for name in needed if name.startswith("observability") or name == "cert-manager-certificates"]


def test_objects_come_after_the_chart_that_defines_their_kind() -> None:
    found = layers(environment())
    for later, earlier in (
        ("cert-manager-issuers", "cert-manager-controllers"),
        ("traefik-configs", "traefik-controllers"),
        ("secrets-store", "secrets-controllers"),
        ("databases-configs", "databases-controllers"),
        ("messaging-topology", "messaging-configs"),
        ("cache-configs", "cache-controllers"),
        ("observability-collectors", "observability-controllers"),
        ("traefik-controllers", "baseline-crds"),
    ):
        assert earlier in upstream_of(found, later), later
    assert "platform-sources" in upstream_of(found, "cert-manager-controllers")


@every_environment
def test_every_release_has_its_source_and_exact_values(env: Environment) -> None:
    sources = {(kind, item["metadata"]["name"]) for kind in SOURCES for item in of_kind(env, kind)}
    releases = of_kind(env, "HelmRelease")
    assert {item["metadata"]["name"] for item in releases} == {r.name for layer in env.layers for r in layer.releases}
    for item in releases:
        spec = item["spec"]
        wanted = spec["chartRef"] if "chartRef" in spec else spec["chart"]["spec"]["sourceRef"]
        assert (wanted["kind"], wanted["name"]) in sources
        assert spec["releaseName"] == item["metadata"]["name"]
        assert spec["targetNamespace"] == spec["storageNamespace"]
        assert spec["driftDetection"]["mode"] == "enabled"
        assert spec["serviceAccountName"] == "flux-platform"
        assert (spec["install"]["crds"], spec["upgrade"]["crds"]) == ("CreateReplace", "CreateReplace")


def test_only_a_stateless_release_is_rolled_back() -> None:
    upgrades = {item["metadata"]["name"]: item["spec"]["upgrade"] for item in of_kind(environment(), "HelmRelease")}
    assert upgrades["traefik"] == {
        "crds": "CreateReplace",
        "cleanupOnFail": True,
        "remediation": {"retries": 3, "remediateLastFailure": True, "strategy": "rollback"},
    }
    assert upgrades["cert-manager"] == {
        "crds": "CreateReplace",
        "strategy": {"name": "RetryOnFailure", "retryInterval": "5m"},
    }


def test_a_release_is_looked_at_every_hour_and_an_install_retried_soon() -> None:
    for item in of_kind(environment(), "HelmRelease"):
        spec = item["spec"]
        assert (spec["interval"], spec["maxHistory"]) == ("1h", 5)
        assert spec["chart"]["spec"]["interval"] == "1h" if "chart" in spec else "chartRef" in spec
        assert spec["install"]["strategy"] == {"name": "RetryOnFailure", "retryInterval": "3m"}
        assert spec["driftDetection"]["ignore"] == [
            {"target": {"kind": "PrometheusRule"}, "paths": ["/metadata/annotations/prometheus-operator-validated"]}
        ]


def test_what_is_fetched_is_looked_at_in_time() -> None:
    env = environment()
    assert {item["spec"]["interval"] for kind in SOURCES for item in of_kind(env, kind)} == {"1h"}
    source = objects(env)[PurePosixPath("clusters/sandbox/source.yaml")]
    assert source["metadata"] == {"name": "platform", "namespace": "flux-system"}
    assert source["spec"] == {
        "interval": "1m",
        "url": env.gitops.ssh_url,
        "ref": {"branch": env.gitops.default_branch},
        "secretRef": {"name": "flux-system"},
    }


def test_how_long_flux_waits_where_no_layer_of_the_platform_says_so() -> None:
    found = layers(environment())
    assert [found[name]["timeout"] for name in ("layers", "platform-sources", "apps-episodic")] == ["5m", "5m", "10m"]


@every_environment
def test_a_layer_and_its_releases_say_when_their_objects_are_ready(env: Environment) -> None:
    found = layers(env)
    releases = {item["metadata"]["name"]: item["spec"] for item in of_kind(env, "HelmRelease")}
    for layer in env.layers:
        for spec in (found[str(layer.id)], *(releases[release.name] for release in layer.releases)):
            assert spec.get("healthCheckExprs", []) == [
                {"apiVersion": version, "kind": kind, "current": current} for version, kind, current in layer.ready
            ]
    assert any(layer.ready for layer in env.layers)


def test_an_oci_repository_says_so() -> None:
    sources = {item["metadata"]["name"]: item["spec"] for item in of_kind(environment(), "HelmRepository")}
    assert sources["quay-io-jetstack-charts"]["type"] == "oci"
    assert "type" not in sources["traefik-github-io-charts"]


def test_a_signed_chart_is_taken_from_its_own_workflow_alone() -> None:
    env = environment()
    files = objects(env)
    path = PurePosixPath("platform/secrets/sandbox/controllers/ocirepository-external-secrets.yaml")
    assert files[path]["spec"] == {
        "interval": "1h",
        "url": "oci://ghcr.io/external-secrets/charts/external-secrets",
        "ref": {"tag": "2.9.0"},
        "layerSelector": {"mediaType": "application/vnd.cncf.helm.chart.content.v1.tar+gzip", "operation": "copy"},
        "verify": {
            "provider": "cosign",
            "matchOIDCIdentity": [
                {
                    "issuer": r"^https://token\.actions\.githubusercontent\.com$",
                    "subject": r"^https://github\.com/external-secrets/external-secrets/\.github/workflows/helm\.yml"
                    r"@refs/heads/main$",
                }
            ],
        },
    }
    (release,) = (item for item in of_kind(env, "HelmRelease") if item["metadata"]["name"] == "external-secrets")
    assert release["spec"]["chartRef"] == {"kind": "OCIRepository", "name": "external-secrets"}
    assert "chart" not in release["spec"]
    assert "ghcr-io-external-secrets-charts" not in {
        item["metadata"]["name"] for item in of_kind(env, "HelmRepository")
    }


@pytest.mark.parametrize(("mirror", "verified"), [("oci://mirror.internal/charts/", True), ("https://mirror", False)])
def test_a_mirror_of_a_registry_has_to_have_the_signatures_too(mirror: str, verified: bool) -> None:
    sources = of_kind(environment(chart_mirror=mirror), "OCIRepository")
    signed = ("cloudnative-pg", "external-secrets", "plugin-barman-cloud")
    assert all(item["spec"]["verify"]["matchOIDCIdentity"] for item in sources)
    urls = sorted(item["spec"]["url"] for item in sources)
    assert urls == ([f"oci://mirror.internal/charts/{name}" for name in signed] if verified else [])


def test_who_signs_which_chart() -> None:
    signed = {item.chart.name: item.chart.signed_by for layer in everything().layers for item in layer.releases}
    assert {name: workflow for name, workflow in signed.items() if workflow} == {
        "cloudnative-pg": "cloudnative-pg/charts/.github/workflows/release-publish.yml@refs/heads/main",
        "plugin-barman-cloud": "cloudnative-pg/charts/.github/workflows/release-publish.yml@refs/heads/main",
        "external-secrets": "external-secrets/external-secrets/.github/workflows/helm.yml@refs/heads/main",
    }


def test_with_a_mirror_there_is_one_source() -> None:
    (source,) = of_kind(environment(chart_mirror="https://charts.internal/all"), "HelmRepository")
    assert source["metadata"]["name"] == "charts-internal-all"
    assert source["spec"]["url"] == "https://charts.internal/all"


@every_environment
def test_nothing_prunes_a_namespace(env: Environment) -> None:
    namespaces = of_kind(env, "Namespace")
    assert namespaces
    for item in namespaces:
        assert item["metadata"]["annotations"]["kustomize.toolkit.fluxcd.io/prune"] == "disabled"
        level = item["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
        why = item["metadata"]["annotations"].get("platform/privileged-reason")
        assert level in ("restricted", "baseline") or (level == "privileged" and why)


@every_environment
def test_rendering_is_pure(env: Environment) -> None:
    assert render(env) == render(env)


def test_a_switched_off_component_leaves_nothing() -> None:
    env = environment(platform__traefik={"enabled": False})
    assert not [path for path in objects(env) if "traefik" in str(path)]


def test_in_apply_mode_flux_has_no_platform() -> None:
    assert sorted(map(str, objects(environment(mode="apply")))) == [
        "apps/sandbox/episodic/kustomization.yaml",
        "clusters/sandbox/kustomization.yaml",
        "clusters/sandbox/source.yaml",
    ]


def test_repository_names_are_made_from_addresses() -> None:
    assert repository_name(Chart("oci://ghcr.io/Example/charts/", "x", "1")) == "ghcr-io-example-charts"


@pytest.mark.parametrize(
    ("doubles", "sentence"),
    [
        (("a", "a"), r"platform/x/sandbox/one/configmap-x-a\.yaml: two objects would be written to this file"),
        ((Release("r", "x", Chart("https://c", "c", "1")),) * 2, "two objects would be written to this file"),
    ],
)
def test_two_objects_in_one_file_are_refused(doubles: tuple[Any, ...], sentence: str) -> None:
    items = tuple(manifest("v1", "ConfigMap", item, "x") if isinstance(item, str) else item for item in doubles)
    with pytest.raises(ConfigError, match=sentence):
        render(with_layers(Layer(LayerId("x", "one"), items)))


def test_one_object_in_two_layers_is_refused_with_both_places() -> None:
    item = manifest("v1", "ConfigMap", "a", "x")
    with pytest.raises(ConfigError) as caught:
        render(with_layers(Layer(LayerId("x", "one"), (item,)), Layer(LayerId("x", "two"), (item,))))
    assert str(caught.value) == (
        "platform/x/sandbox/two/configmap-x-a.yaml: ConfigMap x a is in "
        "platform/x/sandbox/one/configmap-x-a.yaml too; remove one of them"
    )


def with_layers(*layers: Layer) -> Environment:
    """Return the sandbox with these layers instead of its own."""
    env = environment()
    object.__setattr__(env, "layers", layers)
    return env
