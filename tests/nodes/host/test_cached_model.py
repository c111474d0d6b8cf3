"""Cached runs of a small model in the host's own guider: which steps call it, what is learned, what is left alone."""

from __future__ import annotations

import errno
import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from cotj.harness.host_modules import import_host
from cotj.planner import DiffusionDNA, dna_file
from cotj.tests.small_models import build

import_host()

import comfy.hooks  # noqa: E402
import comfy.sample  # noqa: E402
import comfy.samplers  # noqa: E402
import comfy.sd  # noqa: E402
import folder_paths  # noqa: E402
from comfy.k_diffusion.sampling import sample_euler  # noqa: E402
from comfy.patcher_extension import WrappersMP  # noqa: E402
from cotj.nodes.host import cache_decision, cached_model  # noqa: E402
from cotj.nodes.host.cached_model import CachedModel  # noqa: E402
from cotj.nodes.host.folders import FOLDER  # noqa: E402
from cotj.nodes.host.model import why_cached, why_not_measurable  # noqa: E402
from cotj.nodes.host.planned_sampler import planned_sampler  # noqa: E402
from cotj.planner.caching.cache_settings import CacheSettings  # noqa: E402
from cotj.planner.caching.plan_cache import plan_cache  # noqa: E402
from cotj.planner.solvers.behaviour import SAMPLERS  # noqa: E402
from cotj.planner.solvers.planned import PlannedSolver  # noqa: E402

STEPS = 6
CALLS = 3
TEXT = 4096
ALL = 100  # calls, more than any run here has steps


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The pack's folder, empty."""
    monkeypatch.setitem(folder_paths.folder_names_and_paths, FOLDER, ([str(tmp_path)], set()))
    return tmp_path


@pytest.fixture(autouse=True)
def said(monkeypatch):
    """What was shown after each run."""
    texts = []
    monkeypatch.setattr(cached_model, "show_text", lambda text, node_id: texts.append(text))
    return texts


@pytest.fixture(scope="module")
def flow(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "sd3.safetensors"
    build("sd3", path)
    return comfy.sd.load_diffusion_model(str(path))


class Counted:
    """A model whose guided calls are noted, those that a cache answers not among them."""

    def __init__(self, model):
        self.sigmas = []
        self.model = model.clone()

    def attach(self, settings=None, dna=None):
        model = self.model if settings is None else CachedModel(settings, dna, "1").attach(self.model)
        model = model.clone()
        # Added last, so that it is inside.
        model.add_wrapper_with_key(WrappersMP.PREDICT_NOISE, "cotj_zz count", self._count)
        return model

    def _count(self, executor, x, timestep, *rest, **named):
        self.sigmas.append(float(timestep[0]))
        return executor(x, timestep, *rest, **named)


def settings(calls=CALLS, target_error=0.0, steps="planned", rule="fitted", learn_from=1):
    return CacheSettings(calls, target_error, steps, rule, learn_from)


EVENLY = settings(steps="evenly", rule="hold")


def conditioning(seed, **options):
    generator = torch.Generator().manual_seed(seed)
    pooled = torch.randn(1, 2048, generator=generator)
    return [[torch.randn(1, 7, TEXT, generator=generator), {"pooled_output": pooled, **options}]]


def guided(model, positive=None, cfg=3.0):
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(positive or conditioning(1), conditioning(2))
    guider.set_cfg(cfg)
    return guider


def sample(
    model, sampler="euler", sigmas=None, latent=None, cfg=3.0, seed=1, mask=None, positive=None, size=(1, 16, 8, 8)
):
    guider = guided(model, positive, cfg)
    latent = torch.zeros(size) if latent is None else latent
    noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(seed))
    sampler = comfy.samplers.sampler_object(sampler) if isinstance(sampler, str) else sampler
    sigmas = schedule(model) if sigmas is None else sigmas
    with torch.inference_mode():
        return guider.sample(
            noise, latent, sampler, sigmas.clone(), denoise_mask=mask, disable_pbar=True, seed=seed
        ).clone()


