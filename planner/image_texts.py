"""The texts that ComfyUI writes into the images that it saves: into PNG as chunks, into WebP as EXIF.

Nothing of an image is read but the heads of its parts, and the one text that is asked for.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Literal, NamedTuple

from .texts import say

PNG = b"\x89PNG\r\n\x1a\n"
TEXTS = (b"tEXt", b"comf")  # the second is ComfyUI's own, in animated images
MOST_PARTS = 100_000  # of a file; encoders make one of every few kilobytes


class Part(NamedTuple):
    """A chunk of a file. size: its bytes without head and checksum; the file stands at the first of them."""

    name: bytes
    size: int


def is_image(file: BinaryIO) -> bool:
    """Tell whether a file begins as PNG or WebP do."""
    return _is_png(file) or _is_webp(file)


def read_text(file: BinaryIO, name: str, most: int) -> bytes | None:
    """Read the text of this name, of at most so many bytes, from an image; None where the image has none.

    Raises ValueError for an image that is damaged before that place, and for a longer text.
    """
    return _png_text(file, name.encode(), most) if _is_png(file) else _webp_text(file, name.encode(), most)


def _png_text(file: BinaryIO, name: bytes, most: int) -> bytes | None:
    start = name + b"\0"
    for part in _parts(file, len(PNG), "big", 4):
        if part.name not in TEXTS or file.read(min(len(start), part.size)) != start:
            continue
        text = _rest(file, part.size - len(start), most)
        if int.from_bytes(file.read(4), "big") != zlib.crc32(part.name + start + text):
            raise ValueError(say("the text in the image is damaged"))
        return text
    return None


def _webp_text(file: BinaryIO, name: bytes, most: int) -> bytes | None:
    """Find a value "name:text" of the EXIF, whose texts end with a zero and hold none."""
    for part in _parts(file, 12, "little", 0):
        if part.name == b"EXIF":
            _, found, rest = _rest(file, part.size, 2 * most).partition(b"\0" + name + b":")
            text, end, _ = rest.partition(b"\0")
            if found and not end:
                raise ValueError(say("the text in the image has no end"))
            return text if found else None
    return None


def _parts(file: BinaryIO, begin: int, order: Literal["big", "little"], checksum: int) -> Iterator[Part]:
    """List the chunks of a file. begin: where the first is. checksum: how many bytes of it follow on each.

    order: of the bytes of their sizes. PNG ("big") has the size before the name, WebP ("little") after it, and fills
    chunks up to an even size.
    """
    at, end = begin, file.seek(0, os.SEEK_END)
    for _ in range(MOST_PARTS):
        file.seek(at)
        head = file.read(8)
        if not head or head[4:] == b"IEND":
            return
        name, number = (head[4:], head[:4]) if order == "big" else (head[:4], head[4:])
        size = int.from_bytes(number, order)
        at += 8 + size + checksum + (size % 2 if order == "little" else 0)
        if len(head) < 8 or at > end:
            raise ValueError(say("the image ends too early"))
        yield Part(name, size)
    raise ValueError(say("the image has more than {most} parts", most=MOST_PARTS))


def _rest(file: BinaryIO, size: int, most: int) -> bytes:
    if size > most:
        raise ValueError(
            say("the text in the image has {size} bytes, and at most {most} are read", size=size, most=most)
        )
    return file.read(size)


def _is_png(file: BinaryIO) -> bool:
    file.seek(0)
    return file.read(len(PNG)) == PNG


def _is_webp(file: BinaryIO) -> bool:
    file.seek(0)
    head = file.read(12)
    return head[:4] == b"RIFF" and head[8:] == b"WEBP"
