"""Samplers that make their own schedule, on a model with a plan: they run what SamplerCustomAdvanced runs of SIGMAS."""

import numpy as np
import pytest
import torch
from cotj.harness.client import NodeError
from cotj.planner import CoTj, DiffusionDNA, TimeShift, dna_file, plan_fixed
from cotj.planner.partial_runs import cut, plan_part
from cotj.predictor import DNADataSet
from cotj.tests.host.workflows import DemoRun, Graph, plan
from safetensors.numpy import load
from safetensors.torch import save_file

STEPS = 5
SEED = 3
TIMES = (np.arange(1, 41) / 40).astype(np.float32)
DNA = DiffusionDNA(TIMES, 0.01 + TIMES**3, shift=TimeShift("static", 3.0))
VE = DiffusionDNA(np.geomspace(0.03, 14.6, 40).astype(np.float32), 0.01 + TIMES**2, kind="ve")
PLAN = plan_fixed(DNA, STEPS).sigmas.astype(np.float32)

pytestmark = pytest.mark.usefixtures("demo_models")


@pytest.fixture(scope="module", autouse=True)
def files(server):
    dna_file.write(server.models / "cotj", "apply flow", DNA)
    dna_file.write(server.models / "cotj", "apply ve", VE)
    # The demo model's first attention, pushed aside.
    generator = torch.Generator().manual_seed(0)
    weights = {
        "diffusion_model.joint_blocks.0.x_block.attn.proj.lora_up.weight": torch.randn(192, 2, generator=generator),
        "diffusion_model.joint_blocks.0.x_block.attn.proj.lora_down.weight": torch.randn(2, 192, generator=generator),
    }
    (server.models / "loras").mkdir(exist_ok=True)
    save_file(weights, server.models / "loras" / "apply.safetensors")


class Run(DemoRun):
    """The demo model with guidance, and what its runs leave."""

    def __init__(self, **options):
        super().__init__(Graph(), **{"cfg": 3.0, "seed": SEED} | options)
        self.negative = self.graph.add("CLIPTextEncode", clip=self.clip, text="")[0]

    @property
    def clip(self):
        return self.graph.nodes[self.positive[0]]["inputs"]["clip"]

    def planned(self, steps=STEPS, **options):
        return plan(self.graph, self.dna(), steps=steps, **options)[0]

    def dna(self, name="apply flow"):
        return self.graph.add("CoTjLoadDNA", name=name)[0]

    def manual(self, sigmas):
        return self.graph.add("ManualSigmas", sigmas=", ".join(repr(float(sigma)) for sigma in sigmas))[0]

    def apply(self, what, model=None):
        return self.graph.add("CoTjApplyPlan", model=model or self.model, plan=what)[0]

    def ksampler(self, model, latent=None, **options):
        defaults = {"steps": 20, "cfg": 3.0, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0}
        defaults |= {"seed": SEED}
        return self.graph.add(
            "KSampler",
            model=model,
            positive=self.positive,
            negative=self.negative,
            latent_image=latent or self.latent,
            **defaults | options,
        )

    def advanced(self, model, start, end, latent=None, first=True, last=True, **options):
        defaults = {"steps": 20, "cfg": 3.0, "sampler_name": "euler", "scheduler": "simple", "noise_seed": SEED}
        return self.graph.add(
            "KSamplerAdvanced",
            model=model,
            add_noise="enable" if first else "disable",
            positive=self.positive,
            negative=self.negative,
            latent_image=latent or self.latent,
            start_at_step=start,
            end_at_step=end,
            return_with_leftover_noise="disable" if last else "enable",
            **defaults | options,
        )

    def custom(self, sigmas, model=None, latent=None, sampler="euler", noise=None, positive=None):
        guider = self.graph.add(
            "CFGGuider", model=model or self.model, positive=positive or self.positive, negative=self.negative, cfg=3.0
        )
        return self.graph.add(
            "SamplerCustomAdvanced",
            noise=noise or self.noise,
            guider=guider[0],
            sampler=self.sampler(sampler),
            sigmas=sigmas,
            latent_image=latent or self.latent,
        )

    def sampler(self, name):
        if isinstance(name, list):  # a SAMPLER
            return name
        if name == "ucgm":
            return self.graph.add("CoTjUCGMSampler", kappa_mode="adaptive", kappa=0.4)[0]
        return self.graph.add("KSamplerSelect", sampler_name=name)[0]

    def image(self):
        """A latent that is not empty."""
        return self.custom(self.manual([1, 0.7, 0.3, 0]))[0]

    def latents(self, client, *nodes):
        """What these nodes end in, and the numbers of steps that each showed."""
        kept = [self.graph.add("SaveLatent", samples=node[0], filename_prefix="apply") for node in nodes]
        result = client.run(self.graph.nodes)
        places = [result.outputs[node.id]["latents"][0] for node in kept]
        progress = [(event["node"], event["max"]) for event in result.of("progress")]
        totals = [{int(most) for node, most in progress if node == wanted.id} for wanted in nodes]
        return [load(client.view(place))["latent_tensor"] for place in places], totals


