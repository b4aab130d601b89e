"""The validation that runs in the GitOps repository, with nothing but Python."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitops_render.repository_files.validate import problems
from gitops_render.tree import render
from gitops_render.write import write
from tests.support import environment

SEALED = "platform/secrets/sandbox/sealed/secret-db.yaml"
ENCRYPTED = "kind: Secret\ndata:\n  key: ENC[AES256_GCM,data:x]\nsops:\n  mac: x\n"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one environment and a sealed Secret."""
    write(tmp_path, "sandbox", render(environment()))
    (tmp_path / SEALED).write_text(ENCRYPTED)
    return tmp_path


def test_what_was_rendered_and_sealed_is_valid(repository: Path) -> None:
    (repository / "clusters/sandbox/source.yaml").write_text("promoted: true\n")
    (repository / "apps/sandbox/mine.yaml").write_text("mine: true\n")
    assert list(problems(repository)) == []


@pytest.mark.parametrize(
    ("file", "text", "sentence"),
    [
        ("clusters/sandbox/layers.yaml", "a: 1\n", "was edited by hand"),
        ("clusters/sandbox/layers.yaml", None, "is missing"),
        ("clusters/sandbox/layers/mine.yaml", "a: 1\n", "was not rendered"),
        ("clusters/sandbox/more/source.yaml", "a: 1\n", "was not rendered"),
        (SEALED, ENCRYPTED.replace("sops:", "other:"), "is not encrypted"),
        (SEALED, ENCRYPTED.replace("ENC[AES256_GCM,data:x]", "clear"), "holds a value that is not encrypted"),
        (SEALED, ENCRYPTED.replace("data:\n", "stringData:\n  a: clear\n", 1), "holds a value that is not encrypted"),
    ],
)
def test_each_thing_that_is_wrong_is_told_with_its_file(
    repository: Path, file: str, text: str | None, sentence: str
) -> None:
    path = repository / file
    if text is None:
        path.unlink()
    else:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    (problem,) = problems(repository)
    assert problem.startswith(f"{file}: {sentence}")


def test_a_repository_without_an_index_is_told(tmp_path: Path) -> None:
    assert list(problems(tmp_path)) == [".render: holds no index; render again"]
