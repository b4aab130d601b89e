"""What comes of an application's entry: its limits, its credentials, its ways in, and who opens what for it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from constructs_lib.cloud.records import IngressRecords
from constructs_lib.environment import Environment
from constructs_lib.platform.baseline import BASELINE
from constructs_lib.platform.cert_manager import ISSUERS
from constructs_lib.platform.observability.alerting import Alerting, alertmanager_config
from constructs_lib.platform.traefik import CONFIGS
from constructs_lib.platform.vault_eso import STORE
from tests.support import environment, environment_data, synthesised

ALL = {"postgres": {"main": {}}, "rabbitmq": {"main": {}}, "valkey": {"main": {}}}
APPROLE = {"method": "approle", "mount": "approle", "role_id": "sandbox-role"}


def with_apps(apps: dict[str, dict[str, Any]], **changes: Any) -> Environment:
    named = {name: {"owner": "a", **app} for name, app in apps.items()}
    return environment(applications=named, **changes)


def using(uses: dict[str, Any], **changes: Any) -> Environment:
    return with_apps({"my-shop": {"uses": uses}}, **changes)


def objects(env: Environment, namespace: str) -> dict[tuple[str, str], dict[str, Any]]:
    items = (item for layer in env.layers for item in layer.manifests)
    return {
        (item["kind"], item["metadata"]["name"]): item
        for item in items
        if item["metadata"].get("namespace") == namespace
    }


def secret(env: Environment, name: str) -> dict[str, Any]:
    return objects(env, "my-shop")["ExternalSecret", name]["spec"]


def keys(env: Environment, name: str) -> dict[str, str]:
    return secret(env, name)["target"]["template"]["data"]


def cluster(component: str, **changes: Any) -> dict[str, Any]:
    (first,) = environment_data()["platform"][component]["clusters"]
    return {f"platform__{component}__clusters": [{**first, **changes}]}


def test_each_application_has_a_quota_and_what_a_container_has_that_says_nothing() -> None:
    found = objects(with_apps({"my-shop": {"quota": {"cpu": "4", "memory": "8Gi", "storage": "50Gi"}}}), "my-shop")
    assert found["ResourceQuota", "quota"]["spec"]["hard"] == {
        "requests.cpu": "4",
        "requests.memory": "8Gi",
        "limits.memory": "8Gi",
        "requests.storage": "50Gi",
    }
    (each,) = found["LimitRange", "defaults"]["spec"]["limits"]
    assert each == {
        "type": "Container",
        "defaultRequest": {"cpu": "50m", "memory": "128Mi"},
        "default": {"memory": "128Mi"},
    }


def test_postgres_has_its_role_and_database_and_the_application_what_libpq_reads() -> None:
    env = using({"postgres": {"main": {"extensions": ["vector"]}}})
    spec = objects(env, "databases")["Cluster", "main"]["spec"]
    assert [role["name"] for role in spec["managed"]["roles"]] == ["my_shop"]
    assert spec["bootstrap"]["initdb"]["database"] == "my_shop"
    database = objects(env, "databases")["Database", "main-my-shop"]["spec"]
    assert (database["name"], database["owner"]) == ("my_shop", "my_shop")
    assert [one["name"] for one in database["extensions"]] == ["vector"]
    assert keys(env, "postgres-main") == {
        "PGHOST": "main-rw.databases.svc",
        "PGPORT": "5432",
        "PGDATABASE": "my_shop",
        "PGUSER": "my_shop",
        "PGPASSWORD": "{{ .password }}",
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": "/etc/trusted-ca/ca.crt",
    }


def test_both_ends_read_the_same_password() -> None:
    env = using(ALL)

    def path(namespace: str, name: str) -> tuple[str, str]:
        (data,) = objects(env, namespace)["ExternalSecret", name]["spec"]["data"]
        return data["remoteRef"]["key"], data["remoteRef"]["property"]

    assert path("my-shop", "postgres-main") == path("databases", "main-my-shop")
    assert path("my-shop", "rabbitmq-main") == path("messaging", "main-my-shop")
    assert path("my-shop", "valkey-main") == path("cache", "main-password")


def test_by_the_pooler_where_the_cluster_has_one() -> None:
    uses = {"postgres": {"main": {"pooled": True}}}
    with_pooler = using(uses, **cluster("cloudnative_pg", pooler={"instances": 1}))
    assert keys(with_pooler, "postgres-main")["PGHOST"] == "main-pooler.databases.svc"
    with pytest.raises(ValidationError, match=r"my-shop\.uses\.postgres\.main\.pooled: the cluster has no pooler"):
        using(uses)


def test_a_database_of_another_name_and_one_of_somebody_else() -> None:
    env = using({"postgres": {"main": {"database": "orders"}}})
    assert keys(env, "postgres-main")["PGDATABASE"] == "orders"
    apps = {
        "shop": {"uses": {"postgres": {"main": {}}}},
        "blog": {"uses": {"postgres": {"main": {"database": "shop"}}}},
    }
    with pytest.raises(
        ValidationError, match=r"blog\.uses\.postgres\.main\.database: 'shop' belongs to the role 'shop'"
    ):
        with_apps(apps)


@pytest.mark.parametrize("name", ["postgres", "pg-stat"])
def test_a_role_that_postgres_keeps_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match=f"its role would be '{name.replace('-', '_')}', which Postgres keeps"):
        with_apps({name: {"uses": {"postgres": {"main": {}}}}})


def test_what_a_cluster_lists_itself_stays_as_it_says() -> None:
    own = {"roles": [{"name": "my_shop", "connection_limit": 5}], "databases": [{"name": "old", "owner": "my_shop"}]}
    spec = objects(using({"postgres": {"main": {}}}, **cluster("cloudnative_pg", **own)), "databases")
    roles = spec["Cluster", "main"]["spec"]["managed"]["roles"]
    assert [(role["name"], role["connectionLimit"]) for role in roles] == [("my_shop", 5)]
    assert {name for kind, name in spec if kind == "Database"} == {"main-old", "main-my-shop"}


def test_each_role_gets_into_its_own_database_alone() -> None:
    own = {"roles": [{"name": "reader"}]}
    apps = {name: {"uses": {"postgres": {"main": {}}}} for name in ("shop", "blog")}
    spec = objects(with_apps(apps, **cluster("cloudnative_pg", **own)), "databases")["Cluster", "main"]["spec"]
    assert spec["postgresql"]["pg_hba"] == [
        'hostssl "shop" "shop" all scram-sha-256',
        'hostssl "blog" "blog" all scram-sha-256',
        'hostssl all "reader" all scram-sha-256',
        "host all all all reject",
    ]


def test_a_cluster_that_nobody_uses_yet_starts_with_the_operators_own_database() -> None:
    initdb = objects(with_apps({}), "databases")["Cluster", "main"]["spec"]["bootstrap"]["initdb"]
    assert initdb == {"database": "app", "owner": "app", "dataChecksums": True}


def test_rabbitmq_has_its_user_and_vhost_and_the_application_its_address() -> None:
    env = using({"rabbitmq": {"main": {"vhost": "/orders", "configure": "^$"}}})
    found = objects(env, "messaging")
    assert found["Vhost", "main-orders"]["spec"]["name"] == "/orders"
    rights = found["Permission", "main-my-shop-orders"]["spec"]
    assert (rights["vhost"], rights["permissions"]["configure"]) == ("/orders", "^$")
    assert keys(env, "rabbitmq-main") == {
        "AMQP_URL": "amqps://my-shop:{{ .password | urlquery }}@main.messaging.svc:5671/%2Forders",
        "RABBITMQ_HOST": "main.messaging.svc",
        "RABBITMQ_PORT": "5671",
        "RABBITMQ_VHOST": "/orders",
        "RABBITMQ_USER": "my-shop",
        "RABBITMQ_PASSWORD": "{{ .password }}",
    }


def test_two_applications_may_share_a_vhost_each_as_its_own_user() -> None:
    apps = {name: {"uses": {"rabbitmq": {"main": {"vhost": "shared"}}}} for name in ("shop", "blog")}
    found = objects(with_apps(apps), "messaging")
    assert [name for kind, name in found if kind == "Vhost"] == ["main-shared"]
    assert {name for kind, name in found if kind == "User"} == {"main-shop", "main-blog", "main-backups"}


def test_valkey_is_reached_with_the_one_password_of_its_cluster() -> None:
    assert keys(using({"valkey": {"main": {}}}), "valkey-main") == {
        "REDIS_URL": "rediss://:{{ .password | urlquery }}@main.cache.svc:6379",
        "REDIS_HOST": "main.cache.svc",
        "REDIS_PORT": "6379",
        "REDIS_PASSWORD": "{{ .password }}",
    }


def test_a_valkey_is_used_by_several_only_where_each_says_so() -> None:
    def sharing(*says: dict[str, Any], **more: Any) -> Environment:
        apps = {f"app-{n}": {"uses": {"valkey": {"main": one}}, **more} for n, one in enumerate(says)}
        return with_apps(apps)

    assert sharing({}).applications
    assert sharing({"shared": True}, {"shared": True}).applications
    assert sharing({}, {}, retired=True).applications, "what is retired reads nothing"
    with pytest.raises(ValidationError, match=r"app-1\.uses\.valkey\.main: 'app-0' uses this cluster too") as caught:
        sharing({"shared": True}, {})
    assert "app-0.uses.valkey" not in str(caught.value)


def test_its_own_secrets_come_from_below_its_own_path() -> None:
    spec = secret(using({"secrets": {"stripe": ["api_key", "hook"]}}), "secret-stripe")
    assert [(one["secretKey"], one["remoteRef"]["key"], one["remoteRef"]["property"]) for one in spec["data"]] == [
        ("api_key", "sandbox/platform/apps/my-shop/stripe", "api_key"),
        ("hook", "sandbox/platform/apps/my-shop/stripe", "hook"),
    ]


def test_everything_is_read_by_the_application_s_own_account() -> None:
    env = using({**ALL, "secrets": {"stripe": ["api_key"]}})
    found = objects(env, "my-shop")
    stores = {name: item["spec"]["secretStoreRef"] for (kind, name), item in found.items() if kind == "ExternalSecret"}
    assert len(stores) == 4
    assert all(store == {"kind": "SecretStore", "name": "vault"} for store in stores.values())
    login = found["SecretStore", "vault"]["spec"]["provider"]["vault"]["auth"]["jwt"]
    assert login["role"] == "external-secrets-app-my-shop"
    assert login["kubernetesServiceAccountToken"]["serviceAccountRef"] == {"name": "vault", "audiences": ["vault"]}
    assert found["ServiceAccount", "vault"]["automountServiceAccountToken"] is False
    (rule,) = found["Role", "vault-token"]["rules"]
    assert rule["resourceNames"] == ["vault"]


def test_with_an_approle_a_store_of_the_cluster_serves_one_namespace_alone() -> None:
    env = using(ALL, vault__auth=APPROLE)
    assert secret(env, "postgres-main")["secretStoreRef"] == {"kind": "ClusterSecretStore", "name": "vault-app-my-shop"}
    items = [item for layer in env.layers for item in layer.manifests if item["kind"] == "ClusterSecretStore"]
    (store,) = [item for item in items if item["metadata"]["name"] == "vault-app-my-shop"]
    assert store["spec"]["conditions"] == [{"namespaces": ["my-shop"]}]
    assert not [kind for kind, _ in objects(env, "my-shop") if kind == "SecretStore"]


def test_what_is_retired_keeps_its_data_and_has_no_credentials() -> None:
    env = with_apps({"my-shop": {"uses": ALL, "retired": True, "hosts": {"www": {"port": 80}}}})
    kinds = {kind for kind, _ in objects(env, "my-shop")}
    assert not kinds & {"ExternalSecret", "Ingress"}
    assert ("Database", "main-my-shop") in objects(env, "databases")
    assert ("Vhost", "main-my-shop") in objects(env, "messaging")


def test_a_public_host_has_an_ingress_with_a_certificate() -> None:
    hosts = {"www": {"port": 8080}, "api": {"port": 9000, "service": "backend"}, "admin": {"port": 1, "public": False}}
    found = objects(with_apps({"my-shop": {"hosts": hosts}}), "my-shop")
    assert {name for kind, name in found if kind == "Ingress"} == {"www", "api"}
    ingress = found["Ingress", "www"]
    (rule,) = ingress["spec"]["rules"]
    assert rule["host"] == "www.sandbox.episodic.example"
    (path,) = rule["http"]["paths"]
    assert (path["path"], path["pathType"]) == ("/", "Prefix")
    assert path["backend"] == {"service": {"name": "my-shop", "port": {"number": 8080}}}
    assert ingress["spec"]["tls"] == [{"hosts": [rule["host"]], "secretName": "www-tls"}]
    assert ingress["metadata"]["annotations"] == {"cert-manager.io/cluster-issuer": "letsencrypt-staging"}
    assert ingress["spec"]["ingressClassName"] == "traefik"
    (other,) = found["Ingress", "api"]["spec"]["rules"]
    assert other["http"]["paths"][0]["backend"] == {"service": {"name": "backend", "port": {"number": 9000}}}


def test_under_the_internal_ca_the_platform_asks_for_the_certificate_of_a_host() -> None:
    """Whoever asks for it by an annotation is refused: the CA signs for Services of the application's own namespace."""
    hosts = {"www": {"port": 8080}, "admin": {"port": 1, "public": False}}
    issuer = {"issuer": "internal-ca", "dns_challenge": None}
    env = with_apps({"my-shop": {"hosts": hosts}}, platform__cert_manager=issuer)
    found = objects(env, "my-shop")
    assert {name for kind, name in found if kind == "Certificate"} == {"trusted-ca", "www-tls"}
    spec, ingress = found["Certificate", "www-tls"]["spec"], found["Ingress", "www"]
    assert (spec["dnsNames"], spec["issuerRef"]["name"]) == (["www.sandbox.episodic.example"], "internal-ca")
    assert ingress["spec"]["tls"] == [{"hosts": spec["dnsNames"], "secretName": spec["secretName"]}]
    assert "annotations" not in ingress["metadata"]
    (ways,) = (layer for layer in env.layers if str(layer.id) == "applications-ways")
    assert [one.kind for one in ways.ready] == ["Certificate"]
    asked = with_apps({"my-shop": {"hosts": hosts}})
    assert {name for kind, name in objects(asked, "my-shop") if kind == "Certificate"} == {"trusted-ca"}
    assert not [layer.ready for layer in asked.layers if str(layer.id) == "applications-ways" and layer.ready]