def simple(steps=20):
    """The demo model's own schedule, shift 3."""
    u = (1000 - np.floor(np.arange(steps) * 1000 / steps)) / 1000
    return np.append(3 * u / (1 + 2 * u), 0).astype(np.float32)


def test_nodes_on_one_plan_each_show_their_own_run(client):
    run = Run()
    sigmas = run.planned()
    one, other = (run.graph.add("CoTjApplyPlan", model=run.model, plan=sigmas) for _ in range(2))
    # Another seed than the tests below, whose runs ComfyUI would else have kept.
    run.latents(client, run.ksampler(one[0], seed=1), run.ksampler(other[0], denoise=0.5, seed=1))
    assert client.texts[one.id].startswith(f"{STEPS} steps ran: 1, ")
    assert client.texts[other.id] and not client.texts[other.id].startswith(f"{STEPS} steps ran")


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("options", [{}, {"steps": 3, "scheduler": "karras"}, {"sampler_name": "uni_pc"}])
def test_ksampler_runs_the_plan_and_says_how_many_steps(client, options, batch):
    run = Run(batch=batch)
    sigmas = run.planned()
    sampler = options.get("sampler_name", "euler")
    (followed, custom, unplanned), totals = run.latents(
        client,
        run.ksampler(run.apply(sigmas), **options),
        # UniPC writes into the sigmas that it is given, so it gets some of its own.
        run.custom(run.manual(PLAN), sampler=sampler),
        run.ksampler(run.model, **options),
    )
    np.testing.assert_array_equal(followed, custom)
    assert (followed != unplanned).any()
    assert totals == [{STEPS}, {STEPS}, {options.get("steps", 20)}]


def test_a_plan_link_does_as_its_sigmas(client):
    run = Run()
    planned = plan(run.graph, run.dna(), steps=STEPS)
    (by_plan, by_sigmas), _ = run.latents(
        client, run.ksampler(run.apply(planned[2])), run.ksampler(run.apply(planned[0]))
    )
    np.testing.assert_array_equal(by_plan, by_sigmas)


@pytest.mark.parametrize("denoise", [0.85, 0.5, 0.2])
def test_denoise_keeps_its_first_sigma(client, denoise):
    run = Run()
    image = run.image()
    first = simple(int(20 / denoise))[-21]
    expected = cut(PLAN, first, 0.0, top=1.0)
    (followed, custom), totals = run.latents(
        client,
        run.ksampler(run.apply(run.planned()), image, denoise=denoise),
        run.custom(run.manual(expected), latent=image),
    )
    np.testing.assert_allclose(followed, custom, atol=1e-5)
    assert totals[0] == {len(expected) - 1}
    assert len(expected) <= len(PLAN)


def test_a_plan_for_image_to_image_is_run_whole(client):
    run = Run()
    image, sigmas = run.image(), run.planned(denoise=0.6)
    (followed, advanced, custom), totals = run.latents(
        client,
        run.ksampler(run.apply(sigmas), image, denoise=1.0),
        run.advanced(run.apply(sigmas), 0, 10000, image),
        run.custom(sigmas, latent=image),
    )
    np.testing.assert_array_equal(followed, custom)
    np.testing.assert_array_equal(advanced, custom)
    assert totals == [{STEPS}] * 3


