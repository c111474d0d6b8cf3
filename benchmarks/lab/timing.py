"""How long a call takes, on a machine that may be busy."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def milliseconds(call: Callable[[], object]) -> float:
    """Time a call: its processor time in milliseconds."""
    begin = time.process_time()
    call()
    return 1000 * (time.process_time() - begin)


def median_ms(call: Callable[[], object], repeats: int) -> float:
    """Time a call several times: the median, after one that is not counted."""
    call()
    return statistics.median(milliseconds(call) for _ in range(repeats))
