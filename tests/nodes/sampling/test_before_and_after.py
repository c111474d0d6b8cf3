"""What is kept of runs, what a comparison makes and measures, and the pictures, on a small model."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from cotj.harness.host_modules import import_host
from cotj.tests.nodes.sampling.test_best_known import CALLS, STEPS, asked
from cotj.tests.small_models import build
from PIL import Image

import_host()

import comfy.sd  # noqa: E402
import folder_paths  # noqa: E402
from cotj.nodes.host import thumbnails  # noqa: E402
from cotj.nodes.host.final_latents import Final, FinalLatents, Ran, series_of  # noqa: E402
from cotj.nodes.reports.cache_claims import CacheOutcome  # noqa: E402
from cotj.nodes.sampling import before_and_after  # noqa: E402
from cotj.nodes.sampling.before_and_after import ALL, DEFAULT, OFF, BeforeAndAfter  # noqa: E402
from cotj.nodes.sampling.best_known import Way  # noqa: E402

NODE = "7"


@pytest.fixture(scope="module")
def flow(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "sd3.safetensors"
    build("sd3", path)
    return comfy.sd.load_diffusion_model(str(path))


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """A host without a server, and nothing kept of other tests; gives where pictures go."""
    monkeypatch.setattr(folder_paths, "temp_directory", str(tmp_path))
    monkeypatch.setattr(before_and_after, "FINALS", FinalLatents())
    monkeypatch.setattr(before_and_after, "show_text", lambda text, node_id: None)
    return tmp_path


@pytest.fixture
def made(monkeypatch):
    """The numbers of steps of the runs that were made to compare with; each ends in noise of its own."""
    steps = []

    def sample(run, way, seed, node_id):
        steps.append(way.steps)
        outcome = CacheOutcome(way.sigmas.tolist(), run.planned_for, range(way.steps))
        return torch.full_like(run.samples, 1 / way.steps), outcome

    monkeypatch.setattr(before_and_after, "sample", sample)
    return steps


def planned(run, end, calls=CALLS):
    """A planned run that ended in this value everywhere."""
    known = BeforeAndAfter(run, 1, None, NODE)
    sigmas = torch.linspace(1, 0, calls + 1)
    way = Way(sigmas, run.sampler, "")
    outcome = CacheOutcome(sigmas.tolist(), run.planned_for, range(calls))
    return known, known.keep(way, outcome, torch.full_like(run.samples, end))


def test_nothing_is_run_without_being_asked(flow, made):
    known, ran = planned(asked(flow), 0.5)
    assert not ran.is_default and (ran.steps, ran.calls) == (STEPS, CALLS)
    assert not known.make(ran, OFF) and made == []
    assert list(known.told(ran)) == []
    claims = known.claims()
    assert claims["default"] == {} and claims["planned"][str(CALLS)]["error"] is None


def test_what_is_asked_for_is_run_once_for_a_seed_and_measured(flow, made):
    run = asked(flow)
    known, ran = planned(run, 0.5)
    assert known.make(ran, DEFAULT) and made == [CALLS]
    assert known.claims()["default"][str(CALLS)]["error"] is None, "measured against a run that was not made"
    assert known.make(ran, ALL) and made == [CALLS, STEPS]
    assert not known.make(ran, ALL) and made == [CALLS, STEPS]
    claims = json.loads(json.dumps(known.claims(), allow_nan=False))
    scale = 1.5305  # of SD3's latents: errors are in the model's own space
    errors = [((end - 1 / STEPS) * scale) ** 2 for end in (0.5, 1 / CALLS)]
    assert claims["planned"][str(CALLS)]["error"] == pytest.approx(errors[0], rel=1e-5)
    assert claims["default"][str(CALLS)]["error"] == pytest.approx(errors[1], rel=1e-5)
    assert claims["default"][str(STEPS)]["error"] == 0
    told, nearer = known.told(ran)
    assert f"{errors[0] / errors[1]:.2g} times that of {CALLS} steps of 'simple'" in told
    ways_out = f"To have it, set 'steps' and 'calls' to {CALLS}"
    assert nearer == f"So 'simple' with as many calls was nearer here. {ways_out}."
    aimed, _ = planned(asked(flow, target_error=0.001), 0.5)
    assert list(aimed.told(ran))[1].endswith(f"{ways_out}, and 'target_error' to 0.")
    known, ran = planned(run, 0.1)
    [told] = known.told(ran)
    assert f"0.0044 times that of {CALLS} steps of 'simple'" in told, "nearer than the default, or told so"
    assert known.make(BeforeAndAfter(run, 2, None, NODE).keep(*whole(run)), ALL) is False
    other = BeforeAndAfter(run, 2, None, NODE)
    assert set(other.claims()["default"]) == {str(STEPS)}, "of another seed"


def whole(run):
    outcome = CacheOutcome(run.whole.tolist(), run.planned_for, range(STEPS))
    return Way(run.whole, run.sampler, ""), outcome, torch.zeros_like(run.samples)


def test_a_run_along_the_scheduler_is_the_default_whatever_it_was_taken_for(flow, made):
    run = asked(flow)
    known = BeforeAndAfter(run, 1, None, NODE)
    sigmas = run.sigmas(CALLS)
    outcome = CacheOutcome(sigmas.tolist(), run.planned_for, range(CALLS))
    ran = known.keep(Way(sigmas, run.sampler, ""), outcome, run.samples)
    assert ran.is_default and not known.make(ran, ALL) and made == []
    assert set(known.claims()["default"]) == {str(CALLS)} and known.claims()["planned"] == {}


def test_a_run_that_was_learned_from_is_whole_whatever_the_next_one_computes(flow):
    run = asked(flow)
    known = BeforeAndAfter(run, 1, None, NODE)
    following = CacheOutcome(run.whole.tolist(), run.planned_for, [0, 3, 7], has_run=False)
    ran = known.keep(Way(run.whole, run.sampler, "", learns=True), following, run.samples)
    assert ran == Ran(known.series, STEPS, STEPS)


def test_a_series_is_one_of_everything_but_the_calls(flow):
    def series(seed=1, **options):
        run = asked(flow, **options)
        return BeforeAndAfter(run, seed, None, NODE).series

    assert series() == series() == series(calls=CALLS + 2) == series(steps=STEPS + 4)
    others = [series(seed=2)]
    others += [
        series(**one) for one in ({"cfg": 2.0}, {"size": 16}, {"sampler": "heun"}, {"denoise": 0.5}, {"masked": True})
    ]
    assert len({series(), *others}) == 1 + len(others)
    run = asked(flow)
    prompt = [[torch.ones(1, 7, 4096), {"pooled_output": torch.zeros(1, 2048)}]]
    run.guider.set_conds(prompt, [])
    assert BeforeAndAfter(run, 1, None, NODE).series not in {series(), *others}


class Unreadable:
    """What another pack may put on a model: nothing tells what it does."""

    def __call__(self, args):
        return args


def test_what_nobody_can_read_the_settings_of_is_compared_with_nothing_before(flow):
    run = asked(flow)
    model = flow.clone()
    model.model_options["transformer_options"]["others"] = Unreadable()
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(run.positive, run.negative)
    assert series_of(guider, run.latent, 1) != series_of(guider, run.latent, 1)


def test_the_oldest_are_dropped_beyond_a_number_and_a_size():
    def fill(finals, count):
        for calls in range(1, count + 1):
            finals.keep(Ran("one", 50, calls), Final(torch.zeros(1, 100), None))
        return [ran.calls for ran, _ in finals.of("one")]

    assert fill(FinalLatents(most=5), 9) == [5, 6, 7, 8, 9]
    assert fill(FinalLatents(most_bytes=4 * 100 * 4), 9) == [6, 7, 8, 9]
    assert fill(FinalLatents(most_bytes=1), 9) == [7, 8, 9], "a planned run needs the two that it is held against"
    finals = FinalLatents(most=4)
    fill(finals, 4)
    finals.recall(Ran("one", 50, 1))
    finals.keep(Ran("two", 50, 9), Final(torch.zeros(1, 1), None))
    assert finals.recall(Ran("one", 50, 1)) and not finals.recall(Ran("one", 50, 2))


def test_latents_that_are_not_finite_have_no_error(flow):
    run = asked(flow)
    known, ran = planned(run, float("nan"))
    known.keep(*whole(run))
    json.dumps(known.claims(), allow_nan=False)
    assert known.error(ran) is None and list(known.told(ran)) == []


def test_a_preview_is_of_the_first_item_and_the_middle_frame(flow):
    generator = torch.Generator().manual_seed(0)
    latent = torch.randn(3, 16, 6, 8, generator=generator)
    picture = thumbnails.thumbnail(latent, flow)
    assert picture.shape == (1, 6, 8, 3) and 0 <= picture.min() < picture.max() <= 1
    torch.testing.assert_close(picture, thumbnails.thumbnail(latent[:1], flow))
    assert not torch.equal(picture, thumbnails.thumbnail(latent[1:], flow))
    video = torch.randn(2, 16, 5, 6, 8, generator=generator)
    torch.testing.assert_close(thumbnails.thumbnail(video, flow), thumbnails.thumbnail(video[:, :, 2], flow))
    assert thumbnails.counts(video) == {"items": 2, "frames": 5} and thumbnails.counts(latent) == {
        "items": 3,
        "frames": 1,
    }


def test_a_sound_and_a_latent_of_no_known_colours_have_no_picture(flow):
    assert thumbnails.thumbnail(torch.zeros(1, 16, 50), flow) is None
    assert thumbnails.thumbnail(torch.zeros(1, 8, 6, 6), flow) is None
    assert thumbnails.of_images(torch.zeros(1, 2, 400)) is None


class Decoder:
    """A VAE that shows which latent it was given: each pixel is the latent's first channel, eight times as large."""

    latent_channels = 16

    def decode(self, latent):
        grey = latent[:, 0].repeat_interleave(100, -1).repeat_interleave(100, -2)
        return grey[..., None].expand(*grey.shape, 3)