def schedule(model, steps=STEPS):
    return comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "simple", steps)


def calls_of(model, **run):
    counted = Counted(model)
    final = sample(counted.attach(), **run)
    return final, counted.sigmas


@pytest.mark.parametrize("sampler", comfy.samplers.SAMPLER_NAMES)
def test_to_compute_all_is_no_change(flow, said, sampler):
    """Whole by choice, and whole to learn from."""
    plain, expected = calls_of(flow, sampler=sampler)
    for how in (settings(ALL), settings()):
        counted = Counted(flow)
        final = sample(counted.attach(how), sampler=sampler)
        assert torch.equal(final, plain)
        assert counted.sigmas == expected
        assert said[-1].startswith("All 6 steps computed.")


@pytest.mark.parametrize("sampler", comfy.samplers.SAMPLER_NAMES)
def test_the_second_run_calls_in_the_planned_steps_only(flow, said, sampler):
    counted = Counted(flow)
    model = counted.attach(settings())
    whole = sample(model, sampler=sampler)
    every = len(counted.sigmas)
    counted.sigmas.clear()
    cached = sample(model, sampler=sampler, seed=2)
    assert cached.isfinite().all()
    if sampler.endswith("cfg_pp"):
        assert len(counted.sigmas) == every and "looks into every call" in said[-1]
    elif SAMPLERS[sampler].skips:
        assert f"The sampler {sampler} chooses its noise levels itself" in said[-1]
    else:
        assert said[-1].startswith(f"{CALLS} of {STEPS} steps computed: 0, "), said
        assert len(counted.sigmas) < every
        assert not torch.equal(cached, whole)


def test_what_runs_leaves_nothing_behind(flow, folder):
    """Neither on the model nor, when it ends in an error, for the next run."""
    model = Counted(flow).attach(EVENLY)
    before = {name: list(value) for name, value in model.wrappers.items()}

    def fails(executor, *arguments, **named):
        raise RuntimeError("on purpose")

    broken = model.clone()
    broken.add_wrapper_with_key(WrappersMP.PREDICT_NOISE, "zzz", fails)
    with pytest.raises(RuntimeError, match="on purpose"):
        sample(broken)
    assert {name: list(value) for name, value in model.wrappers.items()} == before
    assert cached_model.KEY not in model.model_options
    assert cached_model.KEY not in model.model_options["transformer_options"]
    first, again = sample(model), sample(model)
    assert torch.equal(first, again)


# Ranges and hooks


def computed(said):
    """The steps that the last run's text names."""
    head = said[-1].splitlines()[0]
    return list(range(STEPS)) if head.startswith("All") else [int(word) for word in head.split(":")[1].split(",")]


def with_range(start, end):
    return conditioning(1) + conditioning(3, start_percent=start, end_percent=end)


@pytest.mark.parametrize(
    ("begin", "end", "edges"), [(0.0, 1.0, []), (0.3, 1.0, [0.3]), (0.0, 0.6, [0.6]), (0.3, 0.6, [0.3, 0.6])]
)
def test_the_first_step_after_an_edge_is_computed(flow, said, begin, end, edges):
    counted = Counted(flow)
    sample(counted.attach(settings(1, steps="evenly", rule="hold")), positive=with_range(begin, end))
    model_sampling = flow.get_model_object("model_sampling")
    sigmas = schedule(flow)[:-1].tolist()
    # A range begins at a noise level, and the first step below its end is outside.
    after = [0]
    for edge in edges:
        level = model_sampling.percent_to_sigma(edge)
        after.append(
            next(step for step, sigma in enumerate(sigmas) if (sigma <= level if edge == begin else sigma < level))
        )
    assert computed(said) == sorted(set(after))
    told = f"no earlier guess fits there: {', '.join(map(str, sorted(set(after) - {0})))}."
    assert (told in said[-1]) == bool(set(after) - {0})