def test_its_pods_are_watched_where_it_says() -> None:
    env = with_apps({"my-shop": {"metrics": {"port": 9090, "path": "/m"}}})
    (endpoint,) = objects(env, "my-shop")["PodMonitor", "my-shop"]["spec"]["podMetricsEndpoints"]
    assert endpoint == {"portNumber": 9090, "path": "/m"}
    assert ("PodMonitor", "my-shop") not in objects(with_apps({"my-shop": {}}), "my-shop")


def test_each_layer_comes_after_what_it_needs_and_waits_for_what_it_has() -> None:
    layers = {str(layer.id): layer for layer in with_apps({"my-shop": {**SHOP, "uses": ALL}}).layers}
    credentials, ways = layers["applications-credentials"], layers["applications-ways"]
    assert layers["applications-limits"].after == BASELINE
    assert credentials.after == (STORE,)
    assert ways.after == (*BASELINE, CONFIGS, ISSUERS)
    kinds = {item["kind"] for item in credentials.manifests}
    assert {one.kind for one in credentials.ready} == kinds & {"SecretStore", "ExternalSecret"}


def test_nothing_of_it_is_there_without_applications() -> None:
    assert not [layer for layer in with_apps({}).layers if layer.id.area == "applications"]


def test_both_modes_have_the_same() -> None:
    found = [using(ALL, mode=mode).layers for mode in ("render", "apply")]
    assert found[0] == found[1]


