"""Optimize Sigmas: the schedule that measures best."""

from __future__ import annotations

from typing import Any

import comfy.sample
import comfy.samplers
import torch
from comfy_api.latest import io, ui

from ..planner.search import OBJECTIVES
from . import dna_file, host
from .calibration import NODE, Calibration
from .digest import digest_of
from .link_types import DNA
from .optimize_picture import draw
from .optimize_text import describe_search
from .plan import CATEGORY
from .sampled_with import fit
from .schedule_search import Store, check_schedule, search_schedule


class OptimizeSigmas(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjOptimizeSigmas",
            display_name="Optimize Sigmas",
            category=CATEGORY,
            description="Finds the schedule whose images come closest to a long run's: it runs many with your model, "
            "sampler and guidance. Takes minutes to hours, once: the result is stored and used from then on.",
            search_aliases=["calibrate sigmas", "search schedule", "best scheduler", "tune sigmas", "CoTj"],
            inputs=[
                io.Guider.Input("guider", tooltip="Model, prompt and guidance, from CFGGuider or BasicGuider."),
                io.Noise.Input("noise", tooltip="From RandomNoise, with a fixed seed: the first of the seeds."),
                io.Sampler.Input("sampler", tooltip="The one that you sample with. It must add no noise of its own."),
                io.Latent.Input(
                    "latent_image",
                    tooltip="An empty latent of the size you render at. Each item of a batch is one more image of "
                    "every pair.",
                ),
                io.Int.Input(
                    "steps",
                    default=8,
                    min=2,
                    max=50,
                    display_mode=io.NumberDisplay.slider,
                    tooltip="Steps of the schedule. 4 to 16 are useful: in more, schedules differ little.",
                ),
                io.Int.Input(
                    "seeds",
                    default=32,
                    min=1,
                    max=256,
                    tooltip="Noises per prompt. Prompts times seeds are the pairs to run; 32 or more are useful, 16 at "
                    "least. Fewer fit the schedule to themselves.",
                ),
                io.Int.Input(
                    "budget",
                    default=10_000,
                    min=1,
                    max=10_000_000,
                    tooltip="Model calls to spend at most. Useful are 275 per pair, 75 of them for its long runs; with "
                    "more than 10 steps, 75 and 20 times the steps; and a seventh more with euler. Raise it later to "
                    "go on searching.",
                ),
                io.Autogrow.Input(
                    "prompts",
                    optional=True,
                    tooltip="Positive prompts to run in place of the guider's. 4 to 16 different ones are useful.",
                    template=io.Autogrow.TemplatePrefix(
                        io.Conditioning.Input("prompt", tooltip="A positive prompt."), prefix="prompt", min=0, max=64
                    ),
                ),
                DNA.Input(
                    "dna", display_name="DNA", optional=True, tooltip="Its plans, by every planner, are candidates too."
                ),
                io.String.Input(
                    "name",
                    default="",
                    tooltip="File name of the result, without folder or ending. Empty names it by model, sampler and "
                    "size.",
                ),
                io.String.Input(
                    "other_steps",
                    default="",
                    advanced=True,
                    tooltip="More numbers of steps to search for in the same run, such as 4, 6, 12. Each has a budget "
                    "of its own; the long runs are shared.",
                ),
                io.Int.Input(
                    "reference_steps",
                    default=50,
                    min=4,
                    max=1000,
                    advanced=True,
                    tooltip="Euler steps of the long run, on the model's simple schedule. 50 to 200 are useful.",
                ),
                io.Int.Input(
                    "check",
                    default=16,
                    min=0,
                    max=256,
                    advanced=True,
                    tooltip="Pairs with further seeds, on which the result is run at the end beside the best candidate "
                    "and the model's own schedule: the text tells whether it holds there. These calls come on top of "
                    "the budget. 0 for none.",
                ),
                io.Combo.Input(
                    "objective",
                    options=list(OBJECTIVES),
                    advanced=True,
                    tooltip="How the images' distances are averaged. 'distance' (their mean) serves the typical image; "
                    "'mean square' is ruled by the few that come out differently; 'balanced' is between the two. "
                    "'steady' is balanced, and counts those that are likely to come out differently as well.",
                ),
                io.Boolean.Input(
                    "search_again",
                    default=False,
                    advanced=True,
                    tooltip="Search even where a stored result fits, with these prompts and seeds. When off, a stored "
                    "result is used at once.",
                ),
            ],
            outputs=[
                io.Sigmas.Output("sigmas", display_name="SIGMAS", tooltip="For SamplerCustomAdvanced, this sampler."),
                io.Int.Output("steps", tooltip="One fewer than there are sigmas."),
                io.Image.Output("report", tooltip="The candidates' errors, the check, and the schedule."),
                io.String.Output("text", tooltip="What was found, what it saves and how sure that is."),
            ],
            hidden=[io.Hidden.unique_id],
            is_output_node=True,
        )

    @classmethod
    def validate_inputs(cls, name: str | None, other_steps: str | None, prompts: object = None) -> bool | str:
        try:
            _numbers(other_steps or "")
        except ValueError as error:
            return str(error)
        return (dna_file.name_fault(name) if name else None) or True

    @classmethod
    def execute(
        cls,
        guider,
        noise,
        sampler,
        latent_image,
        steps,
        seeds,
        budget,
        name,
        other_steps,
        reference_steps,
        check,
        objective,
        search_again,
        prompts=None,
        dna=None,
    ) -> io.NodeOutput:
        latent = _checked(guider, latent_image)
        key = fit(guider, sampler, latent["samples"])
        if name and (fault := dna_file.name_fault(name)):  # again: validation sees no name that comes through a link
            raise ValueError(f"{NODE}, input 'name': {fault}")
        store = Store(name or _automatic_name(key), key)
        counts = sorted({steps, *_numbers(other_steps)})
        calibration: Calibration | None = None
        for count in counts:
            search = store.schedules.searches.get(count)
            aim = OBJECTIVES[objective]
            fits = bool(search and not search_again and search.aims_at(aim, reference_steps))
            done = bool(search and fits and search.is_done(budget))
            if search and done and search.is_checked(check):
                continue
            if calibration is None:
                conditionings = list((prompts or {}).values())
                calibration = Calibration(
                    guider, conditionings, noise, latent, sampler, seeds, check, reference_steps, store.name
                )
            if not done:
                search_schedule(calibration, store, count, budget, aim, dna, cls.hidden.unique_id)
            check_schedule(calibration, store, count, cls.hidden.unique_id)
        search = store.schedules.searches[steps]
        text = describe_search(store.name, store.schedules, steps)
        host.show_text(text, cls.hidden.unique_id)
        image = torch.from_numpy(draw(search, key["sampler"])).float()[None] / 255
        shown = ui.PreviewImage(image, cls=cls).as_dict() | {"text": [text]}
        return io.NodeOutput(torch.tensor(search.sigmas, dtype=torch.float32), steps, image, text, ui=shown)


