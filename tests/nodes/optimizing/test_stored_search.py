"""The files of Optimize Sigmas: that they hold what a search has run, and that those from before are read."""

import json
from dataclasses import replace

import numpy as np
import pytest
from cotj.nodes.optimizing import stored_search
from cotj.nodes.optimizing.stored_search import FORMAT, SUFFIX, StoredSchedules, read
from cotj.nodes.reports.search_summary import summarise
from cotj.nodes.reports.search_text import describe_search
from cotj.planner.fit_solver import Fitted
from cotj.planner.search import OBJECTIVES, Trial
from cotj.planner.search_record import Check, PairsOfSearch, SearchRecord
from cotj.planner.solver_record import SolverRecord, Stage
from cotj.planner.solvers.planned import PlannedSolver

# As it was written before a file said which of its trials is the model's own schedule.
OLD = """
{"format": "cotj-schedules-1", "key": {"model": "SD3", "sampler": "euler"}, "searches": {"2":
 {"calibration": "abc",
 "about": {"prompts": 1, "seeds": 3, "items": 1, "first_seed": 7, "reference_steps": 50,
  "pack_version": "0.1.0", "left_out": [[2, 0]],
  "student_calls": 67, "student_pairs": 1, "found_at": "2026-11-20T10:00:00+00:00"},
 "calls": 400, "check_calls": 132, "finished": true,
 "best": {"name": "refined", "times": [1.0, 0.6], "objective": {"power": 0.75, "forking": 0.5},
  "errors": {"0": [0.01], "1": [0.02]}, "forking": {"0": [0.0025], "1": [0.005]}},
 "trials": [{"name": "normal", "times": [1.0, 0.75], "objective": {"power": 0.75, "forking": 0.5},
  "errors": {"0": [0.04], "1": [0.09]}, "forking": {"0": [0.01], "1": [0.0225]}},
 {"name": "optimal-steps", "times": [1.0, 0.65], "objective": {"power": 0.75, "forking": 0.5},
  "errors": {"0": [0.02], "1": [0.03]}, "forking": {"0": [0.005], "1": [0.0075]}}],
 "checked": [{"name": "refined", "times": [1.0, 0.6], "objective": {"power": 0.75, "forking": 0.5},
  "errors": {"0": [0.01]}, "forking": {"0": [0.0025]}},
 {"name": "optimal-steps", "times": [1.0, 0.65], "objective": {"power": 0.75, "forking": 0.5},
  "errors": {"0": [0.02]}, "forking": {"0": [0.005]}},
 {"name": "normal", "times": [1.0, 0.75], "objective": {"power": 0.75, "forking": 0.5},
  "errors": {"0": [0.04]}, "forking": {"0": [0.01]}}],
 "sigmas": [1.0, 0.6, 0.0]}}, "pending": {}}
"""


KEY = {"model": "SD3", "sampler": "euler"}


def trial(name, errors):
    forking = {pair: values / 10 for pair, values in errors.items()}
    return Trial(name, np.array([1.0, 0.6, 0.3]), OBJECTIVES["steady"], errors, forking)


@pytest.fixture
def record():
    errors = {0: np.array([0.3, 0.1]), 1: np.array([0.2])}
    elsewhere = {2: np.array([0.4, 0.5])}
    return SearchRecord(
        "calibration",
        PairsOfSearch(2, 1, 2, 50, 11),
        own="normal",
        candidates={name: trial(name, errors) for name in ("beta", "normal")},
        left_out=[(1, 1)],
        student_calls=12,
        student_pairs=1,
        best=trial("refined", errors),
        sigmas=[1.0, 0.6, 0.3, 0.0],
        found_at="2026-11-26T10:00:00+00:00",
        calls=500,
        finished=True,
        check=Check(trial("refined", elsewhere), {"normal": trial("normal", elsewhere)}),
        check_calls=70,
        pack_version="1.2.3",
    )


def stored(tmp_path, text):
    path = tmp_path / f"a{stored_search.SUFFIX}"
    path.write_text(text)
    return stored_search.read(path)


