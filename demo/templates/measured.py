"""Graphs that measure a DNA with the model, plan from it, and check; of distilled models, they only check."""

from __future__ import annotations

from typing import Any

from .drawing import Drawing, Node, Output
from .parts import FILES, Loaded, ksampler, load, picture, prompts


def flux_2_klein(name: str, info: dict[str, Any]) -> Drawing:
    """Draw a measured plan beside Flux2Scheduler."""
    drawing = Drawing(
        name,
        info,
        f"""## FLUX.2 klein base: a measured plan

*Measure DNA* makes one run of 50 steps and probes the model at 50 noise levels, about a hundred calls.
*Plan CoTj Sigmas* then plans 12 steps for this sampler. Turn *steps* afterwards: nothing is measured again.

- *Compare Schedules* runs the plan and as many steps of Flux2Scheduler from the same noise, and measures how near
both end to the run of 50 steps. Trust it more than the heatmap, which only predicts.
- *Save DNA* keeps the DNA: *Load DNA* then takes the place of *Measure DNA*.
- The distilled klein has four trained steps, and needs no plan.

{FILES}""",
    )
    names = ("flux-2-klein-base-4b.safetensors", "qwen_3_4b.safetensors", "flux2", "flux2-vae.safetensors")
    loaded = load(drawing, *names, None)
    drawing.group("Prompt, size, noise, guidance", 380)
    texts = prompts(drawing, loaded.clip, "a kingfisher over a frozen stream, early light, ice on the reeds, telephoto")
    latent = drawing.add("EmptyFlux2LatentImage", width=1024, height=1024)[0]

    def own(steps: Output) -> Node:
        return drawing.add("Flux2Scheduler", "The model's usual schedule", steps=steps, width=1024, height=1024)

    return _planned(drawing, loaded, texts, latent, 5.0, 12, "flux2_klein_base_4b", own)


def chroma(name: str, info: dict[str, Any]) -> Drawing:
    """Draw a measured plan beside beta."""
    drawing = Drawing(
        name,
        info,
        f"""## Chroma: a plan against beta

ComfyUI's template samples Chroma in 26 steps of *beta*. Here a plan of 14 steps is made for your prompt and guidance,
and held against 14 steps of beta.

- *Measure DNA* makes one run of 50 steps and probes the model at 50 noise levels, about a hundred calls.
- *Apply CoTj Plan to Model* has KSampler run the plan: of KSampler, *steps* and *scheduler* are ignored.
- *Compare Schedules* measures how near both end to the run of 50 steps. Where beta ends nearer, use beta: that is
what this graph is for.
- *Save DNA* keeps the DNA: *Load DNA* then takes the place of *Measure DNA*.

{FILES}""",
    )
    names = ("Chroma1-HD-fp8mixed.safetensors", "t5xxl_fp8_e4m3fn_scaled.safetensors", "chroma", "ae.safetensors")
    loaded = load(drawing, *names, ("ModelSamplingAuraFlow", 1.0))
    clip = drawing.add("T5TokenizerOptions", clip=loaded.clip, min_padding=0, min_length=0)[0]
    drawing.group("Prompt, size, noise, guidance", 380)
    text = "an old botanist's greenhouse, ferns and brass instruments, shafts of green light, film photograph"
    texts = prompts(drawing, clip, text, "low quality, blurred, greyscale, unfinished sketch")
    latent = drawing.add("EmptySD3LatentImage", width=1024, height=1024)[0]

    def own(steps: Output) -> Node:
        return drawing.add("BasicScheduler", "beta", model=loaded.model, scheduler="beta", steps=steps)

    return _planned(drawing, loaded, texts, latent, 3.5, 14, "chroma1_hd", own, with_ksampler=True)


def _planned(
    drawing: Drawing,
    loaded: Loaded,
    texts: tuple[Output, Output],
    latent: Output,
    cfg: float,
    steps: int,
    dna_name: str,
    own: Any,
    with_ksampler: bool = False,
) -> Drawing:
    """Draw measuring, plan and sampling; own: draws as many steps of the model's usual schedule, to compare with.

    with_ksampler: whether a KSampler runs the plan, which is put on its model.
    """
    noise = drawing.add("RandomNoise", noise_seed=7)[0]
    guider = drawing.add("CFGGuider", model=loaded.model, positive=texts[0], negative=texts[1], cfg=cfg)[0]
    drawing.group("DNA and plan", 340)
    dna = drawing.add("CoTjMeasureDNA", guider=guider, noise=noise, latent_image=latent, grid_points=50)[0]
    drawing.add("CoTjSaveDNA", dna=dna, name=dna_name)
    plan = drawing.add("CoTjPlanSigmas", dna=dna, guider=guider, latent_image=latent, steps=steps)
    usual = own(plan[1])[0]
    drawing.group("Sample along the plan", 300)
    sampler = drawing.add("KSamplerSelect", sampler_name="euler")[0]
    run = {"guider": guider, "noise": noise, "sampler": sampler, "latent_image": latent}
    if with_ksampler:
        applied = drawing.add("CoTjApplyPlan", model=loaded.model, plan=plan[2])[0]
        widgets = {"steps": plan[1], "cfg": cfg, "sampler_name": "euler", "scheduler": "beta"}
        sampled = ksampler(drawing, applied, texts, latent, widgets)
    else:
        sampled = drawing.add("SamplerCustomAdvanced", sigmas=plan[0], **run)[0]
    picture(drawing, sampled, loaded.vae, f"cotj-{dna_name}")
    drawing.group("What the plan saves", 560)
    drawing.add("CoTjHeatmap", plan=plan[2], compare=usual)
    drawing.group("What it really gives", 560)
    schedules = {"schedules__sigmas0": plan[0], "schedules__sigmas1": usual}
    labels = "planned\nusual"
    drawing.add("CoTjCompareSchedules", **schedules, labels=labels, dna=dna, vae=loaded.vae, **run)
    return drawing


