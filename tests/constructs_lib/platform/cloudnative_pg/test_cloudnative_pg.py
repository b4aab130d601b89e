"""Postgres: clusters, backups, recovery, roles and the pooler."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from ruamel.yaml import YAML

from constructs_lib.base.quantities import Memory
from constructs_lib.environment import Environment
from constructs_lib.platform.cloudnative_pg.settings import IMAGE
from gitops_render.tree import render
from tests.constructs_lib.platform import said
from tests.support import environment, everything

ROLE = {"name": "shop"}
CLUSTER: dict[str, Any] = {"name": "orders", "roles": [ROLE], "databases": [{"name": "shop", "owner": "shop"}]}


def with_clusters(*clusters: dict[str, Any], file: str = "sandbox") -> Environment:
    return environment(file, platform__cloudnative_pg={"clusters": list(clusters)})


def objects(env: Environment) -> dict[tuple[str, str], dict[str, Any]]:
    found = [item for layer in env.layers if layer.id.area == "databases" for item in layer.manifests]
    return {(item["kind"], item["metadata"]["name"]): item for item in found}


def cluster(**changes: Any) -> dict[str, Any]:
    return objects(with_clusters(CLUSTER | changes))["Cluster", "orders"]["spec"]


def test_an_empty_cluster_starts_with_its_first_database() -> None:
    assert cluster()["bootstrap"] == {
        "initdb": {"database": "shop", "owner": "shop", "secret": {"name": "orders-shop"}, "dataChecksums": True}
    }


def test_one_instance_has_no_budget_that_would_hold_up_a_drain() -> None:
    assert cluster(instances=1)["enablePDB"] is False
    assert cluster(instances=2)["enablePDB"] is True
    assert not [key for key in objects(with_clusters(CLUSTER)) if key[0] == "PodDisruptionBudget"], "it makes its own"


def test_three_instances_lose_no_commit_and_share_no_node() -> None:
    three, two = cluster(instances=3), cluster(instances=2)
    assert three["postgresql"]["synchronous"] == {"method": "any", "number": 1, "dataDurability": "required"}
    assert three["affinity"]["podAntiAffinityType"] == "required"
    assert "synchronous" not in two["postgresql"]
    assert two["affinity"]["podAntiAffinityType"] == "preferred"


def test_clients_know_servers_and_pooler_by_the_ca_that_they_have() -> None:
    found = objects(with_clusters(CLUSTER))
    name = "orders-postgres-tls"
    certificates = found["Cluster", "orders"]["spec"]["certificates"]
    assert certificates == {"serverTLSSecret": name, "serverCASecret": name}
    spec = found["Certificate", name]["spec"]
    assert (spec["secretName"], spec["issuerRef"]["name"]) == (name, "internal-ca")
    hosts = {f"orders-{service}.databases.svc" for service in ("rw", "ro", "r", "pooler")}
    assert hosts <= set(spec["dnsNames"])
    assert spec["secretTemplate"] == {"labels": {"cnpg.io/reload": "true"}}, "a renewed one is read without a restart"


def test_an_operator_finds_secrets_before_its_objects_come() -> None:
    found = {str(layer.id): layer for layer in environment().layers}
    credentials, configs = found["databases-credentials"], found["databases-configs"]
    assert {item["kind"] for item in credentials.manifests} == {"ExternalSecret", "Certificate"}
    assert {ready.kind for ready in credentials.ready} == {"ExternalSecret", "Certificate"}
    assert credentials.id in configs.after


def test_nobody_is_superuser() -> None:
    assert cluster()["enableSuperuserAccess"] is False


def test_the_log_is_archived_to_the_bucket_without_checksums_that_spaces_refuses() -> None:
    (plugin,) = cluster()["plugins"]
    assert plugin == {
        "name": "barman-cloud.cloudnative-pg.io",
        "isWALArchiver": True,
        "parameters": {"barmanObjectName": "orders", "serverName": "orders-1"},
    }
    store = objects(with_clusters(CLUSTER | {"backup_retention": "14d"}))["ObjectStore", "orders"]["spec"]
    assert store["retentionPolicy"] == "14d"
    assert store["configuration"]["destinationPath"] == "s3://episodic-sandbox-backups/postgres"
    assert store["configuration"]["endpointURL"] == "https://lon1.digitaloceanspaces.com"
    assert store["instanceSidecarConfiguration"]["resources"]["limits"] == {"memory": "512Mi"}
    sidecar = {item["name"]: item["value"] for item in store["instanceSidecarConfiguration"]["env"]}
    assert set(sidecar.values()) == {"when_required"}
    assert "serverName" not in store["configuration"], "the plugin wants it empty here"


def test_backups_may_go_to_another_s3() -> None:
    env = environment(backups={"bucket": "b-b", "region": "eu-central-1", "address": "https://s3.example.org"})
    store = objects(env)["ObjectStore", "main"]["spec"]
    assert store["configuration"]["endpointURL"] == "https://s3.example.org"
    assert store["configuration"]["destinationPath"] == "s3://b-b/postgres"
    sidecar = {item["name"]: item["value"] for item in store["instanceSidecarConfiguration"]["env"]}
    assert sidecar["AWS_DEFAULT_REGION"] == "eu-central-1"


def test_the_sidecar_has_room_for_a_base_backup_while_the_log_is_archived() -> None:
    """What was measured, in MiB: docs/decisions/0032-capacity.md."""
    store = objects(with_clusters(CLUSTER))["ObjectStore", "orders"]["spec"]
    base, segment = 188, 61
    limit = Memory(store["instanceSidecarConfiguration"]["resources"]["limits"]["memory"]).mebibytes
    assert base + store["configuration"]["wal"]["maxParallel"] * segment <= 0.75 * limit, "the plugin needs some too"


def test_base_backups_are_daily_and_by_the_plugin() -> None:
    backup = objects(with_clusters(CLUSTER))["ScheduledBackup", "orders"]["spec"]
    assert len(backup["schedule"].split()) == 6, "seconds first, or a daily backup runs every hour"
    assert (backup["method"], backup["pluginConfiguration"]["name"]) == ("plugin", "barman-cloud.cloudnative-pg.io")


def test_a_role_and_its_password_from_vault() -> None:
    found = objects(with_clusters(CLUSTER))
    (role,) = found["Cluster", "orders"]["spec"]["managed"]["roles"]
    assert (role["name"], role["passwordSecret"]) == ("shop", {"name": "orders-shop"})
    secret = found["ExternalSecret", "orders-shop"]["spec"]
    assert secret["data"] == [
        {"secretKey": "password", "remoteRef": {"key": "sandbox/platform/postgres/orders/shop", "property": "password"}}
    ]
    assert secret["target"]["template"]["type"] == "kubernetes.io/basic-auth"
    assert secret["target"]["template"]["data"] == {"username": "shop", "password": "{{ .password }}"}


def test_databases_are_objects_of_their_own_and_are_retained() -> None:
    databases = [
        {"name": "shop", "owner": "shop", "extensions": ["pg_trgm"]},
        {"name": "shop_reports", "owner": "shop"},
    ]
    found = objects(with_clusters(CLUSTER | {"databases": databases}))
    assert {name: item["spec"]["name"] for (kind, name), item in found.items() if kind == "Database"} == {
        "orders-shop": "shop",
        "orders-shop-reports": "shop_reports",
    }
    assert found["Database", "orders-shop"]["spec"]["extensions"] == [{"name": "pg_trgm", "ensure": "present"}]
    assert "extensions" not in found["Database", "orders-shop-reports"]["spec"]
    assert found["Database", "orders-shop"]["spec"]["databaseReclaimPolicy"] == "retain"


def test_an_image_of_ones_own_and_libraries_that_load_at_start() -> None:
    image = "registry.example.org/postgres:17.2-bookworm"
    spec = cluster(image=image, preload_libraries=["timescaledb"], parameters={"auto_explain.log_analyze": "on"})
    assert spec["imageName"] == image
    assert spec["postgresql"] == {
        "parameters": {"archive_timeout": "300s", "auto_explain.log_analyze": "on"},
        "pg_hba": ['hostssl "shop" "shop" all scram-sha-256', "host all all all reject"],
        "shared_preload_libraries": ["timescaledb"],
    }
    assert (
        cluster()["imageName"]
        == IMAGE
        == (
            "ghcr.io/cloudnative-pg/postgresql:18.4-202608130737-system-trixie"
            "@sha256:42708a75345b7a48fdd9257b071830783a97fd228529196b6313187a7198e185"
        )
    )


@pytest.mark.parametrize(
    ("parameter", "value", "sentence"),
    [
        ("ssl", "off", "ssl may not be set, since CloudNativePG sets it"),
        ("archive_mode", "off", "archive_mode may not be set"),
        ("log_directory", "logs", "log_directory may not be set"),
        ("ARCHIVE_MODE", "off", "ARCHIVE_MODE may not be set"),
        ("Shared_Preload_Libraries", "x", "list the libraries in preload_libraries"),
        ("WAL_LEVEL", "minimal", "wal_level must be logical or replica, which backups need, found 'minimal'"),
        ("shared_preload_libraries", "x", "list the libraries in preload_libraries"),
        ("wal_level", "minimal", "wal_level must be logical or replica, which backups need, found 'minimal'"),
        ("Archive_Timeout", "1h", "Archive_Timeout may not be set here; it follows recovery.rpo"),
        ("a.b.c", "1", "'a.b.c' is no name of a PostgreSQL parameter"),
    ],
)
def test_what_the_operator_would_refuse_is_refused_at_once(parameter: str, value: str, sentence: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(sentence)):
        cluster(parameters={parameter: value})


def test_parameters_of_one_s_own_are_taken() -> None:
    parameters = {"wal_level": "logical", "work_mem": "64MB", "TimeZone": "UTC"}
    assert cluster(parameters=parameters)["postgresql"]["parameters"] == {"archive_timeout": "300s", **parameters}


def test_a_segment_is_closed_in_half_of_the_time_of_which_work_may_be_lost() -> None:
    assert cluster(recovery={"rpo": "3m"})["postgresql"]["parameters"] == {"archive_timeout": "90s"}


def test_what_holds_data_is_never_pruned_or_replaced() -> None:
    found = objects(with_clusters(CLUSTER))
    for kind in ("Cluster", "ObjectStore"):
        annotations = found[kind, "orders"]["metadata"]["annotations"]
        assert annotations["kustomize.toolkit.fluxcd.io/prune"] == "disabled"
        assert annotations["kustomize.toolkit.fluxcd.io/force"] == "disabled"
        assert annotations["helm.sh/resource-policy"] == "keep"


def test_a_recovery_reads_the_old_archive_and_writes_a_new_one() -> None:
    origin = {"archive": "lost-1", "until": "2026-01-31T04:00:00Z"}
    spec = cluster(recover_from=origin)
    assert spec["bootstrap"]["recovery"]["source"] == "origin"
    assert spec["bootstrap"]["recovery"]["recoveryTarget"] == {"targetTime": "2026-01-31T04:00:00Z"}
    (external,) = spec["externalClusters"]
    assert external["name"] == "origin"
    assert external["plugin"]["parameters"]["serverName"] == "lost-1"
    assert spec["plugins"][0]["parameters"]["serverName"] == "orders-1"


def test_a_cluster_that_is_made_anew_archives_into_folders_of_its_own_and_recovers_from_the_old_ones() -> None:
    clusters = [{**CLUSTER, "recover_from": {"archive": "orders-1"}}]
    sentence = "platform.cloudnative_pg.clusters: 'orders' would archive into orders-1, which it recovers from"
    with pytest.raises(ValueError, match=sentence):
        environment(platform__cloudnative_pg__clusters=clusters)
    found = objects(environment(platform__cloudnative_pg__clusters=clusters, cluster__generation=2))
    spec = found["Cluster", "orders"]["spec"]
    assert spec["plugins"][0]["parameters"]["serverName"] == "orders-2"
    assert spec["externalClusters"][0]["plugin"]["parameters"]["serverName"] == "orders-1"


def test_the_pooler_is_placed_and_sized() -> None:
    found = objects(with_clusters(CLUSTER | {"pooler": {"instances": 3, "max_client_connections": 500}}))
    spec = found["Pooler", "orders-pooler"]["spec"]
    assert (spec["type"], spec["instances"]) == ("rw", 3)
    assert spec["pgbouncer"] == {"poolMode": "transaction", "parameters": {"max_client_conn": "500"}}
    assert spec["template"]["spec"]["nodeSelector"] == {"pool-role": "system"}


def test_without_metrics_nobody_looks_for_them() -> None:
    env = environment(platform__observability={"metrics": {"enabled": False}})
    assert not [key for key in objects(env) if key[0] == "PodMonitor"]
    assert ("PodMonitor", "main") in objects(environment())


def test_without_clusters_there_is_the_operator_alone() -> None:
    env = environment(platform__cloudnative_pg={})
    assert [str(layer.id) for layer in env.layers if layer.id.area == "databases"] == ["databases-controllers"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"databases": [{"name": "a", "owner": "shpo"}]}, "unknown role 'shpo', known are shop; did you mean 'shop'"),
        ({"storage": "20"}, "must be a size such as '20Gi'"),
        ({"storage": "20 Gi"}, "must be a size such as '20Gi'"),
        ({"storage": "0Gi"}, "must be a size such as '20Gi'"),
        ({"backup_schedule": "0 2 * * *"}, "must be a schedule of six fields, seconds first"),
        ({"roles": [{"name": "postgres"}]}, "must be a PostgreSQL name that the system does not keep"),
        ({"roles": [ROLE, ROLE]}, "two entries have the name 'shop'; rename one of them"),
        ({"recover_from": {"archive": "orders-1"}}, "'orders' would archive into orders-1, which it recovers from;"),
        ({"roles": []}, "databases: owner of 'shop': unknown role 'shop'"),
    ],
)
def test_bad_settings_are_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        with_clusters(CLUSTER | changes)


def test_two_clusters_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two entries have the name 'orders'; rename one of them"):
        with_clusters(CLUSTER, CLUSTER)


@given(
    name=st.from_regex(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", fullmatch=True),
    size=st.from_regex(r"([1-9]|1[0-6])Ti|[1-9][0-9]{0,3}Gi|[2-9][0-9]{3,4}Mi", fullmatch=True),
)
@settings(deadline=None, max_examples=25)
def test_every_accepted_name_and_size_reaches_every_reader_as_it_is(name: str, size: str) -> None:
    env = with_clusters(CLUSTER | {"name": name, "storage": size})
    path = f"platform/databases/sandbox/configs/cluster-databases-{name}.yaml"
    (data,) = [data for where, data in render(env).owned.items() if str(where) == path]
    for read in (yaml.safe_load, YAML(typ="safe", pure=True).load):
        item = read(data.decode())
        assert (item["metadata"]["name"], item["spec"]["storage"]["size"]) == (name, size)
    assert len(path.rpartition("/")[2]) < 255


@given(st.text(max_size=70))
@settings(deadline=None, max_examples=50)
def test_every_other_name_is_refused_with_a_sentence(name: str) -> None:
    if re.fullmatch(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", name, re.ASCII):
        return
    with pytest.raises(ValueError, match=r"must be 1 to 40 lower-case letters|may not hold"):
        with_clusters(CLUSTER | {"name": name})


def test_links() -> None:
    assert said.links("cloudnative_pg", everything()) == [
        "cnpg-system/operator -> the API server: 443 6443 16443",
        "cnpg-system/barman-cloud -> the API server: 443 6443 16443",
        "the API server -> cnpg-system/operator: 9443",
        "cnpg-system/operator -> cnpg-system/barman-cloud: 9090",
        "observability/prometheus -> cnpg-system/operator: 8080",
        "drills/main -> the internet: 443",
        "databases/main -> the API server: 443 6443 16443",
        "cnpg-system/operator -> databases/main: 5432 8000 9127",
        "databases/main -> databases/main: 5432 8000",
        "databases/main -> the internet: 443",
        "observability/prometheus -> databases/main: 9187",
        "observability/prometheus -> databases/main: 9127",
        "episodic/apps -> databases/main: 5432",
    ]


def test_settings() -> None:
    assert said.settings("cloudnative_pg") == {
        "CloudnativePg.enabled": "True",
        "CloudnativePg.operator_replicas": "1 Ge(ge=1) Le(le=5)",
        "CloudnativePg.clusters": "()",
        "PostgresCluster.name": "required",
        "PostgresCluster.retired": "None",
        "PostgresCluster.instances": "1 Ge(ge=1) Le(le=9)",
        "PostgresCluster.storage": "'10Gi'",
        "PostgresCluster.wal_storage": "'5Gi'",
        "PostgresCluster.cpu": "'250m'",
        "PostgresCluster.memory": "'512Mi'",
        "PostgresCluster.image": repr(IMAGE),
        "PostgresCluster.parameters": "{}",
        "PostgresCluster.preload_libraries": "()",
        "PostgresCluster.roles": "()",
        "PostgresCluster.databases": "()",
        "PostgresCluster.backup_schedule": "'0 0 2 * * *'",
        "PostgresCluster.backup_retention": "'7d'",
        "PostgresCluster.backup_max_age": "'26h'",
        "PostgresCluster.recovery": "Recovery(rpo='10m', rto='60m', drill=None, check='select true')",
        "PostgresCluster.pooler": "None",
        "PostgresCluster.recover_from": "None",
        "Role.name": "required",
        "Role.connection_limit": "-1 Ge(ge=-1)",
        "Database.name": "required",
        "Database.owner": "required",
        "Database.extensions": "()",
        "Pooler.instances": "2 Ge(ge=1) Le(le=20)",
        "Pooler.mode": "'transaction'",
        "Pooler.max_client_connections": "1000 Ge(ge=10)",
        "Origin.archive": "required",
        "Origin.until": "None",
        "Recovery.rpo": "'10m'",
        "Recovery.rto": "'60m'",
        "Recovery.drill": "None",
        "Recovery.check": "'select true' MinLen(min_length=1)",
    }


def test_values() -> None:
    assert said.releases("cloudnative_pg", everything()) == {
        "cloudnative-pg": ("cnpg-system", "0.29.0", True),
        "plugin-barman-cloud": ("cnpg-system", "0.7.0", True),
    }
    assert said.values("cloudnative_pg", everything()) == {
        "cloudnative-pg": {
            "nodeSelector.pool-role": "system",
            "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
            "crds.create": True,
            "replicaCount": 2,
            "topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": "kubernetes.io/hostname",
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": {"matchLabels": {"app.kubernetes.io/name": "cloudnative-pg"}},
                }
            ],
            "resources.requests.cpu": "100m",
            "resources.requests.memory": "256Mi",
            "resources.limits.memory": "256Mi",
            "monitoring.podMonitorEnabled": True,
        },
        "plugin-barman-cloud": {
            "nodeSelector.pool-role": "system",
            "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
            "crds.create": True,
            "resources.requests.cpu": "50m",
            "resources.requests.memory": "128Mi",
            "resources.limits.memory": "128Mi",
        },
    }


def test_operators() -> None:
    assert said.operators("cloudnative_pg") == {
        "cloudnative-pg": (
            "brings postgresql.cnpg.io",
            "Cluster holds data",
            "Database holds data",
            "webhook cnpg-system/operator: 9443",
            "budgets by cnpg.io/cluster",
        ),
        "plugin-barman-cloud": ("brings barmancloud.cnpg.io", "ObjectStore holds data"),
    }


def test_every_volume_outlives_its_claim() -> None:
    (spec,) = (item["spec"] for layer in everything().layers for item in layer.manifests if item["kind"] == "Cluster")
    assert {spec[volume]["storageClass"] for volume in ("storage", "walStorage")} == {"do-block-storage-retain"}


@pytest.mark.parametrize(("instances", "watched"), [(1, False), (2, True)])
def test_a_replica_is_watched_where_there_is_one(instances: int, watched: bool) -> None:
    clusters = [
        {"name": "x", "instances": instances, "roles": [{"name": "x"}], "databases": [{"name": "x", "owner": "x"}]}
    ]
    env = environment(platform__cloudnative_pg={"clusters": clusters})
    known = env.platform.cloudnative_pg.health(env)
    assert ("PostgresReplicaMissing" in {alert.name for alert in known.alerts}) == watched
    assert ("postgres-x-replication-lag" in {slo.name for slo in known.slos}) == watched


def test_a_cluster_counts_as_ready_when_it_takes_connections_and_is_updated_by_a_switchover() -> None:
    objects = [item for layer in everything().layers for item in layer.manifests]
    (cluster,) = (item["spec"] for item in objects if item["kind"] == "Cluster")
    assert (cluster["primaryUpdateStrategy"], cluster["primaryUpdateMethod"]) == ("unsupervised", "switchover")
    (schedule,) = (item["spec"] for item in objects if item["kind"] == "ScheduledBackup")
    assert schedule["immediate"] is True, "there is a backup from the first hour on"
    (ready,) = (one for layer in everything().layers for one in layer.ready if one.kind == "Cluster")
    assert "status.readyInstances >= 1 && has(status.currentPrimary)" in ready.current
    assert "ContinuousArchiving" not in ready.current, "a bucket that fails is an alert, see docs/decisions/0021"


OWNED = {"roles": [{"name": "one"}], "databases": [{"name": "one", "owner": "one"}]}


@pytest.mark.parametrize(
    ("main", "other", "sentence"),
    [
        (
            {"roles": [{"name": "one"}, {"name": "a_b"}, {"name": "a__b"}]},
            {},
            "roles: 'a_b' of 'main' and roles: 'a__b' of 'main' would have one Secret, main-a-b; rename one of them",
        ),
        (
            {"databases": [{"name": "a_b", "owner": "one"}, {"name": "a__b", "owner": "one"}]},
            {},
            "databases: 'a_b' of 'main' and databases: 'a__b' of 'main' would have one Database, main-a-b; rename",
        ),
        (
            {"roles": [{"name": "one"}, {"name": "app_two"}]},
            {"name": "main-app", "roles": [{"name": "one"}, {"name": "two"}]},
            "roles: 'app_two' of 'main' and roles: 'two' of 'main-app' would have one Secret, main-app-two; rename one",
        ),
        (
            {"roles": [{"name": "one"}, {"name": "app_ca"}]},
            {"name": "main-app"},
            "roles: 'app_ca' of 'main' and clusters: 'main-app' would have one Secret, main-app-ca; rename one of them",
        ),
    ],
)
def test_names_that_fall_on_one_object_are_refused_with_their_keys(
    main: dict[str, Any], other: dict[str, Any], sentence: str
) -> None:
    clusters = [{"name": "main", **OWNED, **main}, {"name": "other", **OWNED, **other}]
    with pytest.raises(ValidationError, match=sentence):
        environment(platform__cloudnative_pg__clusters=clusters)


@pytest.mark.parametrize("role", ["ca", "replication", "superuser", "postgres_tls"])
def test_a_role_whose_secret_somebody_else_makes_is_refused(role: str) -> None:
    with pytest.raises(ValidationError, match=f"roles: '{role}' would have the Secret orders-"):
        cluster(roles=[{"name": role}], databases=[{"name": "shop", "owner": role}])
