"""What a cluster has already is found by its name, as the providers import it."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
from flask import Response, jsonify, request
from kubernetes import client as kubernetes

from constructs_lib.base.errors import ConfigError
from operations.provisioning.adoption_in_cluster import in_kubernetes
from tests.fakes.server import FakeServer

HAS = {"namespaces/flux-system", "namespaces/flux-system/secrets/flux-system", "namespaces/flux-system/configmaps/info"}
RELEASES = {"owner=helm,name=flux-operator"}


class Api(FakeServer):
    """An API server with these objects."""

    def __init__(self) -> None:
        super().__init__()
        self.status = HTTPStatus.NOT_FOUND
        self.app.add_url_rule("/api/v1/<path:path>", view_func=self._answer)

    def _answer(self, path: str) -> Response | tuple[Response, int]:
        if path.endswith("/secrets"):
            found = [{"metadata": {"name": "sh.helm.release.v1"}}] if request.args["labelSelector"] in RELEASES else []
            return jsonify({"kind": "SecretList", "apiVersion": "v1", "items": found})
        if path in HAS:
            return jsonify({"metadata": {"name": path.rpartition("/")[2]}})
        return jsonify({}), self.status


@pytest.fixture
def api() -> Iterator[Api]:
    with Api() as server:
        yield server


def found(address: str, kind: str, after: dict[str, Any]) -> str | None:
    settings: Any = kubernetes.Configuration(host=address)
    settings.retries = False
    return in_kubernetes(lambda: kubernetes.CustomObjectsApi(kubernetes.ApiClient(settings)))[kind](after)


def of(name: str, namespace: str | None = None) -> dict[str, Any]:
    return {"metadata": [{"name": name, "namespace": namespace}]}


@pytest.mark.parametrize(
    ("kind", "after", "id_"),
    [
        ("kubernetes_namespace_v1", of("flux-system"), "flux-system"),
        ("kubernetes_namespace_v1", of("other"), None),
        ("kubernetes_secret_v1", of("flux-system", "flux-system"), "flux-system/flux-system"),
        ("kubernetes_secret_v1", of("info", "flux-system"), None),
        ("kubernetes_config_map_v1", of("info", "flux-system"), "flux-system/info"),
        ("helm_release", {"name": "flux-operator", "namespace": "flux-system"}, "flux-system/flux-operator"),
        ("helm_release", {"name": "flux", "namespace": "flux-system"}, None),
    ],
)
def test_what_is_there_has_the_id_of_its_provider(api: Api, kind: str, after: dict[str, Any], id_: str | None) -> None:
    assert found(api.url, kind, after) == id_


def test_nothing_is_in_a_cluster_that_does_not_answer() -> None:
    assert found("http://127.0.0.1:1", "kubernetes_namespace_v1", of("flux-system")) is None


def test_credentials_that_are_refused_are_told_of(api: Api) -> None:
    api.status = HTTPStatus.FORBIDDEN
    with pytest.raises(ConfigError, match="the cluster refuses its credentials"):
        found(api.url, "kubernetes_namespace_v1", of("other"))
