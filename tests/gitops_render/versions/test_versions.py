"""What `versions` lists: everything that the project pins, each with the line that says so."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from constructs_lib.base.errors import ConfigError
from gitops_render.tree import render
from gitops_render.versions import locked, versions
from gitops_render.versions.constructs import constructs
from gitops_render.versions.files import actions, marked, modules, npm_packages, packages, requirements, set_up
from gitops_render.versions.output import cells, to_cyclonedx, to_markdown
from gitops_render.versions.output import packages as components
from gitops_render.versions.pinned import Pinned, Source
from tests.support import ROOT, Synthesised, everything, parsed, run_python


@cache
def own() -> list[Pinned]:
    return versions(ROOT)


def named(kind: str) -> dict[str, set[str]]:
    """Return the versions of what the project pins of a kind, by name."""
    found: dict[str, set[str]] = {}
    for pin in own():
        if pin.kind == kind:
            found.setdefault(pin.name, set()).add(pin.version)
    return found


def source(text: str, path: str = "file") -> Source:
    return Source(path, text)


def test_every_line_holds_its_version() -> None:
    lines: dict[str, list[str]] = {}
    for pin in own():
        text = lines.setdefault(pin.file, (ROOT / pin.file).read_text().splitlines())[pin.line - 1]
        shown = {pin.version, pin.version.removeprefix("v"), pin.name if pin.kind == "provider" else pin.version}
        is_bound = pin.kind == "provider" and "cdktf-cdktf-provider-" in text
        assert is_bound or any(version in text for version in shown), (pin, text)


def test_every_chart_of_the_platform_is_listed() -> None:
    used = {
        (f"{release.chart.repository.rstrip('/')}/{release.chart.name}", release.chart.version)
        for layer in everything().layers
        for release in layer.releases
    }
    listed = {(name, version) for name, found in named("chart").items() for version in found}
    assert len(used) > 10
    assert listed - used == {("oci://ghcr.io/controlplaneio-fluxcd/charts/flux-operator", "0.58.1")}
    assert used <= listed


def images(value: object) -> Iterator[str]:
    """Yield the text of every `image` and `imageName` in the objects that Flux is given."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in inside:
        if key in {"image", "imageName"} and isinstance(inner, str):
            yield inner
        yield from images(inner)


def test_every_image_of_our_objects_is_listed() -> None:
    files = render(everything()).owned
    used = {image for data in files.values() for image in images(parsed(data)) if "/" in image}
    digests = {pin: f"@{pin.digest}" if pin.digest else "" for pin in own()}
    listed = {f"{pin.name}:{pin.version}{digests[pin]}" for pin in own() if pin.kind == "image"}
    assert len(used) >= 4
    assert used <= listed


WRITTEN = re.compile(r"[\"'\s=](?P<image>[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z]{2,}(/[a-z0-9._-]+)+:v?\d[\w.-]*)")
"""An image in any file of the project, whoever reads it."""


def test_no_file_of_the_project_names_an_image_that_is_not_listed() -> None:
    listed = {f"{pin.name}:{pin.version}" for pin in own() if pin.kind == "image"}
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    skipped = ("tests/", "docs/", "tools/", "benchmarks/", "environments/environment.schema.json")
    files = [ROOT / name for name in tracked if not name.startswith(skipped) and not name.endswith((".lock", ".svg"))]
    found = {
        match["image"]: path.relative_to(ROOT).as_posix()
        for path in files
        if path.is_file()
        for match in WRITTEN.finditer(path.read_text(encoding="utf-8", errors="replace"))
    }
    assert {"docker.io/hashicorp/vault:2.0.4", "ghcr.io/versity/versitygw:v1.8.0"} <= found.keys()
    others = {image: where for image, where in found.items() if not image.startswith("registry.example/")}
    assert {image: where for image, where in others.items() if image not in listed} == {}


def test_every_git_source_is_listed_with_its_commit() -> None:
    items = [parsed(data) for path, data in render(everything()).owned.items() if path.parts[0] == "platform"]
    used = {
        (item["spec"]["url"], item["spec"]["ref"]["tag"], item["spec"]["ref"]["commit"])
        for item in items
        if item["kind"] == "GitRepository"
    }
    assert len(used) == 2
    assert {(pin.name, pin.version, pin.digest) for pin in own() if pin.kind == "source"} == used


def test_every_package_of_the_pipfile_is_listed_at_its_version() -> None:
    pipfile = tomllib.loads((ROOT / "Pipfile").read_text())
    asked = {
        name: (entry if isinstance(entry, str) else entry["version"]).removeprefix("==")
        for category in ("packages", "dev-packages")
        for name, entry in pipfile[category].items()
    }
    listed = {pin.name: pin.version for pin in own() if pin.kind == "package" and pin.file == "Pipfile"}
    assert listed == asked


