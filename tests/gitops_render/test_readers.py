"""Every rendered file gives the same objects to a reader of YAML 1.1 and to one of YAML 1.2."""

from __future__ import annotations

import pytest
import yaml
from ruamel.yaml import YAML

from constructs_lib.environment import Environment, load_all
from gitops_render.tree import render
from tests.support import ROOT, everything


@pytest.mark.parametrize("env", [*load_all(ROOT / "environments"), everything()], ids=lambda env: env.name)
def test_both_readers_agree_on_every_file(env: Environment) -> None:
    newer = YAML(typ="safe", pure=True)
    rendered = render(env)
    for path, data in (rendered.owned | rendered.seeds).items():
        assert newer.load(data.decode()) == yaml.safe_load(data), path
