"""What the tables hold a schedule against."""

import numpy as np
import torch
from cotj.benchmarks.lab import tables
from cotj.benchmarks.lab.cells import Cell
from cotj.benchmarks.lab.runs import MEASURES
from cotj.benchmarks.lab.schedules import Schedules

PROMPTS = (1000, 1000, 1001, 1001, 1002, 1002, 1003, 1003)


def cell(**errors):
    """Of schedules with these errors, item by item, against the only reference that is looked at."""
    figures = {}
    for name, values in errors.items():
        figures[name] = np.full((len(values), 2, len(MEASURES)), np.nan)
        figures[name][:, 0, 0] = values
    return Cell("a model", 1.0, "euler", 4, PROMPTS, figures, list(errors), {})


def test_what_a_peer_is_chosen_on_it_is_not_judged_on():
    """Prompts 1000 and 1002 are one half, on which `even` is the best. One that ran on some items only is no peer."""
    found = cell(odd=[4, 4, 1, 1, 4, 4, 1, 1], even=[1, 1, 4, 4, 1, 1, 4, 4], part=[0.1, 0.1])
    np.testing.assert_array_equal(found.errors_of_chosen_peer("own"), 4)
    steady = cell(steady=[2] * 8, odd=[9, 9, 1, 1, 9, 9, 1, 1])
    np.testing.assert_array_equal(steady.errors_of_chosen_peer("own"), [9, 9, 2, 2, 9, 9, 2, 2])
    assert steady.best_peer("own") == "steady"


def test_the_summary_counts_cells_and_names_the_single_peer():
    errors = {"simple": [2.0] * 8, "CoTj": [4.0] * 8, "Optimize Sigmas": [1.0] * 8, "auto": [2.0, 2.1] * 4}
    found = cell(**errors | {"shift 2": [5.0] * 8, "shift 3": [8.0] * 8})
    found.peers = ["simple", "CoTj", "shift 2", "shift 3"]
    head, searched, auto, *_ = tables.summary([found], ["own"]).splitlines()
    assert "chosen on other prompts" in head
    better = "1 / 0 / 0 0.50"
    expected = f"a model, guidance 1 own Optimize Sigmas {better} {better} 0.50 simple 0.50 0.50 0.20 0.25"
    assert searched.split() == expected.split()
    assert auto.split()[6:12] == "0 / 0 / 1 1.02".split()


def test_cells_are_counted_that_end_nearer_or_farther_than_the_default():
    near = cell(simple=[2.0] * 8, CoTj=[4.0] * 8, auto=[2.0] * 8, **{"Optimize Sigmas": [1.0] * 8})
    without = cell(simple=[2.0] * 8, auto=[4.0] * 8, **{"Optimize Sigmas": [4.0] * 8})
    head, line, _ = tables.beside_default([near, without], ["own"]).splitlines()
    assert head.startswith("against simple")
    assert line.split() == "a model, guidance 1 own 1 / 0 / 1 1.00 0 / 1 / 1 1.41 0 / 0 / 1 2.00".split()


class Counted:
    """Runs that measure the number of the item."""

    def figures(self, sampler, sigmas, items):
        return np.array(items, dtype=float)


def test_schedules_for_each_item_may_run_on_the_first_items_alone():
    each = Schedules("CoTj", (torch.ones(2),) * 8)
    np.testing.assert_array_equal(each.figures(Counted(), "euler", np.arange(3)), [0, 1, 2])
