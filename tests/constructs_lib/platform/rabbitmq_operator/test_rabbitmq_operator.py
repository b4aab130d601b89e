"""RabbitMQ: operators from their tagged releases, brokers, and what is declared inside them."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from constructs_lib.base.quantities import Minutes
from constructs_lib.environment import Environment
from constructs_lib.kit import Layer
from tests.constructs_lib.platform import said
from tests.support import environment, everything

BROKER: dict[str, Any] = {
    "name": "events",
    "replicas": 3,
    "vhosts": ["shop"],
    "users": [{"name": "shop", "tags": ["monitoring"], "permissions": [{"vhost": "shop", "configure": "^shop"}]}],
    "policies": [{"name": "limit", "vhost": "shop", "definition": {"delivery-limit": 20}, "priority": 1}],
}


def with_broker(file: str = "sandbox", **changes: Any) -> Environment:
    return environment(file, platform__rabbitmq_operator={"clusters": [BROKER | changes]})


def layers(env: Environment) -> dict[str, Layer]:
    return {layer.id.part: layer for layer in env.layers if layer.id.area == "messaging"}


def objects(env: Environment) -> dict[tuple[str, str], dict[str, Any]]:
    found = [item for layer in layers(env).values() for item in layer.manifests]
    return {(item["kind"], item["metadata"]["name"]): item for item in found}


@pytest.mark.parametrize(
    ("name", "version", "commit"),
    [
        ("rabbitmq-cluster-operator", "2.22.3", "03e0b49c077a9c8d926fb4c8cbe2dd0bbdffd539"),
        ("messaging-topology-operator", "1.20.1", "bf34d8456e5c44e861d40e265085fe2e9b8d1976"),
    ],
)
def test_an_operator_is_one_commit_of_its_repository_with_the_image_pinned(
    name: str, version: str, commit: str
) -> None:
    found = objects(environment())
    assert found["GitRepository", name]["spec"]["ref"] == {"tag": f"v{version}", "commit": commit}
    spec = found["Kustomization", name]["spec"]
    assert [image["newTag"] for image in spec["images"]] == [version], "the release itself says latest"
    assert spec["path"] == "./config/installation"
    assert spec["deletionPolicy"] == "Orphan", "its CRDs hold the brokers"


def patches(operator: str) -> list[Any]:
    """Return what is patched into an operator's tagged release."""
    spec = objects(environment())["Kustomization", operator]["spec"]
    return [yaml.safe_load(item["patch"]) for item in spec["patches"]]


@pytest.mark.parametrize(
    ("operator", "container", "memory"),
    [("rabbitmq-cluster-operator", "operator", "256Mi"), ("messaging-topology-operator", "manager", "128Mi")],
)
def test_an_operator_reserves_little_and_its_cpu_is_not_limited(operator: str, container: str, memory: str) -> None:
    (found,) = patches(operator)[2]["spec"]["template"]["spec"]["containers"]
    assert found["name"] == container, "that of upstream's Deployment, or a container would be added"
    assert found["resources"]["requests"] == {"cpu": "50m", "memory": memory}
    assert found["resources"]["limits"]["cpu"] is None, "null removes upstream's limit"


def test_the_topology_operator_trusts_the_ca_that_signed_the_brokers() -> None:
    pods = patches("messaging-topology-operator")[2]["spec"]["template"]["spec"]
    (mount,) = pods["containers"][0]["volumeMounts"]
    assert (mount["mountPath"], mount["subPath"]) == ("/etc/ssl/certs/internal-ca.crt", "ca.crt")
    (volume,) = pods["volumes"]
    assert (volume["name"], volume["secret"]["secretName"]) == (mount["name"], "trusted-ca")
    found = layers(environment())
    certificate = objects(environment())["Certificate", "trusted-ca"]
    assert certificate["metadata"]["namespace"] == "rabbitmq-system"
    assert certificate in found["topology-controllers"].manifests
    assert set(map(str, found["topology-controllers"].after)) == {"messaging-controllers", "cert-manager-issuers"}


