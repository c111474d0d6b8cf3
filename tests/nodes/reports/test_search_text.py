"""What is told and drawn of a search: both print one summary."""

import re
from dataclasses import replace

import numpy as np
import pytest
from cotj.nodes.reports.search_picture import figure
from cotj.nodes.reports.search_summary import summarise
from cotj.nodes.reports.search_text import describe_search
from cotj.planner.search import OBJECTIVES, Trial
from cotj.planner.search_record import Check, PairsOfSearch, SearchRecord
from cotj.planner.solver_record import SolverRecord, Stage
from cotj.planner.solvers.planned import PlannedSolver

PAIRS, CHECK = 32, 8
HARD = np.exp(np.random.default_rng(0).normal(size=PAIRS + CHECK))


def trial(name, error, pairs=range(PAIRS)):
    """Errors are those given, in a distance, times how hard an image is; forking a tenth of them."""
    errors = {pair: np.array([error**2 * HARD[pair]]) for pair in pairs}
    forking = {pair: np.array([error / 10]) for pair in pairs}
    return Trial(name, np.array([1.0, 0.6, 0.3]), OBJECTIVES["balanced"], errors, forking)


@pytest.fixture
def search():
    trials = [trial("beta", 1.5), *(trial(f"shift {shift}", 3.0 + shift) for shift in range(14)), trial("simple", 2.0)]
    return SearchRecord(
        "pairs",
        PairsOfSearch(prompts=4, seeds=8, items=1, reference_steps=50),
        candidates={one.name: one for one in trials},
        best=trial("refined", 1.2),
        sigmas=[1.0, 0.6, 0.3, 0.0],
        calls=5000,
        finished=True,
        check_calls=700,
    )


def check(search):
    others = range(PAIRS, PAIRS + CHECK)
    rivals = [trial("beta", 1.4, others), trial("simple", 2.0, others)]
    search.check = Check(trial("refined", 1.4, others), {one.name: one for one in rivals})


def text(search):
    return describe_search(summarise(search, "euler"), "a name", [3])


def test_the_text_holds_the_result_against_the_best_candidate_and_the_models_own(search):
    held = "0.80 times that of beta, the best candidate (95 % interval 0.80 to 0.80), and it strays 0.80 times as far."
    assert held in text(search)
    assert "0.60 times that of simple, the model's own" in text(search)
    assert "Checked" not in text(search)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_distances_are_in_the_unit_of_a_latent_whatever_the_objective(search, name):
    for one in [search.best, *search.candidates.values()]:
        one.objective = OBJECTIVES[name]
    _, _, third, *_, last, _ = text(search).splitlines()
    found = float(re.search(r"a distance of ([\d.]+) from the long run \(50 Euler steps\),", third)[1])
    images = 1.2 * np.sqrt(HARD[:PAIRS])
    means = {
        "mean square": np.sqrt((images**2).mean()),
        "distance": images.mean(),
        "balanced": (images**1.5).mean() ** (2 / 3),
    }
    means["steady"] = means["balanced"]
    assert found == pytest.approx(means[name], rel=0.01)
    low, high = (float(end) for end in re.search(r"interval ([\d.]+) to ([\d.]+)\.$", third).groups())
    assert low < found < high
    assert "0.80 times that of beta" in text(search)
    if name == "steady":
        aim = "Schedules are judged by the objective 'steady': it averages images as 'balanced' does,"
        assert last == f"{aim} and straying counts."
        for one in search.candidates.values():
            one.forking = {pair: np.zeros(1) for pair in one.errors}
        assert f"{aim} but straying is not known and does not count." in text(search)
    else:
        assert last == f"Schedules are judged by the objective {name!r}."


