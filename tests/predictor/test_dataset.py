"""The data set: what is appended is loaded, kinds stay apart, and a killed process loses nothing."""

import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from cotj.planner import DiffusionDNA, TimeShift, mean_profile, profile_of
from cotj.predictor import DNADataSet, Pair
from cotj.predictor.profile_table import MOST_SCHEDULES

SIGMAS = np.linspace(0.1, 1, 10)
SHIFT = TimeShift("static", 3.0)


def pair(seed=0, sigmas=SIGMAS, origin="realised", model="SD3", width=4, shift=SHIFT):
    rng = np.random.default_rng(seed)
    embedding = rng.standard_normal(width).astype(np.float32)
    dna = DiffusionDNA(sigmas, rng.random(len(sigmas)), shift=shift, meta={"seed": seed})
    return Pair(embedding, dna, "token mean", model, origin)


@pytest.fixture
def data(tmp_path):
    return DNADataSet(tmp_path / "new" / "data.sqlite")


def test_what_is_appended_is_loaded(data):
    pairs = [pair(seed) for seed in range(5)]
    for each in pairs:
        data.append(each)
    loaded = data.load("realised")
    assert len(loaded) == 5
    np.testing.assert_array_equal(loaded.embeddings, [each.embedding for each in pairs])
    np.testing.assert_array_equal(loaded.errors, [each.dna.errors for each in pairs])
    assert loaded.prompts.tolist() == [each.prompt for each in pairs]
    np.testing.assert_array_equal(loaded.grid.sigmas, SIGMAS)
    np.testing.assert_allclose(loaded.grid.errors, loaded.errors.mean(0))
    assert (loaded.grid.shift, loaded.pooling, loaded.model) == (SHIFT, "token mean", "SD3")


def test_other_grids_are_read_on_the_finest(data):
    fine = pair(1, sigmas=np.linspace(0.05, 1, 20))
    coarse = pair(2, sigmas=np.array([0.3, 0.9]))
    for each in (coarse, fine, pair(3)):
        data.append(each)
    loaded = data.load("realised")
    np.testing.assert_array_equal(loaded.grid.sigmas, fine.dna.sigmas)
    rows = dict(zip(loaded.prompts.tolist(), loaded.errors))
    np.testing.assert_array_equal(rows[fine.prompt], fine.dna.errors)
    np.testing.assert_allclose(rows[coarse.prompt], coarse.dna.errors_at(fine.dna.flow_times))


def test_measured_pairs_come_before_realised_ones(data):
    with pytest.raises(ValueError, match="'data' holds no DNA yet. Generate with Record DNA"):
        data.best()
    data.append(pair(1))
    data.append(pair(2))
    assert (data.best().origin, data.best().pairs) == ("realised", 2)
    data.append(pair(3, origin="measured"))
    assert (data.best().origin, data.best().pairs) == ("measured", 1)


def test_what_tells_the_runs_apart_comes_with_the_pairs_and_their_mean(data):
    runs = [{"model": "SD3", "guidance": {"cfg": cfg}} for cfg in (2.0, 4.0)]
    for seed, run in enumerate([*runs, runs[0]]):
        one = pair(seed)
        data.append(replace(one, dna=replace(one.dna, meta=run | {"seed": seed})))
    assert data.load("realised").grid.meta == data.mean("realised").meta == {"sources": runs}


def test_shifts_that_differ_are_forgotten(data):
    data.append(pair(1))
    data.append(pair(2, shift=TimeShift("static", 5.0)))
    assert data.load("realised").grid.shift is None


def test_realised_and_measured_are_kept_apart(data):
    data.append(pair(1))
    data.append(pair(2, origin="measured"))
    data.append(pair(2, origin="measured"))
    assert len(data.load("realised")) == 1
    assert [str(content) for content in data.contents()] == [
        "2 measured of 1 prompts, SD3, token mean 4 wide",
        "1 realised of 1 prompts, SD3, token mean 4 wide",
    ]
    data.clear("measured")
    assert [content.origin for content in data.contents()] == ["realised"]


