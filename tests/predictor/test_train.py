"""Training: it learns what can be learnt, splits by prompt, stops early, repeats itself, and can be stopped."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from cotj.planner import DiffusionDNA, TimeShift, profile_of
from cotj.predictor import Pairs, files
from cotj.predictor.scores import log_errors, scores
from cotj.predictor.train import Settings, split, train

TIMES = np.arange(1, 21) / 20
OBJECTIVES = ["log error", "cosine (paper)"]


def make(prompts=300, seeds=2, noise=0.05, seed=0):
    """DNAs that depend on 3 of 12 inputs, with a little noise of each run's own; the last input never varies."""
    rng = np.random.default_rng(seed)
    embeddings = rng.standard_normal((prompts, 12))
    embeddings[:, -1] = 7
    slopes, bends = 6 + embeddings[:, 0], 0.5 * np.tanh(embeddings[:, 1] * embeddings[:, 2])
    logs = slopes[:, None] * (TIMES - 1) + bends[:, None] * np.cos(3 * TIMES)
    logs = logs.repeat(seeds, 0) + noise * rng.standard_normal((prompts * seeds, len(TIMES)))
    return Pairs(
        embeddings=embeddings.repeat(seeds, 0).astype(np.float32),
        errors=np.exp(logs),
        prompts=np.arange(prompts).astype(str).repeat(seeds),
        grid=DiffusionDNA(TIMES, np.exp(logs).mean(0), shift=TimeShift("static", 3.0)),
        pooling="token mean",
        model="Toy",
    )


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_it_learns_and_the_file_predicts_as_the_report_says(tmp_path, objective):
    pairs = make()
    predictor, report = train(pairs, Settings(objective=objective, epochs=40))
    assert report.scores.cosine_mean > max(0.98, report.mean_scores.cosine_mean)
    if objective == "log error":
        assert report.scores.explained > 0.7
    assert abs(report.mean_scores.explained) < 0.5
    files.write(tmp_path / "p.safetensors", predictor)
    again = files.read(tmp_path / "p.safetensors")
    *_, test = split(pairs.prompts, 0.1, 0)
    for row, expected in zip(test, report.predicted):
        dna = again.predict(torch.from_numpy(pairs.embeddings[[row]]))
        np.testing.assert_allclose(dna.errors, expected, rtol=1e-4)
    np.testing.assert_array_equal(report.measured, pairs.errors[test])
    assert dna.shift == TimeShift("static", 3.0)
    assert again.card["model"] == "Toy" and again.card["prompts"] == 300
    assert again.card["held_out"]["predictor"]["cosine_mean"] == pytest.approx(report.scores.cosine_mean)


def test_predicted_errors_are_on_the_scale_of_the_measured_ones():
    """The noise of each run is large, and the mean of its logarithm far below that of the errors."""
    pairs = make(noise=1.0)
    predictor, _ = train(pairs, Settings(epochs=20))
    fitting, validation, _ = split(pairs.prompts, 0.1, 0)
    seen = np.concatenate([fitting, validation])
    predicted = predictor.errors(predictor.network(torch.from_numpy(pairs.embeddings[seen])))
    np.testing.assert_allclose(predicted.mean(0), pairs.errors[seen].mean(0), rtol=1e-3)


def test_the_predictor_has_the_profile_of_the_pairs():
    rng = np.random.default_rng(0)
    states, guesses = rng.standard_normal((2, 5, 2, 9))
    profile = profile_of(np.arange(1, 6) / 5, states, guesses, guesses[0])
    pairs = make(60)
    pairs = replace(pairs, grid=replace(pairs.grid, profile=profile, power=profile.power))
    predictor, _ = train(pairs, Settings(epochs=2))
    assert predictor.mean.profile is profile and predictor.mean.power == profile.power