def hooked(strengths_and_starts, guarantee=1):
    group = comfy.hooks.HookKeyframeGroup()
    for strength, start in strengths_and_starts:
        group.add(comfy.hooks.HookKeyframe(strength, start, guarantee))
    hooks = comfy.hooks.create_hook_lora({}, 1.0, 1.0)
    hooks.set_keyframes_on_hooks(group)
    return conditioning(1, hooks=hooks)


@pytest.mark.parametrize(("guarantee", "expected"), [(1, [0, 3]), (2, list(range(STEPS)))])
def test_a_step_in_which_a_hook_changes_is_computed(flow, said, guarantee, expected):
    positive = hooked([(0.0, 0.0), (1.0, 0.5)], guarantee)
    sigmas = schedule(flow)[:-1].tolist()
    half = flow.get_model_object("model_sampling").percent_to_sigma(0.5)
    assert expected[1:2] != [3] or next(step for step, sigma in enumerate(sigmas) if sigma <= half) == 3
    sample(Counted(flow).attach(settings(1, steps="evenly", rule="hold")), positive=positive)
    assert computed(said) == expected


# What runs there are


def cached(model, settings=EVENLY, dna=None, **run):
    counted = Counted(model)
    return sample(counted.attach(settings, dna), **run), counted.sigmas


def test_a_mask_keeps_its_part_and_teaches_nothing(flow, said, folder):
    image = sample(flow, cfg=1.0)
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., :4] = 1
    final, sigmas = cached(flow, latent=image, mask=mask)
    assert len(sigmas) == CALLS
    torch.testing.assert_close(final[..., 4:], image[..., 4:], atol=1e-5, rtol=0)
    assert not torch.equal(final[..., :4], image[..., :4])
    _, sigmas = cached(flow, settings(), latent=image, mask=mask)
    assert len(sigmas) == STEPS and "noise mask" in said[-1] and not list(folder.iterdir())
    cached(flow, settings())
    _, sigmas = cached(flow, settings(), latent=image, mask=mask)
    assert len(sigmas) == CALLS


def test_a_batch_is_cached_as_its_items_are(flow):
    cached(flow, settings())
    both, sigmas = cached(flow, settings(), size=(2, 16, 8, 8))
    assert len(sigmas) == CALLS  # the profile of a single image serves
    noise = torch.randn((2, 16, 8, 8), generator=torch.Generator().manual_seed(1))
    euler, empty = comfy.samplers.sampler_object("euler"), torch.zeros(1, 16, 8, 8)
    for item in (slice(0, 1), slice(1, 2)):
        guider = guided(CachedModel(settings(), None, "1").attach(flow))
        with torch.inference_mode():
            alone = guider.sample(noise[item], empty, euler, schedule(flow), disable_pbar=True)
        torch.testing.assert_close(alone, both[item], atol=2e-4, rtol=1e-3)


def test_image_to_image_learns_for_itself(flow, said, folder):
    image, sigmas = sample(flow), schedule(flow, 2 * STEPS)[-STEPS - 1 :]
    cached(flow, settings())
    _, calls = cached(flow, settings(), latent=image, sigmas=sigmas)
    assert len(calls) == STEPS and "noise levels are others" in said[-1]
    final, calls = cached(flow, settings(), latent=image, sigmas=sigmas)
    assert len(calls) == CALLS and final.isfinite().all() and len(list(folder.iterdir())) == 2