def same(one, other):
    assert (one.name, one.objective) == (other.name, other.objective)
    np.testing.assert_array_equal(one.times, other.times)
    for mine, theirs in ((one.errors, other.errors), (one.forking, other.forking)):
        assert mine.keys() == theirs.keys()
        for pair, values in mine.items():
            np.testing.assert_array_equal(values, theirs[pair])


def test_a_file_holds_all_that_a_search_has_run(record, tmp_path):
    stored_search.write(tmp_path, "a", StoredSchedules(KEY, {3: record}, {3: record}))
    found = stored_search.read(tmp_path / f"a{stored_search.SUFFIX}")
    assert found.key == KEY and list(found.searches) == [3] and list(found.pending) == [3]
    for one_read in (found.searches[3], found.pending[3]):
        assert set(one_read.candidates) == set(record.candidates)
        for name, one in record.candidates.items():
            same(one_read.candidates[name], one)
        same(one_read.best, record.best)
        for one, other in zip(one_read.check.trials, record.check.trials, strict=True):
            same(one, other)
        plain = set(vars(record)) - {"candidates", "best", "check"}
        assert {name: getattr(one_read, name) for name in plain} == {name: getattr(record, name) for name in plain}


def test_a_file_from_before_is_read_whole(tmp_path):
    found = stored(tmp_path, OLD)
    assert found.key == {"model": "SD3", "sampler": "euler"} and found.steps() == [2] and not found.pending
    record = found.searches[2]
    assert record.calibration == "abc" and record.pairs == PairsOfSearch(1, 3, 1, 50, 7)
    assert record.own == "normal" and list(record.candidates) == ["normal", "optimal-steps"]
    assert record.left_out == [(2, 0)] and (record.student_calls, record.student_pairs) == (67, 1)
    assert record.found_at == "2026-11-20T10:00:00+00:00" and record.pack_version == "0.1.0"
    assert (record.calls, record.check_calls, record.finished) == (400, 132, True)
    assert record.best.name == "refined" and record.best.errors[1] == 0.02 and record.best.forking[0] == 0.0025
    assert record.candidates["normal"].errors[1] == 0.09 and record.aims_at(OBJECTIVES["steady"], 50, "long run")
    assert record.solver is None and record.solver_calls == 0
    assert record.check.best.errors[0] == 0.01 and list(record.check.rivals) == ["optimal-steps", "normal"]
    assert list(record.rivals()) == ["optimal-steps", "normal"]
    text = describe_search(summarise(record, "euler"), "a", found.steps())
    assert "that of optimal-steps, the best candidate" in text and "that of normal, the model's own" in text


def test_a_file_from_before_there_were_checks_is_read(tmp_path):
    content = json.loads(OLD)
    del content["searches"]["2"]["checked"], content["searches"]["2"]["check_calls"], content["pending"]
    record = stored(tmp_path, json.dumps(content)).searches[2]
    assert record.check is None and not record.is_checked(1) and record.best is not None


def test_a_file_from_before_straying_was_measured_is_read_and_told(tmp_path):
    content = json.loads(OLD)
    old = content["searches"]["2"]
    for one in (old["best"], *old["trials"], *old["checked"]):
        one["power"] = one.pop("objective")["power"]
        del one["forking"]
    record = stored(tmp_path, json.dumps(content)).searches[2]
    assert record.aims_at(OBJECTIVES["balanced"], 50, "long run") and not record.aims_at(
        OBJECTIVES["steady"], 50, "long run"
    )
    text = describe_search(summarise(record, "euler"), "a", [2])
    assert "the objective 'balanced'" in text and "stray" not in text


def test_a_search_that_was_stopped_before_it_had_candidates_is_read(tmp_path):
    record = SearchRecord("calibration", PairsOfSearch(1, 2, 1, 48, 31), student_calls=25, under_way="search")
    stored_search.write(tmp_path, "a", StoredSchedules(KEY, {4: record}))
    found = stored_search.read(tmp_path / f"a{stored_search.SUFFIX}")
    assert found.searches[4] == record and found.steps() == []


