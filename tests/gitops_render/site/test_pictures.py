"""The pictures show what the model has, each thing once, and are SVG that a browser reads."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator

import pytest

from constructs_lib.kit import Pods
from gitops_render.graph import graph
from gitops_render.site.drawing import LETTER, Bar, Box, Column, bars, columns, matrix
from gitops_render.site.pictures import PICTURES
from tests.support import environment

SVG = "{http://www.w3.org/2000/svg}"


def texts(picture: str) -> list[str]:
    return [item.text or "" for item in ET.fromstring(picture).iter(f"{SVG}text")]  # noqa: S314 - our own


def told(picture: str, kind: str) -> list[str]:
    """Return what the arrows or dots of a picture say when one points at them."""
    found = ET.fromstring(picture).iter(f"{SVG}{kind}")  # noqa: S314 - our own
    return [title.text or "" for item in found if (title := item.find(f"{SVG}title")) is not None]


def boxes(picture: str) -> Iterator[tuple[int, int, int, int]]:
    for item in ET.fromstring(picture).iter(f"{SVG}rect"):  # noqa: S314 - our own
        if item.get("class") == "box":
            x, y, width, height = (int(item.get(key, "")) for key in ("x", "y", "width", "height"))
            yield x, y, x + width, y + height


@pytest.mark.parametrize("name", ["sandbox", "production"])
def test_layers_and_arrows_are_those_of_the_flowchart(name: str) -> None:
    env = environment(name)
    picture = PICTURES["layers"][0](env)
    arrows = [line.strip().replace(" --> ", " to ") for line in graph(env).splitlines() if "-->" in line]
    assert sorted(told(picture, "path")) == sorted(arrows)
    assert len(texts(picture)) == len(set(texts(picture))) > 20


def test_a_layer_stands_right_of_what_it_waits_for() -> None:
    picture = PICTURES["layers"][0](environment())
    assert len(told(picture, "path")) > 20
    for item in ET.fromstring(picture).iter(f"{SVG}path"):  # noqa: S314 - our own
        if item.get("class") == "arrow":
            first, *_, last = (item.get("d") or "").replace("M", "").replace("C", " ").split()[::2]
            assert int(first) < int(last)


def test_links_are_those_of_the_network_policies() -> None:
    env = environment("production")
    dots = told(PICTURES["links"][0](env), "circle")
    inside = {
        f"{link.source.namespace} to {link.target.namespace}"
        for link in env.platform.links(env)
        if isinstance(link.source, Pods) and isinstance(link.target, Pods)
    }
    assert inside <= set(dots)
    assert {"episodic to (the internet)", "(anybody) to traefik", "(the API server) to cert-manager"} <= set(dots)
    assert not {"traefik to databases", "episodic to (the nodes)"} & set(dots)


def test_alerts_go_where_the_file_says() -> None:
    production = PICTURES["alerts"][0](environment("production"))
    arrows = ["critical to chat", "critical to on-call", "heartbeat to heartbeat", "warning to chat"]
    assert sorted(told(production, "path")) == arrows
    assert len(list(boxes(production))) == 6, "a receiver may be called as a severity is"
    quiet = PICTURES["alerts"][0](environment(platform__observability__alerting={}))
    assert told(quiet, "path") == []
    assert "it stays in Alertmanager" in texts(quiet)


def test_capacity_says_what_is_asked_for_of_what_there_is() -> None:
    said = texts(PICTURES["capacity"][0](environment("production")))
    assert said[said.index("system: volumes") + 1] == "26 of 49"
    assert "workload: GiB of memory" in said


def test_a_pool_whose_size_is_not_known_has_no_bar() -> None:
    said = texts(PICTURES["capacity"][0](environment(cluster__pools__system__size="m-32vcpu-256gb")))
    assert not [line for line in said if line.startswith("system")]
    assert [line for line in said if line.startswith("workload")]


def test_the_mark_of_capacity_is_where_the_least_ends() -> None:
    picture = ET.fromstring(PICTURES["capacity"][0](environment("production")))  # noqa: S314 - our own
    marks = [int(item.get("x1", "")) for item in picture.iter(f"{SVG}line")]
    rooms = [item for item in picture.iter(f"{SVG}rect") if item.get("class") == "room"]
    ends = [int(room.get("x", "")) + int(room.get("width", "")) for room in rooms]
    assert len(marks) == len(ends)
    assert any(mark < end for mark, end in zip(marks, ends, strict=True)), "a pool that grows"


def test_a_column_is_as_wide_as_its_title() -> None:
    title = "a title that is longer than all below"
    picture = columns("t", [Column(title, (Box("a"),)), Column("b", (Box("c"),))], [])
    first, second = boxes(picture)
    assert second[0] - first[0] > LETTER * len(title)


def test_the_platform_has_what_is_on_and_who_uses_it() -> None:
    picture = PICTURES["platform"][0](environment(platform__valkey_operator={"enabled": False}))
    assert {"sandbox.yaml", "sandbox-cluster", "cloudnative_pg", "episodic"} <= set(texts(picture))
    assert "valkey_operator" not in texts(picture)
    arrows = told(picture, "path")
    assert {"cloudnative_pg to episodic", "traefik to episodic", "GitOps repository to vault_eso"} <= set(arrows)
    assert "cert_manager to episodic" not in arrows
    by_tofu = PICTURES["platform"][0](environment(mode="apply"))
    assert "sandbox-platform" in texts(by_tofu)


@pytest.mark.parametrize("name", ["platform", "layers", "alerts"])
def test_no_box_is_on_another_or_outside(name: str) -> None:
    picture = PICTURES[name][0](environment("production"))
    root = ET.fromstring(picture)  # noqa: S314 - our own
    width, height = (int(root.get(key, "")) for key in ("width", "height"))
    found = list(boxes(picture))
    assert all(0 <= left < right <= width and 0 <= top < bottom <= height for left, top, right, bottom in found)
    pairs = [(one, other) for one in found for other in found if one != other]
    assert not [
        (one, other)
        for one, other in pairs
        if one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
    ]


def test_text_is_shown_as_it_is() -> None:
    odd, plain = Box("<a & b>", ("c < d",)), Box("e")
    picture = columns("<t>", [Column("f & g", (odd, plain))], [(odd, plain)])
    assert texts(picture) == ["f & g", "<a & b>", "c < d", "e"]
    assert told(picture, "path") == ["<a & b> to e"]
    assert told(matrix("t", ["<x>"], ["&y"], {("<x>", "&y")}), "circle") == ["<x> to &y"]


def test_a_bar_is_as_long_as_what_is_used() -> None:
    picture = bars("t", [Bar("a", 1, 2, 4, "1 of 4"), Bar("b", 5, 1, 4, "5 of 4")])
    widths = [int(item.get("width", "")) for item in ET.fromstring(picture).iter(f"{SVG}rect")][1:]  # noqa: S314 - our own
    assert widths == [420, 105, 336, 420]
    ends = [int(item.get("x1", "")) for item in ET.fromstring(picture).iter(f"{SVG}line")]  # noqa: S314 - our own
    assert ends == [27 + 210, 27 + 84]