def test_the_operators_are_placed_and_leave_the_namespace_to_the_baseline() -> None:
    namespace, placement, _ = patches("rabbitmq-cluster-operator")
    assert namespace["$patch"] == "delete"
    placed = {item["path"].rpartition("/")[2]: item["value"] for item in placement}
    assert placed["nodeSelector"] == {"pool-role": "system"}
    assert placed["tolerations"] == [{"key": "CriticalAddonsOnly", "operator": "Exists"}]


def test_a_broker_speaks_tls_alone_and_pauses_without_a_majority() -> None:
    found = objects(with_broker())
    spec = found["RabbitmqCluster", "events"]["spec"]
    assert spec["tls"] == {
        "secretName": "events-rabbitmq-tls",
        "caSecretName": "events-rabbitmq-tls",
        "disableNonTLSListeners": True,
    }
    assert "cluster_partition_handling = pause_minority" in spec["rabbitmq"]["additionalConfig"]
    assert "default_queue_type = quorum" in spec["rabbitmq"]["additionalConfig"]
    assert "ssl_options.fail_if_no_peer_cert = false" in spec["rabbitmq"]["additionalConfig"], "clients have passwords"
    certificate = found["Certificate", "events-rabbitmq-tls"]["spec"]
    assert "events.messaging.svc" in certificate["dnsNames"]
    assert "*.events-nodes.messaging.svc.cluster.local" in certificate["dnsNames"], "nodes are checked by name"
    assert certificate["issuerRef"]["name"] == "internal-ca"


def test_prometheus_reads_each_broker_by_tls_and_knows_it_by_its_name() -> None:
    spec = objects(with_broker())["PodMonitor", "events-rabbitmq"]["spec"]
    assert spec["selector"]["matchLabels"]["app.kubernetes.io/name"] == "events"
    (endpoint,) = spec["podMetricsEndpoints"]
    assert (endpoint["port"], endpoint["scheme"]) == ("prometheus-tls", "https")
    assert endpoint["tlsConfig"]["ca"] == {"secret": {"name": "events-rabbitmq-tls", "key": "ca.crt"}}
    names = objects(with_broker())["Certificate", "events-rabbitmq-tls"]["spec"]["dnsNames"]
    assert endpoint["tlsConfig"]["serverName"] in names


def test_a_broker_is_stopped_in_minutes_not_in_a_week() -> None:
    assert objects(with_broker())["RabbitmqCluster", "events"]["spec"]["terminationGracePeriodSeconds"] == 600


def test_the_brokers_version_answers_the_start_up_probe_of_its_operator() -> None:
    """The operator asks for /api/health/checks/reached-target-cluster-size, which RabbitMQ 4.0 does not have (404).

    Source: rabbitmq/cluster-operator v2.22.3 `internal/resource/statefulset.go` (startupProbe) and `cmd/main.go`, whose
    own image is 4.2.6. Another version of the operator or of RabbitMQ: look both up, and write down that they fit.
    """
    fits = {"2.22.3": "docker.io/library/rabbitmq:4.2."}
    found = objects(with_broker())
    version = found["GitRepository", "rabbitmq-cluster-operator"]["spec"]["ref"]["tag"].removeprefix("v")
    broker = found["RabbitmqCluster", "events"]
    assert broker["spec"]["image"].startswith(fits[version])
    assert "rabbitmq.com/legacy-startup-probe" not in broker["metadata"]["annotations"]


def test_memory_is_reserved_whole() -> None:
    sizes = objects(with_broker(memory="2Gi"))["RabbitmqCluster", "events"]["spec"]["resources"]
    assert sizes["requests"]["memory"] == sizes["limits"]["memory"] == "2Gi"


