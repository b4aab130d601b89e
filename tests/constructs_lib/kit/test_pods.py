"""Where pods run, what they may use, and where their data lies."""

from __future__ import annotations

import json

from constructs_lib.kit import (
    CONFINED,
    DEPLOYMENTS_ON_SYSTEM_POOL,
    KEPT_STORAGE_CLASS,
    ON_SYSTEM_POOL,
    STORAGE_CLASS,
    SYSTEM_NODE_SELECTOR,
    SYSTEM_TAINT,
    SYSTEM_TOLERATIONS,
    WORKLOAD_ROLE,
    cpu_unlimited,
    resources,
    spread,
)


def test_pods_of_the_platform_run_on_the_system_pool_which_keeps_others_away() -> None:
    assert SYSTEM_NODE_SELECTOR == {"pool-role": "system"}
    assert SYSTEM_TAINT == {"key": "CriticalAddonsOnly", "value": "true", "effect": "NoSchedule"}
    assert [{"key": SYSTEM_TAINT["key"], "operator": "Exists"}] == SYSTEM_TOLERATIONS
    assert ON_SYSTEM_POOL == {"nodeSelector": SYSTEM_NODE_SELECTOR, "tolerations": SYSTEM_TOLERATIONS}
    assert WORKLOAD_ROLE == "workload"


def test_deployments_that_are_no_chart_are_placed_by_a_patch() -> None:
    assert DEPLOYMENTS_ON_SYSTEM_POOL["target"] == {"kind": "Deployment"}
    assert json.loads(DEPLOYMENTS_ON_SYSTEM_POOL["patch"]) == [
        {"op": "add", "path": "/spec/template/spec/nodeSelector", "value": SYSTEM_NODE_SELECTOR},
        {"op": "add", "path": "/spec/template/spec/tolerations", "value": SYSTEM_TOLERATIONS},
    ]


def test_pods_are_spread_over_nodes_where_that_is_possible() -> None:
    assert spread(app="x") == [
        {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": {"app": "x"}},
        }
    ]


def test_a_confined_container_has_no_way_to_more_rights() -> None:
    assert CONFINED == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }


def test_memory_is_limited_and_cpu_is_not() -> None:
    assert resources("10m", "64Mi") == {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "64Mi"}}
    assert resources("10m", "64Mi", "1Gi")["limits"] == {"memory": "1Gi"}


def test_a_limit_of_cpu_that_others_set_is_removed_by_null() -> None:
    assert cpu_unlimited(resources("10m", "64Mi"))["limits"] == {"cpu": None, "memory": "64Mi"}


def test_what_holds_data_is_on_volumes_that_outlive_their_claim() -> None:
    assert (STORAGE_CLASS, KEPT_STORAGE_CLASS) == ("do-block-storage", "do-block-storage-retain")
