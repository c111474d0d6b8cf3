"""The search for a ComfyUI checkout, or the cloning of one.

Standard library only: this runs before the environment exists.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REPOSITORY = "https://github.com/Comfy-Org/ComfyUI"
VERSION = "v0.33.0"
OLDEST = "0.23.0"


def usual_place() -> Path:
    """Name the folder where comfy-cli puts ComfyUI, and where one is cloned to."""
    return Path.home() / "comfy" / "ComfyUI"


def how_to_get_one() -> str:
    """List the ways to a ComfyUI that this project can use."""
    return f"""To run in ComfyUI {OLDEST} or newer, do one of these:
  set COMFYUI_PATH to the folder that holds ComfyUI's main.py
  put this repository into the custom_nodes folder of a ComfyUI
  git clone {REPOSITORY} {usual_place()}
Its Python packages need not be installed: this project has an environment of its own."""


class NoHost(SystemExit):
    """There is no ComfyUI that can be used; left alone, it ends the program with its message.

    why: in one sentence. A checkout that is too old is one too: it is somebody's, and is not overwritten.
    """

    def __init__(self, why: str) -> None:
        super().__init__(f"{why}\n{how_to_get_one()}")
        self.why = why


class NothingThere(NoHost):
    """No checkout lies in any of the places that were looked at."""


def find_comfyui() -> Path:
    """Find the checkout named by COMFYUI_PATH, else the one this repository sits in, else the one in the usual place.

    Raises NoHost where COMFYUI_PATH is no checkout or the one found is too old, NothingThere where none was found.
    """
    if named := os.environ.get("COMFYUI_PATH"):
        path = Path(named).expanduser().resolve()
        if not _is_comfyui(path):
            raise NoHost(f"COMFYUI_PATH is {named}, and that is no ComfyUI checkout.")
        return _new_enough(path)
    around = [ROOT.parent.parent] if ROOT.parent.name == "custom_nodes" else []
    for path in [*around, usual_place()]:
        if _is_comfyui(path):
            return _new_enough(path)
    raise NothingThere(f"No ComfyUI was found: COMFYUI_PATH is not set, and there is none at {usual_place()}.")


def find_or_install_comfyui() -> Path:
    """Find a checkout as `find_comfyui` does; where there is none, clone one into the usual place."""
    try:
        return find_comfyui()
    except NothingThere:
        return _clone(usual_place())


def _clone(place: Path) -> Path:
    """Clone ComfyUI, beside its place first, so that an interrupted clone is not taken for a checkout."""
    if place.is_file() or place.exists() and any(place.iterdir()):
        raise NoHost(f"{place} is no ComfyUI checkout but is not empty either, so none was cloned there.")
    if shutil.which("git") is None:
        raise NoHost("No ComfyUI was found, and there is no git to clone one with.")
    print(f"No ComfyUI found. Cloning {VERSION} into {place}: about 100 MB ...", flush=True)
    partial = place.with_name(f"{place.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    command = ["git", "clone", "--depth=1", f"--branch={VERSION}", REPOSITORY, str(partial)]
    # A question for a user name would wait for ever.
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        process = subprocess.run(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment)
    except OSError as error:
        raise NoHost(f"No ComfyUI was found, and none could be cloned: {error}.") from None
    if process.returncode:
        last = (process.stderr.strip().splitlines() or [f"git ended with code {process.returncode}"])[-1]
        raise NoHost(f"No ComfyUI was found, and cloning one failed: {last}")
    if place.exists():
        place.rmdir()  # an empty folder, in the way of the rename on some systems
    partial.rename(place)
    return place


def _new_enough(path: Path) -> Path:
    """Give the same path; raise NoHost where the checkout there is older than what the pack runs on."""
    file = path / "comfyui_version.py"
    found = re.search(r'__version__ = "([\d.]+)', file.read_text(encoding="utf-8")) if file.is_file() else None
    if found and _numbers(found[1]) >= _numbers(OLDEST):
        return path
    version = f"is {found[1]}" if found else "is of unknown version"
    raise NoHost(f"The ComfyUI at {path} {version}: too old, this project needs {OLDEST} or newer. Update it.")


def _numbers(version: str) -> list[int]:
    return [int(number) for number in version.split(".") if number]


def _is_comfyui(path: Path) -> bool:
    return (path / "main.py").is_file() and (path / "comfy" / "cli_args.py").is_file()