def test_a_cap_drops_the_oldest_of_its_origin(data):
    data.append(pair(0, origin="measured"))
    for seed in range(1, 8):
        data.append(pair(seed), cap=3)
    assert data.load("realised").prompts.tolist() == [pair(seed).prompt for seed in (5, 6, 7)]
    assert len(data.load("measured")) == 1


def test_clearing_gives_the_space_back(data):
    for seed in range(50):
        data.append(pair(seed, width=4000))
    before = data.path.stat().st_size
    data.clear("realised")
    assert data.path.stat().st_size < before / 10
    assert data.contents() == []


def test_no_model_and_several_models_are_errors_that_say_what_there_is(data):
    with pytest.raises(ValueError, match="holds nothing"):
        data.load("realised")
    assert not data.path.exists()
    data.append(pair(1))
    with pytest.raises(ValueError, match="must hold measured DNAs.*holds 1 realised"):
        data.load("measured")
    data.append(pair(1, origin="measured"))
    with sqlite3.connect(data.path) as database:  # as sets of the first release may be
        database.execute("UPDATE pairs SET model = 'Flux', origin = 'realised' WHERE origin = 'measured'")
    with pytest.raises(ValueError, match="1 realised of 1 prompts, Flux.*1 realised of 1 prompts, SD3"):
        data.load("realised")


def test_many_models_with_long_names_are_told_in_short(data):
    data.append(pair())
    with sqlite3.connect(data.path) as database:
        for number in range(30):
            fields = "origin, pooling, prompt, embedding, sigmas, errors, kind, shift, meta"
            name = f"{number}" + 1000 * "["
            database.execute(f"INSERT INTO pairs (model, {fields}) SELECT ?, {fields} FROM pairs LIMIT 1", (name,))
    assert max(len(str(content)) for content in data.contents()) < 200
    with pytest.raises(ValueError, match="must hold realised DNAs of exactly one model.*Keep one") as error:
        data.load("realised")
    assert len(str(error.value)) <= 300


@pytest.mark.parametrize(
    "other",
    [
        pair(2, model="Flux"),
        pair(2, width=5),
        replace(pair(2), pooling="pooled output"),
        replace(pair(2), dna=DiffusionDNA(SIGMAS, SIGMAS, kind="ve")),
    ],
)
def test_one_pair_of_another_model_is_refused_and_spoils_nothing(data, other):
    data.append(pair(1))
    with pytest.raises(
        ValueError, match="holds realised DNAs of SD3, token mean 4 wide, flow, and this one is of .*another"
    ):
        data.append(other)
    assert len(data.load("realised")) == 1
    data.append(replace(other, origin="measured"))  # which never mix


def profiled(seed, steps=6, origin="realised"):
    """A pair whose DNA has the profile of two Euler runs on random guesses."""
    rng = np.random.default_rng(seed)
    sigmas = np.arange(1, steps + 1) / steps
    states, guesses = rng.standard_normal((2, steps, 2, 9))
    profile = profile_of(sigmas, states, guesses, guesses[0])
    return replace(pair(seed, origin=origin), dna=replace(pair(seed).dna, profile=profile))


def test_profiles_are_kept_as_their_mean_and_given_with_the_pairs(data):
    pairs = [profiled(seed) for seed in range(3)]
    for each in pairs:
        data.append(each)
    data.append(pair(3))  # a run that left none
    expected = mean_profile([each.dna.profile for each in pairs])
    for found in (data.load("realised").grid, data.mean("realised")):
        np.testing.assert_allclose(found.profile.gram, expected.gram)
        assert found.profile.runs == 6 and found.power == pytest.approx(expected.power)
    assert [str(kept) for kept in data.profiles()] == ["mean profile of 6 realised runs of 6 steps"]


