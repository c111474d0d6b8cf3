"""The entry into the project's own Python environment, and the loading of the pack.

Standard library only, Python 3.10 or newer.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cotj.harness.packages import Environment

ROOT = Path(__file__).resolve().parent.parent
WITHOUT_HOST = "COTJ_WITHOUT_HOST"  # tells the restarted program why there is no ComfyUI, so that none is sought again


def cache_dir() -> Path:
    """Name the folder where the environments live: $COTJ_CACHE, or the user's cache folder."""
    if "COTJ_CACHE" in os.environ:
        return Path(os.environ["COTJ_CACHE"]).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "comfyui-cotj"


def load_pack() -> ModuleType:
    """Load the repository root as the package `cotj`, whatever the checkout's folder is called."""
    if "cotj" not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            "cotj", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
        )
        assert spec and spec.loader
        sys.modules["cotj"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["cotj"])
    return sys.modules["cotj"]


def enter_environment(comfyui: Path | None = None) -> None:
    """Run this same command in the environment for `comfyui`: by default one that is found, or else cloned.

    Raises NoHost, which ends the program, where there is none.
    """
    load_pack()
    from cotj.harness import find, packages

    _enter(packages.for_host(comfyui or find.find_or_install_comfyui()))


def enter_any_environment(embedded: str = "") -> str:
    """Run this command in a ComfyUI's environment, or in the small one; gives why there is no ComfyUI, or ''.

    embedded: a reason not to look for one. Where one is sought in vain, prints why, and how to get one. Raises NoHost
    where COMFYUI_PATH names none that can be used: whoever names one wants that one.
    """
    load_pack()
    from cotj.harness import find, packages

    reason = embedded or os.environ.get(WITHOUT_HOST, "")
    if not reason:
        try:
            enter_environment(find.find_or_install_comfyui())
        except find.NoHost as fault:
            if os.environ.get("COMFYUI_PATH"):
                raise
            print(fault, flush=True)
            reason = fault.why
        else:
            return ""
    os.environ[WITHOUT_HOST] = reason
    _enter(packages.without_host())
    return reason


def add_environment(environment: Environment) -> None:
    """Let this program import an environment's packages beside its own, which come first."""
    from cotj.harness import build

    folder = _folder_of(environment)
    build.make(environment, folder)
    sys.path += [str(path) for path in folder.glob("[Ll]ib/**/site-packages") if str(path) not in sys.path]


def _folder_of(environment: Environment) -> Path:
    digest = hashlib.sha256(environment.key.encode()).hexdigest()[:10]
    return cache_dir() / f"{environment.name}-{digest}"


def _enter(environment: Environment) -> None:
    from cotj.harness import build

    # A polite end, such as a CI's time limit, unwinds the stack, so that what was started on the way ends too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = _folder_of(environment)
    if Path(sys.prefix).resolve() != folder.resolve():
        build.make(environment, folder)
        _restart(build.python_of(folder))


def _restart(python: Path) -> None:
    command = [str(python), *sys.orig_argv[1:]]
    sys.stdout.flush()
    if os.name == "nt":  # exec there returns to the shell at once
        sys.exit(subprocess.call(command))
    os.execv(python, command)
