"""What is about the environment files themselves: making one, showing the whole of one, checking them."""

from __future__ import annotations

from typing import Annotated

import typer

from constructs_lib.base.console import done
from gitops_render.arguments import EnvironmentName, component_names, environment_names
from gitops_render.commands.options import Output
from gitops_render.paths import TREE
from gitops_render.program import program

app = typer.Typer()
new = program("Write the files of something new, and say what comes next.")
app.add_typer(new, name="new")

Component = Annotated[
    str | None, typer.Argument(metavar="COMPONENT", autocompletion=component_names, help="Only this component.")
]


@app.command()
def show(environment: EnvironmentName, component: Component = None) -> None:
    """Print the whole of an environment, or one component, with the file and the line of each value, or `default`."""
    from constructs_lib.base.errors import ConfigError, unknown
    from constructs_lib.environment import ENVIRONMENTS, chosen, load_all, read
    from gitops_render.show import shown

    (env,) = chosen(load_all(), [environment])
    if component is not None and component not in env.platform.by_name:
        raise ConfigError(unknown("component", component, list(env.platform.by_name)))
    lines = [*shown(env, read(ENVIRONMENTS / f"{env.name}.yaml"), component)]
    typer.echo("\n".join(lines))
    defaults = sum(line.endswith("# default") for line in lines)
    done(f"{env.name}: {defaults} values are defaults, and what its files say", data=True)


@new.command()
def environment(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The new environment's name.")],
    like: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            autocompletion=environment_names,
            help="The environment whose file is taken; the first if none.",
        ),
    ] = None,
    tier: Annotated[str | None, typer.Option(help="sandbox, staging or production; that of --like if none.")] = None,
    domain: Annotated[str | None, typer.Option(help="Its domain; the name put in that of --like if none.")] = None,
    vpc_range: Annotated[str | None, typer.Option(help="Its private range; the next free one if none.")] = None,
) -> None:
    """Write environments/NAME.yaml like the file of another environment, and say what comes next."""
    from constructs_lib.base.errors import ConfigError, unknown
    from constructs_lib.environment import TIERS, Tier, chosen, load_all
    from gitops_render.new import Wanted, new_environment

    environments = load_all()
    (source,) = chosen(environments, [like or environments[0].name])
    tiers: dict[str | None, Tier] = {one: one for one in TIERS}
    if tier is not None and tier not in tiers:
        raise ConfigError(f"--tier: {unknown('tier', tier, TIERS)}")
    path = new_environment(environments, source, Wanted(name, tiers.get(tier), domain, vpc_range))
    typer.echo(f"{path}: written like {source.name}; read it, and change what is not as you want it")
    done("Next: make, then docs/how-to/add-an-environment.md from step 1")


@new.command(name="component")
def component_files(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name, such as metrics_server.")],
) -> None:
    """Write the files of a new component of the platform, which load at once, and say what comes next."""
    from gitops_render.new_component import new_component

    for path in new_component(name):
        typer.echo(f"{path}: written")
    done("Next: make schema picture graph format test; docs/how-to/add-a-component.md says what is to be looked up")


@new.command()
def application(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name, which its namespace has too.")],
    owner: Annotated[str, typer.Option(metavar="TEAM", help="The team that answers for it.")],
    tree: Output = TREE,
) -> None:
    """Write an entry for a new application, and an example of one for the first environment; say what comes next."""
    from constructs_lib.environment import load_all
    from gitops_render.new_application import Wanted, new_application

    for path in new_application(load_all(), Wanted(name, owner), tree):
        typer.echo(f"{path}: written")
    done("Next: make, and a pull request for each of the two repositories, that of the entry first")
