"""Makes the repository root importable as the package `cotj`, and puts the quick tests first."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "demo"))  # for bootstrap; appended, so that no module in there can hide another

from bootstrap import load_pack  # noqa: E402

load_pack()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The mathematics first, the tests that need a running host last."""

    def rank(item: pytest.Item) -> int:
        part = item.path.relative_to(ROOT / "tests").parts[0]
        return {"planner": 0, "host": 2, "browser": 3}.get(part, 1)

    items.sort(key=rank)


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def published() -> list[Path]:
    """What the registry gets, relative to the root: the files git knows or would add, less .comfyignore."""

    def git_files(*options: str) -> set[str]:
        command = ["git", "ls-files", "-z", "--cached", "--others", *options]
        return set(subprocess.check_output(command, cwd=ROOT, text=True).split("\0")) - {""}

    ours = git_files("--exclude-standard")
    return sorted(Path(name) for name in ours - git_files("--ignored", "--exclude-from=.comfyignore"))


@pytest.fixture(scope="session")
def oracle(root: Path) -> Path:
    folder = Path(os.environ.get("COTJ_ORACLE") or root.parent / "shared" / "oracle")
    if not (folder / "cases.json").exists():
        pytest.skip(f"no oracle at {folder}: set COTJ_ORACLE to the folder that holds its cases.json")
    return folder


@pytest.fixture(scope="session")
def cases(oracle: Path) -> list[dict]:
    return json.loads((oracle / "cases.json").read_text(encoding="utf-8"))
