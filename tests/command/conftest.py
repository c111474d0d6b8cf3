"""The command line as it is installed, and called in this process."""

import json
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from cotj.command import main

PACKAGED = ("adapters/", "command/", "measuring/", "nodes/", "planner/", "predictor")


@dataclass(frozen=True)
class Installation:
    """An environment with what `pip install .` gives. folder: of its programs."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "python"

    def run(self, *arguments: object, **options) -> subprocess.CompletedProcess:
        """Run `cotj`, away from the checkout."""
        command = [self.folder / "cotj", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, **{"cwd": self.folder} | options)


@pytest.fixture(scope="session")
def installed(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Install a copy of the checkout without network, beside the packages that this process sees."""
    copy, place = (tmp_path_factory.mktemp(name) for name in ("checkout", "environment"))
    listed = subprocess.check_output(["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=root, text=True)
    for name in listed.split("\0"):
        # What lies in folders of other names is not in the package, and takes long to copy.
        wanted = "/" not in name or name.startswith(
            ("adapters/", "command/", "measuring/", "nodes/", "planner/", "predictor")
        )
        if wanted and (root / name).is_file():  # git lists what was deleted too
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / name, copy / name)
    venv.create(place, symlinks=True)
    here = Installation(place / ("Scripts" if sys.platform == "win32" else "bin"))
    [packages] = place.rglob("site-packages")
    seen = [path for path in sys.path if path and Path(path).is_dir() and not Path(path).is_relative_to(root)]
    (packages / "others.pth").write_text("\n".join(seen))
    offline = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "--python", str(here.python), "install", *offline, str(copy)]
    made = subprocess.run(command, capture_output=True, text=True)
    assert made.returncode == 0, made.stdout + made.stderr
    shutil.rmtree(copy)
    return here


@pytest.fixture
def run(capsys: pytest.CaptureFixture) -> Callable[..., str]:
    """Give a function that runs a command in this process, and returns what it prints; it must succeed."""

    def run(*arguments: object) -> str:
        assert main([str(argument) for argument in arguments]) == 0
        told = capsys.readouterr()
        assert told.err == ""
        return told.out

    return run


@pytest.fixture
def read(run: Callable[..., str]) -> Callable[..., dict]:
    """Give a function that runs a command with --json, and returns what it gives."""
    return lambda *arguments: json.loads(run(*arguments, "--json"), parse_constant=pytest.fail)


@pytest.fixture
def fail(capsys: pytest.CaptureFixture) -> Callable[..., str]:
    """Give a function that runs a command in this process, and returns the one line of its error."""

    def fail(*arguments: object) -> str:
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as end:  # of the parser
            status = end.code
        told = capsys.readouterr()
        assert (status, told.out, told.err.count("\n")) == (2, "", 1), told
        assert told.err.startswith("cotj") and told.err.endswith(".\n")
        return told.err

    return fail


@pytest.fixture(scope="session")
def profiled(root: Path) -> Path:
    """A DNA with a trajectory profile."""
    return root / "demo" / "models" / "cotj-demo-profile.safetensors"