def test_two_slices_hand_over_and_each_learns(flow, said, folder):
    """As KSamplerAdvanced runs them, and two experts."""
    sigmas = schedule(flow, 2 * STEPS)
    model = Counted(flow)
    for _ in range(2):
        model.sigmas.clear()
        noisy = sample(model.attach(settings()), sigmas=sigmas[: STEPS + 1])
        # A run without noise of its own begins in what it is given, as the host scales it.
        euler, silence = comfy.samplers.sampler_object("euler"), torch.zeros_like(noisy)
        with torch.inference_mode():
            final = guided(model.attach(settings()), cfg=1.0).sample(
                silence, noisy, euler, sigmas[STEPS:], disable_pbar=True
            )
    assert final.isfinite().all()
    assert len(model.sigmas) == 2 * CALLS and len(list(folder.iterdir())) == 2
    [high] = [dna for dna in map(dna_file.read, folder.iterdir()) if dna.meta["sigmas"][0] == 1]
    np.testing.assert_allclose(high.profile.sigmas, sigmas[:STEPS].flip(0).numpy(), rtol=1e-6)


def test_what_does_not_descend_is_left_alone(flow, said):
    _, sigmas = cached(flow, sigmas=schedule(flow).flip(0) + 0.01, latent=sample(flow))
    assert len(sigmas) == STEPS and not said


def test_noise_levels_of_another_kind_of_model_cost_no_picture(flow, said, folder):
    """As the tables of Stable Diffusion that another pack's scheduler has give a flow model."""
    sigmas = torch.tensor([14.6, 6.5, 3.9, 2.7, 1.4, 0.7, 0.3, 0.0])
    for steps in ("planned", "evenly"):
        final, calls = cached(flow, settings(steps=steps, rule="hold"), sigmas=sigmas)
        assert torch.equal(final, sample(flow, sigmas=sigmas)) and len(calls) == 7
        assert said[-1].startswith("All 7 steps computed.\nThe run begins at noise level 14.6")
    assert not list(folder.iterdir())


def test_a_latent_with_several_parts_says_that_it_teaches_nothing(flow, said, folder, monkeypatch):
    class Guider:
        class inner_model:
            latent_shapes = [(1, 8, 2, 8, 8), (1, 8, 4, 16)]
            model_sampling = flow.get_model_object("model_sampling")

        conds = {}

    euler = comfy.samplers.sampler_object("euler")
    levels = schedule(flow).tolist()
    run = (None, Guider, euler, "euler", levels, torch.zeros(1, 1, 9), None)
    decided = cache_decision.decide(settings(), *run)
    assert decided.plan is None and decided.profile is None and "video with sound" in decided.why_whole
    assert cache_decision.decide(EVENLY, *run).plan.calls == CALLS


def test_a_compiled_model_is_compiled_no_more_often(flow):
    compiled = []

    def backend(graph, inputs):
        compiled.append(graph)
        return graph.forward

    from comfy_api.torch_helpers.torch_compile import set_torch_compile_wrapper

    plain = sample(flow)
    model = flow.clone()
    set_torch_compile_wrapper(model, backend=backend)
    first, _ = cached(model, settings())
    once = len(compiled)
    final, sigmas = cached(model, settings())
    assert once and len(compiled) == once and len(sigmas) == CALLS
    torch.testing.assert_close(first, plain, atol=1e-3, rtol=1e-3)
    assert final.isfinite().all()


# Learning


def test_a_run_teaches_its_profile(flow, said, folder):
    cached(flow, settings())
    assert said[-1].splitlines()[1].startswith("Learned from this run")
    [path] = folder.iterdir()
    dna = dna_file.read(path)
    assert path.name.startswith("cache-SD3-euler-6-steps-")
    assert (dna.meta["sampler"], dna.meta["guidance"], dna.meta["learned_runs"]) == ("euler", {"cfg": 3.0}, 1)
    np.testing.assert_allclose(dna.profile.sigmas, schedule(flow)[:-1].flip(0).numpy(), rtol=1e-6)
    # Euler ends on its last guess.
    assert dna.profile.squares(np.eye(13)[6] - dna.profile.final).sum() < 1e-9 * dna.power
    assert len(dna.sigmas) == STEPS - 1


