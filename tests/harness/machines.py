"""Machines as the harness finds them: a home, a checkout, a Python and a git, each as bare as a test wants it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path

from cotj.harness import packages
from cotj.harness.build import python_of
from cotj.harness.environment import ROOT


def checkout(folder: Path, version: str) -> Path:
    """Make what looks like a ComfyUI of this version, and needs no packages."""
    (folder / "comfy").mkdir(parents=True)
    for name in ("main.py", "requirements.txt", "comfy/cli_args.py"):
        (folder / name).touch()
    (folder / "comfyui_version.py").write_text(f'__version__ = "{version}"\n')
    return folder


@dataclass
class Machine:
    """A computer with an empty home, no git, no ComfyUI, and a Python that has no package at all."""

    folder: Path

    def __post_init__(self) -> None:
        for part in (self.home, self.programs):
            part.mkdir(parents=True)
        venv.create(self.folder / "python", with_pip=False)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def programs(self) -> Path:
        """All that is on the PATH."""
        return self.folder / "bin"

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    def add_failing_git(self, message: str) -> None:
        """Give it a git that tells why it fails; it leaves a file named `called` beside itself."""
        git = self.programs / "git"
        git.write_text(f"#!/bin/sh\n: > {self.programs}/called\necho '{message}' >&2\nexit 128\n")
        git.chmod(0o755)

    def add_small_environment(self) -> None:
        """Give it the small environment, made before: one that borrows the packages of the one that runs the tests."""
        small = packages.without_host()
        folder = self.cache / f"{small.name}-{hashlib.sha256(small.key.encode()).hexdigest()[:10]}"
        venv.create(folder, with_pip=False)
        site = sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)})
        (Path(site) / "borrowed.pth").write_text(sysconfig.get_path("purelib"))
        (folder / "ready").touch()

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run its Python at the root of this repository."""
        kept = {key: os.environ[key] for key in ("SYSTEMROOT", "OMP_NUM_THREADS", "LANG") if key in os.environ}
        environment = kept | {"HOME": str(self.home), "PATH": str(self.programs), "COTJ_CACHE": str(self.cache)}
        return subprocess.run(
            [str(python_of(self.folder / "python")), *arguments],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
