"""The oldest ComfyUI that the pack runs on. Asked before anything is imported that an older one may not have."""

import re

OLDEST = "0.23.0"


def check_host() -> None:
    """Raise RuntimeError, whose message the host logs in one line, where the host is too old."""
    try:
        from comfyui_version import __version__ as found
    except ImportError:
        found = "of unknown version"
    if _numbers(found) < _numbers(OLDEST):
        raise RuntimeError(f"CoTj needs ComfyUI {OLDEST} or newer, and this one is {found}. Update ComfyUI.")


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)[:3]]