def test_every_action_is_listed_with_its_commit() -> None:
    files = [*ROOT.glob(".github/**/*.yml"), ROOT / "gitops_render/repository_files/validate.yml"]
    used = {
        word
        for path in files
        for word in path.read_text().split()
        if "@" in word and not word.startswith(("#", "./")) and len(word.partition("@")[2]) == 40
    }
    assert {f"{pin.name}@{pin.digest}" for pin in own() if pin.kind == "action"} == used
    assert len(used) >= 7


def test_the_providers_are_those_that_the_stacks_ask_for(stacks: dict[str, Synthesised]) -> None:
    asked: dict[str, set[str]] = {}
    for stack in stacks.values():
        for provider in stack.data["terraform"]["required_providers"].values():
            name = provider["source"] if "/" in provider["source"] else f"hashicorp/{provider['source']}"
            asked.setdefault(name, set()).add(provider["version"])
    assert named("provider") == asked


def test_the_tools_are_those_that_are_built() -> None:
    tools = named("tool")
    assert tools["tofu"] == {version.removeprefix("v") for version in tools["github.com/opentofu/opentofu"]}
    assert tools.keys() >= {"python", "fluxcd/flux2", "github.com/rhysd/actionlint", "k8s.io/kubernetes"}
    assert "github.com/fatih/color" not in tools, "an indirect module of another"


def test_code_is_read_for_charts_images_and_sources() -> None:
    digest = f"sha256:{'0' * 64}"
    text = f'''"""Such as "registry.example/a/b:1"."""
CHART = Chart(
    "https://charts.example.org/",
    "example",
    "1.2.3",
)
PINNED = "registry.example/a/b:1.0-x@{digest}"
HOST = "smtp.example.org:25"
URL = "https://example.org/a:1"
OTHER = Chart(REPOSITORY, "other", "1.2.3")
GIT = Installed("name", "https://github.com/a/b", "2.0.0", "{"1" * 40}", "ghcr.io/a/b", {{}})
'''
    assert set(constructs(source(text))) == {
        Pinned("chart", "https://charts.example.org/example", "1.2.3", "file", 5),
        Pinned("image", "registry.example/a/b", "1.0-x", "file", 7, digest),
        Pinned("source", "https://github.com/a/b", "v2.0.0", "file", 11, "1" * 40),
        Pinned("image", "ghcr.io/a/b", "2.0.0", "file", 11),
    }


def test_other_files_are_read_for_what_they_pin() -> None:
    commit = "a" * 40
    flow = f"steps:\n  - uses: ./own\n  - uses: owner/name/sub@{commit} # v1.2.3\n"
    assert list(actions(source(flow))) == [Pinned("action", "owner/name/sub", "v1.2.3", "file", 3, commit)]
    comment = '\n# renovate: datasource=docker depName=registry.example/x\nTAG = "1.2"\n'
    assert list(marked(source(comment))) == [Pinned("image", "registry.example/x", "1.2", "file", 3)]
    other = "# renovate: datasource=github-releases depName=a/b\n  version: 1.2.3\n"
    assert list(marked(source(other))) == [Pinned("tool", "a/b", "1.2.3", "file", 2)]
    inputs = '  with:\n    python-version: "3.13"\n    tofu_version: 1.12.6\n    tofu_wrapper: "false"\n'
    assert [(pin.name, pin.version, pin.line) for pin in set_up(source(inputs))] == [
        ("python", "3.13", 2),
        ("tofu", "1.12.6", 3),
    ]
    assert list(requirements(source("a==1; python_version >= '3' --hash=sha256:0\nb.c==2 \\\n"))) == [
        Pinned("package", "a", "1", "file", 1),
        Pinned("package", "b.c", "2", "file", 2),
    ]
    asked = '{\n  "devDependencies": {\n    "a": "1.0.0"\n  }\n}\n'
    assert list(npm_packages(source(asked))) == [Pinned("package", "a", "1.0.0", "file", 3)]


