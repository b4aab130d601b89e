"""The folder of the sandbox: its keys, and its file."""

from __future__ import annotations

import shutil
import ssl
from datetime import UTC, datetime
from ipaddress import IPv4Network
from pathlib import Path

import pytest
import yaml
from cryptography import x509

from constructs_lib.base.errors import ConfigError
from constructs_lib.environment.capacity import places
from constructs_lib.environment.fitting import too_much
from constructs_lib.kit import Room
from gitops_render import example
from gitops_render.check import check_trees, read_trees
from gitops_render.tree import render
from gitops_render.write import write
from operations.trying import beside, place
from operations.trying.facts import Facts, Node
from operations.trying.keys import kept_keys
from operations.trying.summary import lines
from operations.trying.up import needed, question, refuse_elsewhere, refuse_small


def found(cpu: int = 4000, memory: int = 7600, *names: str, labelled: bool = False) -> Facts:
    nodes = tuple(Node(name, Room(cpu, memory, 110), labelled) for name in names or ("a",))
    ranges = map(IPv4Network, ("172.18.0.0/24", "10.244.0.0/16", "10.96.0.0/16"))
    return Facts("kind-lab", "1.36", "standard", nodes, *ranges)


def test_keys_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    keys = kept_keys(path, place.HOSTS)
    assert path.stat().st_mode & 0o777 == 0o600
    assert kept_keys(path, ("other",)) == keys
    assert len({*keys}) == 11
    assert kept_keys(tmp_path / "others.json", place.HOSTS).vault_token != keys.vault_token
    assert [item.name for item in tmp_path.iterdir() if item.name.endswith(".part")] == []


def test_a_file_of_keys_that_is_cut_is_said_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    for text in ("{", '{"vault_token": "a"}'):
        path.write_text(text)
        with pytest.raises(ConfigError, match=r"keys\.json: is not as `try` wrote it; run `bin/operations try"):
            kept_keys(path, place.HOSTS)


def test_the_certificate_is_for_both_servers_and_for_this_machine(tmp_path: Path) -> None:
    keys = kept_keys(tmp_path / "keys.json", place.HOSTS)
    own, ca = (x509.load_pem_x509_certificate(pem.encode()) for pem in (keys.certificate, keys.ca))
    own.verify_directly_issued_by(ca)
    names = own.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"vault.try.svc", "store.try.svc", "localhost"} <= {*names.get_values_for_type(x509.DNSName)}
    assert own.not_valid_after_utc > datetime.now(UTC)
    assert ca.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert not own.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    context = ssl.create_default_context(cadata=keys.ca)
    assert context.cert_store_stats()["x509_ca"] == 1
    assert "PRIVATE" not in keys.ca + keys.certificate


def test_the_file_loads_and_its_tree_breaks_no_policy(tmp_path: Path) -> None:
    keys = kept_keys(tmp_path / "keys.json", place.HOSTS)
    place.written(tmp_path, found(), keys.ca)
    env = place.loaded(tmp_path)
    assert env.vault.inside is not None
    assert env.backups.inside is not None
    assert (env.vault.inside.namespace, env.backups.inside.namespace) == ("try", "try")
    assert env.source is not None
    assert env.source.ca_bundle == env.backups.ca_bundle == env.vault.ca_bundle
    assert not [*too_much(places(env))]
    tree = tmp_path / "tree"
    write(tree, env.name, render(env))
    assert not check_trees(read_trees(tree))
    assert not [value for value in set(keys) - {keys.ca} if value in place.text(found(), keys.ca)]


def test_an_example_of_an_application_is_in_it_and_is_its_owner_s_from_then_on(tmp_path: Path) -> None:
    place.written(tmp_path, found(), kept_keys(tmp_path / "keys.json", place.HOSTS).ca)
    env, tree = place.loaded(tmp_path), tmp_path / "tree"
    app = env.applications[place.EXAMPLE]
    write(tree, env.name, render(env))
    folder = tree / "apps" / env.name / app.name
    example.fill(tree, env.name, app)
    assert not check_trees(read_trees(tree))
    (pods,) = (yaml.safe_load(path.read_text()) for path in folder.glob("deployment.yaml"))
    (container,) = pods["spec"]["template"]["spec"]["containers"]
    assert container["envFrom"] == [{"secretRef": {"name": "postgres-main"}}]
    asked = container["resources"]["requests"]
    each = Room(int(asked["cpu"].removesuffix("m")), int(asked["memory"].removesuffix("Mi")))
    assert each.times(pods["spec"]["replicas"]) == example.ASKS
    (folder / "program.py").write_text("mine\n")
    (folder / "deployment.yaml").unlink()
    write(tree, env.name, render(env))
    example.fill(tree, env.name, app)
    assert (folder / "program.py").read_text() == "mine\n"
    assert not (folder / "deployment.yaml").exists()
    shutil.rmtree(folder)
    write(tree, env.name, render(env))
    example.fill(tree, env.name, app)
    assert (folder / "deployment.yaml").exists()


def test_what_its_owner_changed_stays(tmp_path: Path) -> None:
    keys = kept_keys(tmp_path / "keys.json", place.HOSTS)
    place.written(tmp_path, found(), keys.ca)
    changed = (tmp_path / place.FILE).read_text().replace("domain: try.test", "domain: mine.test")
    (tmp_path / place.FILE).write_text(changed)
    place.written(tmp_path, found(), keys.ca)
    assert place.loaded(tmp_path).domain == "mine.test"


