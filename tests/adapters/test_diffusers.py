"""Plans in pipelines of diffusers, on tiny models of random weights, against ComfyUI's samplers on the same models."""

import numpy as np
import pytest
import torch
from cotj.adapters.diffusers_dna import measure_dna
from cotj.adapters.diffusers_scheduler import PlannedEpsScheduler, PlannedFlowScheduler, planned_scheduler
from cotj.benchmarks.lab import host
from cotj.planner import best_planner, plan_fixed, sigma_to_flow
from cotj.planner.solvers.planned import PlannedSolver
from diffusers import (
    AutoencoderKL,
    CogVideoXDDIMScheduler,
    DDIMScheduler,
    DDPMScheduler,
    DEISMultistepScheduler,
    DPMSolverMultistepScheduler,
    EDMEulerScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    HeunDiscreteScheduler,
    LCMScheduler,
    SD3Transformer2DModel,
    StableDiffusion3Img2ImgPipeline,
    StableDiffusion3Pipeline,
    StableDiffusionPipeline,
    UNet2DConditionModel,
    UniPCMultistepScheduler,
)

SAMPLERS = ("euler", "dpmpp_2m", "res_multistep", "ipndm")
SHIFT = 3.0
SD15 = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
FLOW = np.array([1, 0.95, 0.8, 0.55, 0.3, 0.1, 0])
EPS = np.array([14.6146, 6.2, 2.9, 1.3, 0.5, 0.1, 0])


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.inference_mode():
        yield


def vae():
    return AutoencoderKL(
        block_out_channels=(4,),
        norm_num_groups=2,
        latent_channels=4,
        use_quant_conv=False,
        use_post_quant_conv=False,
        shift_factor=0.0,
    )


def flow_pipeline(made=StableDiffusion3Pipeline, **scheduler):
    torch.manual_seed(5)
    transformer = SD3Transformer2DModel(
        sample_size=8,
        patch_size=1,
        in_channels=4,
        num_layers=1,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=8,
        caption_projection_dim=16,
        pooled_projection_dim=12,
        out_channels=4,
    )
    none = dict.fromkeys(
        ("text_encoder", "tokenizer", "text_encoder_2", "tokenizer_2", "text_encoder_3", "tokenizer_3")
    )
    options = {"shift": SHIFT} | scheduler
    pipe = made(transformer=transformer, scheduler=FlowMatchEulerDiscreteScheduler(**options), vae=vae(), **none)
    pipe.set_progress_bar_config(disable=True)
    embeds, pooled = torch.randn(1, 3, 8), torch.randn(1, 12)
    return pipe, {
        "prompt_embeds": embeds,
        "pooled_prompt_embeds": pooled,
        "negative_prompt_embeds": torch.zeros_like(embeds),
        "negative_pooled_prompt_embeds": torch.zeros_like(pooled),
        "guidance_scale": 3.0,
    }


def eps_pipeline(prediction="epsilon"):
    torch.manual_seed(6)
    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(4, 8),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=2,
        cross_attention_dim=8,
        attention_head_dim=2,
    )
    scheduler = EulerDiscreteScheduler(**SD15, prediction_type=prediction, timestep_spacing="trailing", steps_offset=1)
    pipe = StableDiffusionPipeline(vae(), None, None, unet, scheduler, None, None, requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)
    embeds = torch.randn(1, 3, 8)
    return pipe, {
        "prompt_embeds": embeds,
        "negative_prompt_embeds": torch.zeros_like(embeds),
        "guidance_scale": 3.0,
    }


def noise(items=1):
    return torch.randn(items, 4, 8, 8, generator=torch.Generator().manual_seed(7))


def end_of(pipe, inputs, latents=None):
    options = {"num_inference_steps": len(pipe.scheduler.solver.sigmas) - 1, "output_type": "latent"}
    found = pipe(**inputs, **options, height=8, width=8, latents=noise() if latents is None else latents)
    return found.images


def flow_denoiser(pipe, inputs):
    def denoise(x, sigma):
        found = [
            pipe.transformer(x, inputs[embeds], inputs[pooled], torch.full((1,), 1000 * sigma)).sample
            for embeds, pooled in (
                ("negative_prompt_embeds", "negative_pooled_prompt_embeds"),
                ("prompt_embeds", "pooled_prompt_embeds"),
            )
        ]
        return x - sigma * (found[0] + inputs["guidance_scale"] * (found[1] - found[0]))

    return denoise, host.model_sampling("flow", SHIFT)


