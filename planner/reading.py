"""The gate that files are read through: nothing of a file's size is made before it is known to be reasonable.

Whatever is wrong with a file is one short ValueError that names the file and the fault.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from itertools import accumulate
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from safetensors import SafetensorError

from .texts import say

MAX_HEADER = 4 << 20  # bytes of a safetensors header, which holds the metadata
MAX_DEPTH = 32  # of lists and objects in each other
MAX_DIGITS = 25  # of a whole number: any seed has fewer, and a float holds every such number
MAX_MESSAGE = 250  # characters; nodes put their own and their input's name before it
FLOATS = {"F16", "F32", "F64"}  # those that NumPy has too
FAULTS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    SafetensorError,
    TypeError,
    ValueError,
)
_STRING = r'(?s)"[^"\\]*(?:\\.[^"\\]*)*"?'
_BRACKET = r"[\[\]{}]"


class Tensor(NamedTuple):
    """What a header says of a tensor."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def values(self) -> int:
        """Count the values. Python's whole numbers do not overflow."""
        count = 1
        for size in self.shape:
            count *= size
        return count


class Header(NamedTuple):
    """The head of a safetensors file: the texts of its metadata, and its tensors by name."""

    metadata: dict[str, str]
    tensors: dict[str, Tensor]

    def check_format(self, name: str) -> None:
        """Raise ValueError where the metadata does not name this format."""
        if self.metadata.get("format") != name:
            raise ValueError(say("its metadata has no format {name!r}", name=name))


class UnopenedError(ValueError):
    """A file could not be opened: it may be whole."""


@contextmanager
def one_error(name: str, what: str, way_out: str) -> Iterator[None]:
    """Turn what is wrong with a file into one ValueError of at most MAX_MESSAGE characters.

    name: the file's. what: it should be, such as "DNA file". way_out: what to do about one that is read and is wrong; a
    file that could not even be opened may be whole.
    """
    try:
        yield
    except OSError as error:
        raise UnopenedError(_fault_of_file(name, error.strerror or str(error), _unopened)) from None
    except FAULTS as error:
        # Not `from error`, whose text may be as long as the file.
        told = _fault_of_file(name, reason(error), lambda name, fault: _unreadable(name, what, fault, way_out))
        raise ValueError(told) from None


def _fault_of_file(name: str, fault: str, said: Callable[[str, str], str]) -> str:
    """Say what is wrong with a file. said: of its name and fault, which are cut to what there is room for."""
    name = shortened(name, 80)
    return said(name, shortened(fault.rstrip(".。"), MAX_MESSAGE - len(said(name, ""))))


def _unopened(name: str, fault: str) -> str:
    return say(
        "{name} cannot be opened: {fault}. Nothing is known to be wrong with it: look at its folder and permissions.",
        name=name,
        fault=fault,
    )


def _unreadable(name: str, what: str, fault: str, way_out: str) -> str:
    return say("{name} is no readable {what}: {fault}. {way_out}.", name=name, what=what, fault=fault, way_out=way_out)


def shortened(text: str, most: int) -> str:
    """Give a text in one line of printable characters, cut to so many."""
    line = "".join(letter if letter.isprintable() else " " for letter in text[: 4 * most])
    line = " ".join(line.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def reason(error: BaseException) -> str:
    """Say what one of FAULTS means in a sentence about a file."""
    if isinstance(error, KeyError):
        return say("it has no {name}", name=error)
    if isinstance(error, MemoryError):
        return say("it takes more memory than there is")
    return str(error)


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a plain file to read; OSError for anything else. A pipe is not waited for."""
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0))) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(say("it is no plain file"))
        yield file


def read_whole(file: BinaryIO, most: int) -> bytes:
    """Read a file from its beginning; ValueError where it is longer than so many bytes."""
    size = file.seek(0, os.SEEK_END)
    if size > most:
        raise ValueError(say("it has {size} bytes, and at most {most} are read", size=size, most=most))
    file.seek(0)
    return file.read(size)  # and no more, if it grows meanwhile


def read_header(path: Path) -> Header:
    """Read the header of a safetensors file and no tensor. Raises OSError, or one of FAULTS."""
    with opened(path) as file:
        return _header(file)


def read_safetensors(path: Path, most: int, check: Callable[[Header], None]) -> tuple[Header, bytes]:
    """Read a safetensors file of at most `most` bytes whole, for `load` of safetensors, which checks the rest.

    Not through a memory map, where a file that another program cuts short ends the process. check: raises for a header
    that is not wanted, before anything else is read. Raises OSError, or one of FAULTS.
    """
    with opened(path) as file:
        header = _header(file)
        check(header)
        return header, read_whole(file, most)


def header_in(data: bytes) -> Header:
    """Read the header of the content of a safetensors file. Raises one of FAULTS."""
    return _header(BytesIO(data))


def _header(file: BinaryIO) -> Header:
    length = int.from_bytes(file.read(8), "little")
    if length > MAX_HEADER:
        raise ValueError(
            say("its header has {length} bytes, and at most {most} are read", length=length, most=MAX_HEADER)
        )
    content = parse_json(file.read(length), MAX_HEADER)
    metadata = content.pop("__metadata__", {})
    if not all(isinstance(text, str) for text in metadata.values()):
        raise ValueError(say("its metadata holds something else than texts"))
    tensors = {name: Tensor(str(about["dtype"]), _shape(name, about["shape"])) for name, about in content.items()}
    return Header(metadata, tensors)


def _shape(name: str, shape: list[Any]) -> tuple[int, ...]:
    if not all(type(size) is int and size >= 0 for size in shape):
        raise ValueError(f"the shape of {shortened(name, 40)} is none")
    return tuple(shape)


def parse_json(text: str | bytes, most: int = MAX_HEADER) -> Any:
    """Parse JSON of at most so many bytes, MAX_DEPTH levels and numbers of MAX_DIGITS digits; ValueError for more."""
    if len(text) > most:
        raise ValueError(say("its JSON has {length} bytes, and at most {most} are read", length=len(text), most=most))
    text = text.decode() if isinstance(text, bytes) else text
    # Before it is parsed, since parsers recurse, and other packs raise Python's limit until the process ends.
    brackets = re.findall(_BRACKET, re.sub(_STRING, "", text))
    if max(accumulate(1 if one in "[{" else -1 for one in brackets), default=0) > MAX_DEPTH:
        raise ValueError(say("its JSON is nested more than {most} levels deep", most=MAX_DEPTH))
    return json.loads(text, parse_int=_whole_number)


def _whole_number(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(say("it has a number of {length} digits", length=len(digits)))
    return int(digits)
