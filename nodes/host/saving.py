"""How nodes store DNAs, predictors and schedules: under which name, and what is said where that fails."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from ...planner.dna_file import SUFFIX
from ...planner.texts import say, say_name
from ...planner.writing import check_room, nothing
from .file_names import free_name, list_folder
from .folders import list_dna_and_predictor_files, save_folder
from .inputs import input_error

Replaces = Callable[[Path], bool]

_not_stored: Counter[str] = Counter()


def save_as(name: str, replaces: Replaces | None, write: Callable[[str, Replaces], None]) -> str:
    """Write a DNA or predictor under this name, or where it is taken, with the next counter; return the name.

    replaces: tells which files of this very name may be replaced; None for none. write: is given a name, and what to
    replace. Two servers are never given one name. Raises OSError where the file cannot be written.
    """
    if replaces:
        write(name, replaces)
        return name
    there = {path.name[: -len(SUFFIX)] for path in list_folder(save_folder()) if path.name.endswith(SUFFIX)}
    taken = there | set(list_dna_and_predictor_files())
    while True:
        found = free_name(name, taken)
        try:
            write(found, nothing)
            return found
        except FileExistsError:  # another process was faster
            taken.add(found)


def check_replaceable(node: str, name: str, replaces: Replaces, kind: str) -> None:
    """Raise ValueError where the file of this name is of another kind, which overwriting would lose."""
    path = save_folder() / f"{name}{SUFFIX}"
    if os.path.lexists(path) and not replaces(path):
        problem = say("{file} is no {kind}, so it is not overwritten. Give another name", file=path.name, kind=kind)
        raise input_error(node, "name", problem)


def times_not_stored(node_id: str) -> int:
    """Count how often a node's result could not be stored, for its fingerprint: queued again, it then runs again."""
    return _not_stored[node_id]


def note_not_stored(node: str, node_id: str, why: object) -> str:
    """Log that a node's result could not be stored, have it run again when it is queued again, and say so."""
    _not_stored[node_id] += 1
    logging.warning("%s: %s", node, why)
    return say("NOT SAVED: {why}. Then queue again.", why=str(why).rstrip(".。"))


def why_not_stored(error: OSError) -> str:
    """Say why something could not be stored, and what to do, in sentences."""
    if isinstance(error, IsADirectoryError):
        name = Path(error.filename2 or error.filename or "").name
        return say(
            "{folder} has a folder by the name of the file, {name}. Move it away.", folder=save_folder(), name=name
        )
    return say(
        "{folder} cannot be written to: {why}. Make room, give write permission, or name another folder at 'cotj:' in "
        "extra_model_paths.yaml.",
        folder=save_folder(),
        why=error.strerror or error,
    )


def check_storable(node: str, size: int) -> None:
    """Raise ValueError where a result of so many bytes could not be stored, before it costs anything."""
    try:
        check_room(save_folder(), size)
    except OSError as error:
        problem = why_not_stored(error)
        raise ValueError(say("{node}: {problem}", node=say_name(node), problem=problem)) from error
