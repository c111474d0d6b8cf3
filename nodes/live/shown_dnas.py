"""The DNAs that the live widget was shown, by fingerprint, so that a slider sends the fingerprint alone.

A DNA travels once, as the content of its file; so it comes back to the last bit.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from collections import OrderedDict
from dataclasses import replace
from threading import Lock

from ...planner import DiffusionDNA
from ...planner.dna_file import from_bytes, to_bytes
from ...planner.texts import say

MOST = 16  # DNAs that are kept; one with the longest profile that may come takes 12 MB
MAX_CALLS = 200  # of a profile's reference run; a planner's costs grow with its cube
MAX_BANDS = 64


def encode(dna: DiffusionDNA) -> str:
    """Write all that a plan depends on as text; what the DNA was measured with is left out."""
    return binascii.b2a_base64(to_bytes(replace(dna, meta={})), newline=False).decode()


def decode(content: str) -> DiffusionDNA:
    """Read the DNA that `encode` wrote. Raises ValueError, which says what is wrong, for anything else."""
    try:
        if not re.fullmatch("[A-Za-z0-9+/]*={0,2}", content):
            raise ValueError("it has other characters")
        data = binascii.a2b_base64(content)
    except ValueError as error:
        raise ValueError(f"'content' is a DNA file as base64: {error}") from error
    dna = from_bytes(data)
    if dna.profile and (len(dna.profile.sigmas) > MAX_CALLS or len(dna.profile.shares) > MAX_BANDS):
        raise ValueError(
            say("a profile has at most {calls} model calls and {bands} bands here", calls=MAX_CALLS, bands=MAX_BANDS)
        )
    return dna


def fingerprint(content: str) -> str:
    """Give what `encode` wrote a short name of its own."""
    return hashlib.blake2b(content.encode(), digest_size=12).hexdigest()


class ShownDNAs:
    """DNAs by fingerprint, of which those asked for longest ago are dropped. Requests are answered in many threads."""

    def __init__(self, most: int = MOST):
        self._most = most
        self._dnas: OrderedDict[str, DiffusionDNA] = OrderedDict()
        self._lock = Lock()

    def keep(self, name: str, dna: DiffusionDNA) -> None:
        """Keep a DNA by its fingerprint."""
        with self._lock:
            self._dnas[name] = dna
            self._dnas.move_to_end(name)
            if len(self._dnas) > self._most:
                self._dnas.popitem(last=False)

    def recall(self, name: str) -> DiffusionDNA | None:
        """Give the DNA with this fingerprint; None where it is not known any more."""
        with self._lock:
            if name in self._dnas:
                self._dnas.move_to_end(name)
            return self._dnas.get(name)


SHOWN = ShownDNAs()
