"""`operations try` on a cluster of machines: brought up, cut and finished, changed, looked at and taken away."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from base64 import b64decode
from collections.abc import Iterator
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from constructs_lib.environment import Environment, load
from operations.clients.kubernetes import context_client
from operations.provisioning.ready import why_not_ready
from operations.trying import place
from operations.trying.facts import facts
from operations.trying.keys import Keys, kept_keys
from operations.trying.up import needed
from tests.e2e.cluster import BIN, CRDS
from tests.e2e.node import charts, collector, network, postgres, releases, trying
from tests.e2e.node.cluster import TOOLS, NodeCluster
from tests.e2e.node.conftest import REPORT, require_node
from tests.e2e.node.volumes import DRIVER
from tests.support import ROOT

pytestmark = pytest.mark.e2e

NEEDED = (
    *(*TOOLS, *(program.tool for program in releases.PROGRAMS.values()), charts.TOOL, "vault-server", "versitygw"),
    *(postgres.POSTGRES_FILES, postgres.BARMAN_FILES, "clients.tar", "kustomize-controller", "tofu"),
    *("prometheus", "prometheus-config-reloader", collector.TOOL),
)
CONTEXT = "e2e"
SKIPPED = ("events", "events.events.k8s.io", "componentstatuses", "nodes", "persistentvolumes")
"""What comes and goes by itself, or is looked at on its own."""


class Ended(NamedTuple):
    """How a run ended."""

    code: int
    printed: str


class Place:
    """A cluster, and a project from which it is tried."""

    def __init__(self, cluster: NodeCluster, folder: Path) -> None:
        self.cluster, self.folder = cluster, folder
        shutil.copytree(ROOT / "environments", folder / "environments")
        self.sandbox = folder / place.FOLDER
        self.file = self.sandbox / place.FILE
        self.environ = {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "HOME": os.environ["HOME"],
            "PYTHONPATH": str(ROOT),
            "PYTHONNODEBUGRANGES": "1",
            "PYTHONUNBUFFERED": "1",
            "KUBECONFIG": str(cluster.kubeconfig),
        }

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the command in the cluster's network."""
        enter = self.cluster.middle.inside("env", f"--chdir={self.folder}", str(ROOT / "bin/operations"), "try")
        how: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen([*enter, *arguments], env=self.environ, stdin=subprocess.DEVNULL, **how)

    def run(self, *arguments: str) -> Ended:
        """Run the command to its end."""
        process = self.begin(*arguments)
        printed, _ = process.communicate(timeout=3000)
        with (self.folder / "printed").open("a") as file:
            file.write(printed)
        return Ended(process.returncode, printed)

    def killed_at(self, line: str, *arguments: str) -> None:
        """Run the command, and kill it and what it started once it says a line."""
        process = self.begin(*arguments)
        assert process.stdout is not None
        seen = []
        for said in process.stdout:
            seen.append(said)
            if line in said:
                break
        else:
            pytest.fail(f"it never said {line}: {''.join(seen)}")
        time.sleep(2)
        for child in _children(process.pid):
            os.kill(child, signal.SIGKILL)
        process.wait()

    def write_file(self, mirror: str) -> Keys:
        """Write the sandbox's file as the command does, with the images and the charts of this machine."""
        found = self.cluster.middle.call(lambda: facts(context_client(CONTEXT), CONTEXT))
        assert found.service_range == IPv4Network(network.SERVICES)
        assert found.pod_range == IPv4Network(network.PODS)
        assert found.node_range == IPv4Network(network.MACHINES)
        assert found.storage_class == "do-block-storage"
        assert not any(node.labelled for node in found.nodes)
        self.sandbox.mkdir(parents=True)
        keys = kept_keys(self.sandbox / place.KEYS, place.HOSTS)
        place.written(self.sandbox, found, keys.ca)
        text = self.file.read_text().replace("      - name: main\n", f"      - name: main\n        image: {IMAGE}\n")
        self.file.write_text(f"{text}\nchart_mirror: {mirror}\n")
        return keys

    def environment(self) -> Environment:
        """Return the sandbox."""
        return load(self.file)

    def everything(self) -> set[str]:
        """Return the name of each object that is in no namespace."""
        kinds = self.cluster.kubectl("api-resources", "--verbs=list,delete", "--namespaced=false", "-o", "name").split()
        found = self.cluster.kubectl("get", ",".join(kind for kind in kinds if kind not in SKIPPED), "-o", "name")
        return {line for line in found.split() if "flowcontrol" not in line}