@pytest.mark.parametrize(
    ("former", "now"),
    [
        ("dpm_fast_function", "dpm_fast"),
        ("dpm_adaptive_function (order 3, rtol 0.05)", "dpm_adaptive (order 3, rtol 0.05)"),
        ("ucgm (kappa 0.4)", "ucgm (kappa 0.4)"),
        ("euler", "euler"),
    ],
)
def test_a_key_with_the_former_name_of_a_sampler_fits_the_sampler(tmp_path, former, now):
    key = {"model": "SD3", "sampler": now, "latent_shape": [[16, 32, 32]]}
    path = tmp_path / f"a{SUFFIX}"
    path.write_text(json.dumps({"format": FORMAT, "key": key | {"sampler": former}, "searches": {}}))
    assert not read(path).misfits(key)
    assert read(path).misfits(key | {"sampler": "heun"})


def planned(record, seed):
    weights = np.tril(np.random.default_rng(seed).uniform(-1, 1, (2, 3, 3)))
    return PlannedSolver(np.array(record.sigmas), weights, "res_multistep", "ve")


def alike(one, other):
    for name in ("sigmas", "weights"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert (one.formula, one.kind) == (other.formula, other.kind)


@pytest.mark.parametrize("whole", [False, True])
def test_a_solver_is_stored_with_all_that_it_goes_on_from_and_the_runs_that_decided_on_it(record, tmp_path, whole):
    elsewhere = {0: np.array([0.3]), 1: np.array([0.2])}
    own, fitted = trial("refined", elsewhere), Stage(planned(record, 0), trial("planned solver", elsewhere))
    record.solver = SolverRecord(
        2, own, fitted, "all samplers", {"euler, shift 2": planned(record, 1)}, calibration="x"
    )
    if whole:
        record.solver.raced = Stage(planned(record, 1), trial("euler, shift 2", elsewhere))
        record.solver.refined = Stage(planned(record, 2), trial("refined solver", elsewhere))
        record.solver.check = trial("refined solver", {2: np.array([0.1, 0.2])})
        record.solver.rounds, record.solver.settled = 3, True
        record.solver.refining = Fitted(planned(record, 2), np.array([0.1, 0.123456789012]))
        record.solver.former = Stage(planned(record, 3), trial("solver stored before", elsewhere))
    record.solver_calls = 321
    stored_search.write(tmp_path, "a", StoredSchedules(KEY, {3: record}))
    found = stored_search.read(tmp_path / f"a{stored_search.SUFFIX}").searches[3]
    assert found.solver_calls == 321
    for name in ("pairs", "entrants", "calibration", "rounds", "settled"):
        assert getattr(found.solver, name) == getattr(record.solver, name)
    same(found.solver.own, own)
    alike(found.solver.starts["euler, shift 2"], planned(record, 1))
    for name in ("raced", "fitted", "refined", "former"):
        one, other = getattr(found.solver, name), getattr(record.solver, name)
        assert (one is None) == (other is None)
        if one:
            alike(one.solver, other.solver)
            same(one.trial, other.trial)
    if whole:
        same(found.solver.check, record.solver.check)
        alike(found.solver.refining.solver, planned(record, 2))
        np.testing.assert_array_equal(found.solver.refining.errors, record.solver.refining.errors)
    else:
        assert found.solver.check is None and found.solver.refining is None


@pytest.mark.parametrize("kept", ["solver", "fitting"])
def test_a_fit_that_was_stopped_is_read_beside_the_solver_that_it_may_replace(record, tmp_path, kept):
    own = replace(record.best, errors={}, forking={})
    begun = SolverRecord(2, own, starts={"euler": planned(record, 0)}, calibration=record.calibration)
    setattr(record, kept, begun)  # files had it in the place of the solver before
    if kept == "fitting":
        record.solver = SolverRecord(2, record.best, Stage(planned(record, 1), record.best))
    stored_search.write(tmp_path, "a", StoredSchedules(KEY, {3: record}))
    found = stored_search.read(tmp_path / f"a{stored_search.SUFFIX}").searches[3]
    assert bool(found.solver) == (kept == "fitting") and found.fitting.fitted is None
    alike(found.fitting.starts["euler"], planned(record, 0))
    assert found.solver_from("connected sampler") is found.fitting and not found.solver_from("all samplers")


def test_a_solver_from_before_samplers_raced_for_it_is_read(record, tmp_path):
    stored_search.write(tmp_path, "a", StoredSchedules(KEY, {3: record}))
    path = tmp_path / f"a{stored_search.SUFFIX}"
    content = json.loads(path.read_text())
    old = content["searches"]["3"]["best"]
    weights = [[[0, 0], [-0.3, 0], [0.1, 0.2]]]
    solver = {"sigmas": record.sigmas, "weights": weights, "formula": "res_multistep", "kind": "ve"}
    solver |= {"pairs": 2, "own": old, "learned": old | {"name": "planned solver"}, "check": None}
    content["searches"]["3"]["solver"] = solver
    path.write_text(json.dumps(content))
    found = stored_search.read(path).searches[3].solver
    assert found.pairs == 2 and found.entrants == "connected sampler" and found.fitted.trial.name == "planned solver"
    assert found.is_fitted("connected sampler", 0) and not found.starts and found.refined is None
    np.testing.assert_array_equal(found.fitted.solver.weights[:, :, 1:], weights)
    assert not found.fitted.solver.weights[:, :, 0].any()
    same(found.own, record.best)


def test_a_solver_whose_weights_do_not_fit_its_sigmas_is_refused(record, tmp_path):
    record.solver = SolverRecord(2, record.best, Stage(planned(record, 0), record.best))
    stored_search.write(tmp_path, "a", StoredSchedules(KEY, {3: record}))
    path = tmp_path / f"a{stored_search.SUFFIX}"
    content = json.loads(path.read_text())
    content["searches"]["3"]["solver"]["stages"]["fitted"]["weights_from_zero"] = [[[1.0]]]
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="no readable file of schedules: weights"):
        stored_search.read(path)