def test_the_text_tells_of_the_check(search):
    check(search)
    [line] = [line for line in text(search).splitlines() if line.startswith("Checked on")]
    assert line.startswith(f"Checked on {CHECK} images of other seeds with 700 more calls, its distance is ")
    held = "1.00 times that of beta, the best candidate (95 % interval 1.00 to 1.00), and it strays 1.00 times as far"
    assert held in line
    assert "; 0.70 times that of simple" in line
    for one in search.check.trials:
        one.errors, one.forking = {PAIRS: one.errors[PAIRS]}, {PAIRS: one.forking[PAIRS]}
    assert "Checked on 1 image of" in text(search)
    assert "that of beta, the best candidate, and it strays 1.00" in text(search)


def test_the_text_begins_with_what_comes_out(search):
    """The sampler, its calls, how much nearer than what, and on which images: new ones, if there are any."""
    own = "euler on the model's own schedule"

    def first(sampler="euler"):
        return describe_search(summarise(search, sampler), "a name", [3]).splitlines()[0]

    far = f"end 0.60 times as far from the long run as {own}: 95 % interval 0.60 to 0.60, on the 32 images that it was"
    assert first() == f"3 steps of euler (3 model calls) {far} found on."
    assert first("heun").startswith("3 steps of heun (5 model calls) end 0.60 times")
    assert first("of another pack").startswith("3 steps of of another pack end 0.60 times")
    check(search)
    far = f"end 0.70 times as far from the long run as {own}: 95 % interval 0.70 to 0.70, checked on 8 images of other"
    assert first() == f"3 steps of euler (3 model calls) {far} seeds."
    add_solver(search, 0.5)
    planned = "3 steps of the planned sampler (3 model calls) end"
    far = "0.50 times as far from the long run as euler on the schedule found: 95 % interval 0.50 to 0.50"
    assert first() == f"{planned} {far}, on 6 images of other seeds, which decided that it is taken."
    search.solver.check = trial("planned solver", 0.7, range(PAIRS, PAIRS + CHECK - 2))  # a part, as after Cancel
    far = f"0.35 times as far from the long run as {own}: 95 % interval 0.35 to 0.35"
    assert first() == f"{planned} {far}, checked on 6 images of other seeds."
    assert "not given here" not in text(search)
    told = describe_search(summarise(search, "euler"), "a name", [3], planned=False)  # with 'fit' at 'sigmas'
    assert told.startswith("3 steps of euler (3 model calls) end 0.70 times as far from the long run")
    assert "With 'fit' at 'sigmas' it is not given here. Load Optimized Sigmas gives it." in told
    search.solver, search.check, search.best = None, None, search.candidates["simple"]
    own = "3 steps of euler (3 model calls) on the model's own schedule: nothing that ran was better"
    assert first() == f"{own}, on the 32 images that it was found on."


def test_the_text_says_what_was_stopped_and_how_to_go_on(search):
    assert "stopped" not in text(search)
    for part in ("search", "fit", "check"):
        search.under_way, search.finished = part, part != "search"
        line = text(search).splitlines()[2]
        assert line.startswith("The fit of a solver was stopped" if part == "fit" else f"The {part} was stopped")
        assert line.endswith("Run Optimize Sigmas again with the same inputs to go on from there.")
        assert "budget" not in text(search)
    search.under_way, search.finished = "", False
    assert "with 5000 model calls.\nRaise the budget to search on.\n" in text(search)
    search.fitting = SolverRecord(PAIRS, trial("refined", 1.3, range(6)))  # of a run that was killed
    assert "The fit of a solver was stopped. The schedule is kept" in text(search)


def test_candidates_that_did_not_run_on_every_pair_are_named_whatever_ended_the_search(search):
    del search.candidates["beta"].errors[PAIRS - 1]
    search.best = trial("refined", 9.0)
    assert "Not run on every pair, and perhaps better: beta." in text(search)


def test_the_text_tells_of_images_that_were_left_out(search):
    assert f"found on {PAIRS} images of 4 prompts" in text(search) and "left out" not in text(search)
    search.left_out = [(32, 0), (33, 1)]
    assert f"found on {PAIRS} images of 4 prompts" in text(search) and "\n2 images are left out: " in text(search)


