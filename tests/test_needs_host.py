"""Which tests need a ComfyUI is told from where they are and what they import."""

from pathlib import Path

import pytest
from cotj.tests.needs_host import needs_host
from cotj.tests.without_host import LeftOut


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("tests/host", True),
        ("tests/browser/test_widget.py", True),
        ("tests/nodes/host/test_rollout.py", True),  # by import_host
        ("tests/benchmarks/lab/test_models.py", True),  # by way of a module of the pack
        ("tests/planner", False),
        ("tests/planner/test_dna.py", False),
        ("tests/nodes/live/test_plan_request.py", False),
        ("tests/demo/test_scenes.py", False),
        ("tests/conftest.py", False),
        ("pyproject.toml", False),
    ],
)
def test_what_needs_a_host(root: Path, path: str, expected: bool):
    assert (root / path).exists()
    assert needs_host(root / path) is expected


def test_summary_counts_and_explains(root: Path):
    left_out = LeftOut("There is no git.")
    assert left_out.summary("Get one.") == ""
    left_out.files += [root / "tests" / "host" / f"test_{name}.py" for name in "ab"]
    left_out.files.append(root / "tests" / "browser" / "test_c.py")
    text = left_out.summary("Get one.")
    assert "DID NOT RUN: 3 test files need a ComfyUI. There is no git." in text
    assert "tests/host: 2 files" in text and "tests/browser: 1 file\n" in text and "Get one." in text
