"""What a command gives: text for people, JSON for programs, pictures and files."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..planner.writing import write_file
from .faults import Fault, fault

if TYPE_CHECKING:  # what draws nothing does not wait for it
    from matplotlib.figure import Figure

PICTURES = (".png", ".svg", ".pdf")


def show(text: str) -> None:
    """Print a text, folded to the width of a terminal where it goes to one."""
    print("\n".join(map(folded, text.splitlines())) if sys.stdout.isatty() else text)


def folded(line: str) -> str:
    """Fold a line to the width of the terminal; words and numbers stay whole, and so do the rows of tables."""
    if "  " in line.strip():
        return line
    width = max(shutil.get_terminal_size().columns - 1, 20)
    return textwrap.fill(line, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def show_json(values: Any) -> None:
    """Print values as JSON in ASCII; ValueError for what is not finite."""
    print(json.dumps(values, indent=2, allow_nan=False))


def check_picture(name: str | None) -> None:
    """Raise Fault for the name of a picture that cannot be drawn, before anything is worked out for it."""
    if name is None:
        return
    if Path(name).suffix.lower() not in PICTURES:
        raise fault(f"--picture {name}", f"its name ends with none of {', '.join(PICTURES)}", "Give it such an ending")
    check_folder(f"--picture {name}", Path(name))


def check_folder(what: str, file: Path) -> None:
    """Raise Fault for a file that is to be written where there is no folder: its name may well be a slip."""
    if not file.parent.is_dir():
        raise fault(what, "there is no such folder", "Make the folder, or name another")


def save_picture(name: str, figure: Figure) -> None:
    """Write a picture whole or not at all; it replaces a file of that name."""
    content = BytesIO()
    figure.savefig(content, format=Path(name).suffix.lower()[1:])
    try:
        write_file(Path(name), content.getvalue())
    except OSError as error:
        raise cannot_write(f"--picture {name}", error) from error


def cannot_write(what: str, error: OSError) -> Fault:
    """Make the fault of a file that cannot be written."""
    return fault(what, f"it cannot be written: {error.strerror or error}", "Name a file in a folder that you may write")