def _automatic_name(key: dict[str, Any]) -> str:
    size = "x".join(map(str, key["latent_shape"][0][-2:]))
    sampler = key["sampler"].split(" ")[0]
    return f"{key['model']}-{sampler}-{size}-{digest_of(key)[:8]}"


def _checked(guider: comfy.samplers.CFGGuider, latent_image: dict[str, Any]) -> dict[str, Any]:
    """The latent to work on, in the model's own number of channels."""
    if reason := host.why_not_measurable(guider.model_patcher):
        raise ValueError(f"{NODE}, input 'guider': {reason}")
    if latent_image.get("noise_mask") is not None:
        raise ValueError(
            f"{NODE}, input 'latent_image': the latent has a noise mask, and schedules are compared on whole images. "
            "Connect the latent without its mask."
        )
    latent = latent_image.copy()
    latent["samples"] = comfy.sample.fix_empty_latent_channels(
        guider.model_patcher,
        latent["samples"],
        latent.pop("downscale_ratio_spacial", None),
        latent.pop("downscale_ratio_temporal", None),
    )
    return latent


def _numbers(text: str) -> list[int]:
    try:
        numbers = [int(word) for word in text.replace(",", " ").split()]
    except ValueError:
        numbers = [0]
    if not all(2 <= number <= 50 for number in numbers):
        raise ValueError(f"{NODE}, input 'other_steps': {text!r} is no list of numbers from 2 to 50, such as 4, 6, 12.")
    return numbers


NODES = [OptimizeSigmas]
