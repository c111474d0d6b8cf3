"""The tables of the caching benchmark, on made-up errors."""

import numpy as np
from cotj.benchmarks.lab import cache_tables as tables
from cotj.benchmarks.lab.cache_cells import FALLING_BACK, PLANNED, CacheCell


def cell(sampler, steps, **errors):
    figures = {name.replace("_", " "): np.array(values, dtype=float)[:, None, None] for name, values in errors.items()}
    figures[FALLING_BACK] = figures[PLANNED]
    items = len(figures[PLANNED])
    settled = np.full(items, True)
    return CacheCell("a model", 1.0, sampler, steps, 6, tuple(range(items)), settled, None, ("own",), figures)


def test_each_sampler_and_number_of_steps_is_held_to_the_best_peer_of_its_cells():
    cells = [
        cell("euler", 50, planned_cache=[1, 1, 4], LeMiCa=[2, 2, 8], shift_3=[4, 4, 16]),
        cell("euler", 50, planned_cache=[2, 2, 2], LeMiCa=[9, 9, 9], shift_3=[1, 1, 1]),
        cell("euler", 20, planned_cache=[1, 1, 1], LeMiCa=[4, 4, 4], shift_3=[8, 8, 8]),
        cell("uni_pc", 50, planned_cache=[3, 3, 3], LeMiCa=[1, 1, 1], shift_3=[2, 2, 2]),
    ]
    head, *rows = (line.split() for line in tables.by_sampler(cells, "own").splitlines())
    assert head[:3] == ["sampler", "N", "cells"]
    assert [row[:3] for row in rows] == [["euler", "50", "2"], ["euler", "20", "1"], ["uni_pc", "50", "1"]]
    assert rows[0][3:7] == "1.00 / 1.00, 2.00".split() and rows[1][3:7] == "0.25 / 0.25, 0.25".split()
    assert rows[2][3:7] == "3.00 / 3.00, 3.00".split() == rows[2][7:]