def test_the_text_tells_what_optimal_steps_was_found_on(search):
    search.student_pairs = 7
    assert "optimal-steps" not in text(search)  # what it found was there already
    search.candidates["optimal-steps"] = trial("optimal-steps", 2.5)
    for pairs, words in ((1, "1 pair"), (7, "7 pairs")):
        search.student_pairs = pairs
        assert f"\nThe candidate optimal-steps was found on {words}.\n" in text(search)


def test_a_candidate_that_nothing_beats_is_named_and_held_against_the_models_own(search):
    search.best = search.candidates["beta"]
    assert "It is the candidate beta." in text(search) and "0.75 times that of simple" in text(search)
    assert "times that of beta" not in text(search)
    search.best = search.candidates["simple"] = trial("simple", 1.0)
    search.check = Check(trial("simple", 1.0, range(PAIRS, PAIRS + CHECK)), {})
    assert "It is the candidate simple." in text(search) and "times" not in text(search)
    assert re.search(r"more calls, its distance is [\d.]+\.$", text(search), re.MULTILINE)


def heights(axes, gid):
    return [line.get_ydata()[0] for line in axes.lines if line.get_gid() == gid]


def test_the_picture_has_the_check_beside_what_was_found(search):
    bars, _ = figure(summarise(search, "euler")).axes
    assert len(heights(bars, "error")) == 13 and not heights(bars, "check") and bars.get_legend() is None
    check(search)
    bars, _ = figure(summarise(search, "euler")).axes
    rows = [label.get_text() for label in bars.get_yticklabels()]
    assert [rows[round(height)] for height in heights(bars, "check")] == ["optimized", "beta", "simple"]
    texts = [label.get_text() for label in bars.get_legend().get_texts()]
    assert texts == ["images searched on", "images of other seeds"]
    assert "optimized on other seeds: 0.70 times simple (0.70 to 0.70)" in bars.get_title()


def test_text_and_picture_print_the_same_distances_and_ratios(search):
    check(search)
    bars, _ = figure(summarise(search, "euler")).axes
    [listed] = re.findall("^distances of candidates: (.*)$", text(search), re.MULTILINE)
    for name, told in (one.rsplit(" ", 1) for one in listed.split(", ")):
        [points] = [line for line in bars.lines if line.get_gid() == "error" and _row(bars, line) == name]
        assert f"{points.get_xdata()[0]:.3g}" == told
    drawn = re.findall(r"optimized on other seeds: ([\d.]+) times (\w+)", bars.get_title())
    assert [rival for _, rival in drawn] == ["beta", "simple"]
    for ratio, rival in drawn:
        assert f"{ratio} times that of {rival}, " in text(search).partition("Checked on")[2]


def _row(axes, line):
    """The name of the row that a point is drawn in."""
    return axes.get_yticklabels()[round(line.get_ydata()[0])].get_text()


def add_solver(search, error, **stages):
    """One whose distance on the pairs that decide is so many times that of euler; stages: the same of others."""
    weights = np.zeros((3, 3, 2))
    weights[:, 1:, 1] = -0.3
    solver = PlannedSolver(np.array([1.0, 0.6, 0.3, 0.0]), weights, "euler")
    found = {"fitted": Stage(solver, trial("planned solver", 1.3 * error, range(6)))}
    for name, times in stages.items():
        moved = replace(solver, sigmas=np.array([1.0, 0.7, 0.2, 0.0]))
        found[name] = Stage(moved, trial({"raced": "ipndm, shift 2"}.get(name, name), 1.3 * times, range(6)))
    search.solver, search.solver_calls = SolverRecord(PAIRS, trial("refined", 1.3, range(6)), **found), 2500