def eps_denoiser(pipe, inputs):
    sampling = host.model_sampling("ve")

    def denoise(x, sigma):
        timestep, scaled = sampling.timestep(torch.tensor([sigma])), x / np.hypot(sigma, 1)
        found = [
            pipe.unet(scaled, timestep, inputs[name]).sample for name in ("negative_prompt_embeds", "prompt_embeds")
        ]
        guided = found[0] + inputs["guidance_scale"] * (found[1] - found[0])
        if pipe.scheduler.config.prediction_type == "v_prediction":
            return x / (sigma**2 + 1) - guided * sigma / np.hypot(sigma, 1)
        return x - sigma * guided

    return denoise, sampling


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_flow_pipeline_ends_where_the_hosts_sampler_does(sampler):
    pipe, inputs = flow_pipeline()
    denoise, sampling = flow_denoiser(pipe, inputs)
    expected = host.run(sampler, denoise, sampling, noise(), torch.from_numpy(FLOW).float())
    pipe.scheduler = planned_scheduler(pipe.scheduler, FLOW, sampler)
    assert isinstance(pipe.scheduler, PlannedFlowScheduler)
    torch.testing.assert_close(end_of(pipe, inputs), expected, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_an_eps_pipeline_ends_where_the_hosts_sampler_does(sampler, prediction):
    pipe, inputs = eps_pipeline(prediction)
    denoise, sampling = eps_denoiser(pipe, inputs)
    expected = host.run(sampler, denoise, sampling, noise(), torch.from_numpy(EPS).float())
    pipe.scheduler = planned_scheduler(pipe.scheduler, EPS, sampler)
    assert isinstance(pipe.scheduler, PlannedEpsScheduler)
    torch.testing.assert_close(end_of(pipe, inputs), expected, atol=2e-4, rtol=1e-3)


def test_sigmas_are_run_as_they_are_whatever_the_pipeline_asks_for():
    scheduler = planned_scheduler(flow_pipeline()[0].scheduler, FLOW)
    scheduler.set_timesteps(6)
    np.testing.assert_allclose(scheduler.timesteps, 1000 * FLOW[:-1], rtol=1e-6)
    scheduler.set_timesteps(sigmas=np.linspace(1, 0.2, 6), mu=1.1)
    np.testing.assert_allclose(scheduler.sigmas, FLOW, rtol=1e-6)


@pytest.mark.parametrize("asked", [{"num_inference_steps": 28}, {"sigmas": [1.0, 0.5]}, {"timesteps": [999, 500]}])
def test_another_number_of_steps_than_the_plans_is_refused(asked):
    scheduler = planned_scheduler(flow_pipeline()[0].scheduler, FLOW)
    with pytest.raises(ValueError, match="plan has 6 steps, .* asks for (28|2): call it with num_inference_steps=6"):
        scheduler.set_timesteps(**asked)


def test_a_pipeline_that_makes_its_own_sigmas_runs_the_plan_and_measures():
    torch.manual_seed(8)
    transformer = FluxTransformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=8,
        pooled_projection_dim=8,
        axes_dims_rope=[4, 4, 8],
    )
    shifted, plain = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True), FlowMatchEulerDiscreteScheduler()
    pipe = FluxPipeline(shifted, vae(), None, None, None, None, transformer)
    pipe.set_progress_bar_config(disable=True)
    inputs = {"prompt_embeds": torch.randn(1, 4, 8), "pooled_prompt_embeds": torch.randn(1, 8)}
    inputs |= {"height": 16, "width": 16}

    def end(**options):
        return pipe(**inputs, **options, output_type="latent", generator=torch.Generator().manual_seed(1)).images

    pipe.scheduler = plain
    expected = end(sigmas=FLOW[:-1].tolist())
    pipe.scheduler = planned_scheduler(shifted, FLOW)
    torch.testing.assert_close(end(num_inference_steps=6), expected, atol=1e-5, rtol=1e-4)
    pipe.scheduler = shifted
    dna = measure_dna(pipe, 6, 5, **inputs)
    assert dna.shift.kind == "exponential" and len(dna.sigmas) == 5


def test_sigmas_that_share_a_timestep_are_both_visited():
    near = np.array([14.6146, 14.6, 14.5, 1.3, 0.1, 0])
    pipe, inputs = eps_pipeline()
    denoise, sampling = eps_denoiser(pipe, inputs)
    expected = host.run("euler", denoise, sampling, noise(), torch.from_numpy(near).float())
    pipe.scheduler = planned_scheduler(pipe.scheduler, near)
    torch.testing.assert_close(end_of(pipe, inputs), expected, atol=2e-4, rtol=1e-3)
    assert pipe.scheduler.timesteps[0] == pipe.scheduler.timesteps[1]