@pytest.mark.parametrize(("file", "rule"), [("staging", "preferred"), ("production", "required")])
def test_brokers_are_kept_apart(file: str, rule: str) -> None:
    affinity = objects(with_broker(file))["RabbitmqCluster", "events"]["spec"]["affinity"]
    assert list(affinity["podAntiAffinity"]) == [f"{rule}DuringSchedulingIgnoredDuringExecution"]
    terms = affinity["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert terms == [{"matchExpressions": [{"key": "pool-role", "operator": "In", "values": ["system"]}]}]


@pytest.mark.parametrize("replicas", [1, 3])
def test_never_two_nodes_of_a_broker_go_at_once_and_a_lone_one_is_in_nobodys_way(replicas: int) -> None:
    found = objects(with_broker(replicas=replicas))
    budget = found.get(("PodDisruptionBudget", "events"))
    if replicas == 1:
        assert budget is None
    else:
        labels = {"app.kubernetes.io/name": "events", "app.kubernetes.io/component": "rabbitmq"}
        assert budget is not None
        assert budget["spec"] == {"maxUnavailable": 1, "selector": {"matchLabels": labels}}


def test_a_user_with_the_label_that_the_webhook_wants() -> None:
    found = objects(with_broker())
    template = found["ExternalSecret", "events-shop"]["spec"]["target"]["template"]
    assert template["metadata"]["labels"] == {"rabbitmq.com/topology-operator": "true"}
    assert template["data"] == {"username": "shop", "password": "{{ .password }}"}
    user = found["User", "events-shop"]["spec"]
    assert (user["importCredentialsSecret"], user["tags"]) == ({"name": "events-shop"}, ["monitoring"])


def test_vhosts_permissions_and_policies() -> None:
    found = objects(with_broker())
    vhost = found["Vhost", "events-shop"]["spec"]
    assert (vhost["name"], vhost["defaultQueueType"], vhost["deletionPolicy"]) == ("shop", "quorum", "retain")
    permission = found["Permission", "events-shop-shop"]["spec"]
    assert permission["permissions"] == {"configure": "^shop", "write": ".*", "read": ".*"}
    assert permission["userReference"] == {"name": "events-shop"}
    policy = found["Policy", "events-limit"]["spec"]
    assert (policy["applyTo"], policy["definition"], policy["priority"]) == ("quorum_queues", {"delivery-limit": 20}, 1)
    for kind in ("Vhost", "User", "Permission", "Policy"):
        specs = [item["spec"] for (found_kind, _), item in found.items() if found_kind == kind]
        assert all(spec["rabbitmqClusterReference"] == {"name": "events"} for spec in specs)


def test_names_of_rabbitmq_are_taken_as_it_has_them() -> None:
    users = [{"name": "Shop.App_1", "permissions": [{"vhost": "/"}]}]
    policies = [{"name": "ttl_short", "vhost": "events.eu", "definition": {"message-ttl": 1}}]
    found = objects(with_broker(vhosts=["/", "events.eu"], users=users, policies=policies))
    assert found["Vhost", "events-default"]["spec"]["name"] == "/"
    assert found["Vhost", "events-events-eu"]["spec"]["name"] == "events.eu"
    assert found["Permission", "events-shop-app-1-default"]["spec"]["vhost"] == "/"
    assert found["Policy", "events-ttl-short"]["spec"]["name"] == "ttl_short"
    secret = found["ExternalSecret", "events-shop-app-1"]["spec"]
    assert secret["target"]["template"]["data"]["username"] == "Shop.App_1"
    assert secret["data"][0]["remoteRef"]["key"] == "sandbox/platform/rabbitmq/events/Shop.App_1"


def test_further_plugins_are_turned_on() -> None:
    spec = objects(with_broker(plugins=["rabbitmq_shovel"]))["RabbitmqCluster", "events"]["spec"]
    assert spec["rabbitmq"]["additionalPlugins"] == ["rabbitmq_shovel"]
    assert "additionalPlugins" not in objects(with_broker())["RabbitmqCluster", "events"]["spec"]["rabbitmq"]


@pytest.mark.parametrize(
    ("main", "other", "sentence"),
    [
        (
            {"vhosts": ["/", "default"]},
            {},
            "vhosts: '/' of 'main' and vhosts: 'default' of 'main' would have one Vhost, main-default; rename one",
        ),
        (
            {"users": [{"name": "App"}, {"name": "app"}]},
            {},
            "users: 'App' of 'main' and users: 'app' of 'main' would have one Secret, main-app; rename one of them",
        ),
        (
            {
                "vhosts": ["/"],
                "policies": [{"name": name, "vhost": "/", "definition": {"x": 1}} for name in ("a.b", "a_b")],
            },
            {},
            "policies: 'a.b' of 'main' and policies: 'a_b' of 'main' would have one Policy, main-a-b; rename",
        ),
        (
            {
                "vhosts": ["b-c", "c"],
                "users": [
                    {"name": "a", "permissions": [{"vhost": "b-c"}]},
                    {"name": "a-b", "permissions": [{"vhost": "c"}]},
                ],
            },
            {},
            "users: 'a' of 'main' in 'b-c' and users: 'a-b' of 'main' in 'c' would have one Permission, main-a-b-c",
        ),
        (
            {"users": [{"name": "app-default-user"}]},
            {"name": "main-app"},
            "users: 'app-default-user' of 'main' and clusters: 'main-app' would have one Secret, main-app-default-user",
        ),
    ],
)
def test_names_that_fall_on_one_object_are_refused_with_their_keys(
    main: dict[str, Any], other: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        environment(platform__rabbitmq_operator__clusters=[{"name": "main", **main}, {"name": "other", **other}])


def test_a_user_comes_after_its_secret_and_its_broker() -> None:
    found = layers(environment())
    needed = ("configs", "credentials", "topology-controllers")
    assert set(found["topology"].after) == {found[name].id for name in needed}
    assert {item["kind"] for item in found["topology"].manifests} >= {"User", "Vhost"}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"users": [{"name": "default_user"}]},
            "users: 'default_user' would have the Secret events-default-user, which",
        ),
        ({"vhosts": ["shp"]}, "users: 'shop': unknown vhost 'shop', known are shp; did you mean 'shp'"),
        ({"users": []} | {"vhosts": ["a"]}, "policies: 'limit': unknown vhost 'shop', known are a"),
        ({"vhosts": ["shop", "shop"]}, "vhosts names 'shop' twice; remove one"),
        ({"replicas": 2}, "replicas"),
        ({"users": [{"name": "a"}, {"name": "a"}]}, "two entries have the name 'a'"),
        ({"memory": "2GB"}, "must be an amount of memory such as '512Mi'"),
    ],
)
def test_bad_settings_are_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        with_broker(**changes)


