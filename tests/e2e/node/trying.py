"""What a cluster needs to be tried on here: images and charts under their names, and Flux' parts that cannot be built.

Real are OpenTofu with its providers, kustomize-controller in a pod, Vault's core, versitygw, and what `releases` has.
flux-operator, source-controller and helm-controller are played from here, with the labels that theirs leave.
"""

from __future__ import annotations

import hashlib
import json
import threading
from base64 import b64decode
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import yaml
from botocore.config import Config
from flask import Response

from constructs_lib.cloud.fluxcd import OPERATOR_CHART
from constructs_lib.cloud.plain_objects import KUBECTL_IMAGE
from constructs_lib.environment import Environment
from constructs_lib.kit import FLUX_NAMESPACE, FLUX_ROOT, Manifest, manifest
from operations.rehearsal.flux import Background, artifact, packed, patch_status, ready
from operations.trying import beside
from operations.trying.place import STORE_PORT
from operations.trying.waiting import ASKED
from tests.e2e.cluster import BIN, CRDS
from tests.e2e.node import collector, images, network, postgres
from tests.e2e.node.cluster import NodeCluster
from tests.e2e.node.images import Image
from tests.e2e.node.pods import RESTRICTED
from tests.e2e.node.releases import CRDS_OF, Releases
from tests.e2e.reconciler import is_ready
from tests.fakes.server import FakeServer

STANDINS = Path(__file__).parent / "standins"
CONTROLLER = Image("ghcr.io/fluxcd/kustomize-controller:v1.9.5", "kustomize-controller")
NAMED = {"app.kubernetes.io/part-of": "flux", "app.kubernetes.io/instance": "flux-system"}
BY_HELM = "helm.toolkit.fluxcd.io"


class DevVault(Image):
    """Vault's development server, which is a script around the built core."""

    def _layer(self, trusted: bytes) -> bytes:
        programs = {"vault": STANDINS / "vault.py", "vault-server": BIN / "vault-server"}
        files = {**images.FILES, images.CERTIFICATES: trusted}
        return images.packed(files, images.FOLDERS, dict(images.LINKS), programs)


OWN = (
    DevVault(beside.VAULT_IMAGE, files=("vault",), base="clients.tar"),
    Image(beside.STORE_IMAGE, "versitygw"),
    Image(KUBECTL_IMAGE, "kubectl"),
    CONTROLLER,
    postgres.POSTGRES,
    postgres.DRILL,
    collector.COLLECTOR,
    images.PYTHON,
)


class Charts(FakeServer):
    """A Helm repository with the stand-in for the chart of Flux' operator, and its real CRDs."""

    def __init__(self) -> None:
        super().__init__()
        self.app.add_url_rule("/index.yaml", view_func=self._index)
        self.app.add_url_rule("/chart.tgz", view_func=self._chart)

    def _index(self) -> Response:
        about = {"apiVersion": "v2", "name": OPERATOR_CHART.name, "version": OPERATOR_CHART.version}
        entries = {OPERATOR_CHART.name: [{**about, "urls": ["chart.tgz"]}]}
        return Response(yaml.safe_dump({"apiVersion": "v1", "entries": entries}), content_type="text/yaml")

    def _chart(self) -> Response:
        folder = STANDINS / OPERATOR_CHART.name
        files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        files["Chart.yaml"] = files["Chart.yaml"].replace(b"0.0.0", OPERATOR_CHART.version.encode())
        crds = [item for item in yaml.safe_load_all((CRDS / "flux-operator.yaml").read_text()) if item]
        for item in crds:
            item["metadata"].setdefault("labels", {})["app.kubernetes.io/name"] = OPERATOR_CHART.name
        files["templates/crds.yaml"] = yaml.safe_dump_all(crds).replace("{{", "{{`{{`}}").encode()
        named = {f"{OPERATOR_CHART.name}/{name}": data for name, data in files.items()}
        return Response(packed(named), content_type="application/gzip")