SLO = {"availability": 99.5, "latency": {"seconds": 0.3, "percent": 95}}
SHOP = {"owner": "team", "hosts": {"www": {"port": 80}, "api": {"port": 90, "service": "back"}}, "slo": SLO}
CHAT = {"name": "chat", "type": "slack", "channel": "#x"}


def rules(env: Environment) -> list[dict[str, Any]]:
    found = objects(env, "observability").get(("PrometheusRule", "slo-app-my-shop"))
    return [] if found is None else [rule for group in found["spec"]["groups"] for rule in group["rules"]]


def test_its_objectives_are_measured_at_its_own_hosts_and_its_owner_hears_of_them() -> None:
    found = rules(with_apps({"my-shop": SHOP}))
    alerts = [rule for rule in found if "alert" in rule]
    assert {rule["labels"]["slo"] for rule in alerts} == {"app-my-shop-availability", "app-my-shop-latency"}
    assert {(rule["labels"]["owner"], rule["labels"]["service"]) for rule in alerts} == {("team", "my-shop")}
    assert not [rule for rule in found if "record" in rule and "owner" in rule["labels"]]
    total = next(rule["expr"] for rule in found if rule.get("record") == "slo:total:rate5m")
    services = 'exported_service=~"(my-shop-back-90|my-shop-my-shop-80)@kubernetes"'
    assert total == f"sum(rate(traefik_service_requests_total{{{services}}}[5m]))"
    exprs = " ".join(str(rule["expr"]) for rule in found)
    assert f'traefik_service_requests_total{{{services},code!~"5.."}}[5m]' in exprs
    assert f'traefik_service_request_duration_seconds_bucket{{{services},protocol="http",le="0.3"}}' in exprs
    objectives = {rule["labels"]["slo"]: rule["expr"] for rule in found if rule.get("record") == "slo:objective:ratio"}
    assert objectives == {"app-my-shop-availability": "vector(0.995)", "app-my-shop-latency": "vector(0.95)"}


