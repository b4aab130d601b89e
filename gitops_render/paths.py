"""The layout of the GitOps repository: every path in it is made here, and read here."""

from __future__ import annotations

from pathlib import Path, PurePath, PurePosixPath
from typing import NamedTuple

TREE = Path("gitops.out")
"""Where a command looks for the repository that was rendered here, unless it is told otherwise."""

CLUSTER = "cluster"
"""The area of what a cluster reads first: its sources and layers as Flux objects."""
APPS = "apps"
"""The area of the application teams, and the name of their layer."""
SOURCES = "sources"
"""The area of the addresses from which charts come."""
LAYERS = "layers"
"""The name of the Flux Kustomization that applies all others, of its file, and of their folder."""
PLATFORM_SOURCE = "platform"
"""The GitRepository in `source.yaml`, which every layer reads."""
KUSTOMIZATION = "kustomization.yaml"
"""The file that lists what is applied of a folder."""

SOPS_FILE = PurePosixPath(".sops.yaml")
SOURCE_IGNORE = PurePosixPath(".sourceignore")
CODE_OWNERS = PurePosixPath(".github/CODEOWNERS")
VALIDATION_WORKFLOW = PurePosixPath(".github/workflows/validate.yml")

_FOLDERS = {CLUSTER: "clusters", APPS: "apps"}
"""Areas whose folder holds a folder for each environment; all others are below `platform`."""


class Place(NamedTuple):
    """A folder of an environment: `platform/<area>/<environment>/<part>`, or one of `clusters` or `apps`."""

    environment: str
    area: str
    part: str = ""

    @property
    def path(self) -> PurePosixPath:
        """The folder's path in the repository."""
        area = _FOLDERS.get(self.area, f"platform/{self.area}")
        return PurePosixPath(area, self.environment, self.part)

    @classmethod
    def of(cls, file: PurePosixPath) -> Place | None:
        """Return the place that a file is in, or None for a file of no environment."""
        match file.parts:
            case ("clusters", environment, *parts, _):
                return cls(environment, CLUSTER, "/".join(parts))
            case ("apps", environment, *parts, _):
                return cls(environment, APPS, "/".join(parts))
            case ("platform", area, environment, *parts, _):
                return cls(environment, area, "/".join(parts))
            case _:
                return None


def root_file(environment: str) -> PurePosixPath:
    """Return the path of the list of what the root of a cluster reads."""
    return Place(environment, CLUSTER).path / KUSTOMIZATION


def source_file(environment: str) -> PurePosixPath:
    """Return the path of the file that says what an environment runs."""
    return Place(environment, CLUSTER).path / "source.yaml"


def layers_file(environment: str) -> PurePosixPath:
    """Return the path of the Flux Kustomization that applies the layers."""
    return Place(environment, CLUSTER).path / f"{LAYERS}.yaml"


def layers_folder(environment: str) -> PurePosixPath:
    """Return the folder of the Flux Kustomizations, one for each layer."""
    return Place(environment, CLUSTER, LAYERS).path


def sealed_folder(environment: str) -> PurePosixPath:
    """Return the folder of an environment's sealed Secrets."""
    return Place(environment, "secrets", "sealed").path


def sealed_file(environment: str, secret: str) -> PurePosixPath:
    """Return the path of a sealed Secret."""
    return sealed_folder(environment) / f"secret-{secret}.yaml"


def sealed_pattern(environment: str) -> str:
    """Return the regular expression of the paths of an environment's sealed Secrets."""
    return rf"^{sealed_folder(environment)}/secret-.*\.yaml$"


def sealed_name(file: PurePath) -> str:
    """Return the name of the Secret in a sealed file."""
    return file.stem.removeprefix("secret-")


def index_file(name: str) -> PurePosixPath:
    """Return where the index of the files is that rendering wrote for an environment, or for all."""
    return PurePosixPath(".render", f"{name}.json")


def settings_file(environment: str) -> PurePosixPath:
    """Return where the settings are that an environment's tree was rendered from, each default written out."""
    return PurePosixPath(".render", f"{environment}.settings.yaml")


def owned_patterns(environment: str) -> tuple[str, ...]:
    """Return the patterns of CODEOWNERS for the folders of an environment."""
    return tuple(f"/{Place(environment, area).path}/" for area in (CLUSTER, "*", APPS))


def environment_files(environment: str) -> tuple[str, ...]:
    """Return the patterns of the infrastructure repository's CODEOWNERS for what is an environment's there."""
    return (f"/environments/{environment}.yaml",)


def to_flux(folder: PurePosixPath) -> str:
    """Return a folder as the `spec.path` of a Flux Kustomization."""
    return f"./{folder}"


def of_flux(path: str) -> str:
    """Return the folder, as text, that the `spec.path` of a Flux Kustomization names."""
    return path.removeprefix("./")