IMAGE = postgres.POSTGRES.name


def _children(process: int) -> list[int]:
    found = [process]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            found += map(int, task.read_text().split())
    return found


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    require_node(*NEEDED)
    if not CRDS.is_dir():
        pytest.skip(f"no CRDs in {CRDS}; set CRDS")
    folder = tmp_path_factory.mktemp("try")
    project = folder / "project"
    project.mkdir()
    patched = pytest.MonkeyPatch()
    with NodeCluster(folder / "cluster") as cluster:
        patched.setenv("KUBECONFIG", str(cluster.kubeconfig))
        cluster.add_images(*trying.OWN)
        cluster.kubectl("label", "nodes", "--all", "pool-role-")
        yield Place(cluster, project)
    patched.undo()


def test_it_is_brought_up_changed_and_taken_away(here: Place) -> None:
    cluster = here.cluster
    refused = here.run("--yes")
    assert refused.code == 2
    assert "no StorageClass is the default one, found do-block-storage, do-block-storage-retain" in refused.printed
    cluster.kubectl("annotate", "storageclass", "do-block-storage", "storageclass.kubernetes.io/is-default-class=true")
    assert DRIVER in cluster.kubectl("get", "storageclass")
    before = here.everything()
    unasked = here.run()
    assert unasked.code == 1
    assert "the label pool-role=system to system-1, workload-2" in unasked.printed
    assert here.everything() == before
    assert not here.sandbox.exists()

    with cluster.middle.call(trying.Charts) as mirror:
        keys = here.write_file(mirror.url)
        with trying.played(cluster, here.environment(), here.folder / "releases") as played:
            _bring_up(here, keys)
            _look(here, keys)
            _change(here)
            REPORT.append(f"try, stand-ins: {', '.join(sorted(played.stand_ins))}")
            _take_away(here, before)


def _bring_up(here: Place, keys: Keys) -> None:
    here.killed_at("fill Vault", "--yes")
    started = time.monotonic()
    here.killed_at("install Flux by OpenTofu", "--yes")
    up = here.run("--yes")
    assert up.code == 0, up.printed
    assert "the sandbox is up" in up.printed
    REPORT.append(f"try: up after {time.monotonic() - started:.0f} s, with one kill in it")
    assert re.search(r"(\d+) of \1 layers are Ready", up.printed)
    layers = json.loads(here.cluster.kubectl("get", "kustomizations", "-n", "flux-system", "-o", "json"))["items"]
    late = {item["metadata"]["name"]: why for item in layers if (why := why_not_ready(item)) is not None}
    assert len(layers) > 15
    assert not late
    for value in (keys.vault_token, keys.secret_access_key, keys.access_key_id, keys.private_key.splitlines()[1]):
        assert value not in (here.folder / "printed").read_text()
        assert not [path for path in here.sandbox.rglob("*") if path.name != "keys.json" and _holds(path, value)]
    assert (here.sandbox / "keys.json").stat().st_mode & 0o777 == 0o600


def _holds(path: Path, value: str) -> bool:
    return path.is_file() and value.encode() in path.read_bytes()


def _look(here: Place, keys: Keys) -> None:
    """What the summary names is there, Postgres archives into the bucket, and the measures are taken."""
    cluster = here.cluster
    labelled = cluster.kubectl("get", "nodes", "-l", "pool-role=system", "-o", "name").split()
    assert len(labelled) == 2
    secrets = json.loads(cluster.kubectl("get", "externalsecrets", "-A", "-o", "json"))["items"]
    assert len(secrets) >= 4
    assert all(item["status"]["conditions"][0]["status"] == "True" for item in secrets)
    backups = trying.bucket_of(cluster, place.BACKUPS, keys.access_key_id, keys.secret_access_key)

    def archived() -> bool:
        found = cluster.middle.call(lambda: [item.key for item in backups.objects.all()])
        return any("/base/" in key and key.endswith("backup.info") for key in found) and any(
            "/wals/" in key for key in found
        )

    cluster.eventually(archived, "a base backup and the log are in the bucket in the cluster")
    # Network policies know a new pod a moment after it is Ready.
    cluster.eventually(lambda: "stored" in _example(here), "the example of an application stores its visits")
    assert _example(here)["stored"] == _example(here)["stored"] - 1
    assert postgres.superuser(cluster, "main-1", "select 1 from pg_database where datname = 'example'") == "1"
    REPORT.append(_measured(cluster))


