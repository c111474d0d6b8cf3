"""Makes the repository root importable as the package `cotj`, as the host makes it one under a name of its own."""

import sys
from pathlib import Path

# Appended, so that no module in there can hide another.
sys.path.append(str(Path(__file__).resolve().parent.parent / "demo"))

from bootstrap import load_pack  # noqa: E402

load_pack()
