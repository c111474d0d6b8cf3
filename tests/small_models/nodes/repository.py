"""The repository that the test-only nodes are a part of, in the host's process."""

import sys
from pathlib import Path


def load_repository():
    """Let this process import the repository that these nodes are a part of, as `cotj`."""
    harness = str(Path(__file__).resolve().parents[3] / "harness")
    sys.path.append(harness)
    from environment import load_pack

    sys.path.remove(harness)
    load_pack()