class Archives:
    """Serves the archives of sources where pods reach it."""

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}
        held = self.held

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = held.get(self.path.lstrip("/"))
                self.send_response(200 if found is not None else 404)
                self.send_header("Content-Length", str(len(found or b"")))
                self.end_headers()
                self.wfile.write(found or b"")

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
                pass

        self._server = ThreadingHTTPServer((network.CONTROL_PLANE, 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def serve(self, data: bytes) -> str:
        """Serve an archive from now on, and return its address."""
        name = f"{hashlib.sha256(data).hexdigest()}.tar.gz"
        self.held[name] = data
        return f"http://{network.CONTROL_PLANE}:{self._server.server_port}/{name}"

    def close(self) -> None:
        """End the server."""
        self._server.shutdown()
        self._server.server_close()


class FluxOperator:
    """Does the operator's part for its instance: CRDs, the one controller that is built, the root and its source."""

    def __init__(self, cluster: NodeCluster) -> None:
        self._cluster = cluster

    def update(self) -> None:
        """Bring Flux to what the instance says."""
        printed = self._cluster.kubectl("get", "fluxinstance", "flux", "-n", FLUX_NAMESPACE, "--output=json", code=None)
        if not printed.startswith("{"):
            return
        instance = json.loads(printed)
        if is_ready(instance):
            return
        self._cluster.kubectl("apply", "--server-side", "-f", str(CRDS / "flux.yaml"))
        names = [item["metadata"]["name"] for item in yaml.safe_load_all((CRDS / "flux.yaml").read_text()) if item]
        labels = [f"{key}={value}" for key, value in NAMED.items()]
        self._cluster.kubectl("label", "crd", *names, *labels, "--overwrite")
        self._cluster.apply(*_controller(), *_root(instance["spec"]))
        patch_status(self._cluster, instance, conditions=[ready(instance, "Ready")])


def _controller() -> list[Manifest]:
    name, labels = "kustomize-controller", {"app": "kustomize-controller", **NAMED}
    account = {"kind": "ServiceAccount", "name": name, "namespace": FLUX_NAMESPACE}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    container: Manifest = {
        "name": "manager",
        "image": CONTROLLER.name,
        "args": [
            *("--watch-all-namespaces", "--enable-leader-election=false", "--events-addr="),
            *("--requeue-dependency=1s", "--min-retry-delay=500ms", "--max-retry-delay=2s"),
            *("--interval-jitter-percentage=0", "--concurrent=40", "--no-cross-namespace-refs"),
            "--default-service-account=default",
        ],
        "env": [{"name": "RUNTIME_NAMESPACE", "value": FLUX_NAMESPACE}],
        "securityContext": RESTRICTED,
        "volumeMounts": [{"name": "temp", "mountPath": beside.SCRATCH}],
    }
    pod: Manifest = {
        "serviceAccountName": name,
        "containers": [container],
        "volumes": [{"name": "temp", "emptyDir": {}}],
        "nodeSelector": {"pool-role": "system"},
        "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
        "terminationGracePeriodSeconds": 1,
    }
    template = {"metadata": {"labels": labels}, "spec": pod}
    items = [
        manifest("v1", "ServiceAccount", name, FLUX_NAMESPACE),
        manifest("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", name, roleRef=role, subjects=[account]),
        manifest(
            "apps/v1",
            "Deployment",
            name,
            FLUX_NAMESPACE,
            spec={"selector": {"matchLabels": {"app": name}}, "template": template},
        ),
    ]
    for item in items:
        item["metadata"]["labels"] = NAMED
    return items


def _root(spec: Manifest) -> list[Manifest]:
    """Return what `internal/builder/templates.go` makes of `sync`, with the patches of the instance for sources."""
    sync = spec["sync"]
    assert sync["kind"] == "Bucket"
    secret = {"name": sync["pullSecret"]}
    source = {"interval": sync["interval"], "bucketName": sync["ref"], "endpoint": sync["url"], "secretRef": secret}
    for patch in (patch for patch in spec["kustomize"]["patches"] if patch["target"]["kind"] == "Bucket"):
        for change in json.loads(patch["patch"]):
            source[change["path"].removeprefix("/spec/")] = change["value"]
    body = {
        "interval": "1m",
        "retryInterval": "2s",
        "prune": True,
        "path": sync["path"],
        "serviceAccountName": "kustomize-controller",
        "sourceRef": {"kind": sync["kind"], "name": FLUX_ROOT},
    }
    items = [
        manifest("source.toolkit.fluxcd.io/v1", "Bucket", FLUX_ROOT, FLUX_NAMESPACE, spec=source),
        manifest("kustomize.toolkit.fluxcd.io/v1", "Kustomization", FLUX_ROOT, FLUX_NAMESPACE, spec=body),
    ]
    for item in items:
        item["metadata"]["labels"] = NAMED
    return items


class BucketSources:
    """Does source-controller's part for Buckets: it reads them with the key that their Secret holds."""

    def __init__(self, cluster: NodeCluster, archives: Archives) -> None:
        self._cluster, self._archives = cluster, archives
        self._known: dict[str, dict[str, bytes]] = {}

    def update(self) -> None:
        """Bring the status of every Bucket up to date."""
        printed = self._cluster.kubectl("get", "buckets", "-A", "--output=json", code=None)
        for item in json.loads(printed)["items"] if printed.startswith("{") else ():
            data = packed(self._contents(self._bucket(item["spec"])))
            revision = f"sha256:{hashlib.sha256(data).hexdigest()}"
            status = item.get("status", {})
            asked = item["metadata"].get("annotations", {}).get(ASKED)
            if status.get("artifact", {}).get("revision") == revision and status.get(HANDLED) == asked:
                continue
            found = artifact(self._archives.serve(data), revision, data)
            handled = {} if asked is None else {HANDLED: asked}
            patch_status(self._cluster, item, artifact=found, conditions=[ready(item, "Ready")], **handled)

    def _contents(self, bucket: Any) -> dict[str, bytes]:
        call = self._cluster.middle.call
        listed = json.dumps(call(lambda: sorted((item.key, item.e_tag) for item in bucket.objects.all())))
        if listed not in self._known:
            found = call(lambda: {item.key: item.get()["Body"].read() for item in bucket.objects.all()})
            self._known[listed] = found
        return self._known[listed]

    def _bucket(self, spec: Manifest) -> Any:
        held = self._cluster.get("secret", spec["secretRef"]["name"], FLUX_NAMESPACE)
        assert held is not None
        assert spec["certSecretRef"] == spec["secretRef"]
        assert set(held["data"]) == {"accesskey", "secretkey", "ca.crt"}
        key_id, secret = (b64decode(held["data"][key]).decode() for key in ("accesskey", "secretkey"))
        return bucket_of(self._cluster, spec["bucketName"], key_id, secret)


HANDLED = "lastHandledReconcileAt"


def bucket_of(cluster: NodeCluster, name: str, key_id: str, secret: str) -> Any:
    """Return a bucket, to be used in the cluster's middle. Its server is not known by the address of its pod."""
    pods = json.loads(cluster.kubectl("get", "pods", "-n", "try", "-l", "app=store", "--output=json"))["items"]
    address = next(pod["status"]["podIP"] for pod in pods if pod["status"].get("podIP"))
    storage: Any = boto3.resource(
        "s3",
        endpoint_url=f"https://{address}:{STORE_PORT}",
        region_name="us-east-1",
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        verify=False,
        config=Config(s3={"addressing_style": "path"}),
    )
    return storage.Bucket(name)


class LabelledReleases(Releases):
    """Does helm-controller's part, its labels among it (helm-controller v1.6 `internal/postrender`)."""

    def _install(self, release: dict[str, Any], chart: str) -> list[dict[str, Any]]:
        made = super()._install(release, chart)
        if chart in CRDS_OF:
            items = yaml.safe_load_all((CRDS / f"{CRDS_OF[chart]}.yaml").read_text())
            names = [item["metadata"]["name"] for item in items if item]
            labels = [f"{key}={value}" for key, value in _by(release).items()]
            self._cluster.kubectl("label", "crd", *names, *labels, "--overwrite")
        return made

    def _made(self, release: dict[str, Any], chart: str) -> list[dict[str, Any]]:
        made = super()._made(release, chart)
        for item in made:
            item["metadata"]["labels"] = {**(item["metadata"].get("labels") or {}), **_by(release)}
        return made


def _by(release: dict[str, Any]) -> dict[str, str]:
    metadata = release["metadata"]
    return {f"{BY_HELM}/name": metadata["name"], f"{BY_HELM}/namespace": metadata["namespace"]}


@contextmanager
def played(cluster: NodeCluster, env: Environment, folder: Path) -> Generator[LabelledReleases]:
    """Let the parts of Flux be played that are not built, until the end."""
    archives = cluster.middle.call(Archives)
    releases = LabelledReleases(cluster, env, folder)
    with ExitStack() as stack:
        stack.callback(archives.close)
        for update in (FluxOperator(cluster).update, BucketSources(cluster, archives).update, releases.update):
            stack.enter_context(Background(update))
        yield releases