@pytest.mark.parametrize("handover", [5, 10, 17])
def test_two_samplers_hand_over_where_they_would_and_share_the_steps(client, handover):
    run = Run()
    model = run.apply(run.planned())
    between = float(simple()[handover])
    high = cut(PLAN, 1.0, between, top=1.0)
    low = cut(PLAN, between, 0.0, top=1.0)
    first = run.advanced(model, 0, handover, last=False)
    second = run.advanced(model, handover, 10000, first[0], first=False)
    # One that has no plan can take over.
    unplanned = run.advanced(run.model, handover, 10000, first[0], first=False)
    whole = run.custom(run.manual([*high, *low[1:]]))
    mixed = run.custom(run.manual([*high, *simple()[handover + 1 :]]))
    (_, second_end, whole_end, unplanned_end, mixed_end), totals = run.latents(
        client, first, second, whole, unplanned, mixed
    )
    np.testing.assert_allclose(second_end, whole_end, atol=1e-4)
    np.testing.assert_allclose(unplanned_end, mixed_end, atol=1e-4)
    assert totals[:2] == [{len(high) - 1}, {len(low) - 1}]
    assert len(high) + len(low) - 2 == STEPS


def test_the_parts_of_a_split_plan_are_run_from_end_to_end_whatever_the_steps_say(client):
    run = Run()
    sigmas = run.planned()
    parts = run.graph.add("SplitSigmas", sigmas=sigmas, step=2)
    first = run.advanced(run.apply(parts[0]), 0, 4, last=False)
    second = run.advanced(run.apply(parts[1]), 15, 10000, first[0], first=False)
    (_, followed, custom), totals = run.latents(client, first, second, run.custom(sigmas))
    np.testing.assert_allclose(followed, custom, atol=1e-4)
    assert totals[:2] == [{2}, {STEPS - 2}]


def test_a_start_step_that_adds_noise_is_image_to_image(client):
    run = Run()
    image = run.image()
    expected = cut(PLAN, float(simple()[12]), 0.0, top=1.0)
    (followed, custom), totals = run.latents(
        client,
        run.advanced(run.apply(run.planned()), 12, 10000, image),
        run.custom(run.manual(expected), latent=image),
    )
    np.testing.assert_allclose(followed, custom, atol=1e-5)
    assert totals[0] == {len(expected) - 1}


@pytest.mark.parametrize("sampler", ["euler", "euler_ancestral"])
def test_from_a_dna_the_samplers_own_steps_are_planned_for_that_sampler(client, sampler):
    run = Run()
    expected = plan_fixed(DNA, 7, CoTj(ancestral=sampler == "euler_ancestral"), fall_back=True).sigmas
    (followed, custom), totals = run.latents(
        client,
        run.ksampler(run.apply(run.dna()), steps=7, scheduler="karras", sampler_name=sampler),
        run.custom(run.manual(expected), sampler=sampler),
    )
    np.testing.assert_allclose(followed, custom, atol=1e-5)
    assert totals[0] == {7}


@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m", "ucgm"])
def test_from_a_measured_dna_a_run_is_what_the_plan_node_makes_of_it(client, sampler):
    run = Run()
    dna = run.measure()[0]
    sigmas = plan(run.graph, dna, steps=6, planner="auto", sampler=sampler)[0]
    even = run.manual(simple(6))
    (followed, custom, other), _ = run.latents(
        client,
        run.custom(even, model=run.apply(dna), sampler=sampler),
        run.custom(sigmas, sampler=sampler),
        run.custom(plan(run.graph, dna, steps=6, planner="auto", sampler="euler")[0], sampler=sampler),
    )
    np.testing.assert_array_equal(followed, custom)
    assert np.array_equal(custom, other) == (sampler == "euler"), "planned as for euler"


