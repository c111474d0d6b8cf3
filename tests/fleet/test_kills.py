"""A short form of `python tests fleet`, and what is left of a driver that was killed."""

from pathlib import Path

import pytest
from cotj.tests.fleet.kills import campaign


@pytest.mark.timeout(600)
def test_every_item_is_done_once_whatever_is_killed(tmp_path: Path):
    figures = campaign(tmp_path, kills=5, items=300, seconds=0.25, workers=2, seed=1)
    print(figures)
    assert figures.worker_kills > 0 and figures.driver_kills > 0
    assert figures.twice_or_missing == figures.given_up == 0
