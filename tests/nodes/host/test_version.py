"""The version that a DNA remembers is the one that is published."""

import re
from pathlib import Path

from cotj.nodes import __version__

ROOT = Path(__file__).resolve().parents[3]


def test_the_version_is_that_of_the_package():
    assert re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.M)[1] == __version__
