"""The host's own modules in this process, for tests and benchmarks that need its classes but no server."""

from __future__ import annotations

import sys
import tempfile

from .environment import cache_dir
from .find import find_comfyui


def import_host() -> None:
    """Make `comfy` importable: on the CPU, and without writing anything into the host's folder."""
    if "comfy" in sys.modules:
        return
    sys.pycache_prefix = str(cache_dir() / "pycache")
    sys.path.append(str(find_comfyui()))  # appended, so that no module in there can hide another
    import comfy.cli_args
    import utils  # noqa: F401 - first, as its main.py does: the nodes of ComfyUI 0.23 lay comfy/utils.py over it

    comfy.cli_args.args.cpu = True
    comfy.cli_args.args.base_directory = tempfile.mkdtemp(prefix="cotj-host-")