def test_links() -> None:
    assert said.links("rabbitmq_operator", everything()) == [
        "rabbitmq-system/cluster-operator -> the API server: 443 6443 16443",
        "rabbitmq-system/topology-operator -> the API server: 443 6443 16443",
        "messaging/brokers -> the API server: 443 6443 16443",
        "the API server -> rabbitmq-system/cluster-operator: 9443",
        "the API server -> rabbitmq-system/topology-operator: 9443",
        "rabbitmq-system/cluster-operator -> messaging/brokers: 15671",
        "rabbitmq-system/topology-operator -> messaging/brokers: 15671",
        "messaging/brokers -> messaging/brokers: 4369 25672 35672-35682 6000-6500",
        "observability/prometheus -> messaging/brokers: 15691",
        "messaging/copy-main -> messaging/broker-main: 15671",
        "messaging/copy-main -> the internet: 443",
        "messaging-drills/main -> the internet: 443",
        "episodic/apps -> messaging/broker-main: 5671",
    ]


def test_settings() -> None:
    assert said.settings("rabbitmq_operator") == {
        "RabbitmqOperator.enabled": "True",
        "RabbitmqOperator.clusters": "()",
        "RabbitmqCluster.name": "required",
        "RabbitmqCluster.retired": "None",
        "RabbitmqCluster.replicas": "1",
        "RabbitmqCluster.storage": "'10Gi'",
        "RabbitmqCluster.cpu": "'250m'",
        "RabbitmqCluster.memory": "'1Gi'",
        "RabbitmqCluster.plugins": "()",
        "RabbitmqCluster.vhosts": "()",
        "RabbitmqCluster.users": "()",
        "RabbitmqCluster.policies": "()",
        "RabbitmqCluster.recovery": "DefinitionsRecovery(rto='60m', drill=None, rpo='24h', check='list_vhosts')",
        "RabbitmqCluster.recover_from": "None",
        "DefinitionsRecovery.rpo": "'24h'",
        "DefinitionsRecovery.rto": "'60m'",
        "DefinitionsRecovery.drill": "None",
        "DefinitionsRecovery.check": "'list_vhosts' MinLen(min_length=1)",
        "Origin.archive": "required",
        "Origin.until": "None",
        "User.name": "required",
        "User.tags": "()",
        "User.permissions": "()",
        "Permission.vhost": "required",
        "Permission.configure": "'.*'",
        "Permission.write": "'.*'",
        "Permission.read": "'.*'",
        "QueuePolicy.name": "required",
        "QueuePolicy.vhost": "required",
        "QueuePolicy.pattern": "'.*'",
        "QueuePolicy.apply_to": "'quorum_queues'",
        "QueuePolicy.definition": "required MinLen(min_length=1)",
        "QueuePolicy.priority": "0 Ge(ge=0)",
    }