def test_without_objectives_or_once_it_is_retired_nobody_is_told() -> None:
    assert rules(with_apps({"my-shop": {**SHOP, "slo": None}})) == []
    assert rules(with_apps({"my-shop": {**SHOP, "retired": True}})) == []


def test_an_objective_of_latency_is_one_of_the_ingress_bounds() -> None:
    slo = {"latency": {"seconds": 0.5, "percent": 95}}
    with pytest.raises(ValidationError, match=r"must be one of 0\.1, 0\.3, 1\.2, 5, which Traefik counts, found 0\.5"):
        with_apps({"my-shop": {**SHOP, "slo": slo}})


def test_each_application_has_a_dashboard() -> None:
    found = objects(with_apps({"my-shop": SHOP, "blog": {}}), "observability")
    assert ("ConfigMap", "dashboard-app-my-shop") in found
    text = found["ConfigMap", "dashboard-app-blog"]["data"]["app-blog.json"]
    assert 'namespace=\\"blog\\"' in text
    assert "traefik_service" not in text


def test_an_owner_s_receivers_hear_of_its_applications_in_place_of_the_others() -> None:
    settings = {"receivers": [CHAT], "owners": {"team": ["chat"]}}
    config = alertmanager_config(Alerting.model_validate_json(json.dumps(settings)))
    heartbeat, owner, *rest = config["route"]["routes"]
    assert owner == {"matchers": ['owner="team"'], "receiver": "owner-team"}
    (receiver,) = [one for one in config["receivers"] if one["name"] == "owner-team"]
    assert receiver["slack_configs"][0]["channel"] == "#x"
    assert (heartbeat["receiver"], len(rest)) == ("heartbeat", 2)
    with pytest.raises(ValidationError, match=r"owners\.team: unknown receiver 'caht', known are chat; did you mean"):
        Alerting.model_validate_json(json.dumps({"receivers": [CHAT], "owners": {"team": ["caht"]}}))


def test_the_wildcard_record_leads_to_every_host() -> None:
    env = with_apps({"my-shop": {"hosts": {"www": {"port": 80}, "api-2": {"port": 90}}}})
    records = synthesised(lambda stack: IngressRecords(stack, "records", env=env)).all("digitalocean_record")
    names = {f"{one['name']}.{one['domain']}" for one in records.values()}
    ways = [item["spec"] for (kind, _), item in objects(env, "my-shop").items() if kind == "Ingress"]
    hosts = [rule["host"] for spec in ways for rule in spec["rules"]]
    assert len(hosts) == 2
    assert all(f"*.{host.partition('.')[2]}" in names for host in hosts)