@pytest.mark.parametrize("sampler", ["heun", "dpm_2", "dpmpp_2m", "uni_pc"])
def test_of_a_sampler_that_calls_more_often_the_steps_own_levels_are_learned(flow, folder, sampler):
    cached(flow, settings(), sampler=sampler)
    [path] = folder.iterdir()
    np.testing.assert_allclose(dna_file.read(path).profile.sigmas, schedule(flow)[:-1].flip(0).numpy(), rtol=1e-6)


def test_it_learns_from_as_many_runs_as_are_asked_for(flow, said, folder):
    for seed, text in enumerate(["Learned from 1 of 3 runs.", "Learned from 2 of 3 runs.", "Learned from this run"], 1):
        _, sigmas = cached(flow, settings(learn_from=3), seed=seed)
        assert len(sigmas) == STEPS and text in said[-1]
    [path] = folder.iterdir()
    assert dna_file.read(path).profile.runs == 3
    _, sigmas = cached(flow, settings(learn_from=3), seed=4)
    assert len(sigmas) == CALLS
    _, sigmas = cached(flow, settings(learn_from=4), seed=5)
    assert len(sigmas) == STEPS and dna_file.read(path).profile.runs == 4


def other_weights(model):
    model = model.clone()
    key = "diffusion_model.joint_blocks.0.x_block.attn.qkv.weight"
    assert model.add_patches({key: ("diff", (torch.randn(384, 128, generator=torch.Generator().manual_seed(0)),))}, 1.0)
    return model


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cfg": 5.0}, "The guidance is cfg 5; that run was made with cfg 3."),
        ({"size": (1, 16, 8, 12)}, "The latent's size is 8x12; that run was made at 8x8."),
        ({"sampler": "dpmpp_2m"}, "The sampler is dpmpp_2m; that run was made with euler."),
        (
            {"model": other_weights},
            "The set of LoRAs or other weight patches is another one than that run was made with.",
        ),
    ],
)
def test_what_was_learned_for_another_run_is_not_used_and_it_says_why(flow, said, folder, change, words):
    cached(flow, settings())
    change = dict(change)
    model = change.pop("model", lambda model: model)(flow)
    _, sigmas = cached(model, settings(), **change)
    assert len(sigmas) == STEPS and words in said[-1]
    _, sigmas = cached(model, settings(), **change)
    assert len(sigmas) == CALLS and len(list(folder.iterdir())) == 2


def test_a_damaged_file_is_learned_anew(flow, folder):
    cached(flow, settings())
    [path] = folder.iterdir()
    path.write_bytes(b"nothing")
    _, sigmas = cached(flow, settings())
    assert len(sigmas) == STEPS and dna_file.read(path).profile.runs == 1


def test_another_file_in_its_place_is_learned_anew(flow, folder):
    cached(flow, settings())
    [path] = folder.iterdir()
    dna_file.write(folder, path.stem, DiffusionDNA([0.1, 1.0], [0.1, 0.2]))
    _, sigmas = cached(flow, settings())
    assert len(sigmas) == STEPS and dna_file.read(path).profile.runs == 1


def test_a_run_too_short_to_learn_from_says_what_serves_it(flow, said, folder):
    for _ in range(2):
        _, sigmas = cached(flow, settings(1), sigmas=schedule(flow, 2))
        assert len(sigmas) == 2 and "fewer than 3 steps" in said[-1] and "connect a DNA" in said[-1]
    assert not list(folder.iterdir())
    _, sigmas = cached(flow, settings(1, steps="evenly", rule="hold"), sigmas=schedule(flow, 2))
    assert len(sigmas) == 1
    for _ in range(2):
        _, sigmas = cached(flow, settings(1), sigmas=schedule(flow, 3))
    assert len(sigmas) == 1


