"""The race against models whose best schedule is known, and what counts in it."""

import itertools

import numpy as np
import pytest
from cotj.planner.intervals import mean_interval, ratio_interval
from cotj.planner.refine_schedule import refine
from cotj.planner.search import (
    Ends,
    Objective,
    OutOfCalls,
    Trial,
    at_forks,
    race,
    straying,
    unproven,
)

WIDTHS = np.array([0.05, 0.3, 0.9])  # of Gaussian data, one a pair
START = 1.5


def deviations(widths, schedules):
    """(schedules, widths) how far Euler on the exact flow of N(0, width^2) ends from its end, `width * START`."""
    x, times = START, np.pad(np.asarray(schedules, dtype=np.float64), ((0, 0), (0, 1)))
    for t, s in itertools.pairwise(times.T[:, :, None]):
        clean = (1 - t) * widths**2 / ((1 - t) ** 2 * widths**2 + t**2) * x
        x = s / t * x + (1 - s / t) * clean
    return x - widths * START


def objective(schedules, power, widths=WIDTHS):
    """(schedules,) sums over widths, each a pair of one item with one value."""
    return ((deviations(widths, schedules) ** 2) ** power).sum(1)


def brute_force(power, widths=WIDTHS):
    """The least objective of all schedules of four steps on a grid."""
    nodes = itertools.combinations(np.arange(0.02, 1, 0.02)[::-1], 3)
    return objective([[1, *three] for three in nodes], power, widths).min()


class Gaussian:
    """Runs of such an Euler. Counts its calls, prefixes of the schedule that was kept excepted."""

    def __init__(self, calls=10**9, widths=WIDTHS):
        self.left, self.widths = calls, widths
        self.pairs = len(widths)
        self.spent = 0
        self.kept = self.last = ()

    def run(self, times, pair):
        known = len(list(itertools.takewhile(lambda same: same[0] == same[1], zip(self.kept, times))))
        steps = len(times) - known
        made = min(steps, self.left)
        self.left -= made
        self.spent += made
        if made < steps:
            raise OutOfCalls
        self.last = times
        return Ends(deviations(self.widths[[pair]], [times]), np.zeros(1))

    def keep(self):
        self.kept = self.last


def trials(power, **schedules):
    return [Trial(name, np.array(times), Objective(power)) for name, times in schedules.items()]


def nothing(_):
    pass


def test_items_at_forks_are_those_a_hundred_times_as_far_off_as_the_median():
    errors = np.array([[1.0, 2.0], [99.0, 1.0], [1.0, 101.0], [0.5, 1.0], [5000.0, 4000.0]])
    assert np.median(errors) == 1.5
    assert np.argwhere(at_forks(errors)).tolist() == [[4, 0], [4, 1]]
    assert np.argwhere(at_forks(errors[:4] * 2)).tolist() == [[2, 1]]
    assert not at_forks(np.zeros((3, 1))).any() and not at_forks(np.array([[7.0]])).any()


SCHEDULES = {
    "default": [1, 0.75, 0.5, 0.25],
    "low": [1, 0.6, 0.3, 0.1],
    "high": [1, 0.95, 0.8, 0.5],
    "lower": [1, 0.5, 0.2, 0.05],
    "bad": [1, 0.03, 0.02, 0.01],
    "worse": [1, 0.99, 0.98, 0.97],
}


@pytest.mark.parametrize("power", [1.0, 0.5])
def test_the_race_is_won_by_the_best_on_all_pairs(power):
    candidates = trials(power, **SCHEDULES)
    winner = race(Gaussian(), candidates, nothing)
    assert winner.name == min(SCHEDULES, key=lambda name: objective([SCHEDULES[name]], power)[0])
    assert winner.total() == pytest.approx(objective([winner.times], power)[0])
    assert unproven(candidates, winner, len(WIDTHS)) == []


def test_a_runner_with_foresight_hears_of_nearly_all_runs_in_few_rounds_and_finds_the_same():
    class Foresighted(Gaussian):
        def __init__(self):
            super().__init__(widths=np.geomspace(0.05, 0.9, 32))
            self.rounds, self.unforeseen, self.heard = 0, 0, set()

        def ahead(self, runs):
            self.rounds += 1
            self.heard |= {(times.tobytes(), pair) for times, pair in runs}

        def run(self, times, pair):
            self.unforeseen += (times.tobytes(), pair) not in self.heard
            return super().run(times, pair)

    runner, candidates, others = Foresighted(), trials(0.5, **SCHEDULES), trials(0.5, **SCHEDULES)
    winner = race(runner, candidates, nothing)
    assert winner.name == race(Gaussian(widths=runner.widths), others, nothing).name
    made = sum(len(trial.errors) for trial in candidates)
    assert runner.rounds <= 8 and runner.unforeseen < made / 3


