"""`cdktf synth`, for those who type it."""

from __future__ import annotations

import json
import subprocess

from tests.support import ROOT, Synthesised


def test_the_pinned_command_line_gives_what_main_gives(stacks: dict[str, Synthesised]) -> None:
    result = subprocess.run(["make", "cdktf-synth"], cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    written = ROOT.glob("cdktf.out/stacks/*/cdk.tf.json")
    assert {path.parent.name: json.loads(path.read_text()) for path in written} == {
        name: stack.data for name, stack in stacks.items()
    }
