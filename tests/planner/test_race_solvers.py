"""The race of samplers for what a fit starts from."""

import numpy as np
from cotj.planner.fit_solver import Settings, run
from cotj.planner.race_solvers import CLOCKS, FORMULAS, candidates, clock_schedules, race, race_calls, share_of
from cotj.tests.planner.test_fit_solver import STEPS, Runs

SCHEDULES = clock_schedules(CLOCKS[:3], STEPS, 1.0, "flow")


class First:
    """The first batch of some students alone."""

    def __init__(self, students):
        self.students, self.batches, self.bands = students, 1, students.bands
        self.start, self.guess, self.long_run = students.start, students.guess, students.long_run


def test_the_nearest_of_all_samplers_on_all_schedules_wins():
    students = Runs(16, seed=3)
    racing = candidates(FORMULAS, SCHEDULES, "flow")
    assert len(racing) == len(FORMULAS) * 3 and racing["ipndm, shift 2 ends 0.3"].formula == "ipndm"
    found = race([(students, 2)], racing, Settings())
    totals = {name: float((run(students, one).errors ** 0.75).sum()) for name, one in racing.items()}
    assert found == sorted(totals, key=totals.get)[:2]
    assert len({name.partition(",")[0] for name in sorted(totals, key=totals.get)[:6]}) > 1


def test_only_those_that_do_well_on_a_few_runs_go_on():
    students = Runs(16, seed=3)
    few, racing = First(students), candidates(FORMULAS, SCHEDULES, "flow")
    found = race([(few, 4), (students, 1)], racing, Settings())
    assert students.calls == (len(racing) * 8 + 4 * 16) * STEPS
    best_of_few = race([(few, 4)], racing, Settings())
    assert found == race([(students, 1)], {name: racing[name] for name in best_of_few}, Settings())


def test_schedules_go_from_the_top_to_0():
    found = clock_schedules(CLOCKS, 6, 14.6146, "ve")
    assert list(found)[-1] == "shift 7 ends 0.3"
    assert all(
        len(one) == 7 and one[0] == 14.6146 and one[-1] == 0 and (np.diff(one) < 0).all() for one in found.values()
    )


def test_calls_are_those_of_the_rounds():
    assert [share_of(runs, 8) for runs in (1, 8, 64)] == [1, 2, 8]
    assert race_calls(50, 64, 6) == (50 * 8 + 6 * 32) * 6 and race_calls(4, 64, 6) == (4 * 8 + 4 * 32) * 6
