"""Searches of several processes in one file: each keeps what the others have stored."""

import copy
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from cotj.nodes.optimizing.merged_search import merge
from cotj.nodes.optimizing.stored_search import FORMAT, SUFFIX, StoredSchedules, read, write
from cotj.planner.search import OBJECTIVES, Trial
from cotj.planner.search_record import PairsOfSearch, SearchRecord

KEY = {"model": "SD3", "sampler": "euler"}


@pytest.fixture
def record():
    """A search for three steps that has found something."""
    errors = {0: np.array([0.3]), 1: np.array([0.2])}
    forking = {pair: values / 10 for pair, values in errors.items()}
    own = Trial("simple", np.array([1.0, 0.6, 0.3]), OBJECTIVES["steady"], errors, forking)
    pairs = PairsOfSearch(1, 2, 1, 50, 11)
    return SearchRecord(
        "calibration", pairs, candidates={"simple": own}, best=own, sigmas=[1.0, 0.6, 0.3, 0.0], calls=500
    )


def changed(record, **values):
    return replace(copy.deepcopy(record), **values)


def at(tmp_path):
    return read(tmp_path / f"a{SUFFIX}")


def test_two_processes_keep_each_others_numbers_of_steps(record, tmp_path):
    for_two = SearchRecord("calibration", PairsOfSearch(1, 2, 1, 48, 31), student_calls=25)
    ours, theirs = StoredSchedules(KEY, {3: record}), StoredSchedules(KEY, {2: for_two})
    merge(tmp_path, "a", ours, 3, None)
    merge(tmp_path, "a", theirs, 2, None)
    assert set(at(tmp_path).searches) == {2, 3} and set(theirs.searches) == {2, 3}
    record.calls += 100
    merge(tmp_path, "a", ours, 3, None)
    assert at(tmp_path).searches[3].calls == record.calls and at(tmp_path).searches[2] == for_two


def test_what_another_process_has_stored_meanwhile_stays_and_ours_waits(record, tmp_path):
    write(tmp_path, "a", StoredSchedules(KEY, {3: record}))
    elsewhere = changed(record, calibration="another", calls=700)
    merge(tmp_path, "a", StoredSchedules(KEY, {3: elsewhere}), 3, record)
    assert at(tmp_path).searches[3].calibration == "another" and not at(tmp_path).pending
    ours = changed(record, calls=900)  # which began when `record` was there
    merge(tmp_path, "a", StoredSchedules(KEY, {3: ours}), 3, record)
    assert at(tmp_path).searches[3].calibration == "another" and at(tmp_path).pending[3].calls == 900


def test_a_file_that_was_deleted_meanwhile_comes_back_whole(record, tmp_path):
    ours = StoredSchedules(KEY, {3: record}, {3: record})
    merge(tmp_path, "a", ours, 3, None)
    (tmp_path / f"a{SUFFIX}").unlink()
    merge(tmp_path, "a", ours, 3, None)
    assert set(at(tmp_path).searches) == set(at(tmp_path).pending) == {3}


@pytest.mark.parametrize("content", ["{", json.dumps({"format": FORMAT, "key": {"sampler": "heun"}, "searches": {}})])
def test_a_file_that_became_another_is_not_written_over(record, tmp_path, content):
    (tmp_path / f"a{SUFFIX}").write_text(content)
    with pytest.raises(OSError, match="a.schedules.json is"):
        merge(tmp_path, "a", StoredSchedules(KEY, {3: record}), 3, None)
    assert (tmp_path / f"a{SUFFIX}").read_text() == content


def test_many_threads_that_merge_lose_nothing(tmp_path):
    def search(steps):
        record = SearchRecord("calibration", PairsOfSearch(1, 2, 1, 48, 31), student_calls=steps)
        ours = StoredSchedules(KEY, {steps: record})
        for _ in range(3):
            record.calls += 1
            merge(tmp_path, "a", ours, steps, None)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(search, range(2, 18)))
    found = at(tmp_path).searches
    assert sorted(found) == list(range(2, 18)) and {record.calls for record in found.values()} == {3}
