"""Which cluster is tried, and that another environment's never is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from constructs_lib.base.errors import ConfigError
from operations.commands import app
from operations.trying import up
from operations.trying.kubectl import Kubectl
from operations.trying.up import chosen_context, refuse_taken
from operations.trying.upload import tree
from tests.support import environment, existing

SERVER = "https://127.0.0.1:1"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A kubeconfig of two contexts of one cluster, and one of another, and no current one."""
    made = {
        "clusters": [{"name": name, "cluster": {"server": f"{SERVER}{name}"}} for name in ("1", "2")],
        "users": [{"name": "me", "user": {"token": "x"}}],
        "contexts": [
            {"name": name, "context": {"cluster": cluster, "user": "me"}}
            for name, cluster in (("kind-lab", "1"), ("same", "1"), ("other", "2"))
        ],
    }
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(made))
    monkeypatch.setenv("KUBECONFIG", str(path))
    monkeypatch.chdir(tmp_path)
    return made


def test_it_is_the_one_that_is_named_or_the_current_one(config: dict[str, Any], tmp_path: Path) -> None:
    assert chosen_context("other") == "other"
    with pytest.raises(ConfigError, match=r"kubeconfig: has no current context; name one with --context"):
        chosen_context(None)
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump({**config, "current-context": "same"}))
    assert chosen_context(None) == "same"


@pytest.mark.parametrize("context", ["kind-lab", "same"])
def test_the_cluster_of_another_environment_is_refused_by_any_name(config: dict[str, Any], context: str) -> None:
    host = f"{SERVER}{next(one['context']['cluster'] for one in config['contexts'] if one['name'] == context)}"
    with pytest.raises(ConfigError, match=f"context {context}: is the cluster of environments/sandbox.yaml"):
        refuse_taken(context, host, [existing()])
    refuse_taken("other", f"{SERVER}2", [existing(), environment()])


def test_so_is_one_of_digitalocean_as_its_program_names_it(config: dict[str, Any]) -> None:
    assert config
    with pytest.raises(ConfigError, match=r"context do-lon1-episodic-sandbox: is the cluster of environments/sandbox"):
        refuse_taken("do-lon1-episodic-sandbox", "https://elsewhere", [environment()])
    refuse_taken("do-lon1-another", "https://elsewhere", [environment()])


def test_programs_that_are_missing_are_said_in_a_sentence(
    config: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert config
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=r"tofu: is not installed; OpenTofu installs Flux"):
        up.bring_up("kind-lab", lambda _: True)
    with pytest.raises(ConfigError, match=r"kubectl: is not installed; `try` reaches the cluster by it"):
        Kubectl("kind-lab")


def test_what_kubectl_refuses_is_its_last_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "kubectl"
    program.write_text('#!/bin/sh\necho first >&2; echo "error: $3 is bad" >&2; exit 1\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(ConfigError, match=r"context lab: kubectl get pods: error: pods is bad; run this again"):
        Kubectl("lab")("get", "pods")
    assert Kubectl("lab")("get", "pods", refused="pods is bad") == ""
    with (
        pytest.raises(ConfigError, match="context lab: no way to service vault: error: -n is bad"),
        Kubectl("lab").forwarded("try", "vault", 8200),
    ):
        pytest.fail("there is no way")


def test_a_way_ends_with_what_used_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "kubectl"
    program.write_text('#!/bin/sh\necho $$ > pid; echo "Forwarding from 127.0.0.1:41234 -> 8200"; exec sleep 600\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    with Kubectl("lab").forwarded("try", "vault", 8200) as port:
        assert port == 41234
        process = Path("/proc", (tmp_path / "pid").read_text().strip())
        assert process.exists()
    assert not process.exists()


def test_a_way_that_does_not_come_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "kubectl"
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr("operations.trying.kubectl.LEADS_SECONDS", 0.1)
    with (
        pytest.raises(ConfigError, match="context lab: no way to service vault: no word; run this again"),
        Kubectl("lab").forwarded("try", "vault", 8200),
    ):
        pytest.fail("there is no way")


def test_flux_reads_every_file_of_the_tree_but_those_about_it(tmp_path: Path) -> None:
    for name in ("clusters/try/source.yaml", "apps/try/mine.yaml", ".render/try.json", ".sops.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    wanted = {name: name.encode() for name in ("apps/try/mine.yaml", "clusters/try/source.yaml")}
    assert tree(tmp_path) == wanted


def test_the_command_is_there() -> None:
    names = {command.name for group in app.registered_groups for command in group.typer_instance.registered_commands}  # pyright: ignore[reportOptionalMemberAccess]
    assert "try" in names
