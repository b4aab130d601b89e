"""The pages of the environments: the pictures of each, what fits on its pools, and its file with every default."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from constructs_lib.environment import ENVIRONMENTS, Environment, read
from gitops_render.applications import applications_of
from gitops_render.capacity import HEADER, LEGEND, cells, rows
from gitops_render.markdown import table
from gitops_render.show import shown
from gitops_render.site.pages import Pages
from gitops_render.site.pictures import PICTURES


def environment_pages(env: Environment) -> Pages:
    """Return the page of an environment, and its pictures."""
    pages = {PurePosixPath(f"pictures/{env.name}-{name}.svg"): draw(env) for name, (draw, _) in PICTURES.items()}
    lines = [f"# {env.name}", "", f"Tier {env.tier}, {env.domain}, from `environments/{env.name}.yaml`.", ""]
    for name, (_, said) in PICTURES.items():
        lines += [f"## {name.capitalize()}", "", said, "", *_picture(env, name)]
    lines += [*table(HEADER[1:], [row[1:] for row in cells(rows([env]))]), "", LEGEND, ""]
    lines += [*_applications(env), *_whole(env)]
    return {**pages, PurePosixPath(f"environments/{env.name}.md"): "\n".join(lines)}


def layers_page(environments: Iterable[Environment]) -> str:
    """Return the page with the layers of every environment."""
    lines = [line for env in environments for line in (f"## {env.name}", "", *_picture(env, "layers"))]
    return "\n".join(["# Layers", "", PICTURES["layers"][1], "", *lines])


def _picture(env: Environment, name: str) -> Iterator[str]:
    yield from (f"![The {name} of {env.name}](../pictures/{env.name}-{name}.svg)", "")


def _applications(env: Environment) -> Iterator[str]:
    if told := [*applications_of(env.model_dump(mode="json"))]:
        yield from ("## Applications", "", *(f"- {one[0].upper()}{one[1:]}" for one in told), "")


def _whole(env: Environment) -> Iterator[str]:
    file = ENVIRONMENTS / f"{env.name}.yaml"
    yield from ("## The whole file", "", "Every default written out, with the line that each value comes from.", "")
    yield from ("```yaml", *shown(env, read(file)), "```", "")
