"""The outside world on loopback: GitHub, DigitalOcean, Spaces, chart repositories, and a real Vault."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import yaml

from constructs_lib.base.purpose import Purpose
from constructs_lib.base.stacks import STATE_PASSPHRASE
from constructs_lib.cloud.fluxcd import OPERATOR_CHART
from constructs_lib.environment import Environment
from operations.secrets.credentials import ACCOUNT, KEY, Credentials
from operations.secrets.entries import brought
from tests.e2e.cluster import Cluster
from tests.e2e.vault import Vault
from tests.fakes.actions import FakeActions
from tests.fakes.charts import FakeCharts
from tests.fakes.digitalocean import FakeDigitalOcean
from tests.fakes.github import FakeGitHub
from tests.fakes.ingress import FakeIngress
from tests.fakes.spaces import FakeSpaces
from tests.fakes.vault import endless
from tests.support import ROOT, environment, environment_data
from tests.workflows.act import Project, Run

ENVIRONMENTS = ("sandbox", "staging", "production")
REPOSITORY = "episodic-gitops"
INFRASTRUCTURE = "infrastructure"
ZONE = "episodic.example"
MADE = ("rulesets", "keys", "environments")
SANDBOX_POOLS = ["default", "system-s-4vcpu-8gb", "workload-s-2vcpu-4gb"]

JOBS = {"deploy-key": "bootstrap", "state-migrate": "apply", "wait-ready": "ready", "sweep": "integration"}
"""The job of each command that is not named like one."""

STAND_IN = Path(__file__).with_name("stand_in.py")


class World:
    """Everything is empty but for what only a person can bring: tokens and keys, in Vault.

    `cluster` is the API server that every new cluster of DigitalOcean turns out to be. Without `providers`, OpenTofu
    works on stand-ins of what they would make.
    """

    def __init__(self, folder: Path, cluster: Cluster | None = None, *, providers: bool = True) -> None:
        self.folder, self.providers = folder, providers
        self._open = ExitStack()
        self.digitalocean = FakeDigitalOcean(token=f"do-{secrets.token_hex(12)}")
        if cluster is not None:
            self.digitalocean.server, self.digitalocean.ca = cluster.url, cluster.ca
            self.digitalocean.cluster_token = cluster.token
        self.github = FakeGitHub(
            token=f"gh-{secrets.token_hex(12)}", teams={"platform": 11, "operations": 12, "episodic": 13}, users={}
        )
        self.spaces = FakeSpaces()
        self.actions = FakeActions()
        self.digitalocean.zones.records[ZONE] = {}
        self.ingress = FakeIngress(folder / "ingress", leads_to=self._leads_to)
        self.charts = FakeCharts([OPERATOR_CHART])
        self.vault = Vault(folder / "vault")

    def __enter__(self) -> Self:
        for part in (
            *(self.digitalocean, self.github, self.spaces, self.actions),
            *(self.charts, self.ingress, self.vault),
        ):
            self._open.enter_context(part)
        self.github.add_repository(INFRASTRUCTURE)
        self.github.git.begin(INFRASTRUCTURE, {".github/CODEOWNERS": (ROOT / ".github/CODEOWNERS").read_text()})
        self._fill_vault()
        self.binaries.mkdir()
        command = [sys.executable, "-I", STAND_IN, ROOT / "tools/bin/tofu", "real" if self.providers else "stand-in"]
        self._add_program("tofu", f'exec {" ".join(map(str, command))} "$@"')
        # Nobody gains rights here, and a real node has its own tests.
        self._add_program("sudo", 'echo "as root: $*"')
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _add_program(self, name: str, command: str) -> None:
        (self.binaries / name).write_text(f"#!/bin/sh\n{command}\n")
        (self.binaries / name).chmod(0o755)

    def close(self) -> None:
        """End it: two at once would share their buckets, which moto keeps in this process."""
        self._open.close()

    @property
    def repository(self) -> dict[str, Any]:
        """The GitOps repository."""
        return self.github.repositories[REPOSITORY]

    @property
    def binaries(self) -> Path:
        """Where `tofu` is."""
        return self.folder / "bin"

    @property
    def artifacts(self) -> Path:
        """Where workflows keep their artifacts."""
        return self.folder / "artifacts"

    def path(self) -> str:
        """Return where programs are found: the real ones, and the virtual environment's."""
        return os.pathsep.join([str(self.binaries), str(Path(sys.executable).parent), os.environ["PATH"]])

    def environment(self) -> dict[str, str]:
        """Return the variables by which the outside world is this one. None of them is a credential of ours."""
        spaces = self.spaces.environment()
        return {
            "GITHUB_API_URL": f"{self.github.url}/api/v3",
            "DIGITALOCEAN_API_URL": self.digitalocean.url,
            "DIGITALOCEAN_HTTP_RETRY_MAX": "2",
            "DIGITALOCEAN_HTTP_RETRY_WAIT_MIN": "0.1",
            "SPACES_ENDPOINT_URL": spaces["SPACES_ENDPOINT_URL"],
            "HTTP_PROXY": spaces["HTTP_PROXY"],
            "HTTPS_PROXY": f"http://127.0.0.1:{self.ingress.port}",
            "NO_PROXY": "127.0.0.1,localhost",
            **self.actions.environment(),
        }

    def job_environment(self, project: Project) -> dict[str, str]:
        """Return the variables of a workflow's jobs, which use the packages that are installed already."""
        return {
            **self.environment(),
            "ACT_STUB_ARTIFACTS": str(self.artifacts),
            "ACT_STUB_SOURCE": str(project.folder),
            "JSII_RUNTIME_PACKAGE_CACHE": "enabled",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def environment_files(self) -> dict[str, str]:
        """Return the project's environment files, with this Vault and these charts."""
        return {f"environments/{name}.yaml": yaml.safe_dump(self._environment(name)) for name in ENVIRONMENTS}

    def run(self, *arguments: str, folder: Path, code: int = 0, **variables: str) -> str:
        """Run a command of `operations` in a folder as the job does that is there for it; return what it printed."""
        given = {**self._asking(arguments), **variables}
        return self._finish([sys.executable, "-m", "operations", *arguments], folder, code, given)

    def start(self, *arguments: str, folder: Path) -> subprocess.Popen[str]:
        """Start such a command."""
        return subprocess.Popen(
            [sys.executable, "-m", "operations", *arguments],
            cwd=folder,
            env={**self.command_environment(), **self._asking(arguments)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _asking(self, arguments: Sequence[str]) -> dict[str, str]:
        """Return the variables by which a command asks for a token as its job does."""
        words = arguments[1:] if arguments[0] == "provision" else arguments
        kind, name = words[0], next((word for word in words[1:] if not word.startswith("-")), "")
        return self.actions.environment(JOBS.get(kind, kind), name.partition("-")[0])

    def synthesise(self, folder: Path) -> None:
        """Write the stacks, as `make synth` does."""
        self._finish([sys.executable, "main.py"], folder, 0, {})

    def tofu(self, *arguments: str, folder: Path, environment: str) -> str:
        """Run OpenTofu as an engineer does who has the credentials of an environment."""
        path = f"{environment}/provisioning"
        account, state = self.vault.read(path), self.vault.read(f"{path}/state")
        held = [*(account[name] for name in ACCOUNT), *(state[name] for name in (STATE_PASSPHRASE, *KEY))]
        variables = Credentials(*held).variables()
        return self._finish([str(self.binaries / "tofu"), *arguments], folder, 0, variables)

    def _finish(self, command: Sequence[str], folder: Path, code: int, variables: Mapping[str, str]) -> str:
        result = subprocess.run(
            command,
            cwd=folder,
            env={**self.command_environment(), **variables},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        printed = result.stdout + result.stderr
        assert result.returncode == code, f"{' '.join(command)}: {result.returncode}\n{printed}"
        return printed

    def command_environment(self) -> dict[str, str]:
        """Return the variables of a command that an engineer runs."""
        quick = {"JSII_RUNTIME_PACKAGE_CACHE": "enabled", "PYTHONDONTWRITEBYTECODE": "1"}
        return {"PATH": self.path(), "HOME": os.environ["HOME"], **quick, **self.environment()}

    def secrets(self) -> set[bytes]:
        """Return every secret there is, by line."""
        keys = [key["secret_key"] for key in self.digitalocean.spaces_keys.values()]
        known = [
            self.digitalocean.token,
            self.digitalocean.cluster_token,
            self.github.token,
            self.vault.token,
            *self.actions.tokens,
            *self.digitalocean.teams,
        ]
        # What DigitalOcean calls a key's id is none, nor is the number by which a plan shows new secrets.
        held = (entry for path in self.vault.versions() for entry in self.vault.read(path).items())
        values = [value for name, value in held if not name.endswith(("access_key_id", "secrets_revision"))]
        lines = {line for text in (*keys, *known, *values) for line in text.splitlines()}
        return {line.encode() for line in lines if len(line) >= 8 and not line.startswith("-----")}

    def assert_no_secret_in(self, runs: Sequence[Run], *folders: Path) -> None:
        """Fail if a secret is in the log of a run, an artifact, a state, or any file of these folders."""
        secrets_ = self.secrets()
        stored = ((name, self.spaces.objects(name)) for name in self.spaces.buckets())
        buckets = {f"{name}/{key}": data for name, objects in stored for key, data in objects.items()}
        paths = (path for folder in (self.artifacts, *folders) for path in folder.rglob("*") if path.is_file())
        files = {str(path): path.read_bytes() for path in paths}
        told = [secret for run in runs for secret in secrets_ if run.shows(secret.decode())]
        held = [where for where, data in {**buckets, **files}.items() if any(secret in data for secret in secrets_)]
        assert (told, held) == ([], []), f"{len(told)} secrets are in a log, and some in {held}"
        assert runs
        assert files

    def writes(self) -> list[str]:
        """Return every request so far that may have changed GitHub or DigitalOcean; a Git read is a POST too."""
        requests = [*self.github.writes, *self.digitalocean.writes]
        return [f"{item.method} {item.path}" for item in requests if not item.path.endswith("/git-upload-pack")]

    def refused(self) -> list[str]:
        """Return what clients asked of the fakes that these do not know."""
        return [*self.github.refused, *self.digitalocean.refused]

    def end_state(self) -> dict[str, Any]:
        """Return what is there, without what is random: numbers, keys and commits."""
        repository = self.github.repositories.get(REPOSITORY, {})
        return {
            "settings": repository.get("settings"),
            "made": {kind: sorted(map(_plain, repository.get(kind, {}).values())) for kind in MADE},
            "environments": sorted(self.github.repositories[INFRASTRUCTURE]["environments"]),
            "files": [_without_ports(path) for path in self.github.git.files(REPOSITORY)] if repository else [],
            "branches": sorted(self.github.git.branches(REPOSITORY)) if repository else [],
            "messages": [commit.message for commit in self.github.git.log(REPOSITORY)] if repository else [],
            "clusters": sorted(cluster["name"] for cluster in self.digitalocean.clusters.values()),
            "pools": sorted(
                pool["name"] for cluster in self.digitalocean.clusters.values() for pool in cluster["node_pools"]
            ),
            "networks": sorted(network["name"] for network in self.digitalocean.vpcs.values()),
            "projects": sorted(project["name"] for project in self.digitalocean.projects.values()),
            "keys": sorted(key["name"] for key in self.digitalocean.spaces_keys.values()),
            "records": sorted(item["name"] for item in self.digitalocean.zones.records[ZONE].values()),
            "buckets": self.spaces.buckets(),
            "vault": {path: sorted(self.vault.read(path)) for path in sorted(self.vault.versions())},
        }

    def _leads_to(self, host: str) -> str | None:
        """Return where a host leads; stand-ins make no records."""
        return self.digitalocean.zones.leads_to(host) if self.providers else host

    def _fill_vault(self) -> None:
        for name in ENVIRONMENTS:
            self._bring(environment(name))
        self.vault.write("gitops/provisioning", github_token=self.github.token, **self._account("gitops"))
        for purpose in (Purpose.PROMOTE, Purpose.DRIFT, Purpose.INTEGRATION):
            self.vault.write(f"gitops/provisioning/{purpose}", github_token=self.github.token)
        tested = self._token("integration", writes=True)
        self.vault.write("gitops/provisioning/integration", github_token=self.github.token, digitalocean_token=tested)
        for path in self.vault.versions():
            self.vault.note(path, endless(self.vault.read(path)))
        self._follow()

    def bring(self, added: dict[str, Any]) -> None:
        """Let Vault know an environment that was added, and bring what only a person can."""
        self._bring(Environment.model_validate_json(json.dumps(added)))
        self._follow(added)

    def _bring(self, env: Environment) -> None:
        for path, properties in brought(env):
            self.vault.write(path, **{key: secrets.token_hex(20) for key in properties})
        self.vault.write(f"{env.name}/provisioning", **self._account(env.name))
        self.vault.write(f"{env.name}/provisioning/plan", digitalocean_token=self._token(env.name, writes=False))

    def _follow(self, *added: dict[str, Any]) -> None:
        files = (*map(self._environment, ENVIRONMENTS), *added)
        models = [Environment.model_validate_json(json.dumps(data)) for data in files]
        self.vault.follow(models, self.actions.public_key)

    def _account(self, name: str) -> dict[str, str]:
        """Return what a person brings of a DigitalOcean team of its own."""
        return {"digitalocean_token": self._token(name, writes=True), **_spaces_key()}

    def _token(self, team: str, *, writes: bool) -> str:
        token = f"do-{secrets.token_hex(12)}"
        self.digitalocean.teams[token] = team
        if not writes:
            self.digitalocean.read_only.add(token)
        return token

    def _environment(self, name: str) -> dict[str, Any]:
        server = {"address": self.vault.address, "ca_bundle": self.vault.ca}
        data = environment_data(name, chart_mirror=self.charts.url)
        data["vault"] |= server
        data["gitops"]["vault"] |= server
        return data


def _plain(item: dict[str, Any]) -> str:
    """Return an item of the GitOps repository without its numbers, keys and dates."""
    hidden = {"id", "key", "created_at", "updated_at", "policies", "variables", "secrets"}
    return json.dumps({key: value for key, value in item.items() if key not in hidden}, sort_keys=True, default=str)


def _without_ports(path: str) -> str:
    """Return a path without the port of this world's chart repository, after which its source is named."""
    return re.sub(r"127-0-0-1-\d+", "127-0-0-1", path)


def _spaces_key() -> dict[str, str]:
    return {
        "spaces_access_key_id": f"DO{secrets.token_hex(9).upper()}",
        "spaces_secret_access_key": secrets.token_urlsafe(32),
    }