def test_a_flow_plan_that_begins_lower_is_for_image_to_image():
    lower = FLOW[2:]
    pipe, inputs = flow_pipeline()
    pipe.scheduler = planned_scheduler(pipe.scheduler, lower)
    with pytest.raises(ValueError, match='begins at sigma 0.8, .* noise alone.*start="top"'):
        end_of(pipe, inputs)
    pipe, inputs = flow_pipeline(StableDiffusion3Img2ImgPipeline)
    pipe.scheduler = planned_scheduler(pipe.scheduler, lower)
    denoise, sampling = flow_denoiser(pipe, inputs)
    image = torch.zeros(1, 4, 8, 8)
    options = {"num_inference_steps": 4, "strength": 1.0, "height": 8, "width": 8, "output_type": "latent"}
    found = pipe(**inputs, **options, image=image, generator=torch.Generator().manual_seed(7)).images
    expected = host.run("euler", denoise, sampling, noise(), torch.from_numpy(lower).float())
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-4)


def test_a_scheduler_that_was_saved_says_that_its_plan_is_missing(tmp_path):
    planned = planned_scheduler(flow_pipeline()[0].scheduler, FLOW)
    planned.save_pretrained(tmp_path)
    loaded = PlannedFlowScheduler.from_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"no plan, which is not saved .* planned_scheduler\(pipe.scheduler, plan\)"):
        loaded.set_timesteps(6)
    again = planned_scheduler(loaded, FLOW)
    again.set_timesteps(6)
    np.testing.assert_allclose(again.sigmas, FLOW, rtol=1e-6)


def test_a_planned_solver_takes_its_own_weights_band_by_band_and_is_refused_at_another_size():
    pipe, inputs = flow_pipeline()
    weights = np.zeros((2, 6, 3))
    weights[0, 1:, 1], weights[1, 2:, 2], weights[0, :2, 0] = -0.4, 0.2, 0.3
    solver = PlannedSolver(FLOW, weights)
    pipe.scheduler = planned_scheduler(pipe.scheduler, solver)
    learned = end_of(pipe, inputs)
    pipe.scheduler = planned_scheduler(pipe.scheduler, FLOW)
    assert not torch.allclose(learned, end_of(pipe, inputs), atol=1e-3)
    pipe.scheduler = planned_scheduler(pipe.scheduler, PlannedSolver(FLOW, np.zeros((3, 6, 1))))
    with pytest.raises(ValueError, match="weighs 3 frequency bands.* have 2"):
        end_of(pipe, inputs)


def test_image_to_image_begins_within_the_plan():
    pipe, inputs = flow_pipeline(StableDiffusion3Img2ImgPipeline)
    pipe.scheduler = planned_scheduler(pipe.scheduler, FLOW, "dpmpp_2m")
    called = []

    def note(_, __, inputs, ___):
        called.append(float(inputs["timestep"].flatten()[0]))

    pipe.transformer.register_forward_hook(note, with_kwargs=True)
    image = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    found = pipe(**inputs, image=image, height=8, width=8, strength=0.5, num_inference_steps=6, output_type="latent")
    np.testing.assert_allclose(called, 1000 * FLOW[3:-1], rtol=1e-6)
    assert torch.isfinite(found.images).all()


def test_a_dna_is_what_the_models_guesses_are_off():
    pipe, inputs = flow_pipeline()
    own = pipe.scheduler
    dna = measure_dna(pipe, 12, 9, **inputs, height=8, width=8, latents=noise())
    assert pipe.scheduler is own and dna.kind == "flow" and dna.shift.value == SHIFT and len(dna.sigmas) == 9
    denoise, sampling = flow_denoiser(pipe, inputs)
    clean = host.run("euler", denoise, sampling, noise(), dna_schedule(dna))
    for sigma, error in zip(dna.sigmas.tolist(), dna.errors):
        guess = denoise((1 - sigma) * clean + sigma * noise(), sigma)
        assert error == pytest.approx(float((guess - clean).square().mean()), rel=1e-3)
    assert dna.power == pytest.approx(float(clean.square().mean()), rel=1e-3)
    planner, _ = best_planner(dna, "dpmpp_2m")
    pipe.scheduler = planned_scheduler(own, plan_fixed(dna, steps=4, planner=planner), "dpmpp_2m")
    assert torch.isfinite(end_of(pipe, inputs)).all()