def test_a_vae_decodes_no_more_than_is_shown_and_pictures_are_small(flow):
    video = torch.linspace(0, 1, 5).view(1, 1, 5, 1, 1).expand(1, 16, 5, 6, 12)
    picture = thumbnails.thumbnail(video, flow, Decoder())
    assert picture.shape == (1, thumbnails.LONGEST // 2, thumbnails.LONGEST, 3)
    torch.testing.assert_close(picture, torch.full_like(picture, 0.5))


def test_a_vae_of_another_kind_of_latent_is_refused():
    with pytest.raises(ValueError, match=r"CoTj KSampler, input 'vae': it decodes latents of 16 channels, and this"):
        thumbnails.check_vae("CoTj KSampler", Decoder(), torch.zeros(1, 4, 8, 8))
    thumbnails.check_vae("CoTj KSampler", Decoder(), torch.zeros(1, 16, 8, 8))


def test_saved_pictures_are_what_was_shown_and_the_oldest_goes(alone, monkeypatch):
    monkeypatch.setattr(thumbnails, "MOST", 2)
    monkeypatch.setattr(thumbnails, "_saved", thumbnails.deque())
    places = [thumbnails.save(torch.full((1, 4, 5, 3), share)) for share in (0.0, 0.5, 1.0)]
    paths = [alone / place["subfolder"] / place["filename"] for place in places]
    assert [path.exists() for path in paths] == [False, True, True] and places[0]["type"] == "temp"
    np.testing.assert_array_equal(np.asarray(Image.open(paths[2])), np.full((4, 5, 3), 255))
