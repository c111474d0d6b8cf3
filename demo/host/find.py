"""Find a ComfyUI checkout, or get one. Standard library only: this runs before the environment exists."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEFAULT = Path.home() / "comfy" / "ComfyUI"  # where comfy-cli puts it
REPOSITORY = "https://github.com/Comfy-Org/ComfyUI"
VERSION = "v0.33.0"
OLDEST = "0.23.0"

HOW_TO_GET_ONE = f"""This needs a ComfyUI checkout, {OLDEST} or newer, and found none. Do one of these:
  set COMFYUI_PATH to the folder that holds ComfyUI's main.py
  put this repository into the custom_nodes folder of a ComfyUI
  git clone {REPOSITORY} {DEFAULT}
Its Python packages need not be installed: this project has an environment of its own."""


class NoHost(SystemExit):
    """No ComfyUI where one was looked for; left alone, it ends the program with its message."""


def find_comfyui() -> Path:
    """The checkout named by COMFYUI_PATH, else the one this repository sits in, else the one in the usual place."""
    if named := os.environ.get("COMFYUI_PATH"):
        path = Path(named).expanduser().resolve()
        if not _is_comfyui(path):
            raise NoHost(f"COMFYUI_PATH is {named}, and that is no ComfyUI checkout.\n{HOW_TO_GET_ONE}")
        return _new_enough(path)
    around = [ROOT.parent.parent] if ROOT.parent.name == "custom_nodes" else []
    for path in [*around, DEFAULT]:
        if _is_comfyui(path):
            return _new_enough(path)
    raise NoHost(HOW_TO_GET_ONE)


def find_or_install_comfyui() -> Path:
    """As `find_comfyui`; where there is none, clone one into the usual place."""
    try:
        return find_comfyui()
    except NoHost:
        if "COMFYUI_PATH" in os.environ:
            raise
    print(f"No ComfyUI found. Cloning {VERSION} into {DEFAULT} ...", flush=True)
    command = ["git", "clone", "--quiet", "--depth=1", f"--branch={VERSION}", REPOSITORY, str(DEFAULT)]
    try:
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"That did not work: {error}", file=sys.stderr)
        raise NoHost(HOW_TO_GET_ONE) from None
    return DEFAULT


def _new_enough(path: Path) -> Path:
    """The same path; NoHost where the checkout there is older than what the pack runs on."""
    file = path / "comfyui_version.py"
    found = re.search(r'__version__ = "([\d.]+)', file.read_text(encoding="utf-8")) if file.is_file() else None
    if found and _numbers(found[1]) >= _numbers(OLDEST):
        return path
    version = found[1] if found else "of unknown version"
    raise NoHost(
        f"This needs ComfyUI {OLDEST} or newer, and the one at {path} is {version}. Update it, or set COMFYUI_PATH to "
        "the folder of a newer one."
    )


def _numbers(version: str) -> list[int]:
    return [int(number) for number in version.split(".") if number]


def _is_comfyui(path: Path) -> bool:
    return (path / "main.py").is_file() and (path / "comfy" / "cli_args.py").is_file()
