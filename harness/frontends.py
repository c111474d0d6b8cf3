"""Other frontends than the one that a ComfyUI asks for, as folders that it can serve in place of that."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from .environment import cache_dir

PACKAGE = "comfyui-frontend-package"
OLDEST = "1.44.19"  # what ComfyUI 0.23.0 asks for


def frontend(name: str) -> Path:
    """Give the folder of a frontend, from PyPI where it is not there yet.

    name: its version, or "oldest" that this pack is made for, or "newest" on PyPI. Raises CalledProcessError where pip
    finds none.
    """
    version = {"oldest": OLDEST}.get(name) or (_newest() if name == "newest" else name)
    folder = cache_dir() / "frontends" / version
    if not folder.exists():
        partial = folder.with_name(f"{version}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        _pip("--quiet", f"--target={partial}", f"{PACKAGE}=={version}")
        partial.rename(folder)
    return folder / "comfyui_frontend_package" / "static"


def _newest() -> str:
    report = json.loads(_pip("--quiet", "--dry-run", "--ignore-installed", "--report=-", PACKAGE))
    return report["install"][0]["metadata"]["version"]


def _pip(*arguments: str) -> str:
    command = [sys.executable, "-m", "pip", "install", "--no-input", "--no-deps", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
