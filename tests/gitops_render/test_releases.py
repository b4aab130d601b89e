"""How what charts make differs between two trees, with a program that stands for helm."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from constructs_lib.base.errors import ConfigError
from constructs_lib.kit import KEEP_IN_FLUX, Manifest
from gitops_render.helm import Asked, Charts, charts_named
from gitops_render.releases import Made, made_differently

HELM = """#!{python}
import json, os, pathlib, sys
command, *arguments = sys.argv[1:]
place = pathlib.Path(arguments[1])
called = pathlib.Path({calls!r})
calls = json.loads(called.read_text()) if called.exists() else []
given = sys.stdin.read() if command == "template" else ""
called.write_text(json.dumps([*calls, [sys.argv[1:], given, sorted(os.environ)]]))
file = place / ("made.yaml" if command == "template" else "crds.yaml")
if not place.is_dir():
    sys.exit()
text = file.read_text() if file.exists() else ""
if "BROKEN" in text:
    sys.exit("Error: it\\nis broken")
print(text.replace("VALUES", given).replace("CHANCE", str(len(calls))))
"""


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    """Where the calls of helm are written down."""
    return tmp_path / "calls.json"


@pytest.fixture
def charts(tmp_path: Path, calls: Path) -> Charts:
    """A folder of charts that is empty so far."""
    helm = tmp_path / "helm"
    helm.write_text(HELM.format(python=sys.executable, calls=str(calls)))
    helm.chmod(0o755)
    (tmp_path / "charts").mkdir()
    return Charts(str(tmp_path / "charts"), str(helm))


def chart(charts: Charts, folder: str, version: str, *items: Manifest, crds: tuple[Manifest, ...] = ()) -> None:
    """Put an unpacked chart into the folder, which makes `items`."""
    place = Path(charts.place, folder)
    place.mkdir()
    (place / "Chart.yaml").write_text(yaml.safe_dump({"name": folder, "version": version}))
    (place / "made.yaml").write_text(yaml.safe_dump_all(items))
    (place / "crds.yaml").write_text(yaml.safe_dump_all(crds))


def item(kind: str, name: str = "x", **body: Any) -> Manifest:
    metadata = {"name": name, **body.pop("metadata", {})}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, **body}


def tree(folder: Path, *releases: Manifest, minor: str = "1.36", environment: str = "sandbox") -> Path:
    place = folder / f"platform/traefik/{environment}/controllers"
    place.mkdir(parents=True)
    for position, one in enumerate((*releases, item("Namespace"))):
        (place / f"{position}.yaml").write_text(yaml.safe_dump(one))
    (folder / ".render").mkdir(exist_ok=True)
    settings = folder / f".render/{environment}.settings.yaml"
    settings.write_text(yaml.safe_dump({"cluster": {"kubernetes_minor": minor}}))
    return folder


def release(version: str = "1.0.0", *, metadata: Manifest | None = None, **values: Any) -> Manifest:
    spec = {
        "releaseName": "traefik",
        "targetNamespace": "web",
        "chart": {"spec": {"chart": "traefik", "version": version}},
        "values": values,
    }
    return item("HelmRelease", "traefik", spec=spec, metadata=metadata or {})


def lines(made: Made) -> list[tuple[str, str, list[str]]]:
    return [(one.change, str(one.identity), [field.path for field in one.fields]) for one in made.objects]


def test_a_new_version_of_a_chart_is_told_by_the_objects_that_it_makes(tmp_path: Path, charts: Charts) -> None:
    chart(
        charts, "traefik-1.0.0", "1.0.0", item("Deployment", spec={"a": 1}), item("Service", spec={"b": 1}), item("Job")
    )
    chart(
        charts,
        "traefik-2.0.0",
        "2.0.0",
        item("Deployment", spec={"a": 2}),
        item("Service", spec={"b": 1}),
        item("Role"),
    )
    made = made_differently(tree(tmp_path / "old", release()), tree(tmp_path / "new", release("2.0.0")), charts)
    assert lines(made) == [
        ("changed", "Deployment x", ["spec.a"]),
        ("removed", "Job x", []),
        ("added", "Role x", []),
    ]
    assert {(one.environment, one.area) for one in made.objects} == {("sandbox", "release traefik")}
    assert made.unjudged == {}


def test_helm_is_given_the_values_the_namespace_and_the_version_of_kubernetes(
    tmp_path: Path, charts: Charts, calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    chart(charts, "traefik", "1.0.0", item("ConfigMap", data={"x": "VALUES"}))
    made = made_differently(tree(tmp_path / "old", release(a=1)), tree(tmp_path / "new", release(a=2)), charts)
    assert [(field.old, field.new) for field in made.objects[0].fields] == [(1, 2)]
    (command, given, variables), *_ = json.loads(calls.read_text())
    assert "--skip-tests" in command
    assert command[:3] == ["template", "traefik", f"{charts.place}/traefik"]
    assert {"--namespace=web", "--kube-version=1.36.0", "--api-versions=cert-manager.io/v1"} <= set(command)
    assert json.loads(given) == {"a": 1}
    assert "GITHUB_TOKEN" not in variables


def test_nothing_is_rendered_of_what_is_equal_on_both_sides(tmp_path: Path, charts: Charts, calls: Path) -> None:
    made = made_differently(tree(tmp_path / "old", release()), tree(tmp_path / "new", release()), charts)
    assert made == Made([], {})
    assert not calls.exists()


def test_another_version_of_kubernetes_renders_everything_anew(tmp_path: Path, charts: Charts, calls: Path) -> None:
    chart(charts, "traefik", "1.0.0", item("Deployment"))
    new = tree(tmp_path / "new", release(), minor="1.37")
    assert made_differently(tree(tmp_path / "old", release()), new, charts) == Made([], {})
    assert [word for call in json.loads(calls.read_text()) for word in call[0] if "kube-version" in word] == [
        "--kube-version=1.36.0",
        *["--kube-version=1.37.0"] * 2,
    ]


def test_a_version_that_is_not_there_is_not_judged(tmp_path: Path, charts: Charts) -> None:
    chart(charts, "traefik", "2.0.0", item("Deployment"))
    made = made_differently(tree(tmp_path / "old", release()), tree(tmp_path / "new", release("2.0.0")), charts)
    place = charts.place
    told = (
        f"what the chart of traefik makes: {place}: has only traefik 2.0.0, and 1.0.0 is asked for; "
        f"unpack that one to {place}/traefik-1.0.0"
    )
    assert made == Made([], {"sandbox": [told]})


def test_a_chart_that_is_not_there_or_breaks_is_not_judged_and_the_others_are(tmp_path: Path, charts: Charts) -> None:
    def other(version: str, name: str) -> Manifest:
        found = release(version)
        found["spec"]["chart"]["spec"]["chart"] = name
        found["metadata"]["name"] = name
        return found

    chart(charts, "broken", "1", item("Deployment", "BROKEN"))
    chart(charts, "good-1", "1", item("Deployment"))
    chart(charts, "good-2", "2")
    chart(charts, "broken-2", "2")
    sides = [[other(version, name) for name in ("broken", "good", "nowhere")] for version in ("1", "2")]
    made = made_differently(tree(tmp_path / "old", *sides[0]), tree(tmp_path / "new", *sides[1]), charts)
    assert lines(made) == [("removed", "Deployment x", [])]
    broken, nowhere = made.unjudged["sandbox"]
    assert broken.endswith(f"helm template traefik {charts.place}/broken: Error: it is broken")
    assert "has no nowhere, and 1 is asked for" in nowhere


def test_the_chart_of_a_signed_release_has_the_tag_of_its_source(tmp_path: Path, charts: Charts) -> None:
    def signed(tag: str) -> tuple[Manifest, Manifest]:
        spec = {"releaseName": "x", "targetNamespace": "x", "chartRef": {"kind": "OCIRepository", "name": "traefik"}}
        return item("HelmRelease", spec=spec), item("OCIRepository", "traefik", spec={"ref": {"tag": tag}})

    chart(charts, "traefik-1", "1", item("Deployment", spec={"a": 1}))
    (Path(charts.place) / "traefik-2.tgz").mkdir()
    chart(charts, "traefik-2", "2", item("Deployment", spec={"a": 2}))
    made = made_differently(tree(tmp_path / "old", *signed("1")), tree(tmp_path / "new", *signed("2")), charts)
    assert lines(made) == [("changed", "Deployment x", ["spec.a"])]


def test_what_is_another_each_time_and_labels_of_the_version_are_no_change_but_those_of_pods_are(
    tmp_path: Path, charts: Charts
) -> None:
    def made(version: str) -> tuple[Manifest, ...]:
        labels = {"labels": {"helm.sh/chart": version, "app.kubernetes.io/version": version}}
        webhook = item("MutatingWebhookConfiguration", metadata=labels, webhooks=[{"caBundle": "CHANCE"}])
        return webhook, item("Deployment", metadata=labels, spec={"template": {"metadata": labels}})

    for version in ("1.0.0", "2.0.0"):
        chart(charts, f"traefik-{version}", version, *made(version))
    found = made_differently(tree(tmp_path / "old", release()), tree(tmp_path / "new", release("2.0.0")), charts)
    labels = "spec.template.metadata.labels"
    assert lines(found) == [
        ("changed", "Deployment x", [f"{labels}.app.kubernetes.io/version", f"{labels}.helm.sh/chart"])
    ]


def test_the_values_of_secrets_are_not_shown(tmp_path: Path, charts: Charts) -> None:
    chart(charts, "traefik", "1.0.0", item("Secret", stringData={"a": "VALUES"}))
    old, new = tree(tmp_path / "old", release(a="hunter2")), tree(tmp_path / "new", release(a="hunter3"))
    (found,) = made_differently(old, new, charts).objects
    assert "hunter" not in str(found)
    assert [field.path for field in found.fields] == ["stringData.a.a"]


def test_the_releases_own_namespace_may_be_said_or_not(tmp_path: Path, charts: Charts) -> None:
    elsewhere = item("Role", metadata={"namespace": "elsewhere"})
    empty = item("Service", metadata={"namespace": None, "annotations": None})
    chart(charts, "traefik-1.0.0", "1.0.0", item("Deployment"), elsewhere, empty)
    chart(charts, "traefik-2.0.0", "2.0.0", item("Deployment", metadata={"namespace": "web"}), item("Service"))
    made = made_differently(tree(tmp_path / "old", release()), tree(tmp_path / "new", release("2.0.0")), charts)
    assert lines(made) == [("removed", "Role elsewhere x", [])]


def test_what_helm_never_deletes_is_kept(tmp_path: Path, charts: Charts) -> None:
    keep = item("PersistentVolumeClaim", metadata={"annotations": {"helm.sh/resource-policy": "keep"}})
    crd = item("CustomResourceDefinition", spec={"versions": []})
    flux = item("Service", metadata={"annotations": KEEP_IN_FLUX})
    chart(charts, "traefik-1.0.0", "1.0.0", keep, flux, crds=(crd,))
    chart(charts, "traefik-2.0.0", "2.0.0")
    made = made_differently(tree(tmp_path / "old", release()), tree(tmp_path / "new", release("2.0.0")), charts)
    assert [(change, name) for change, name, _ in lines(made)] == [
        ("kept", "CustomResourceDefinition x"),
        ("kept", "PersistentVolumeClaim x"),
        ("removed", "Service x"),
    ]


def test_a_release_that_goes_takes_its_objects_along_unless_it_is_kept(tmp_path: Path, charts: Charts) -> None:
    chart(charts, "traefik", "1.0.0", item("List", items=[item("Deployment")]))
    new = tree(tmp_path / "new")
    made = made_differently(tree(tmp_path / "old", release()), new, charts)
    assert lines(made) == [("removed", "Deployment x", [])]
    kept = tree(tmp_path / "kept", release(metadata={"annotations": KEEP_IN_FLUX}))
    assert made_differently(kept, new, charts) == Made([], {})


def test_an_environment_that_comes_or_goes_is_not_told_object_by_object(tmp_path: Path, charts: Charts) -> None:
    both = tree(tree(tmp_path / "both"), release(), environment="staging")
    assert made_differently(tree(tmp_path / "one"), both, charts) == Made([], {})
    assert made_differently(both, tmp_path / "one", charts) == Made([], {})


def test_a_release_that_another_program_wrote_another_way_is_not_judged(tmp_path: Path, charts: Charts) -> None:
    strange = release()
    del strange["spec"]["targetNamespace"]
    made = made_differently(tree(tmp_path / "old", strange), tree(tmp_path / "new", release()), charts)
    assert made.unjudged == {
        "sandbox": [
            "what the chart of traefik makes: its HelmRelease is not as this program writes it, so it is not rendered"
        ]
    }


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("https://charts.example.org/all", ["traefik", "--repo=https://charts.example.org/all", "--version=1"]),
        ("oci://registry.example.org/charts/", ["oci://registry.example.org/charts/traefik", "--version=1"]),
    ],
)
def test_charts_of_a_mirror_are_fetched_by_helm(charts: Charts, calls: Path, place: str, told: list[str]) -> None:
    list(Charts(place, charts.helm).made(Asked("x", "web", "traefik", "1", "{}", None)))
    template, crds = json.loads(calls.read_text())
    assert template[0][2 : 2 + len(told)] == told
    assert crds[0] == ["show", "crds", *told]
    assert not any("kube-version" in word for word in template[0])


def test_an_archive_is_taken_as_it_is(charts: Charts, calls: Path) -> None:
    (archive := Path(charts.place) / "traefik-1.tgz").write_bytes(b"")
    list(charts.made(Asked("x", "web", "traefik", "1", "{}", None)))
    assert json.loads(calls.read_text())[0][0][2] == str(archive)


def test_charts_are_those_that_a_variable_names(charts: Charts, monkeypatch: pytest.MonkeyPatch) -> None:
    for empty in (None, ""):
        monkeypatch.delenv("CHARTS", raising=False)
        if empty is not None:
            monkeypatch.setenv("CHARTS", empty)
        assert charts_named() is None
    monkeypatch.setenv("CHARTS", charts.place)
    monkeypatch.setenv("HELM", charts.helm)
    assert charts_named() == charts
    monkeypatch.setenv("HELM", "/nowhere/helm")
    with pytest.raises(ConfigError, match=r"^helm: is not installed; install it, or name it by HELM$"):
        charts_named()
