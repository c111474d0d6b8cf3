"""The node that searches for the schedule that measures best, and fits a solver to it."""

from __future__ import annotations

from functools import partial

from comfy_api.latest import io

from ..measuring.frequency_bands import FrequencyBands
from ..planner.search import OBJECTIVES
from ..planner.texts import say
from .host.file_names import name_fault
from .host.inputs import blamed_on, measurable, plain_name, whole_latent
from .host.rollout import packed, with_positive
from .host.sampler_behaviour import refuse_unsearchable
from .host.sampler_names import fit as fitting
from .link_types import DNA
from .optimizing import asked
from .optimizing.by_distance import search_by_distance
from .optimizing.by_score import search_by_score
from .optimizing.calibration import NODE, GuiderCalibration
from .optimizing.order import Order
from .optimizing.search import ScheduleFile
from .optimizing.solver_fit import formulas_of
from .plan import CATEGORY


class OptimizeSigmas(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjOptimizeSigmas",
            display_name="Optimize Sigmas",
            category=CATEGORY,
            description="Finds the schedule whose images come closest to a long run's, by running many with your "
            "model, sampler and guidance. It takes minutes to hours, once: the result is stored and used from then "
            "on.",
            search_aliases=["calibrate sigmas", "search schedule", "best scheduler", "tune sigmas", "CoTj"],
            inputs=[
                io.Guider.Input(
                    "guider",
                    tooltip="Connect CFGGuider or BasicGuider, with the model, prompt and "
                    "guidance that you sample with.",
                ),
                io.Noise.Input(
                    "noise", tooltip="Connect RandomNoise, with a fixed seed: it is the first of the seeds."
                ),
                io.Sampler.Input(
                    "sampler",
                    tooltip="Connect the sampler that you sample with. It must add no noise of its own, and keep to "
                    "the sigmas that it is given.",
                ),
                io.Latent.Input(
                    "latent_image",
                    tooltip="Connect an empty latent of the size you render at. Each item of a batch is one more "
                    "image of every pair.",
                ),
                io.Int.Input(
                    "steps",
                    default=8,
                    min=2,
                    max=50,
                    display_mode=io.NumberDisplay.slider,
                    tooltip="The schedule has this many steps. 4 to 16 are useful; with more, schedules differ little.",
                ),
                io.Int.Input(
                    "seeds",
                    default=32,
                    min=1,
                    max=256,
                    tooltip="Each prompt is run with this many noises; a prompt with a noise is a pair. 32 pairs or "
                    "more are useful; with fewer than 16, the schedule overfits these images.",
                ),
                io.Int.Input(
                    "budget",
                    default=10_000,
                    min=1,
                    max=10_000_000,
                    tooltip="The search makes at most this many model calls; raise it later to go on. Plan about 275 "
                    "calls per pair, or 75 and 20 per step if there are more than 10 steps, and a seventh more with "
                    "euler.",
                ),
                io.Autogrow.Input(
                    "prompts",
                    optional=True,
                    tooltip="Connect positive prompts to run in place of the guider's. 4 to 16 different ones are "
                    "useful.",
                    template=io.Autogrow.TemplatePrefix(
                        io.Conditioning.Input("prompt", tooltip="A positive prompt."), prefix="prompt", min=0, max=64
                    ),
                ),
                DNA.Input(
                    "dna",
                    display_name="DNA",
                    optional=True,
                    tooltip="The plans that every planner makes from this DNA become candidates too.",
                ),
                io.String.Input(
                    "name",
                    default="",
                    tooltip="The result is stored under this name, without folder or ending. Left empty, it is named "
                    "by model, sampler and size.",
                ),
                io.String.Input(
                    "other_steps",
                    default="",
                    advanced=True,
                    optional=True,
                    tooltip="The same run also searches for these numbers of steps, such as 4, 6, 12. Each has a "
                    "budget of its own; the long runs are shared.",
                ),
                io.Int.Input(
                    "reference_steps",
                    default=50,
                    min=4,
                    max=1000,
                    advanced=True,
                    optional=True,
                    tooltip="The long run has this many Euler steps on the model's simple schedule. 50 to 200 are "
                    "useful.",
                ),
                io.Int.Input(
                    "check",
                    default=16,
                    min=0,
                    max=256,
                    advanced=True,
                    optional=True,
                    tooltip="At the end the result is run on this many pairs with other seeds, beside the best "
                    "candidate and the model's own schedule, and the text says whether it holds there. These calls "
                    "come on top of the budget; 0 makes no check.",
                ),
                io.Combo.Input(
                    "objective",
                    options=list(OBJECTIVES),
                    advanced=True,
                    optional=True,
                    tooltip="'distance' averages the images' distances, which serves the typical image; 'mean square' "
                    "is ruled by the few images that come out differently; 'balanced' lies between the two. 'steady' "
                    "is balanced, and also counts how likely images are to come out differently.",
                ),
                io.Boolean.Input(
                    "search_again",
                    default=False,
                    advanced=True,
                    optional=True,
                    tooltip="This searches with these prompts and seeds even where a stored result fits. When off, a "
                    "stored result is used at once.",
                ),
                io.Combo.Input(
                    asked.FIT,
                    options=[asked.SIGMAS, asked.SOLVER, asked.REFINED],
                    default=asked.SIGMAS,
                    optional=True,  # so that graphs that were saved before it existed still run
                    tooltip="'sigmas and solver' also learns how each step combines its guess with those before it, "
                    "and keeps that where it surely gains on seeds of its own; plan 500 calls per pair. 'refined' then "
                    "moves its sigmas and weights together; plan 1,800 calls per pair, and 64 pairs or more.",
                ),
                io.Combo.Input(
                    "race",
                    options=[asked.ALL, asked.CONNECTED],
                    default=asked.ALL,
                    optional=True,
                    advanced=True,
                    tooltip="With 'all samplers', the solver starts from the sampler and the schedule that come "
                    "closest in a race of many. 'connected sampler' keeps to yours, on the schedule that was found.",
                ),
                io.Combo.Input(
                    "aim",
                    options=[asked.AUTO, asked.LONG_RUN, asked.CONVERGED],
                    default=asked.AUTO,
                    optional=True,
                    advanced=True,
                    tooltip="'long run' comes close to the images that your model makes in many Euler steps, "
                    "'converged solution' to those that more steps would not change any more. 'auto' takes the "
                    "converged solution where a solver is fitted, the aim of a stored solver, and else the long run.",
                ),
                io.Float.Input(
                    "score",
                    optional=True,
                    force_input=True,
                    lazy=True,  # what is behind it runs for every image of the search, and not before
                    raw_link=True,
                    tooltip="Connect what comes of Image to Score: a number for an image, of which more is better. The "
                    "schedule is then the one whose images score best.",
                ),
            ],
            outputs=[
                io.Sigmas.Output(
                    "sigmas",
                    display_name="SIGMAS",
                    tooltip="Connect it to SamplerCustomAdvanced, with this node's SAMPLER.",
                ),
                io.Int.Output("steps", tooltip="This is the number of steps, one fewer than there are sigmas."),
                io.Image.Output(
                    "report", tooltip="The picture shows the candidates' errors, the check, and the schedule."
                ),
                io.String.Output("text", tooltip="The text says what was found, what it saves and how sure that is."),
                io.Sampler.Output(
                    "sampler",
                    display_name="SAMPLER",
                    tooltip="It is the planned sampler where 'fit' asks for one and it surely gains, and else the "
                    "sampler that is connected. Use it with these SIGMAS alone.",
                ),
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.dynprompt],
            is_output_node=True,
            enable_expand=True,
            not_idempotent=True,  # or the host gives one node's sampler, which speaks there, to its twins
        )

    @classmethod
    def validate_inputs(cls, name: str | None = None, prompts: object = None) -> bool | str:
        return not name or name_fault(name) or True

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
        fit=asked.SIGMAS,
        race=asked.ALL,
        aim=asked.AUTO,
        score=None,
    ) -> io.NodeOutput:
        others = asked.numbers_of(other_steps)
        scorer = asked.scorer_of(score, cls.hidden.dynprompt, fit, other_steps, check) if score is not None else None
        model = measurable(NODE, "guider", guider)
        refuse_unsearchable(NODE, sampler, model.get_model_object("model_sampling"))
        latent = whole_latent(NODE, latent_image, model)
        conditionings = list((prompts or {}).values())
        # What the prompts carry, such as hooks, takes the place of what the guider's own carries.
        with blamed_on(NODE, "prompts", say("Disconnect them")):
            prompted = with_positive(guider, sum(conditionings, [])) if conditionings else guider
        key = fitting(prompted, sampler, latent["samples"])
        file = ScheduleFile(plain_name(NODE, "name", name) if name else asked.name_for(key), key)
        aim = asked.aim_of(aim, fit, file.schedules.searches.get(steps))
        make_calibration = partial(
            GuiderCalibration,
            guider,
            conditionings,
            noise,
            latent,
            sampler,
            seeds,
            check,
            reference_steps,
            aim,
            file.name,
            cls.hidden.unique_id,
        )
        if scorer:
            return search_by_score(cls, make_calibration(), scorer, file, steps, budget, dna, search_again)
        order = Order(
            make_calibration,
            budget,
            max(1, len(conditionings)) * seeds,
            reference_steps,
            check,
            OBJECTIVES[objective],
            aim,
            search_again,
            dna,
            FrequencyBands(packed(latent["samples"]).shape).count,
            formulas_of(key["sampler"], race == asked.CONNECTED) if fit != asked.SIGMAS else (),
            fit == asked.REFINED,
        )
        return search_by_distance(cls, order, file, steps, others, prompted, sampler)


NODES = [OptimizeSigmas]
