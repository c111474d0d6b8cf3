"""Names of files that a user gives: which are allowed, which are free, and which files there are."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Iterable
from functools import lru_cache
from os.path import isfile  # which takes what it may not look at for no file
from pathlib import Path

from ...planner.reading import shortened
from ...planner.texts import say, spoken

NAME_BYTES = 200  # file systems allow 255; a counter and the ending come on top


RESERVED = r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?"  # devices on Windows, whatever the ending


def list_files(folders: Iterable[str | Path], suffix: str) -> dict[str, Path]:
    """List the plain files with this ending by name. Where two folders hold the same name, the earlier folder wins."""
    files: dict[str, Path] = {}
    for folder in map(Path, folders):
        for path in list_folder(folder):
            if path.name.endswith(suffix) and len(path.name) > len(suffix):
                if isfile(path):
                    files.setdefault(path.name[: -len(suffix)], path)
                else:
                    leave_out(path, "it is no plain file")
    return dict(sorted(files.items()))


@lru_cache(maxsize=4096)
def leave_out(path: Path, reason: str) -> None:
    """Say in the log that a file is left out of a list, once for each reason."""
    logging.warning("CoTj: %s is left out of the lists: %s", shortened(path.name, 80), reason)


def list_folder(folder: Path) -> list[Path]:
    """List what is in a folder; nothing where it cannot be read. Names that are no text on this system are left out."""
    try:
        return [path for path in folder.iterdir() if path.name.isprintable()]
    except FileNotFoundError:
        return []
    except OSError as error:
        logging.warning("CoTj: %s cannot be listed: %s", folder, error.strerror)
        return []


def choices(names: Iterable[str], how_to_get_some: Callable[[], str]) -> list[str]:
    """List what a dropdown offers: the names, or where there are none, a line that says how to get some.

    In English, whatever is spoken: the host takes what was chosen only where it offers the same.
    """
    with spoken({}):
        return list(names) or [how_to_get_some()]


def name_fault(name: str) -> str | None:
    """Say why `name` is not one file in one folder on every system; None where it is."""
    plain = re.fullmatch(r"\w[\w .+-]{0,99}", name) and name == name.rstrip(" .")
    if plain and len(name.encode()) <= NAME_BYTES and not re.fullmatch(RESERVED, name):
        return None
    return say(
        "{name!r} is no file name: use up to 100 letters (66 Chinese ones), digits, spaces and . _ + - (no path "
        "separators), starting with a letter or digit, and none that Windows reserves, such as con",
        name=name,
    )


def free_name(name: str, taken: Collection[str]) -> str:
    """Return `name`, or where it is taken, `name` with the next counter, as the host's own save nodes do.

    Names that differ in case alone are one file on Windows and macOS, so here they are one name.
    """
    folded = {other.casefold() for other in taken}
    if name.casefold() not in folded:
        return name
    counted = (re.fullmatch(re.escape(name.casefold()) + r"_(\d+)_", other) for other in folded)
    last = max((int(match[1]) for match in counted if match), default=0)
    return f"{name}_{last + 1:05}_"