def damaged(change, *path):
    """A stored file in which the value at a path is another one, or gone."""

    def damage(content):
        *parents, last = path
        for name in parents:
            content = content[name]
        if change is None:
            del content[last]
        else:
            content[last] = change

    return damage


SEARCH = ("searches", "2")
DAMAGED = {
    "no sampler": damaged({}, "key"),
    "sampler of another type": damaged(["euler"], "key", "sampler"),
    "key of another type": damaged("euler", "key"),
    "no errors": damaged({}, *SEARCH, "best", "errors"),
    "no errors of the model's own": damaged({}, *SEARCH, "trials", 0, "errors"),
    "no errors of a pair": damaged([], *SEARCH, "best", "errors", "0"),
    "no fork costs": damaged({}, *SEARCH, "best", "forking"),
    "no check errors": damaged({}, *SEARCH, "checked", 1, "errors"),
    "negative errors": damaged([-1], *SEARCH, "best", "errors", "0"),
    "errors that are not finite": damaged([None], *SEARCH, "trials", 1, "errors", "0"),
    "errors of another shape": damaged([[0.1]], *SEARCH, "best", "errors", "0"),
    "no candidates": damaged([], *SEARCH, "trials"),
    "times of another length": damaged([1.0], *SEARCH, "trials", 0, "times"),
    "rising times": damaged([0.5, 1.0], *SEARCH, "best", "times"),
    "a name of another type": damaged(7, *SEARCH, "best", "name"),
    "another objective": damaged({"power": 1e9}, *SEARCH, "best", "objective"),
    "sigmas of another length": damaged([1.0, 0.0], *SEARCH, "sigmas"),
    "sigmas that end above 0": damaged([1.0, 0.6, 0.1], *SEARCH, "sigmas"),
    "sigmas of another type": damaged("abc", *SEARCH, "sigmas"),
    "no sigmas": damaged([], *SEARCH, "sigmas"),
    "sigmas and no best": lambda content: content["searches"]["2"].update({"best": None}),
    "calls of another type": damaged("many", *SEARCH, "calls"),
    "seeds of another type": damaged(1.5, *SEARCH, "about", "seeds"),
    "images that are none": damaged([[7, 0]], *SEARCH, "about", "left_out"),
    "no calibration": damaged(None, *SEARCH, "calibration"),
    "steps that are none": lambda content: content["searches"].update({"many": content["searches"].pop("2")}),
    "steps of other schedules": lambda content: content["searches"].update({"3": content["searches"].pop("2")}),
    "searches of another type": damaged([], "searches"),
    "pending of another type": damaged({"4": 1}, "pending"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_file_is_checked_whole_when_it_is_read(tmp_path, damage):
    content = json.loads(OLD)
    DAMAGED[damage](content)
    with pytest.raises(ValueError, match="^a.schedules.json is no readable file of schedules: ") as caught:
        stored(tmp_path, json.dumps(content))
    assert len(str(caught.value)) <= 250 and "elete" not in str(caught.value)


def test_errors_of_nothing_are_told_without_dividing_by_them(tmp_path):
    content = json.loads(OLD)
    for one in (content["searches"]["2"]["trials"][0], content["searches"]["2"]["checked"][2]):
        one["errors"] = {pair: [0.0] for pair in one["errors"]}
    found = stored(tmp_path, json.dumps(content))
    text = describe_search(summarise(found.searches[2], "euler"), "a", found.steps())
    assert "that of normal, the model's own" in text and "nan" not in text


def test_nested_and_infinite_json_is_one_short_error(tmp_path):
    for text in ('{"a":' * 2000 + "1e999" + "}" * 2000, '{"format": 1e999}', "[]", '"' + "x" * 10_000, "\x00" * 100):
        with pytest.raises(ValueError, match="^a.schedules.json is no readable file of schedules: ") as caught:
            stored(tmp_path, text)
        assert len(str(caught.value)) <= 250


def long_runs(pairs=2):
    # States are sketched, and so of another size than what runs end in.
    values = {"finals": np.ones((2, 1, 1, 9)), "times": np.ones(3), "states": np.ones((3, 1, 4))}
    return [{name: array.astype(np.float32) for name, array in values.items()} for _ in range(pairs)]


def test_long_runs_are_read_for_their_calibration_alone(tmp_path):
    stored_search.write_long_runs(tmp_path, "a", "this", long_runs())
    assert len(stored_search.read_long_runs(tmp_path, "a", "this")) == 2
    assert stored_search.read_long_runs(tmp_path, "a", "another") == []
    assert stored_search.read_long_runs(tmp_path, "none", "this") == []


def test_long_runs_of_a_fit_hold_states_alone(tmp_path):
    states = np.ones((3, 2, 4, 8, 8), np.float32)
    stored_search.write_long_runs(tmp_path, "a", "this", [{"states": states}] * 2)
    [one, _] = stored_search.read_long_runs(tmp_path, "a", "this", {"states"})
    np.testing.assert_array_equal(one["states"], states)
    assert stored_search.read_long_runs(tmp_path, "a", "this") == []


def test_long_runs_that_cannot_be_written_cost_nothing_but_a_line_in_the_log(tmp_path, caplog):
    (tmp_path / "file").touch()
    stored_search.write_long_runs(tmp_path / "file", "a", "this", long_runs())
    assert [record.getMessage()[:40] for record in caplog.records] == ["CoTj: the long runs are not stored: Not "]


@pytest.mark.parametrize(
    "damage",
    [
        lambda runs: runs[0].pop("finals"),
        lambda runs: runs[0].update(times=np.ones(2, np.float32)),
        lambda runs: runs[0].update(finals=np.ones((2, 5, 1, 9), np.float32)),
        lambda runs: runs[0].update(finals=np.ones((2, 1, 1, 9), np.int64)),
    ],
)
def test_damaged_long_runs_are_made_anew_with_a_line_in_the_log(tmp_path, caplog, damage):
    runs = long_runs()
    damage(runs)
    stored_search.write_long_runs(tmp_path, "a", "this", runs)
    assert stored_search.read_long_runs(tmp_path, "a", "this") == []
    assert [record.getMessage()[:40] for record in caplog.records] == ["CoTj: the long runs in a.references are "]
