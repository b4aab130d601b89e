"""The reference of settings says of each key of the model what there is to say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from constructs_lib.base.transition import models_of
from constructs_lib.environment import Environment
from gitops_render.site.examples import examples, in_page
from gitops_render.site.settings import Entry, entries, settings_page
from tests.support import ROOT


@cache
def found() -> dict[tuple[str, str], Entry]:
    return {(entry.block, entry.key): entry for entry in entries(examples(ROOT / "docs/how-to"))}


def keys(model: type[BaseModel]) -> Iterator[str]:
    """Yield the keys of a block and of all blocks in it, once for each place."""
    for key, info in model.model_fields.items():
        yield key
        for inner in dict.fromkeys(models_of(info)):
            yield from keys(inner)


def test_every_key_of_the_model_is_there_once() -> None:
    assert sorted(key for _, key in found()) == sorted(keys(Environment))


def test_nothing_is_left_unsaid() -> None:
    unsaid = [place for place, entry in found().items() if not (entry.what and entry.default and entry.example)]
    assert unsaid == []
    assert [place for place, entry in found().items() if entry.example == "required"] == []
    assert [place for place, entry in found().items() if not entry.change or "not judged" in entry.change] == []


@pytest.mark.parametrize(
    ("block", "key", "expected"),
    [
        (
            "cluster (provider: digitalocean).pools.<name>",
            "max_nodes",
            ("Nodes at full load: a whole number from 1 to 512", "required", "nodes", "7"),
        ),
        ("platform.observability.metrics", "retention", ("A number of days such as '30d'", '"7d"', "", '"30d"')),
        ("", "mode", ("Whether Flux or OpenTofu applies the platform: 'render' or 'apply'", '"render"', "", '"apply"')),
        ("", "vault", ("A block", "required", "", "below")),
        (
            "",
            "sops_recipient",
            ("age public key of the environment, whose private half is in Vault: ", "null", "", '"age1'),
        ),
        (
            "platform.observability.alerting.receivers[] (type: opsgenie)",
            "type",
            ("'opsgenie'", "required", "", '"opsgenie"'),
        ),
        ("platform.cloudnative_pg.clusters[].roles[]", "connection_limit", ("Connections", "-1", "connections", "-1")),
        (
            "cluster (provider: existing).pools.<name>.taints[]",
            "effect",
            ("'NoSchedule' or", "required", "", '"NoSchedule"'),
        ),
    ],
)
def test_what_is_said(block: str, key: str, expected: tuple[str, ...]) -> None:
    entry = found()[block, key]
    assert entry.what.startswith(expected[0])
    assert (entry.default, entry.unit) == expected[1:3]
    assert entry.example.startswith(expected[3])


def test_a_change_is_said_as_it_is_judged() -> None:
    storage = found()["platform.cloudnative_pg.clusters[]", "storage"].change
    assert storage.startswith("otherwise: free; smaller: refused: a volume never shrinks")
    inherited = found()["platform.observability.metrics", "memory"].change
    assert inherited == "rolls: the backends and collectors", "a block says it for what says nothing itself"
    assert found()["", "cluster"].change.startswith("refused: a cluster never becomes one of the other kind; ")
    assert found()["", "dns"].change == "below"
    assert found()["cluster (provider: existing).pools.<name>", "max_nodes"].change == "free", (
        "not what is said of a pool that goes"
    )


def test_every_number_has_a_unit() -> None:
    kinds = ("a whole number", "a number from", "a number above")
    numbers = [entry for entry in found().values() if any(kind in entry.what for kind in kinds)]
    assert len(numbers) > 20
    assert [entry for entry in numbers if not entry.unit] == []


def test_the_page_has_each_block_and_shows_what_html_would_take() -> None:
    page = settings_page(examples(ROOT / "docs/how-to"))
    assert len(re.findall("^## ", page, re.MULTILINE)) == len({block for block, _ in found()})
    assert "## `cluster (provider: existing).pools.<name>`" in page, "as it is: no tag of HTML"
    assert "<code>max_nodes</code>" in page
    assert all(line.count(" | ") == 5 for line in page.splitlines() if line.startswith("| <code>"))


PAGE = """\
```yaml
cluster: {name: x}
```
  ```yaml
  traefik: {replicas: 3}
  ```
```yaml
cluster: …
```
```yaml
nodeSelector: {}
```
"""


def test_a_part_of_a_file_is_read_and_one_with_something_left_out_is_not() -> None:
    assert list(in_page(PAGE)) == [{"cluster": {"name": "x"}}, {"platform": {"traefik": {"replicas": 3}}}]


def test_examples_are_values_that_the_schema_takes() -> None:
    schema = Environment.model_json_schema()
    kinds = {kind["title"]: kind for kind in (schema, *schema["$defs"].values())}
    wrong: list[tuple[str, str, str]] = []
    for block, key in found():
        entry = found()[block, key]
        settings = [kind["properties"][key] for kind in kinds.values() if key in kind.get("properties", {})]
        if entry.example != "below":
            value = json.loads(entry.example)
            fits = (Draft202012Validator({**one, "$defs": schema["$defs"]}).is_valid(value) for one in settings)
            wrong += [] if any(fits) else [(block, key, entry.example)]
    assert wrong == []
