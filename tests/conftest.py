"""Makes the repository root importable as the package `cotj`, and puts the tests in an order."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from xdist.scheduler import LoadFileScheduling

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "harness"))  # for environment alone: its other modules are named as the host's are

from environment import load_pack  # noqa: E402

sys.path.pop()

load_pack()

# A busy machine is no fault of what is tested, and the examples are the same in every run; `--hypothesis-profile
# exploring` looks for others.
hypothesis.settings.register_profile("exploring", deadline=None)
hypothesis.settings.register_profile("same", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("same")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--frontend`, for the browser tests."""
    parser.addoption(
        "--frontend",
        default="",
        metavar="NAME",
        help="drive this frontend in place of ComfyUI's own: newest, oldest, or a version on PyPI",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The mathematics first, the tests that need a running host last; or these first, where processes share the tests.

    What takes longest must not begin last.
    """

    def rank(item: pytest.Item) -> int:
        part = item.path.relative_to(ROOT / "tests").parts[0]
        return {"planner": 0, "host": 2, "browser": 3}.get(part, 1)

    items.sort(key=rank, reverse=hasattr(config, "workerinput"))  # which is there in a process of pytest-xdist


class ByFile(LoadFileScheduling):
    """Gives each file of tests to one process, since it shares fixtures, and these folders whole."""

    WHOLE = ("tests/browser", "tests/fleet")  # a browser, and Ray, for all their files

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return next((folder for folder in self.WHOLE if file.startswith(f"{folder}/")), file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    """Where processes share the tests, share them so."""
    return ByFile(config, log)


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