def _example(here: Place) -> dict[str, Any]:
    """Follow the commands that the summary prints for the example of an application, and return what it says."""
    (address,) = re.findall(r"curl --insecure (.*)", (here.folder / "printed").read_text())[-1:]
    assert address == "--resolve example.try.test:8443:127.0.0.1 https://example.try.test:8443/"
    kubectl = f"{BIN}/kubectl --kubeconfig {here.cluster.kubeconfig}"
    script = f"""
{kubectl} port-forward -n traefik service/traefik 8443:443 >/dev/null 2>&1 &
forward=$!
for _ in $(seq 100); do
  curl --silent --noproxy '*' --cacert {here.folder}/ca.crt {address} > {here.folder}/answer && break
  sleep 0.3
done
kill $forward
"""
    trusted = here.cluster.get("secret", "trusted-ca", place.EXAMPLE)
    assert trusted is not None
    (here.folder / "ca.crt").write_bytes(b64decode(trusted["data"]["ca.crt"]))
    here.cluster.middle.run("bash", "-c", script)
    for name, namespace, host in (("default", "traefik", "ingress"), ("example-tls", place.EXAMPLE, "example")):
        found = here.cluster.get("certificate", name, namespace)
        assert found is not None
        assert found["spec"]["dnsNames"] == [f"{host}.try.test"]
        assert found["spec"]["issuerRef"]["name"] == "internal-ca"
        assert found["status"]["conditions"][0]["status"] == "True"
    return json.loads((here.folder / "answer").read_text())


def _measured(cluster: NodeCluster) -> str:
    """Return what pods ask for, and what those that run here use."""
    memory = processor = 0
    for name in cluster.machines:
        summary = json.loads(cluster.kubectl("get", "--raw", f"/api/v1/nodes/{name}/proxy/stats/summary"))
        memory += sum(pod.get("memory", {}).get("workingSetBytes", 0) for pod in summary["pods"])
        processor += sum(pod.get("cpu", {}).get("usageNanoCores", 0) for pod in summary["pods"])
    asked = needed()
    return (
        f"try: asks for {asked.cpu / 1000:.1f} cores and {asked.memory / 1024:.1f} GiB; what runs here uses "
        f"{memory / 2**30:.1f} GiB and {processor / 1e9:.2f} cores once it is up"
    )


def _change(here: Place) -> None:
    """A change of the file is what runs after the next run."""
    text = here.file.read_text()
    here.file.write_text(text.replace("traefik: {replicas: 1}", "traefik: {replicas: 1, requests_per_second: 77}"))
    started = time.monotonic()
    changed = here.run()
    assert changed.code == 0, changed.printed
    REPORT.append(f"try: a change is there after {time.monotonic() - started:.0f} s")
    assert "bucket try-source: 2 objects changed" in changed.printed or "objects changed" in changed.printed
    limit = here.cluster.get("middleware.traefik.io", "rate-limit", "traefik")
    assert limit is not None
    assert limit["spec"]["rateLimit"]["average"] == 77


def _take_away(here: Place, before: set[str]) -> None:
    cluster = here.cluster
    started = time.monotonic()
    here.killed_at("end what operators hold", "--remove", "--yes")
    gone = here.run("--remove", "--yes")
    assert gone.code == 0, gone.printed
    REPORT.append(f"try: taken away after {time.monotonic() - started:.0f} s, with one kill in it")
    left = here.everything() - before
    assert not left, sorted(left)
    assert before <= here.everything()
    assert not here.sandbox.exists()
    nodes = json.loads(cluster.kubectl("get", "nodes", "-o", "json"))["items"]
    labels = [item["metadata"]["labels"] for item in nodes]
    assert not any("pool-role" in found or "app.kubernetes.io/managed-by" in found for found in labels)
    cluster.eventually(lambda: "pvc-" not in cluster.kubectl("get", "pv", "-o", "name", code=None), "volumes are gone")
    again = here.run("--remove", "--yes")
    assert again.code == 2
    assert "holds nothing that `try` made" in again.printed
