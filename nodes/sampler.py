"""The node that samples as KSampler does, in the best way that is known to spend few model calls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import comfy.samplers
from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io

from ..planner import DiffusionDNA
from ..planner.distilled import distillation_of
from ..planner.texts import say, say_name
from .host.follow_plan import NODE as APPLY
from .host.follow_plan import AppliedPlan
from .host.inputs import check_fit, input_error, with_own_channels
from .host.model import has_cached_steps, has_host_cache
from .host.model_files import about_files
from .host.progress import send, show_text
from .host.thumbnails import check_vae
from .link_types import DNA, PLAN
from .live.planned_run import LEARN
from .plan import target_error_input
from .reports.what_to_pick import worth_a_search
from .sampling.asked_run import AskedRun
from .sampling.before_and_after import COMPARE, BeforeAndAfter
from .sampling.best_known import best_known, best_unstored, note_outcome
from .sampling.known_kind import run_shown
from .sampling.sample import sample, told, told_of_next

NODE = "CoTj KSampler"
MOST_CFG_DISTILLED = 2.0  # more than their authors recommend for models that were distilled for few steps


class CoTjKSampler(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjKSampler",
            display_name=NODE,
            category="model/sampling/samplers",
            description="Samples as KSampler does, with fewer model calls: it takes the best that is known for this "
            "model, sampler, guidance and size, says what that is, and learns from its own first run.",
            search_aliases=["KSampler", "sampler", "fewer steps", "faster", "cache", "CoTj"],
            inputs=[
                io.Model.Input("model", tooltip="Connect the model that denoises the latent."),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    control_after_generate=True,
                    tooltip="The seed makes the noise.",
                ),
                io.Int.Input(
                    "calls",
                    default=10,
                    min=1,
                    max=100,
                    display_mode=io.NumberDisplay.slider,
                    tooltip="This many steps call the model, twice with samplers such as heun. A third to a half of "
                    "'steps' is useful; from 'steps' on, the run is KSampler's.",
                ),
                io.Int.Input(
                    "steps",
                    default=30,
                    min=1,
                    max=200,
                    tooltip="The picture is to be that of so many steps.",
                ),
                io.Float.Input(
                    "cfg",
                    default=8.0,
                    min=0.0,
                    max=100.0,
                    step=0.1,
                    round=0.01,
                    tooltip="Classifier-free guidance: how closely the picture follows the prompt.",
                ),
                io.Combo.Input(
                    "sampler_name",
                    options=comfy.samplers.KSampler.SAMPLERS,
                    default="euler",
                    tooltip="This is the sampler of the whole run. Where Optimize Sigmas has learned one for this "
                    "model, that one runs in its place.",
                ),
                io.Combo.Input(
                    "scheduler",
                    options=comfy.samplers.KSampler.SCHEDULERS,
                    default="simple",
                    tooltip="This is the scheduler of the whole run, and of runs that nothing is known for.",
                ),
                io.Conditioning.Input("positive", tooltip="Connect the prompt of what the picture is to show."),
                io.Conditioning.Input("negative", tooltip="Connect the prompt of what it is not to show."),
                io.Latent.Input("latent_image", tooltip="Connect the latent to denoise."),
                io.Float.Input(
                    "denoise",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Below 1, for image to image, the run starts with less noise, as KSampler's does.",
                ),
                io.Combo.Input(
                    "learn",
                    options=list(LEARN),
                    default="first run",
                    advanced=True,
                    optional=True,
                    tooltip="The first run of a kind has all its steps, and is learned from: the next ones need "
                    "'calls'. 'first 8 runs' suits prompts that differ much; 'off' never makes such a run.",
                ),
                target_error_input(
                    "Above 0 this replaces 'calls': the fewest are made that keep the predicted error, against "
                    "the picture of all steps, below it, and all steps run until that can be predicted. 0.0001 to 0.01 "
                    "are useful; 0 turns it off.",
                    advanced=True,
                    optional=True,
                ),
                io.Combo.Input(
                    "compare",
                    options=list(COMPARE),
                    default="off",
                    advanced=True,
                    optional=True,
                    tooltip="'default' runs the scheduler with as many calls as well, to show both pictures in the "
                    "node, and 'default and all steps' also the whole run, to measure both by. Each is made once "
                    "for a seed.",
                ),
                DNA.Input(
                    "dna",
                    display_name="DNA",
                    optional=True,
                    tooltip="Connect Measure DNA, Predict DNA or Load DNA to plan from it where nothing has been "
                    "learned yet.",
                ),
                io.Vae.Input(
                    "vae",
                    optional=True,
                    tooltip="Connect the model's VAE to see in the node what runs end in. Without it, the node shows "
                    "rough previews of the latent.",
                ),
            ],
            outputs=[
                io.Latent.Output(display_name="LATENT", tooltip="This is the denoised latent."),
                io.Sigmas.Output(display_name="SIGMAS", tooltip="These sigmas ran."),
                PLAN.Output(
                    display_name="PLAN",
                    tooltip="This is the plan that ran, or nothing where none did, as in a cached run, which keeps the "
                    "scheduler's sigmas. Save Plan then passes the images without one.",
                ),
                io.String.Output("text", tooltip="The text says which way was taken, why, and what would be better."),
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt],  # which tell the files of the model
        )

    @classmethod
    def execute(
        cls,
        model,
        seed: int,
        calls: int,
        steps: int,
        cfg: float,
        sampler_name: str,
        scheduler: str,
        positive,
        negative,
        latent_image: dict[str, Any],
        denoise: float,
        learn: str = "first run",
        target_error: float = 0.0,
        compare: str = "off",
        dna: DiffusionDNA | None = None,
        vae=None,
    ) -> io.NodeOutput:
        _refuse_what_decides_on_steps(model)
        if dna is not None:
            check_fit(NODE, "dna", dna, model)
        latent, node_id = with_own_channels(latent_image, model), cls.hidden.unique_id
        if vae is not None:
            check_vae(NODE, vae, latent["samples"])
        run = AskedRun(
            model, positive, negative, cfg, sampler_name, scheduler, latent, steps, denoise, calls, target_error
        )
        way = best_known(run, learn, dna)
        samples, outcome = sample(run, way, seed, node_id)
        note_outcome(way, outcome)
        lines = told(way, outcome)
        if way.learns:
            lines.append(told_of_next(best_unstored(run, learn, dna)))
        if way.steps:
            values = {"calls": calls, "steps": steps, "cfg": cfg, "sampler_name": sampler_name, "scheduler": scheduler}
            values |= {"denoise": denoise, "learn": learn, "target_error": target_error}
            shown = run_shown(run, way, outcome, values, dna)
            known = BeforeAndAfter(run, seed, vae, node_id)
            kept = known.keep(way, outcome, samples)

            def show() -> None:
                send("cotj_cache", {"node": node_id, "shown": shown | {"known": known.claims()}})

            show()  # now, since the runs to compare with may be cancelled
            if known.make(kept, compare):
                show()
            lines += known.told(kept)
        lines += _unlike_trained(about_files(cls.hidden.prompt, node_id, "model"), way.steps, cfg, denoise)
        if denoise == 1 and not target_error and not way.stored:
            lines.append(worth_a_search(calls))
        text = "\n".join(filter(None, lines))
        show_text(text, node_id)
        return io.NodeOutput(latent | {"samples": samples}, way.sigmas, way.plan, text)


def _unlike_trained(files: dict[str, list[str]], steps: int, cfg: float, denoise: float) -> Iterator[str]:
    """Say that a run has more steps or guidance than its model was trained for, by the names of its files.

    files: what `about_files` finds. Image to image spends its steps on a part, where more may be wanted.
    """
    found = distillation_of(files)
    if found and found.steps and steps > found.steps and denoise == 1:
        yield say(
            "The model {is_distilled}. With {steps} it may over-cook: set 'steps' to {trained}.",
            is_distilled=found.told,
            steps=steps,
            trained=found.steps,
        )
    if found and cfg > MOST_CFG_DISTILLED:
        yield say(
            "Models that were distilled for few steps are mostly run with a cfg of 1, which also saves half of the "
            "calls: 'cfg' is {cfg:g}.",
            cfg=cfg,
        )


def _refuse_what_decides_on_steps(model: ModelPatcher) -> None:
    """Raise ValueError where another node on this model decides on its steps or their calls, as this one does."""
    on_it = {
        say_name("Cache Steps"): has_cached_steps(model),
        say_name(APPLY): AppliedPlan.is_on(model),
        say("EasyCache or LazyCache"): has_host_cache(model.model_options),
    }
    if found := [name for name, there in on_it.items() if there]:
        problem = say(
            "{found} on it would decide which steps call it, as this node does. Connect the model from before that, or "
            "use KSampler",
            found=say(" and ").join(found),
        )
        raise input_error(NODE, "model", problem)


NODES = [CoTjKSampler]
