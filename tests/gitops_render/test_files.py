"""Showing the whole of an environment, and making a new one."""

from __future__ import annotations

import shutil
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest
import yaml

from constructs_lib.base.errors import ConfigError
from constructs_lib.environment import load, load_all, read
from gitops_render import journal
from gitops_render.new import Wanted, free_range, new_environment
from gitops_render.show import shown
from tests.support import ROOT, environment, run_python


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the shipped files, in which commands run."""
    shutil.copytree(ROOT / "environments", tmp_path / "environments")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "environments"


@pytest.mark.parametrize("name", ["sandbox", "production"])
def test_what_is_shown_is_the_whole_and_says_where_it_is_from(folder: Path, name: str) -> None:
    path = Path(f"environments/{name}.yaml")
    env = load(path)
    lines = list(shown(env, read(path)))
    assert yaml.safe_load("\n".join(lines)) == env.model_dump(mode="json")
    sources = [line.rpartition("# ")[2] for line in lines if "  # " in line]
    for source in sources:
        file, _, line = source.partition(":")
        assert source == "default" or int(line) <= len(Path(file).read_text().splitlines())
    by_key = {line.split(":")[0]: line.rpartition("# ")[2] for line in lines if not line.startswith(" ")}
    written = path.read_text().splitlines()
    assert by_key["mode"] == "default"
    assert by_key["name"] == f"{path}:{written.index(f'name: {name}') + 1}"
    assert by_key["region"].startswith("environments/_shared.yaml:")


def test_lists_of_any_values_are_shown(folder: Path) -> None:
    path = Path("environments/sandbox.yaml")
    values = "{traefik: {a: [{}, 1, {b: []}], c: [{d: [{e: yes}]}], f: [], 'g h': 'x: y'}}"
    path.write_text(
        path.read_text().replace("traefik: {replicas: 1}", f"traefik: {{replicas: 1, extra_values: {values}}}")
    )
    env = load(path)
    assert yaml.safe_load("\n".join(shown(env, read(path)))) == env.model_dump(mode="json")


def test_only_what_a_file_says_is_said_to_be_from_it(folder: Path) -> None:
    env = load(Path("environments/sandbox.yaml"))
    lines = "\n".join(shown(env, read(Path("environments/sandbox.yaml"))))
    postgres = lines[lines.index("  cloudnative_pg:") :]
    clusters = postgres[postgres.index("clusters:") : postgres.index("rabbitmq_operator:")].splitlines()
    instances, wal = (next(line for line in clusters if key in line) for key in (" instances: 1", "wal_storage"))
    assert "# environments/sandbox.yaml:" in instances
    assert wal.endswith("# default")


@pytest.mark.parametrize("like", ["sandbox", "staging", "production"])
def test_a_new_environment_shares_nothing_and_loads_at_once(folder: Path, like: str) -> None:
    environments = load_all(folder)
    (source,) = (env for env in environments if env.name == like)
    path = new_environment(environments, source, Wanted("review"))
    assert path == Path("environments/review.yaml")
    (made,) = (env for env in load_all(folder) if env.name == "review")
    assert (made.tier, made.domain) == (source.tier, "review.episodic.example")
    assert made.cluster.pools == source.cluster.pools
    assert path.read_text().startswith("# yaml-language-server: ")


def test_what_is_given_counts(folder: Path) -> None:
    environments = load_all(folder)
    wanted = Wanted("review", tier="sandbox", domain="review.example.org", vpc_range="172.16.0.0/20")
    with pytest.raises(ConfigError, match=r"environments/review\.yaml:\d+: dns\.zone must be the domain") as caught:
        new_environment(environments, environments[1], wanted)
    assert caught.value.problems[-1].endswith("is not written; give what is said above, or edit a copy")
    assert not (folder / "review.yaml").exists()
    new_environment(environments, environments[1], wanted._replace(domain="x.episodic.example"))
    (made,) = (env for env in load_all(folder) if env.name == "review")
    assert (made.tier, str(made.vpc_range)) == ("sandbox", "172.16.0.0/20")


def test_a_file_that_is_there_is_kept(folder: Path) -> None:
    environments = load_all(folder)
    before = (folder / "staging.yaml").read_text()
    with pytest.raises(ConfigError, match=r"environments/staging\.yaml: is there already"):
        new_environment(environments, environments[0], Wanted("staging"))
    assert (folder / "staging.yaml").read_text() == before


def test_a_new_file_is_there_whole_however_its_run_was_cut(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environments = load_all(folder)
    with monkeypatch.context() as cut:
        cut.setattr(Path, "replace", refuse)
        with pytest.raises(PermissionError):
            new_environment(environments, environments[0], Wanted("review"))
    assert not (folder / "review.yaml").exists()
    with monkeypatch.context() as cut:
        cut.setattr(journal, "_carry_out", refuse)
        with pytest.raises(PermissionError):
            new_environment(environments, environments[0], Wanted("review"))
    with pytest.raises(ConfigError, match=r"review\.yaml: is there already"):
        new_environment(environments, environments[0], Wanted("review"))
    assert "review" in {env.name for env in load_all(folder)}
    assert [*folder.parent.iterdir()] == [folder]


def refuse(*_: object, **__: object) -> None:
    raise PermissionError


def test_the_age_key_of_another_is_not_taken_over(folder: Path) -> None:
    path = folder / "sandbox.yaml"
    path.write_text(f"{path.read_text()}sops_recipient: age1{'q' * 58}\n")
    environments = load_all(folder)
    assert "sops_recipient" not in new_environment(environments, environments[0], Wanted("review")).read_text()


def test_the_next_free_range_overlaps_nothing() -> None:
    first, second = environment(), environment(name="b", vpc_range="10.21.0.0/16")
    network: dict[str, Any] = {"vpc": {"name": "v"}, "cluster_subnet": "10.22.0.0/20"}
    third = environment(name="c", vpc_range="10.23.0.0/20", cluster__network=network)
    found = free_range([first, second, third], first.vpc_range)
    assert found == IPv4Network("10.24.0.0/20")


def test_from_the_command_line(folder: Path) -> None:
    def run(*arguments: str) -> tuple[int, str, str]:
        result = run_python("-m", "gitops_render", *arguments, folder=folder.parent)
        return result.returncode, result.stdout, result.stderr

    assert run("validate") == (0, "3 environments, no problem\n", "")
    code, printed, _ = run("new", "environment", "review", "--like", "staging", "--tier", "sandbox")
    assert code == 0
    assert printed.startswith("environments/review.yaml: written like staging; read it")
    assert run("validate")[1] == "4 environments, no problem\n"
    assert "name: review " in run("show", "review")[1]
    assert run("new", "environment", "other", "--tier", "tests")[::2] == (
        2,
        "--tier: unknown tier 'tests', known are sandbox, staging, production\n",
    )
    (folder / "review.yaml").write_text("name: [")
    code, printed, said = run("validate")
    assert (code, printed) == (2, "")
    assert said.startswith("environments/review.yaml: cannot be read as YAML at line ")