def test_the_card_and_what_is_predicted_tell_what_was_learned_from(tmp_path):
    pairs, sources = make(60), [{"model": "Toy", "guidance": {"cfg": 3.0}}]
    pairs = replace(pairs, grid=replace(pairs.grid, meta={"sources": sources}))
    files.write(tmp_path / "p.safetensors", train(pairs, Settings(epochs=2))[0])
    predictor = files.read(tmp_path / "p.safetensors")
    assert predictor.predict(torch.zeros(1, 12)).meta["predictor"]["sources"] == sources


def test_a_prompt_is_on_one_side_of_the_split_and_all_are_on_some():
    prompts = np.array([str(i % 50) for i in range(200)])
    parts = split(prompts, 0.1, seed=3)
    names = [set(prompts[part]) for part in parts]
    assert [len(part) for part in names] == [40, 5, 5]
    assert not names[0] & names[1] and not names[1] & names[2] and not names[0] & names[2]
    assert sorted(np.concatenate(parts)) == list(range(200))
    assert not np.array_equal(parts[1], split(prompts, 0.1, seed=4)[1])


def test_a_seed_repeats_a_training_and_leaves_the_world_s_generator_alone():
    pairs, settings = make(60), Settings(epochs=3)
    state = torch.get_rng_state()
    (first, _), (second, _) = train(pairs, settings), train(pairs, settings)
    assert torch.equal(torch.get_rng_state(), state)
    other, _ = train(pairs, Settings(epochs=3, seed=1))
    embedding = torch.ones(1, 12)
    np.testing.assert_array_equal(first.predict(embedding).errors, second.predict(embedding).errors)
    assert not np.allclose(first.predict(embedding).errors, other.predict(embedding).errors)


def test_it_stops_when_held_out_prompts_get_no_better_and_keeps_the_best():
    pairs = make(40, noise=2.0)  # nothing but noise to learn
    _, report = train(pairs, Settings(epochs=200, patience=5))
    losses = [epoch.validation_loss for epoch in report.epochs]
    assert len(losses) == int(np.argmin(losses)) + 1 + 5 < 200
    assert report.epochs[-1].best == min(losses)


def test_what_the_callback_raises_ends_it():
    class Cancel(Exception):
        pass

    told = []

    def cancel(epoch):
        told.append(epoch.number)
        if epoch.number == 2:
            raise Cancel

    with pytest.raises(Cancel):
        train(make(40), after_epoch=cancel)
    assert told == [1, 2]


def test_an_input_that_never_varied_does_not_run_away():
    predictor, _ = train(make(60), Settings(epochs=3))
    usual, unusual = torch.zeros(1, 12), torch.zeros(1, 12)
    usual[0, -1], unusual[0, -1] = 7, 7.5
    change = np.log(predictor.predict(unusual).errors / predictor.predict(usual).errors)
    assert np.abs(change).max() < 0.5


def test_inputs_are_not_changed():
    pairs = make(40)
    before = pairs.embeddings.copy(), pairs.errors.copy()
    train(pairs, Settings(epochs=2))
    np.testing.assert_array_equal(pairs.embeddings, before[0])
    np.testing.assert_array_equal(pairs.errors, before[1])


def test_too_few_prompts_are_an_error_that_says_how_many():
    with pytest.raises(ValueError, match="9 different prompts are too few.*10"):
        train(make(9))


def test_scores_of_known_predictions():
    measured = np.array([[1.0, 2.0], [2.0, 8.0]])
    log_mean = np.log(measured).mean(0)
    perfect = scores(measured, measured, log_mean)
    assert (perfect.cosine_mean, perfect.cosine_median, perfect.explained) == pytest.approx((1, 1, 1))
    assert scores(np.exp(log_mean)[None].repeat(2, 0), measured, log_mean).explained == pytest.approx(0)
    scaled = scores(2 * measured, measured, log_mean)
    assert scaled.cosine_mean == pytest.approx(1) and scaled.explained < 1
    assert np.isfinite(log_errors(np.array([[0.0, 1.0]]))).all()
