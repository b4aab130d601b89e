"""What files of other formats pin: actions, packages, tools, and what a comment for Renovate names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution

from constructs_lib.base.errors import ConfigError
from gitops_render.versions.pinned import Kind, Pinned, Source

ACTION = re.compile(r"uses: (?P<name>[\w-]+/[\w./-]+)@(?P<digest>[0-9a-f]{40}) # (?P<version>v[\w.]+)")
SET_UP = re.compile(r"^ +(?P<name>python|tofu)[-_]version: \"?(?P<version>\d[\d.]+)", re.MULTILINE)
MARKED = re.compile(r"# renovate: datasource=(?P<datasource>\S+) depName=(?P<name>\S+)\n.*?(?P<version>\d[\w.-]*)")
"""A version whose line cannot say what it is the version of; renovate.json reads the same comment."""
PACKAGE = re.compile(r"""^"?(?P<name>[\w.-]+)"? = .*?"==(?P<version>[^"]+)""", re.MULTILINE)
REQUIREMENT = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>[^ ;\\]+)", re.MULTILINE)
MODULE = re.compile(
    r"^(?:require )?\s*(?P<name>\S+\.\S+/\S+) (?P<version>v\S+)(?P<indirect> // indirect)?$", re.MULTILINE
)
TOOL = re.compile(r"^(?:tool|\t)\s*(\S+/cmd/\S+)$", re.MULTILINE)
BINDINGS = "cdktf-cdktf-provider-"
BOUND = re.compile(r"prebuilt bindings for (?P<name>\S+) provider version (?P<version>\S+)")


def actions(source: Source) -> Iterator[Pinned]:
    """Yield the actions that a workflow or an action uses."""
    return _found("action", ACTION, source)


def set_up(source: Source) -> Iterator[Pinned]:
    """Yield the programs that an action installs at a version."""
    return _found("tool", SET_UP, source)


def marked(source: Source) -> Iterator[Pinned]:
    """Yield what a comment for Renovate names."""
    for match in MARKED.finditer(source.text):
        kind: Kind = "image" if match["datasource"] == "docker" else "tool"
        line = source.line_of(match.start("version"))
        yield Pinned(kind, match["name"], match["version"], source.path, line)


def packages(source: Source) -> Iterator[Pinned]:
    """Yield the packages of a Pipfile, and the providers whose bindings some of them are."""
    for package in _found("package", PACKAGE, source):
        yield package
        if package.name.startswith(BINDINGS):
            yield _provider(package)


def _provider(package: Pinned) -> Pinned:
    """Return the provider at the version that its bindings are made for: the stacks ask for exactly that."""
    try:
        bound = BOUND.search(distribution(package.name).read_text("METADATA") or "")
    except PackageNotFoundError:
        raise ConfigError(f"{package.where}: {package.name} is not installed; run make") from None
    if bound is None:
        raise ConfigError(f"{package.where}: {package.name} does not say of which provider it has the bindings")
    return package._replace(kind="provider", name=bound["name"], version=bound["version"])


def requirements(source: Source) -> Iterator[Pinned]:
    """Yield the packages of a file of requirements."""
    return _found("package", REQUIREMENT, source)


def npm_packages(source: Source) -> Iterator[Pinned]:
    """Yield the packages that a package.json asks for itself."""
    for name, version in json.loads(source.text)["devDependencies"].items():
        yield Pinned("package", name, version, source.path, source.line_of(source.text.index(f'"{name}"')))


def modules(source: Source, makefile: str) -> Iterator[Pinned]:
    """Yield the Go modules that a go.mod asks for itself, and those whose commands it, or the Makefile, names.

    Go calls a module indirect that only a command line names.
    """
    folder = source.path.removeprefix("tools/").removesuffix("/go.mod")
    recipes = makefile.replace("\\\n", " ").splitlines()
    built = (word for line in recipes if f"cd {folder} " in line for word in re.findall(r"\w[\w.-]*\.\w+/\S+", line))
    commands = [*TOOL.findall(source.text), *built]
    for match in MODULE.finditer(source.text):
        if not match["indirect"] or any(f"{command}/".startswith(f"{match['name']}/") for command in commands):
            yield Pinned("tool", match["name"], match["version"], source.path, source.line_of(match.start("name")))


def _found(kind: Kind, pattern: re.Pattern[str], source: Source) -> Iterator[Pinned]:
    for match in pattern.finditer(source.text):
        digest = match.groupdict().get("digest")
        yield Pinned(kind, match["name"], match["version"], source.path, source.line_of(match.start()), digest)
