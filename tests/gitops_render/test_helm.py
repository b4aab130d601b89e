"""Which chart of a folder is taken, and what counts as an object of what helm printed. No helm is needed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from constructs_lib.base.errors import ConfigError
from gitops_render.helm import Asked, Charts, objects

SAYS_WHAT_IT_IS_ASKED = f"#!{sys.executable}\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n"


@pytest.fixture
def charts(tmp_path: Path) -> Charts:
    """A folder for charts, and a helm that prints what it is asked."""
    helm = tmp_path / "helm"
    helm.write_text(SAYS_WHAT_IT_IS_ASKED)
    helm.chmod(0o755)
    (tmp_path / "charts").mkdir()
    return Charts(str(tmp_path / "charts"), str(helm))


def unpacked(charts: Charts, name: str, version: str) -> Path:
    folder = Path(charts.place, name)
    folder.mkdir()
    (folder / "Chart.yaml").write_text(f"version: {version}\n")
    return folder


def asked(version: str) -> Asked:
    return Asked("web", "traefik", "traefik", version, "{}", None)


def taken(charts: Charts, version: str) -> str:
    return json.loads(charts.template(asked(version)))[2]


def test_of_two_folders_with_the_version_the_one_that_is_named_after_it_is_taken(charts: Charts) -> None:
    unpacked(charts, "traefik", "1.0.0")
    named = unpacked(charts, "traefik-1.0.0", "1.0.0")
    assert taken(charts, "1.0.0") == str(named)


@pytest.mark.parametrize("name", ["traefik", "traefik-2.0.0"])
def test_a_folder_by_either_name_is_taken_for_what_its_chart_says(charts: Charts, name: str) -> None:
    folder = unpacked(charts, name, "2.0.0")
    assert taken(charts, "2.0.0") == str(folder)


def test_an_archive_comes_before_both(charts: Charts) -> None:
    unpacked(charts, "traefik-1.0.0", "1.0.0")
    archive = Path(charts.place, "traefik-1.0.0.tgz")
    archive.write_bytes(b"")
    assert taken(charts, "1.0.0") == str(archive)


def test_a_folder_that_holds_another_version_than_it_says_is_not_taken(charts: Charts) -> None:
    unpacked(charts, "traefik-1.0.0", "1.0.1")
    unpacked(charts, "traefik", "0.9.0")
    with pytest.raises(ConfigError, match=r"has only traefik 0\.9\.0, 1\.0\.1, and 1\.0\.0 is asked for; unpack"):
        charts.template(asked("1.0.0"))


def test_what_a_list_holds_are_objects_and_a_kind_that_only_ends_like_one_is_one_itself() -> None:
    text = (
        "kind: ConfigMapList\nitems:\n- {kind: ConfigMap, metadata: {name: a}}\n- {kind: ConfigMap}\n---\n"
        "kind: AllowList\nspec: {}\n---\nkind: ConfigMap\nitems: not its own\n---\n"
    )
    assert [item["kind"] for item in objects(text)] == ["ConfigMap", "ConfigMap", "AllowList", "ConfigMap"]