def test_a_flow_model_is_measured_on_its_schedulers_own_shift():
    pipe, inputs = flow_pipeline()
    options = {"use_flow_sigmas": True, "flow_shift": 5.0, "prediction_type": "flow_prediction"}
    pipe.scheduler = own = UniPCMultistepScheduler(**options)
    dna = measure_dna(pipe, 12, 9, **inputs, height=8, width=8, latents=noise())
    own.set_timesteps(12)
    assert (dna.shift.kind, dna.shift.value) == ("static", 5.0)
    np.testing.assert_allclose(dna_schedule(dna), own.sigmas, rtol=1e-6)


def test_a_model_is_told_the_timesteps_of_its_own_noise_levels():
    named = {"scaled linear": DDIMScheduler(**SD15), "zero SNR": DDIMScheduler(**SD15, rescale_betas_zero_snr=True)}
    named |= {"own defaults": LCMScheduler(), "other defaults": HeunDiscreteScheduler()}
    for name, scheduler in named.items():
        asked = [900, 500, 100]
        alphas = scheduler.alphas_cumprod[asked].double()
        planned = planned_scheduler(scheduler, [*((1 - alphas) / alphas).sqrt().tolist(), 0])
        planned.set_timesteps(3)
        assert planned.timesteps.tolist() == asked, name


def dna_schedule(dna):
    return torch.from_numpy(np.append(dna.profile.sigmas[::-1], 0)).float()


def test_a_dna_of_an_eps_model_and_several_images():
    pipe, inputs = eps_pipeline()
    inputs |= {name: inputs[name].repeat(2, 1, 1) for name in ("prompt_embeds", "negative_prompt_embeds")}
    dna = measure_dna(pipe, 12, 9, **inputs, height=8, width=8, latents=noise(2))
    denoise, sampling = eps_denoiser(pipe, inputs)
    clean = host.run("euler", denoise, sampling, noise(2), dna_schedule(dna))
    sigma = float(dna.sigmas[4])
    expected = (denoise(clean + sigma * noise(2), sigma) - clean).square().mean()
    assert dna.kind == "ve" and dna.errors[4] == pytest.approx(float(expected), rel=1e-2)
    assert dna.sigmas[[0, -1]] == pytest.approx([0.029167, 14.6146], rel=1e-3)
    assert (np.diff(sigma_to_flow(dna.sigmas, "ve")) > 0).all()


def test_what_cannot_be_planned_is_refused():
    flow, eps = flow_pipeline()[0].scheduler, eps_pipeline()[0].scheduler
    pipe, inputs = flow_pipeline()
    dna = measure_dna(pipe, 6, 5, **inputs, height=8, width=8)
    with pytest.raises(ValueError, match="the plan is for a flow model, and EulerDiscreteScheduler is for an eps"):
        planned_scheduler(eps, plan_fixed(dna, steps=4))
    with pytest.raises(ValueError, match="sampler 'heun' cannot be made here; give one of euler"):
        planned_scheduler(flow, FLOW, "heun")
    with pytest.raises(ValueError, match="EDMEulerScheduler as it is configured here"):
        planned_scheduler(EDMEulerScheduler(), EPS)
    for sigmas, scheduler, top in (([2.0, 0.5, 0], flow, "2, .* above 1"), ([20.0, 5, 0], eps, "20, .* above 14.61")):
        with pytest.raises(ValueError, match=f"begins at sigma {top}: measure and plan"):
            planned_scheduler(scheduler, sigmas)
    with pytest.raises(ValueError, match="must descend strictly to 0"):
        planned_scheduler(flow, [])
    for scheduler in (
        CogVideoXDDIMScheduler(),
        DDPMScheduler(beta_schedule="sigmoid"),
        EulerDiscreteScheduler(timestep_type="continuous", prediction_type="v_prediction"),
        DEISMultistepScheduler(use_flow_sigmas=True, flow_shift=3.0),
    ):
        with pytest.raises(ValueError, match=f"{type(scheduler).__name__} as it is configured here"):
            planned_scheduler(scheduler, FLOW)
    as_flow = DPMSolverMultistepScheduler(use_flow_sigmas=True, prediction_type="flow_prediction")
    assert isinstance(planned_scheduler(as_flow, FLOW), PlannedFlowScheduler)