def test_a_planned_solver_is_cached_as_the_formula_that_it_was_learned_from(flow, said):
    solver = planned_sampler(PlannedSolver.of_formula("dpmpp_2m", schedule(flow).numpy()))
    finals = {}
    for sampler in (solver, "dpmpp_2m"):
        for _ in range(2):
            finals[sampler], sigmas = cached(flow, settings(), sampler=sampler)
        assert len(sigmas) == CALLS and "noise" not in said[-1]
    assert said[1] == said[-1]
    torch.testing.assert_close(finals[solver], finals["dpmpp_2m"], atol=1e-3, rtol=1e-3)


def test_a_folder_that_cannot_be_written_to_costs_no_picture(flow, said, folder, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(dna_file, "write", full)
    final, sigmas = cached(flow, settings())
    assert len(sigmas) == STEPS and torch.equal(final, sample(flow))
    assert f"Nothing was learned: {folder} cannot be written to: No space left on device. Make room, " in said[-1]
    assert said[-1].endswith("extra_model_paths.yaml.")


def test_a_folder_in_the_place_of_the_file_is_named_with_what_to_do(flow, said, folder):
    cached(flow, settings())
    [path] = folder.iterdir()
    path.unlink()
    path.mkdir()
    cached(flow, settings())
    assert said[-1].endswith(f"{folder} has a folder by the name of the file, {path.name}. Move it away.")


def test_another_dna_in_the_place_of_what_was_learned_is_not_planned_from(flow, said, folder):
    cached(flow, settings())
    [path] = folder.iterdir()
    known = dna_file.read(path)
    dna_file.write(folder, path.stem, replace(known, meta=known.meta | {"checkpoint": "0", "guidance": {"cfg": 9.0}}))
    _, sigmas = cached(flow, settings())
    assert len(sigmas) == STEPS and "Learned from this run" in said[-1]
    assert dna_file.read(path).meta["checkpoint"] == known.meta["checkpoint"]


# A DNA, and what does not go together


def test_a_dna_that_is_given_is_planned_from_and_what_differs_is_said(flow, said, folder):
    cached(flow, settings())
    [path] = folder.iterdir()
    dna = dna_file.read(path)
    path.unlink()
    _, sigmas = cached(flow, settings(), dna)
    assert len(sigmas) == CALLS and not list(folder.iterdir())
    _, sigmas = cached(flow, settings(), dna, cfg=5.0)
    assert len(sigmas) == CALLS and "The guidance is cfg 5; " in said[-1]
    _, sigmas = cached(flow, settings(), dna, sigmas=schedule(flow, 2 * STEPS))
    assert len(sigmas) == 2 * STEPS and "6 model calls" in said[-1]


def test_a_dna_without_a_profile_gives_its_own_steps(flow, said):
    sigmas = np.linspace(0.01, 1.0, 30)
    _, calls = cached(flow, settings(), DiffusionDNA(sigmas, 0.01 + sigmas**2))
    assert len(calls) == CALLS and "has no profile" in said[-1]


def test_samplers_that_add_noise_hold(flow, said):
    for _ in range(2):
        cached(flow, settings(), sampler="euler_ancestral")
    assert "which may add noise" in said[-1]


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_a_sampler_of_another_pack_holds_where_it_is_seen_to_add_noise(flow, said, noise):
    def sample_own(model, x, sigmas, extra_args=None, callback=None, disable=None):
        return sample_euler(model, x, sigmas, extra_args, callback, disable) + noise * torch.randn_like(x)

    for _ in range(2):
        cached(flow, settings(), sampler=comfy.samplers.KSAMPLER(sample_own))
    assert ("With own, which may add noise" in said[-1]) == bool(noise)


@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m", "heun"])
def test_fewer_calls_for_a_target(flow, sampler):
    cached(flow, settings(target_error=1e-3), sampler=sampler)
    counts = [len(cached(flow, settings(target_error=target), sampler=sampler)[1]) for target in (1e-9, 1e-3, 1e3)]
    assert counts == sorted(counts, reverse=True) and counts[0] > counts[-1]


def test_a_target_that_only_all_steps_keep_is_said(flow, said):
    for _ in range(2):
        _, sigmas = cached(flow, settings(target_error=1e-30))
    assert len(sigmas) == STEPS and "Fewer steps are not predicted to keep the error below 1e-30." in said[-1]


def test_the_hosts_own_caches_are_refused(flow):
    from comfy_extras.nodes_easycache import LazyCacheNode

    before = LazyCacheNode.execute(flow, 0.2, 0.0, 1.0, False)[0]
    with pytest.raises(ValueError, match="Cache Steps, input 'model': EasyCache or LazyCache is on this model"):
        CachedModel(settings(), None, "1").attach(before)
    after = LazyCacheNode.execute(CachedModel(settings(), None, "1").attach(flow), 0.2, 0.0, 1.0, False)[0]
    with pytest.raises(ValueError, match="EasyCache or LazyCache is on this model"):
        sample(after)


def test_a_cached_model_is_not_measured(flow):
    model = CachedModel(settings(), None, "1").attach(flow)
    assert why_cached(flow) is None and why_not_measurable(flow) is None
    assert "Cache Steps is on this model" in why_not_measurable(model)


def test_a_second_cache_replaces_the_first(flow):
    once = CachedModel(settings(2, steps="evenly", rule="hold"), None, "1").attach(flow)
    counted = Counted(CachedModel(EVENLY, None, "2").attach(once))
    sample(counted.attach())
    assert len(counted.sigmas) == CALLS


def test_an_eps_model_is_cached_too(tmp_path_factory, folder):
    path = tmp_path_factory.mktemp("models") / "sd15.safetensors"
    build("sd15", path)
    model = comfy.sd.load_checkpoint_guess_config(str(path), output_vae=False, output_clip=False)[0]
    generator = torch.Generator().manual_seed(1)
    positive = [[torch.randn(1, 77, 768, generator=generator), {}]]

    def run(model):
        guider = guided(model, positive)
        guider.set_conds(positive, [[torch.zeros(1, 77, 768), {}]])
        noise, euler = (
            torch.randn(1, 4, 8, 8, generator=generator.manual_seed(1)),
            comfy.samplers.sampler_object("euler"),
        )
        with torch.inference_mode():
            return guider.sample(noise, torch.zeros_like(noise), euler, schedule(model), disable_pbar=True)

    plain, counted = run(model), Counted(model)
    assert torch.equal(run(counted.attach(settings())), plain)
    counted.sigmas.clear()
    assert run(counted.attach(settings())).isfinite().all()
    assert len(counted.sigmas) == CALLS
    [dna] = map(dna_file.read, folder.iterdir())
    assert dna.profile.kind == "ve"
    # An eps run's states are kept in flow scale: at the highest noise level that is the noise, about.
    assert 0.5 < dna.profile.gram[:, STEPS - 1, STEPS - 1].sum() < 2


def test_each_run_is_told_and_after_one_that_was_learned_from_the_next(flow, folder):
    told = []
    model = CachedModel(settings(), None, "1", told.append).attach(flow)
    sample(model)
    [learned] = told
    [path] = folder.glob("cache-*")
    dna = dna_file.read(path)
    expected = plan_cache(dna, schedule(flow).tolist(), calls=CALLS)
    assert not learned.has_run and list(learned.computed) == np.flatnonzero(expected.computed).tolist()
    assert (learned.learned_runs, learned.sampler) == (1, "euler") and learned.plan.predicted_error > 0
    sample(model, seed=2)
    assert told[1].has_run and sorted(told[1].computed) == sorted(learned.computed)

    sample(CachedModel(settings(ALL), None, "1", told.append).attach(flow), seed=3)
    assert len(told[2].computed) == STEPS and told[2].dna is not None, "from it, fewer calls can be planned"
    sample(CachedModel(settings(learn_from=3), None, "1", told.append).attach(flow), seed=4)
    assert told[3].has_run and len(told[3].computed) == STEPS and told[3].learned_runs == 2
