"""The results that Optimize Sigmas has stored, by the names that nodes list them by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import folder_paths

from ...planner.search_record import SearchRecord
from ...planner.texts import say
from ..host.file_names import list_files
from ..host.folders import FOLDER, save_folder
from ..host.folders import changed_at as modified_at
from ..host.inputs import blamed_on, input_error, listed, unusable
from . import stored_scores, stored_search
from .stored_result import Found, StoredResult
from .stored_scores import FoundByScore


def list_schedules() -> dict[str, Path]:
    """List what was searched for by distance."""
    return list_files(folder_paths.get_folder_paths(FOLDER), stored_search.SUFFIX)


def list_scores() -> dict[str, Path]:
    """List what was searched for by score, by names that say so."""
    files = list_files(folder_paths.get_folder_paths(FOLDER), stored_scores.SUFFIX)
    return {stored_scores.listed_as(path): path for path in files.values()}


def list_results() -> dict[str, Path]:
    """List what was searched for, by distance or by score."""
    return dict(sorted((list_schedules() | list_scores()).items()))


def changed_at(name: str | None) -> float:
    """Read when the stored result of this name was last written; NaN where there is none."""
    path = list_results().get(name or "")
    return modified_at(path) if path else float("nan")


def how_to_get_some() -> str:
    """Say how to get stored results."""
    return say("Optimize Sigmas stores its results in {folder}", folder=save_folder())


def why_unusable(node: str, name: str, files: Mapping[str, Path]) -> str:
    """Say why a result that is not listed cannot be used, in the name of the node; an empty text where it can."""
    return unusable(files, name, lambda name: _listed(node, name, files))


def stored(node: str, name: str, steps: int) -> tuple[StoredResult[SearchRecord], SearchRecord]:
    """Read a stored result and its search for so many steps; ValueError, in the name of the node, without one."""
    return _held(node, name, steps, list_schedules(), stored_search.read)


def scored(node: str, name: str, steps: int) -> tuple[StoredResult[FoundByScore], FoundByScore]:
    """Read the same of a search by score."""
    return _held(node, name, steps, list_scores(), stored_scores.read)


def _listed(node: str, name: str, files: Mapping[str, Path]) -> Path:
    return listed(node, "name", name, files, how_to_get_some())


def _held(
    node: str, name: str, steps: int, files: Mapping[str, Path], read: Callable[[Path], StoredResult[Found]]
) -> tuple[StoredResult[Found], Found]:
    path = _listed(node, name, files)
    with blamed_on(node, "name"):
        result = read(path)
    held = result.steps()
    if not held:
        problem = say(
            "{name!r} holds no schedule yet: its search has not come to an end. Run Optimize Sigmas again to go "
            "on from there",
            name=name,
        )
        raise input_error(node, "name", problem)
    if steps not in held:
        problem = say(
            "{name!r} holds {held} steps, not {steps}. Enter one of these, or run Optimize Sigmas for another",
            name=name,
            held=", ".join(map(str, held)),
            steps=steps,
        )
        raise input_error(node, "steps", problem)
    return result, result.searches[steps]
