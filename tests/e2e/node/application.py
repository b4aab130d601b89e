"""The application of the sandbox: a pod in its namespace, with what its namespace has and nothing else."""

from __future__ import annotations

from typing import NamedTuple

import yaml

from constructs_lib.kit import Manifest, manifest
from constructs_lib.platform.cert_manager import TRUSTED_CA
from constructs_lib.platform.cloudnative_pg.cluster import NAMESPACE
from tests.e2e.node.images import APPLICATION
from tests.e2e.node.pods import RESTRICTED
from tests.e2e.node.sandbox import SECRETS, Sandbox

APP = "episodic"
CLUSTER = "main"
"""The name of each of the sandbox's clusters."""

CA = "/ca/ca.crt"
CONNECTION = {
    "PGHOST": f"{CLUSTER}-rw.{NAMESPACE}.svc",
    "PGUSER": APP,
    "PGDATABASE": APP,
    "PGPASSWORD": SECRETS[f"postgres/{CLUSTER}/{APP}"]["password"],
    "PGSSLMODE": "verify-full",
    "PGSSLROOTCERT": CA,
    "PGCONNECT_TIMEOUT": "60",
}
"""How an application connects to Postgres: by TLS, with the password from Vault, and with the CA of its namespace."""


class Application(NamedTuple):
    """A pod of the application, in which tests run clients."""

    sandbox: Sandbox

    def start(self) -> None:
        """Start the pod."""
        self.sandbox.cluster.apply(_pod())
        self.sandbox.cluster.await_pods(APP)

    def run(self, *command: str, code: int | None = 0) -> str:
        """Run a command in the pod and return what it printed."""
        return self.sandbox.cluster.kubectl("exec", "client", "-n", APP, "--", *command, code=code).strip()

    def psql(self, command: str, host: str = "", *, code: int | None = 0) -> str:
        """Run an SQL command, on the primary's Service unless told another host, and return what it printed."""
        named = ("env", f"PGHOST={host}") if host else ()
        return self.run(*named, "psql", "-XAtqc", command, code=code)

    def python(self, code: str, *, code_of_exit: int | None = 0) -> str:
        """Run a program and return what it printed."""
        return self.run("python3", "-c", code, code=code_of_exit)


def bring(sandbox: Sandbox, item: Manifest) -> str:
    """Add an object to what applications bring, as their people do, and return the commit."""
    repository = sandbox.follower.repository
    folder = repository.folder / "apps" / sandbox.env.name / APP
    (folder / "brought.yaml").write_text(yaml.safe_dump(item))
    listed = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": ["brought.yaml"]}
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(listed))
    return repository.commit(f"Bring a {item['kind']}")


def _pod() -> Manifest:
    container: Manifest = {
        "name": "client",
        "image": APPLICATION.name,
        "command": ["sleep", "infinity"],
        "env": [{"name": name, "value": value} for name, value in CONNECTION.items()],
        "securityContext": RESTRICTED,
        "volumeMounts": [{"name": "ca", "mountPath": "/ca"}],
    }
    volumes = [{"name": "ca", "secret": {"secretName": TRUSTED_CA, "items": [{"key": "ca.crt", "path": "ca.crt"}]}}]
    spec = {"containers": [container], "volumes": volumes, "terminationGracePeriodSeconds": 1}
    return manifest("v1", "Pod", "client", APP, spec=spec)