def krea_2_turbo(name: str, info: dict[str, Any]) -> Drawing:
    """Draw the checks of a distilled model, measured."""
    drawing = Drawing(
        name,
        info,
        f"""## Krea 2 Turbo: how few steps will do?

This model was distilled for 8 steps: its noise levels are trained, and planning others is wrong by default. So
KSampler runs it as ever, and the rest of the graph only checks.

- *Compare Schedules* measures how far 6 and 4 steps end from the run of 8, from the same noise.
- *DNA Diagnostics* says what its DNA tells: whether the first steps make the guess worse, and whether further steps
over-cook.
- The checks cost about as much as ten pictures. Bypass *Measure DNA* and *Compare Schedules* when you have seen enough.

{FILES}""",
    )
    names = ("krea2_turbo_fp8_scaled.safetensors", "qwen3vl_4b_fp8_scaled.safetensors", "krea2")
    loaded = load(drawing, *names, "qwen_image_vae.safetensors", None)
    drawing.group("Prompt and size", 380)
    text = "a tea house on stilts in a misty bamboo valley, ink and watercolour, one red lantern"
    texts = prompts(drawing, loaded.clip, text, None)
    latent = drawing.add("EmptyLatentImage", width=1024, height=1024)[0]
    run = {"steps": 8, "cfg": 1.0, "sampler_name": "euler", "scheduler": "simple"}
    drawing.group("Sample as it was trained", 300)
    samples = ksampler(drawing, loaded.model, texts, latent, run)
    picture(drawing, samples, loaded.vae, "cotj-krea-2")
    drawing.group("What is sampled", 320)
    guider = drawing.add("BasicGuider", model=loaded.model, conditioning=texts[0])[0]
    noise = drawing.add("RandomNoise", noise_seed=7)[0]
    sampler = drawing.add("KSamplerSelect", sampler_name="euler")[0]
    counts = (8, 6, 4)
    schedules = [
        drawing.add("BasicScheduler", f"{steps} steps", model=loaded.model, scheduler="simple", steps=steps)[0]
        for steps in counts
    ]
    drawing.group("What the DNA says", 480)
    measured = {"guider": guider, "noise": noise, "latent_image": latent}
    dna = drawing.add("CoTjMeasureDNA", **measured, reference_steps=8, grid_points=50)[0]
    drawing.add("CoTjDiagnostics", dna=dna)
    drawing.group("How far fewer steps end", 560)
    given = {f"schedules__sigmas{number}": sigmas for number, sigmas in enumerate(schedules)}
    labels = "\n".join(f"{steps} steps" for steps in counts)
    run_on = {**measured, "sampler": sampler, "vae": loaded.vae, "reference_steps": 8}
    drawing.add("CoTjCompareSchedules", **given, labels=labels, dna=dna, **run_on)
    return drawing


def z_image_turbo(name: str, info: dict[str, Any]) -> Drawing:
    """Draw the checks of a distilled model, from its mean DNA."""
    drawing = Drawing(
        name,
        info,
        f"""## Z-Image-Turbo: what its DNA says

A model that was distilled for 8 steps. KSampler runs it as in ComfyUI's own template; the rest of the graph only
checks, and calls no model: the mean DNA of this model came with the pack.

- *DNA Diagnostics* says what is special about it: the first 2 % of the range make the guess worse, and the gain does
not decay, so that it over-cooks when it gets more steps.
- The heatmap holds a plan of 8 steps against the model's own: see how little there is to gain.
- To sample along a plan all the same, put *Apply CoTj Plan to Model* before KSampler, and compare the pictures.

{FILES}""",
    )
    names = ("z_image_turbo_bf16.safetensors", "qwen_3_4b.safetensors", "lumina2")
    loaded = load(drawing, *names, "ae.safetensors", ("ModelSamplingAuraFlow", 3.0))
    drawing.group("Prompt and size", 380)
    text = "portrait of an old lighthouse keeper, wind in his beard, storm clouds breaking over the sea behind him"
    texts = prompts(drawing, loaded.clip, text, None)
    latent = drawing.add("EmptySD3LatentImage", width=1024, height=1024)[0]
    run = {"steps": 8, "cfg": 1.0, "sampler_name": "res_multistep", "scheduler": "simple"}
    drawing.group("Sample as it was trained", 300)
    samples = ksampler(drawing, loaded.model, texts, latent, run)
    picture(drawing, samples, loaded.vae, "cotj-z-image-turbo")
    drawing.group("What the DNA says", 480)
    dna = drawing.add("CoTjLoadDNA", name="Z-Image-Turbo-mean")[0]
    drawing.add("CoTjDiagnostics", dna=dna)
    drawing.group("A plan, and the model's own", 360)
    plan = drawing.add("CoTjPlanSigmas", dna=dna, model=loaded.model, latent_image=latent, steps=8)
    own = drawing.add("BasicScheduler", "The model's own", model=loaded.model, scheduler="simple", steps=plan[1])[0]
    drawing.group("What a plan would save", 560)
    drawing.add("CoTjHeatmap", plan=plan[2], compare=own)
    return drawing