@pytest.mark.parametrize(
    ("cpu", "memory", "said"), [(4000, 7600, ("4000m", "7600Mi")), (64500, 2**19, ("64", "256Gi"))]
)
def test_nodes_of_any_size_are_said(tmp_path: Path, cpu: int, memory: int, said: tuple[str, str]) -> None:
    place.written(tmp_path, found(cpu, memory, "a", "b"), kept_keys(tmp_path / "keys.json", place.HOSTS).ca)
    pool = place.loaded(tmp_path).cluster.pools["all"]
    assert (pool.cpu, pool.memory, pool.min_nodes, pool.max_nodes) == (*said, 2, 2)  # pyright: ignore[reportAttributeAccessIssue]


def test_what_is_needed_is_what_pods_ask_for_and_fits_a_laptop(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = needed()
    assert asked.memory < 7 * 1024
    assert asked.cpu < 3000
    refuse_small(found(asked.cpu, asked.memory))
    refuse_small(found(asked.cpu // 2 + 1, asked.memory // 2 + 1, "a", "b"))
    whole = asked
    for module, name in ((beside, "OWN"), (example, "ASKS")):
        own = getattr(module, name)
        monkeypatch.setattr(module, name, Room())
        assert Room.of((needed(), own)) == whole
        whole = needed()


@pytest.mark.parametrize(("less", "unit"), [((1, 0), "cores"), ((0, 1), "GiB of memory")])
def test_a_cluster_with_less_is_refused(less: tuple[int, int], unit: str) -> None:
    asked = needed()
    sentence = rf"context kind-lab: the sandbox asks for .* cores and .* GiB of memory, and a have [\d.]+ {unit} free"
    with pytest.raises(ConfigError, match=sentence):
        refuse_small(found(asked.cpu - less[0], asked.memory - less[1]))


def test_the_question_says_what_comes_where_and_how_it_goes() -> None:
    asked = question(found(4000, 7600, "a", "b"), "https://127.0.0.1:6443")
    assert "https://127.0.0.1:6443 (context kind-lab)" in asked
    assert "pool-role=system to a, b" in asked
    assert "--remove" in asked
    assert "pool-role" not in question(found(labelled=True), "x")


def test_a_sandbox_on_another_context_is_not_changed(tmp_path: Path) -> None:
    place.written(tmp_path, found(), kept_keys(tmp_path / "keys.json", place.HOSTS).ca)
    env = place.loaded(tmp_path)
    refuse_elsewhere(env, "kind-lab")
    with pytest.raises(ConfigError, match="context is kind-lab, found other; run `bin/operations try"):
        refuse_elsewhere(env, "other")


def test_the_summary_names_what_is_there_and_no_secret(tmp_path: Path) -> None:
    keys = kept_keys(tmp_path / "keys.json", place.HOSTS)
    place.written(tmp_path, found(), keys.ca)
    text = "\n".join(lines(place.loaded(tmp_path), "kind-lab"))
    for words in (
        "kube-prometheus-stack-grafana 3000:80",
        "logs -n traefik",
        "https://example.try.test",
        "main-1",
        "--remove",
    ):
        assert words in text
    assert not any(value in text for value in keys)
    off = (tmp_path / place.FILE).read_text().replace("    metrics: {", "    metrics: {enabled: false, ")
    off = off.replace("  example:", "  other:").replace("{example: {port", "{other: {port")
    (tmp_path / place.FILE).write_text(off)
    text = "\n".join(lines(place.loaded(tmp_path), "kind-lab"))
    assert "Grafana" not in text
    assert "https://ingress.try.test" in text
    assert "example.try.test" not in text


def test_what_stands_beside_is_marked_confined_and_as_large_as_is_said(tmp_path: Path) -> None:
    keys = kept_keys(tmp_path / "keys.json", place.HOSTS)
    objects = [*beside.objects(keys, "quick")]
    assert all(item["metadata"]["labels"].items() >= place.MARK.items() for item in objects)
    pods = [item["spec"]["template"]["spec"] for item in objects if item["kind"] == "Deployment"]
    asked = [pod["containers"][0]["resources"]["requests"] for pod in pods]
    assert sum(int(item["memory"].removesuffix("Mi")) for item in asked) == beside.OWN.memory
    assert sum(int(item["cpu"].removesuffix("m")) for item in asked) == beside.OWN.cpu
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        assert pod["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True
    plain = str([item for item in objects if item["kind"] != "Secret"])
    assert not any(value in plain for value in keys)
    ports = {item["metadata"]["name"]: item["spec"]["ports"][0] for item in objects if item["kind"] == "Service"}
    assert {name: port["port"] for name, port in ports.items()} == {"vault": place.VAULT_PORT, "store": 443}
    assert ports["store"]["targetPort"] == place.STORE_PORT
    assert {item["spec"]["strategy"]["type"] for item in objects if item["kind"] == "Deployment"} == {"Recreate"}
    vault = pods[0]["containers"][0]
    assert "-dev-no-store-token" in vault["command"][-1]
    assert {"name": "VAULT_DEV_LISTEN_ADDRESS", "value": "127.0.0.1:8202"} in vault["env"]
    (claim,) = (item for item in objects if item["kind"] == "PersistentVolumeClaim")
    assert claim["spec"]["storageClassName"] == "quick"