def test_a_candidate_that_loses_its_lead_on_the_last_pair_is_found_out_and_the_hopeless_are_not_run_to_the_end():
    class Table:
        """Errors as given, pair by pair."""

        pairs = 4

        def __init__(self):
            self.runs = []

        def run(self, times, pair):
            self.runs.append((times[0], pair))
            return Ends(np.sqrt([[self.errors[times[0]][pair]]]), np.zeros(1))

        errors = {0: [4, 3, 2, 1], 1: [1, 1, 1, 9], 2: [2, 2, 2, 1], 3: [50, 50, 50, 50], 4: [4, 2, 2, 0.5]}

        def keep(self):
            pass

    table = Table()
    candidates = [Trial(str(number), np.array([number]), Objective(1.0)) for number in Table.errors]
    assert race(table, candidates, nothing).name == "2"
    assert len(table.runs) == len(set(table.runs))
    assert len([run for run in table.runs if run[0] == 3]) == 1


def test_straying_is_the_mean_distance_over_high_noise_with_calls_in_any_order():
    times = [0.4, 1.0, 0.9]
    np.testing.assert_allclose(straying(times, np.array([[9.0, 0.2], [0.0, 0.2], [0.0, 0.2]]))[1], 0.2)
    # 0 down to 0.9, and a fifth of the way from there to 9 at 0.8: half of that, over half of the range.
    found = straying(times, np.array([[9.0], [0.0], [0.0]]))
    np.testing.assert_allclose(found, 9 / 5 / 4, rtol=0.06)
    np.testing.assert_allclose(straying([1.0], np.array([[0.3, 0.5]])), [0.3, 0.5])


class OneNode:
    """Two items that end at the node less 0.5, with forking of 1, and so much more per unit of the node."""

    pairs = 1

    def __init__(self, slope):
        self.slope = slope

    def run(self, times, pair):
        return Ends(np.full((2, 3), times[1] - 0.5), np.full(2, 1 + self.slope * times[1]))

    def keep(self):
        pass


@pytest.mark.parametrize("weight, slope", [(0.0, 0.4), (0.5, 0.4), (0.5, -0.2)])
@pytest.mark.parametrize("power", [1.0, 0.75])
def test_forks_count_as_much_as_the_objective_says(weight, slope, power):
    """The least of (x - 0.5)^2 + weight (1 + slope x) is at 0.5 - weight slope / 2, whatever the power of it."""
    trial = Trial("start", np.array([1, 0.7]), Objective(power, weight))
    runner = OneNode(slope)
    race(runner, [trial], nothing)
    np.testing.assert_allclose(trial.costs(0), (0.04 + weight * (1 + slope * 0.7)) ** power)
    found = refine(runner, trial, nothing, sure=0)
    assert found.times[1] == pytest.approx(0.5 - weight * slope / 2, abs=0.012)


def test_a_steadier_candidate_wins_where_forks_count():
    """The nearest one is pulled off its long run's path most."""
    candidates = {"near": (0.1, 1.0), "steady": (0.2, 0.1), "far": (2.0, 0.0)}

    class Table:
        pairs = 2

        def run(self, times, pair):
            error, forking = candidates[list(candidates)[int(times[0])]]
            return Ends(np.sqrt([[error]]), np.array([forking]))

    for weight, expected in ((0.0, "near"), (0.25, "steady"), (25.0, "far")):
        trials = [Trial(name, np.array([i]), Objective(0.75, weight)) for i, name in enumerate(candidates)]
        assert race(Table(), trials, nothing).name == expected


def test_intervals_hold_the_mean_as_often_as_they_say():
    rng = np.random.default_rng(0)
    held = 0
    for draw in range(200):
        errors = rng.gamma(2, 1, 40)
        low, high = mean_interval(errors, draw, 400)
        held += low <= 2 <= high
    assert 175 <= held <= 198
    one = rng.gamma(2, 1, 40)
    assert ratio_interval(one, 2 * one) == (pytest.approx(0.5), pytest.approx(0.5))