def test_from_a_dna_denoise_and_slices_have_the_samplers_steps(client):
    run = Run()
    model, image = run.apply(run.dna()), run.image()
    part = plan_part(DNA, 6, float(simple(12)[-7]), 0.0, fall_back=True)
    between = float(simple(10)[4])
    upper, lower = plan_part(DNA, 4, 1.0, between, fall_back=True), plan_part(DNA, 6, between, 0.0, fall_back=True)
    slices = [*upper[:-1], *lower]
    first = run.advanced(model, 0, 4, last=False, steps=10)
    second = run.advanced(model, 4, 10000, first[0], first=False, steps=10)
    (denoised, denoised_custom, _, handed_over, custom), totals = run.latents(
        client,
        run.ksampler(model, image, steps=6, denoise=0.5),
        run.custom(run.manual(part), latent=image),
        first,
        second,
        run.custom(run.manual(slices)),
    )
    np.testing.assert_allclose(denoised, denoised_custom, atol=1e-5)
    np.testing.assert_allclose(handed_over, custom, atol=1e-4)
    assert totals == [{6}, {6}, {4}, {6}, {10}]


def test_sigmas_that_are_given_to_a_sampler_are_replaced_too(client):
    run = Run()
    sigmas = run.planned()
    model = run.apply(sigmas)
    basic = run.graph.add("BasicScheduler", model=run.model, scheduler="simple", steps=9, denoise=1.0)[0]
    (followed, custom), totals = run.latents(client, run.custom(basic, model), run.custom(sigmas))
    np.testing.assert_array_equal(followed, custom)
    assert totals[0] == {STEPS}


def test_the_model_that_came_in_is_not_changed_and_a_second_plan_replaces_the_first(client):
    run = Run()
    once = run.apply(run.planned())
    twice = run.apply(run.planned(steps=3), once)
    (one, two, three, custom), totals = run.latents(
        client, run.ksampler(run.model), run.ksampler(once), run.ksampler(twice), run.custom(run.planned(steps=3))
    )
    np.testing.assert_array_equal(three, custom)
    assert totals[:3] == [{20}, {STEPS}, {3}]
    assert (one != two).any()


def test_an_empty_plan_passes_the_latent(client):
    run = Run()
    image = run.image()
    (followed, before), totals = run.latents(
        client,
        run.ksampler(run.apply(run.planned(denoise=0.0)), image),
        run.graph.add("RepeatLatentBatch", samples=image, amount=1),
    )
    np.testing.assert_array_equal(followed, before)
    assert totals[0] == set()


def lora(run, model):
    return run.graph.add("LoraLoaderModelOnly", model=model, lora_name="apply.safetensors", strength_model=1.0)[0]


def cached(run, model):
    """The host's own OUTER_SAMPLE wrapper."""
    options = {"reuse_threshold": 3.0, "start_percent": 0.0, "end_percent": 1.0, "verbose": False}
    return run.graph.add("LazyCache", model=model, **options)[0]


@pytest.mark.parametrize("patch", [lora, cached])
@pytest.mark.parametrize("before", [True, False])
def test_other_patches_keep_working(client, patch, before):
    run = Run()
    sigmas = run.planned(steps=8)
    followed = run.apply(sigmas, patch(run, run.model)) if before else patch(run, run.apply(sigmas))
    (both, custom, without), totals = run.latents(
        client,
        run.ksampler(followed),
        run.custom(sigmas, patch(run, run.model)),
        run.ksampler(run.apply(sigmas)),
    )
    np.testing.assert_array_equal(both, custom)
    assert (both != without).any()
    assert totals[0] == {8}


def test_hooks_keep_their_timing(client):
    run = Run()
    add, sigmas = run.graph.add, run.planned(steps=8)
    hooks = add("CreateHookLora", lora_name="apply.safetensors", strength_model=1.0, strength_clip=0.0, prev_hooks=None)
    hooks.nodes = None
    keyframes = add("CreateHookKeyframe", strength_mult=0.0, start_percent=0.0)[0]
    keyframes = add("CreateHookKeyframe", strength_mult=1.0, start_percent=0.5, prev_hook_kf=keyframes)[0]
    del run.graph.nodes[hooks.id]["inputs"]["prev_hooks"]
    hooked = add("SetHookKeyframes", hooks=hooks[0], hook_kf=keyframes)[0]
    plain = run.positive
    run.positive = add(
        "ConditioningSetProperties", cond_NEW=plain, strength=1.0, set_cond_area="default", hooks=hooked
    )[0]
    (followed, custom, without), _ = run.latents(
        client, run.ksampler(run.apply(sigmas)), run.custom(sigmas), run.custom(sigmas, positive=plain)
    )
    np.testing.assert_array_equal(followed, custom)
    assert (followed != without).any()