def test_a_solver_that_gains_is_told_with_what_it_was_fitted_and_decided_on(search):
    assert "solver" not in text(search)
    add_solver(search, 0.5)
    told = text(search)
    assert "fitted to this schedule on 32 pairs: its steps combine up to 2 guesses, apart in 3 frequency bands" in told
    assert "On 6 images of other seeds" in told and "0.50 times that of euler, the schedule's own sampler" in told
    assert "It is taken. All this took 2500 more model calls." in told and "of the check" not in told
    assert "only in part" not in told
    check(search)
    search.solver.check = trial("planned solver", 0.7, range(PAIRS, PAIRS + CHECK - 2))  # a part, as after Cancel
    told = text(search)
    assert "On the images of the check, the planned solver's distance is" in told
    line = next(line for line in told.splitlines() if line.startswith("On the images of the check"))
    assert "0.50 times that of euler, the schedule's own sampler" in line
    assert "0.35 times that of simple, the model's own schedule" in line


def test_it_is_told_that_steps_follow_a_guess_only_in_part(search):
    add_solver(search, 0.5)
    fitted = search.solver.fitted
    weights = np.array(fitted.solver.weights)
    weights[:, 0, 0] = 0.2
    fitted.solver = replace(fitted.solver, weights=weights)
    assert "Its steps follow a guess only in part: on these images that ended nearer" in text(search)


def test_a_solver_that_does_not_gain_is_told_too(search):
    add_solver(search, 1.1)
    assert "That is no sure gain, so euler stays." in text(search)
    assert "1.10 times euler (1.10 to 1.10), not taken" in figure(summarise(search, "euler")).axes[0].get_title()


def test_who_won_the_race_is_told_and_what_refining_adds(search):
    add_solver(search, 0.6, raced=0.8, refined=0.5)
    search.solver.entrants, search.solver.rounds = "all samplers", 2
    told = text(search)
    race = "In the race of samplers, ipndm, shift 2 came closest. On 6 images of other seeds, its distance is"
    assert race in told and "0.80 times that of euler, the schedule's own sampler" in told
    assert "Refined together with its sigmas in 2 rounds, its distance there is" in told
    assert "0.50 times that of euler" in told and "It is taken." in told
    assert "\nsigmas 1, 0.7, 0.2, 0\n" in told and told.index("sigmas 1, 0.7") < told.index("sigmas 1, 0.6, 0.3, 0")
    add_solver(search, 0.6, refined=1.1)
    search.solver.entrants = "all samplers"
    told = text(search)
    assert "In the race of samplers, euler on this schedule stayed ahead." in told
    assert "The refined one does not surely gain, so the fitted one is taken." in told and "1, 0.7, 0.2" not in told
    add_solver(search, 0.6)
    search.solver.settled = True
    assert "Moving its sigmas and weights together gained nothing surely.\nIt is taken." in text(search)
    add_solver(search, 0.9, raced=0.8)
    assert "No learned solver surely gains on ipndm, shift 2, so that is taken as it is." in text(search)


def test_a_solver_of_a_former_schedule_or_fit_is_told(search):
    add_solver(search, 0.6, former=0.5)
    told = text(search)
    assert "The solver that was taken before has a distance of" in told and "0.50 times that of euler" in told
    assert "It stays, since what was fitted or refined now ends no nearer." in told and "earlier search" not in told
    add_solver(search, 0.6, former=0.7)
    assert "It is taken." in text(search)
    search.best.times = np.array([1.0, 0.5, 0.2])
    assert "of an earlier search, and stays until one" in text(search) and "fitted to a former schedule" in text(search)


def test_the_aim_is_told(search):
    assert "from the long run (50 Euler steps)" in text(search)
    search.pairs = replace(search.pairs, aim="converged solution")
    assert "from the converged solution (50 steps of dpmpp_2m, dense at both ends)" in text(search)
    assert figure(summarise(search, "euler")).axes[0].get_xlabel().startswith("distance from the converged solution")


def test_the_picture_shows_the_solver_on_images_that_it_was_not_fitted_on(search):
    add_solver(search, 0.5)
    axes = figure(summarise(search, "euler")).axes[0]
    [mark] = [line for line in axes.lines if line.get_gid() == "solver"]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels[int(mark.get_ydata()[0])] == "planned solver"
    assert mark.get_xdata()[0] == pytest.approx(summarise(search, "euler").solver.last.distance.mean)
    assert "planned solver on other seeds: 0.50 times euler" in axes.get_title()
