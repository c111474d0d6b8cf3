"""Tables of numbers in files: as people publish them in text, as JSON, and as NumPy keeps them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from ..planner import FloatArray
from ..planner.reading import one_error, opened, parse_json, read_whole

MOST_BYTES = 4 << 20
NAMES = {"sigma": "sigma", "sigmas": "sigma", "time": "time", "times": "time", "t": "time", "u": "time"}
NAMES |= {name: "error" for name in ("error", "errors", "d", "dna", "mse")}
WAY_OUT = "Give numbers between commas or spaces, a row a line, as JSON or as .npy"


@dataclass(frozen=True, eq=False)
class Table:
    """A table of finite numbers.

    values: (rows, columns). names: of the columns, "sigma", "time" or "error" where that is known, else "".
    """

    values: FloatArray
    names: tuple[str, ...]

    def column(self, name: str) -> FloatArray:
        """Return (rows,) the column of this name."""
        return self.values[:, self.names.index(name)]

    def listed(self) -> FloatArray:
        """Return the numbers of a table that is one row or one column; ValueError for others, which are no list."""
        rows, columns = self.values.shape
        if min(rows, columns) > 1:
            raise ValueError(f"it has {rows} rows of {columns} numbers without names, which are no list")
        return self.values.ravel()


def read_table(path: Path) -> Table:
    """Read a table; ValueError that says what is wrong with the file."""
    with one_error(path.name, "table of numbers", WAY_OUT):
        with opened(path) as file:
            data = read_whole(file, MOST_BYTES)
        if data.startswith(b"\x93NUMPY"):
            return _table(np.load(BytesIO(data), allow_pickle=False))
        text = data.decode("utf-8-sig")
        return _of_json(parse_json(text, MOST_BYTES)) if text.lstrip()[:1] in ("[", "{") else _of_text(text)


def numbers_in(text: str) -> FloatArray | None:
    """Read a list of numbers; None where it is none."""
    try:
        found = _row(text)
    except ValueError:
        return None
    return np.array(found) if found and np.isfinite(found).all() else None


def _of_json(content: Any) -> Table:
    if isinstance(content, list):
        return _table(content)
    columns = {NAMES[name]: values for name, values in content.items() if name in NAMES and isinstance(values, list)}
    if not columns:
        raise ValueError('it has no list called "sigmas" or "errors"')
    if len({len(values) for values in columns.values()}) > 1:
        raise ValueError(f"its {' and '.join(columns)} are not equally many")
    return _table(np.transpose(list(columns.values())), tuple(columns))


def _of_text(text: str) -> Table:
    """Read rows of numbers, under a row of names or without one; what follows a # is left out."""
    lines = [line for line in (line.partition("#")[0].strip() for line in text.splitlines()) if line]
    names: tuple[str, ...] = ()
    if lines and re.search("[A-DF-Za-df-z]", lines[0]) and numbers_in(lines[0]) is None:
        names = tuple(NAMES.get(name.strip("\"'").lower(), "") for name in re.split(r"[,;\s]+", lines.pop(0)))
    rows = [_row(line) for line in lines]
    going_on = len(lines) > 1 and [line[-1] in ",;" for line in lines] == [True] * (len(lines) - 1) + [False]
    if len({len(row) for row in rows}) > 1 or (going_on and not names):
        if names:
            raise ValueError("its rows are not equally long")
        rows = [[number] for row in rows for number in row]  # a list that is broken into lines
    return _table(rows, names)


def _row(line: str) -> list[float]:
    numbers = [number for number in re.split(r"[,;\s]+", line.strip("[](),; \t\n")) if number]
    for number in numbers:
        if re.match(r"[+-]?0\d", number):  # what is left of 0,02
            raise ValueError(f"{number} is no number: give decimals a point, since a comma stands between numbers")
    return [float(number) for number in numbers]


def _table(values: Any, names: tuple[str, ...] = ()) -> Table:
    if isinstance(values, np.ndarray) and values.dtype.kind not in "fiu":
        raise ValueError(f"it holds {values.dtype}, and plain numbers are read")
    array = np.array(values, dtype=np.float64)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or not array.size:
        raise ValueError("it has no rows of numbers")
    if not np.isfinite(array).all():
        raise ValueError("some of its numbers are not finite")
    if names and len(names) != array.shape[1]:
        raise ValueError(f"it has {len(names)} names for {array.shape[1]} columns")
    return Table(array, names)