def test_a_mask_keeps_its_part(client):
    run = Run()
    image = run.image()
    mask = run.graph.add("SolidMask", value=1.0, width=128, height=256)[0]
    empty = run.graph.add("SolidMask", value=0.0, width=256, height=256)[0]
    half = run.graph.add("MaskComposite", destination=empty, source=mask, x=0, y=0, operation="add")[0]
    masked = run.graph.add("SetLatentNoiseMask", samples=image, mask=half)[0]
    sigmas = run.planned()
    (followed, custom, before), _ = run.latents(
        client,
        run.ksampler(run.apply(sigmas), masked),
        run.custom(sigmas, latent=masked),
        run.graph.add("RepeatLatentBatch", samples=image, amount=1),
    )
    np.testing.assert_array_equal(followed, custom)
    np.testing.assert_allclose(followed[..., 20:], before[..., 20:], atol=1e-5)
    assert np.abs(followed[..., :12] - before[..., :12]).max() > 0.1


def test_a_recorded_run_is_the_one_that_ran(client, server):
    run = Run()
    data = DNADataSet(server.models / "cotj" / "applied.sqlite")
    recorded = run.graph.add("CoTjRecordDNA", model=run.apply(run.planned()), data_set="applied", max_pairs=9)[0]
    run.latents(client, run.ksampler(recorded))
    # Euler's last guess is its image, so its noise level is left out.
    np.testing.assert_allclose(data.load("realised").grid.sigmas, PLAN[:-2][::-1], atol=1e-6)


def test_a_measurement_keeps_its_own_noise_levels(client, server):
    run = Run()
    applied = Run()
    applied.guider = applied.graph.add(
        "CFGGuider",
        model=applied.apply(applied.planned()),
        positive=applied.positive,
        negative=applied.negative,
        cfg=3.0,
    )[0]
    for name, one in (("without plan", run), ("with plan", applied)):
        one.graph.add("CoTjSaveDNA", dna=one.measure()[0], name=name, overwrite=True)
        client.run(one.graph.nodes)
    without, with_plan = (
        dna_file.read(server.models / "cotj" / f"{name}.safetensors") for name in ("without plan", "with plan")
    )
    np.testing.assert_array_equal(with_plan.sigmas, without.sigmas)
    np.testing.assert_array_equal(with_plan.errors, without.errors)


def refusal(client, server, run, sampled, *words):
    run.graph.add("PreviewAny", source=sampled[0])
    with server.expect_traceback(words[0]), pytest.raises(NodeError) as failure:
        client.run(run.graph.nodes)
    assert failure.value.message.startswith("Apply CoTj Plan to Model, input 'plan': ")
    for word in words:
        assert word in failure.value.message


@pytest.mark.parametrize(
    ("sigmas", "word"), [([14.6, 3, 0], "no noise level above 1"), ([0.1, 0.5, 1], "do not descend"), ([1], "do not")]
)
def test_sigmas_that_are_no_schedule_of_this_model_are_refused(client, server, sigmas, word):
    run = Run()
    refusal(client, server, run, run.ksampler(run.apply(run.manual(sigmas))), word, "Connect a")


def test_a_dna_of_another_kind_is_refused(client, server):
    run = Run()
    refusal(client, server, run, run.ksampler(run.apply(run.dna("apply ve"))), "an eps, v or EDM model")


def test_more_steps_than_the_dna_has_and_parts_without_a_step_are_refused_when_they_run(client, server):
    run = Run()
    refusal(client, server, run, run.ksampler(run.apply(run.dna()), steps=41), "41 steps", "take fewer steps.")
    run = Run()
    low = run.graph.add("SplitSigmas", sigmas=run.planned(), step=2)[1]
    sampled = run.advanced(run.apply(low), 0, 1, last=False)
    refusal(client, server, run, sampled, "leave nothing to run", "Change the sampler's steps")
