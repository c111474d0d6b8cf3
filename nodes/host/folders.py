"""The pack's folders in the host's models folder, and what lies in them.

What cannot be read is left out of every list, with one line in the log.
"""

from __future__ import annotations

from functools import lru_cache
from os.path import isfile  # which takes what it may not look at for no file
from pathlib import Path
from typing import NamedTuple

import folder_paths

from ...planner import dna_file
from ...planner.reading import FAULTS, read_header, reason, shortened
from ...planner.texts import say, spoken
from ...predictor import dataset, files, release
from .file_names import leave_out, list_files, list_folder

FOLDER = "cotj"
SHIPPED = Path(__file__).parents[2] / "predictor_weights"


def save_folder() -> Path:
    """Name the folder that the pack's nodes write to."""
    return Path(folder_paths.get_folder_paths(FOLDER)[0])


def list_dna_and_predictor_files() -> dict[str, Path]:
    """List the files of all folders, the user's own first: a name that also ships means the user's."""
    return list_files([*folder_paths.get_folder_paths(FOLDER), SHIPPED], dna_file.SUFFIX)


def list_dnas() -> dict[str, Path]:
    """List the DNAs, without the predictors that lie beside them."""
    return {name: path for name, path in list_dna_and_predictor_files().items() if is_dna(path)}


def is_dna(path: Path) -> bool:
    """Tell whether a file is a DNA, as far as its header says."""
    return _has_format(path, dna_file.FORMAT)


def is_predictor(path: Path) -> bool:
    """Tell whether a file is a predictor, as far as its header says."""
    return _has_format(path, files.FORMAT)


def where_files_go() -> str:
    """Say where Save DNA writes its files."""
    return say("Save DNA writes DNA files to {folder}", folder=save_folder())


def list_predictors() -> dict[str, Path]:
    """List predictor files and released folders: the user's own first, a converted file before its folder."""
    found = {name: path for name, path in list_dna_and_predictor_files().items() if is_predictor(path)}
    for folder in (*folder_paths.get_folder_paths(FOLDER), SHIPPED):
        for path in list_folder(Path(folder)):
            if all(isfile(path / part) for part in (release.MODEL_STATE, release.NORM_DATA)):
                found.setdefault(path.name, path)
    return dict(sorted(found.items()))


def predictor_header(path: Path) -> files.Header | None:
    """Tell what is known of a predictor without reading it; None for a released folder."""
    kind = None if path.is_dir() else _kind(path)
    return kind and kind.predictor


def list_data_sets() -> dict[str, Path]:
    """List the data sets of DNAs by name."""
    return list_files(folder_paths.get_folder_paths(FOLDER), dataset.SUFFIX)


def changed_at(path: Path) -> int:
    """Read when a file last changed, in nanoseconds; 0 where it is gone."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


class _Kind(NamedTuple):
    """What a header says of a file. predictor: where it is one."""

    format: str
    predictor: files.Header | None


def _has_format(path: Path, name: str) -> bool:
    kind = _kind(path)
    return kind is not None and kind.format == name


def _kind(path: Path) -> _Kind | None:
    """Tell of what kind a DNA or predictor file is; None for what cannot be read."""
    try:
        status = path.stat()
        with spoken({}):  # what is wrong with a file is logged once, and not in each language
            found = _kind_of(path, status.st_mtime_ns, status.st_ctime_ns, status.st_size)
    except OSError as error:
        found = error.strerror or str(error)
    if isinstance(found, _Kind):
        return found
    leave_out(path, found)
    return None


@lru_cache(maxsize=4096)
def _kind_of(path: Path, *_status: int) -> _Kind | str:
    """Read the header of a file once until the file changes; a text says what is wrong with it."""
    try:
        header = read_header(path)
        if header.metadata.get("format") == dna_file.FORMAT:
            dna_file.check_header(header)
        return _Kind(shortened(header.metadata.get("format", ""), 100), files.about(header))
    except FAULTS as error:
        return shortened(reason(error), 160)