def test_rounding_of_sigmas_does_not_split_a_schedule(data):
    exact = profiled(0)
    rounded = replace(exact.dna.profile, sigmas=np.float64(np.float32(exact.dna.profile.sigmas)))
    assert (rounded.sigmas != exact.dna.profile.sigmas).any()
    for profile in (exact.dna.profile, rounded):
        data.append(replace(exact, dna=replace(exact.dna, profile=profile)))
    moved = replace(rounded, sigmas=rounded.sigmas * 0.99)
    data.append(replace(exact, dna=replace(exact.dna, profile=moved)))
    assert [(kept.runs, kept.calls) for kept in data.profiles()] == [(4, 6), (2, 6)]


def test_the_schedule_with_most_runs_is_taken_and_few_are_kept(data):
    for steps in (6, 6, *range(7, 20)):
        data.append(profiled(steps, steps))
    assert len(data.profiles()) == MOST_SCHEDULES
    for _ in range(2):
        data.append(profiled(1, 18))
    assert len(data.load("realised").grid.profile.sigmas) == 18


def test_profiles_of_one_origin_stay_apart_and_go_with_its_pairs(data):
    data.append(profiled(1))
    data.append(profiled(2, origin="measured"))
    assert data.mean("measured").profile.runs == 2
    data.clear("measured")
    assert [kept.origin for kept in data.profiles()] == ["realised"]


def test_a_set_of_before_has_no_profiles_until_it_grows(data):
    data.append(pair(1))
    with sqlite3.connect(data.path) as database:
        database.execute("DROP TABLE profiles")
    assert data.profiles() == [] and data.load("realised").grid.profile is None
    data.clear("measured")
    data.append(profiled(2))
    assert data.mean("realised").profile.runs == 2


def test_a_damaged_profile_costs_no_pair(data):
    data.append(profiled(1))
    with sqlite3.connect(data.path) as database:
        database.execute("UPDATE profiles SET dna = X'00'")
    assert data.load("realised").grid.profile is None
    data.append(profiled(2))  # begins anew
    assert data.mean("realised").profile.runs == 2 and len(data.load("realised")) == 2


def test_a_mean_is_of_the_newest(data, monkeypatch):
    monkeypatch.setattr("cotj.predictor.dataset.MEAN_OF", 2)
    for seed in range(4):
        data.append(pair(seed))
    np.testing.assert_allclose(data.mean("realised").errors, (pair(2).dna.errors + pair(3).dna.errors) / 2)


def test_the_same_embedding_is_the_same_prompt():
    first, second = pair(1), pair(2)
    assert first.prompt == replace(second, embedding=first.embedding.copy()).prompt != second.prompt


def test_a_file_of_another_kind_is_a_clear_error(tmp_path):
    (tmp_path / "a.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(ValueError, match=r"a\.sqlite is no readable DNA data set"):
        DNADataSet(tmp_path / "a.sqlite").contents()


WRITER = """
import sys
sys.path.append({harness!r})
import environment; environment.load_pack()
from pathlib import Path
from cotj.predictor import DNADataSet
from cotj.tests.predictor.test_dataset import pair
data = DNADataSet(Path({path!r}))
for seed in range(100_000):
    data.append(pair(seed, width=4000), cap=40)
    print(seed, flush=True)
"""


def test_a_killed_writer_loses_nothing_that_it_had_appended(root, data):
    script = WRITER.format(harness=str(root / "harness"), path=str(data.path))
    writer = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    try:
        for line in writer.stdout:
            if line == "60\n":
                break
    finally:
        writer.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
        rest, _ = writer.communicate()
    last = int((rest.split() or ["60"])[-1])
    kept = data.load("realised").prompts.tolist()
    assert len(kept) == 40
    # The pair after the last one that it told of may have been appended as well.
    newest = [kept.index(pair(seed, width=4000).prompt) for seed in range(last - 30, last + 1)]
    assert newest == sorted(newest)
    with sqlite3.connect(data.path) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    data.append(pair(0, width=4000))  # and it goes on
