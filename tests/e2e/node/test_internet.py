"""What the clusters' world serves is what Helm and Git take from it."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from constructs_lib.kit import Chart
from tests.e2e.cluster import BIN
from tests.e2e.conftest import require
from tests.e2e.node import site, upstream
from tests.e2e.node.github import serve_by_https
from tests.e2e.node.internet import GITHUB, Handler
from tests.e2e.reconciler import Repository


def quiet(*_: object) -> None:
    """Say nothing."""


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serve the folder `sites` without TLS, and return where."""
    monkeypatch.setattr(Handler, "sites", tmp_path / "sites")
    monkeypatch.setattr(Handler, "log_message", quiet)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def chart(folder: Path, repository: str) -> Chart:
    """Return a chart, whose folder is made below `folder`."""
    (folder / "tried").mkdir()
    (folder / "tried/Chart.yaml").write_text("apiVersion: v2\nname: tried\nversion: v1.2.3-chart\n")
    return Chart(repository, "tried", "v1.2.3-chart")


@pytest.mark.parametrize("kind", ["registry", "repository"])
def test_helm_pulls_the_chart_that_is_published(kind: str, world: str, tmp_path: Path) -> None:
    require("helm")
    scheme = "oci" if kind == "registry" else "http"
    wanted = chart(tmp_path, f"{scheme}://{world}/team/charts")
    site.publish(tmp_path / "sites", wanted, tmp_path / "tried")
    where = ("--plain-http", f"{wanted.repository}/tried") if wanted.is_oci else ("tried", "--repo", wanted.repository)
    pull = [BIN / "helm", "pull", *where, "--version", wanted.version, "--untar", "--untardir", tmp_path / "pulled"]
    subprocess.run(pull, check=True, capture_output=True)
    assert "v1.2.3-chart" in (tmp_path / "pulled/tried/Chart.yaml").read_text()


def test_a_chart_of_another_version_is_not_published(tmp_path: Path) -> None:
    require("helm")
    wanted = chart(tmp_path, "oci://registry.test")
    (tmp_path / "tried/Chart.yaml").write_text("apiVersion: v2\nname: tried\nversion: 9.9.9\n")
    with pytest.raises(AssertionError, match="is not tried v1"):
        site.publish(tmp_path / "sites", wanted, tmp_path / "tried")


def test_git_clones_the_commit_of_upstreams_repository(
    world: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = Repository(tmp_path / "theirs")
    for text in ("first", "second", "third"):
        (theirs.folder / "file").write_text(text)
        theirs.commit(text)
    commit = theirs.git("rev-parse", "HEAD~1")
    (tmp_path / "images").mkdir()
    monkeypatch.setenv("IMAGES", str(tmp_path / "images"))
    url = f"file://{theirs.folder}"
    kept = upstream.repository(url, commit)
    assert kept is not None
    wanted = (f"https://{GITHUB}/team/tool", commit)
    theirs.folder.rename(tmp_path / "away")
    assert upstream.repository(url, commit) == kept, "it is fetched once"
    monkeypatch.setattr(upstream, "repository", partial(_known, wanted, kept))
    assert serve_by_https(tmp_path / "sites", *wanted)
    clone = ["git", "-c", f"http.extraHeader=Host: {GITHUB}", "clone", "--quiet", f"http://{world}/team/tool"]
    subprocess.run([*clone, tmp_path / "cloned"], check=True, capture_output=True)
    assert (tmp_path / "cloned/file").read_text() == "second"


def test_a_repository_that_is_not_to_be_had_is_not_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGES", str(tmp_path))
    assert not serve_by_https(tmp_path / "sites", f"file://{tmp_path}/nowhere", "0" * 40)
    assert not serve_by_https(tmp_path / "sites", f"file://{tmp_path}/nowhere", "0" * 40)


def _known(wanted: tuple[str, str], kept: Path, url: str, commit: str) -> Path | None:
    return kept if (url, commit) == wanted else None
