"""Plans in files: as JSON, alone or within an image that ComfyUI has saved.

Files are read and written through the gates of `reading` and `writing`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, BinaryIO

from .image_texts import is_image, read_text
from .plan_record import PlanRecord
from .reading import MAX_HEADER, one_error, opened, parse_json, read_whole
from .texts import say
from .writing import write_file

SUFFIX = ".plan.json"
FORMAT = "cotj-plan-2"
READABLE = {"cotj-plan-1", FORMAT}  # earlier solvers weighed no zero latent
KEY = "cotj_plan"  # what an image calls its plan
MAX_BYTES = MAX_HEADER  # of a plan, whether it is a file or within an image


def to_json(record: PlanRecord) -> dict[str, Any]:
    """Spell a plan as plain values, which an image holds as JSON. ValueError for one that is too large to be read."""
    content = {"format": FORMAT, **record.to_dict()}
    with one_error(say("the plan"), say("plan"), say("Measure the DNA with fewer reference steps")):
        _parsed(_encoded(content))
    return content


def from_json(data: bytes) -> PlanRecord:
    """Read and check a plan. Raises one of `reading.FAULTS` for anything else."""
    try:
        content = _parsed(data)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:  # whose texts are Python's
        raise ValueError(say("its plan is no JSON, or only a part of it")) from error
    if not isinstance(content, dict) or content.get("format") not in READABLE:
        raise ValueError(say("its format is not {format!r}", format=FORMAT))
    return PlanRecord.from_dict(content)


def write(folder: Path, name: str, record: PlanRecord) -> None:
    """Write a plan to a file of this name, without ending, in a folder, in place of a plan of that name alone.

    Raises ValueError for a plan that is too large, FileExistsError where another file has the name, and OSError where
    it cannot be written.
    """
    write_file(folder / f"{name}{SUFFIX}", _encoded(to_json(record)), is_plan)


def read(path: Path) -> PlanRecord:
    """Read and check a plan from its file or from an image; ValueError that says what is wrong with the file."""
    with one_error(path.name, say("plan"), say("Choose a file of Save Plan, or an image that was saved after it")):
        with opened(path) as file:
            data = read_text(file, KEY, MAX_BYTES) if is_image(file) else _whole_json(file)
        if data is None:
            raise ValueError(say("no plan was written into this image"))
        return from_json(data)


def is_plan(path: Path) -> bool:
    """Tell whether a file is a plan that can be read."""
    try:
        read(path)
    except ValueError:
        return False
    return True


def _whole_json(file: BinaryIO) -> bytes:
    """Read a file that may be a plan; ValueError for one that does not begin as JSON does."""
    data = read_whole(file, MAX_BYTES)
    if not data.lstrip().startswith(b"{"):
        raise ValueError(say("it is neither a PNG, a WebP nor a plan file"))
    return data


def _encoded(content: dict[str, Any]) -> bytes:
    return json.dumps(content, allow_nan=False).encode()


def _parsed(data: bytes) -> Any:
    return parse_json(data, MAX_BYTES)