def test_go_modules_are_those_that_are_asked_for_or_built() -> None:
    text = (
        "module tools/x\n\ntool (\n\texample.org/tool/cmd/tool\n)\n\nrequire example.org/one v1.0.0\n\nrequire (\n"
        "\texample.org/two v2.0.0\n\texample.org/tool v3.0.0 // indirect\n\texample.org/built/v2 v2.1.0 // indirect\n"
        "\texample.org/too v4.0.0 // indirect\n\texample.org/elsewhere v5.0.0 // indirect\n)\n"
    )
    makefile = (
        "a:\n\tcd x && go build \\\n\t  example.org/built/v2/cmd\nb:\n\tcd y && go build example.org/elsewhere/cmd\n"
    )
    found = list(modules(source(text, "tools/x/go.mod"), makefile))
    assert [(pin.name.partition("/")[2], pin.version, pin.line) for pin in found] == [
        ("one", "v1.0.0", 7),
        ("two", "v2.0.0", 10),
        ("tool", "v3.0.0", 11),
        ("built/v2", "v2.1.0", 12),
    ]


def test_bindings_that_are_not_installed_are_told() -> None:
    with pytest.raises(ConfigError, match=r"^Pipfile:1: cdktf-cdktf-provider-none is not installed; run make$"):
        list(packages(source('cdktf-cdktf-provider-none = "==1.0.0"\n', "Pipfile")))


def test_another_folder_is_refused(tmp_path: Path) -> None:
    done = run_python("-m", "gitops_render", "versions", folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("holds no Pipfile; run this in the project's folder\n")


def test_what_is_pinned_alike_is_one_row() -> None:
    pins = [Pinned("action", "a/b", "v1", file, 1, "c" * 40) for file in ("x", "y", "z")]
    alone = Pinned("tool", "t", "v2", "x", 4)
    assert list(cells([*pins, alone])) == [
        ("action", "a/b", "v1", "c" * 19, "x:1 and 2 more"),
        ("tool", "t", "v2", "", "x:4"),
    ]


def test_a_pull_request_is_told_only_of_what_is_pinned_otherwise() -> None:
    def rows(*pins: Pinned) -> list[dict[str, object]]:
        return [pin._asdict() for pin in pins]

    same = Pinned("package", "same", "1", "Pipfile", 1)
    action = Pinned("action", "a/b", "v1", "x", 1, "1" * 40)
    moved = action._replace(digest="2" * 40)
    provider = Pinned("provider", "a/b", "1", "Pipfile", 2)
    before = rows(same, action, action._replace(file="y"), provider, Pinned("image", "gone", "1", "x", 1))
    after = rows(same._replace(line=9), action, moved._replace(file="y"), provider._replace(version="2"))
    title, _, header, _, *lines, _ = to_markdown(before, after)
    assert (title, header) == ("### Versions", "| kind | name | before | after |")
    assert lines == [
        f"| action | a/b | v1 {'1' * 40} | v1 {'1' * 40}, v1 {'2' * 40} |",
        "| image | gone | 1 |  |",
    ]
    assert list(to_markdown(before, before)) == []
    assert list(to_markdown([], after)) == [], "of a base whose code does not know nothing can be said"


def test_the_command_prints_each_format() -> None:
    printed = {
        name: run_python("-m", "gitops_render", "versions", "--format", name, folder=ROOT).stdout
        for name in ("text", "json", "cyclonedx")
    }
    lines = printed["text"].splitlines()
    assert lines[0].split() == ["kind", "name", "version", "digest", "where"]
    assert len(lines) == len({(p.kind, p.name, p.version, p.digest) for p in own()}) + 1
    assert [Pinned(**entry) for entry in json.loads(printed["json"])] == own()
    assert printed["cyclonedx"] == to_cyclonedx(own(), components(locked(ROOT))) + "\n"


def test_the_bill_lists_each_locked_package_and_says_which_only_tests_need() -> None:
    bill = json.loads(to_cyclonedx(own(), components(locked(ROOT))))
    listed = {item["purl"]: item for item in bill["components"]}
    lock = locked(ROOT)
    for category, scope in (("default", "required"), ("develop", "excluded")):
        for name, entry in lock[category].items():
            found = listed[f"pkg:pypi/{name}@{entry['version'].removeprefix('==').replace('!', '%21')}"]
            assert found["scope"] == ("required" if name in lock["default"] else scope), name
    assert {item["bom-ref"] for item in bill["components"]} == listed.keys()
    assert listed["pkg:docker/registry.k8s.io/kubectl@v1.36.0"]["type"] == "container"
    commit = listed["pkg:github/rabbitmq/cluster-operator@v2.22.3"]["properties"]
    assert commit == [{"name": "digest", "value": "03e0b49c077a9c8d926fb4c8cbe2dd0bbdffd539"}]
    urls = ("pkg:npm/cdktf-cli@0.21.0", "pkg:golang/k8s.io/kubernetes@v1.37.2", "pkg:generic/hashicorp/helm@3.1.1")
    assert set(urls) <= listed.keys()
    assert "pkg:generic/ghcr.io/external-secrets/charts/external-secrets@2.9.0" in listed