def test_values() -> None:
    (broker,) = (item for layer in everything().layers for item in layer.manifests if item["kind"] == "RabbitmqCluster")
    assert broker["spec"]["image"] == "docker.io/library/rabbitmq:4.2.6-management"
    assert broker["spec"]["persistence"]["storageClassName"] == "do-block-storage-retain"
    assert broker["spec"]["tolerations"] == [{"key": "CriticalAddonsOnly", "operator": "Exists"}]
    sources = {
        item["metadata"]["name"]: (item["spec"]["url"], item["spec"]["ref"]["tag"])
        for layer in everything().layers
        for item in layer.manifests
        if item["kind"] == "GitRepository"
    }
    assert sources == {
        "rabbitmq-cluster-operator": ("https://github.com/rabbitmq/cluster-operator", "v2.22.3"),
        "messaging-topology-operator": ("https://github.com/rabbitmq/messaging-topology-operator", "v1.20.1"),
    }


def test_operators() -> None:
    assert said.operators("rabbitmq_operator") == {
        "rabbitmq-cluster-operator": (
            "brings rabbitmq.com",
            "RabbitmqCluster holds data",
            "webhook rabbitmq-system/cluster-operator: 9443",
        ),
        "messaging-topology-operator": ("webhook rabbitmq-system/topology-operator: 9443",),
    }


@pytest.mark.parametrize(("replicas", "objectives"), [(1, 3), (3, 4)])
def test_a_quorum_is_watched_where_there_is_one(replicas: int, objectives: int) -> None:
    env = environment(platform__rabbitmq_operator={"clusters": [{"name": "x", "replicas": replicas}]})
    assert len(env.platform.rabbitmq_operator.health(env).slos) == objectives


def test_what_flux_installs_is_pruned_but_its_kinds_stay() -> None:
    objects = [item for layer in everything().layers for item in layer.manifests]
    kind = "kustomize.toolkit.fluxcd.io/v1"
    specs = [item["spec"] for item in objects if item["apiVersion"] == kind]
    assert [(spec["prune"], spec["wait"], spec["deletionPolicy"]) for spec in specs] == [(True, True, "Orphan")] * 2


def test_an_operator_is_ready_or_late_before_what_waits_for_it_is() -> None:
    found: list[str] = []
    for layer in everything().layers:
        for item in (item for item in layer.manifests if item["apiVersion"] == "kustomize.toolkit.fluxcd.io/v1"):
            spec = item["spec"]
            assert (spec["interval"], spec["retryInterval"], spec["timeout"]) == ("1h", "2m", "8m")
            assert Minutes(spec["timeout"]).seconds < layer.release_timeout.seconds < layer.timeout.seconds
            found.append(item["metadata"]["name"])
    assert found == ["rabbitmq-cluster-operator", "messaging-topology-operator"]
