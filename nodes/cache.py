"""The node that puts a planned cache on a MODEL, so that samplers call it in some of their steps only."""

from __future__ import annotations

from typing import get_args

from comfy_api.latest import io

from ..planner import DiffusionDNA
from ..planner.caching.cache_plan import Rule, Steps
from ..planner.caching.cache_settings import CacheSettings
from ..planner.dna import check_errors
from ..planner.texts import say
from .host.cached_model import NODE, CachedModel
from .host.inputs import blamed_on, check_fit
from .host.progress import send
from .link_types import DNA
from .live.cache_request import cache_shown
from .plan import target_error_input
from .reports.cache_claims import CacheOutcome


class CacheSteps(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjCacheSteps",
            display_name=NODE,
            category="model/sampling/schedulers",
            description="Makes nearly any sampler faster: the model is called in the planned steps only, and its guess "
            "is forecast in the others. The sampler's steps, scheduler and denoise keep their meaning. Without a DNA, "
            "the first run of each kind is computed whole and learned from.",
            search_aliases=["TeaCache", "EasyCache", "LeMiCa", "speed up", "skip steps", "cache", "CoTj"],
            inputs=[
                io.Model.Input("model", tooltip="Connect the model that you sample with. It is not changed itself."),
                io.Int.Input(
                    "calls",
                    default=10,
                    min=1,
                    max=100,
                    display_mode=io.NumberDisplay.slider,
                    tooltip="This many of the sampler's steps call the model. A third to a half of them is useful; "
                    "with all of them, the picture is the very same as without this node.",
                ),
                DNA.Input(
                    "dna",
                    display_name="DNA",
                    optional=True,
                    tooltip="Connect Measure DNA, with at least as many reference steps as the sampler has. Without "
                    "it, ordinary runs are learned from.",
                ),
                target_error_input(
                    "Above 0 this replaces calls: the fewest are made that keep the predicted error, against "
                    "the picture of all steps, below it. 0.0001 to 0.01 are useful; 0 turns it off.",
                    advanced=True,
                    optional=True,
                ),
                io.Combo.Input(
                    "steps",
                    options=list(get_args(Steps)),
                    default="planned",
                    advanced=True,
                    optional=True,
                    tooltip="This sets which steps call the model: 'planned' is the most exact, 'dna' takes the "
                    "paper's, and 'lemica' LeMiCa's. With 'hold', a predicted DNA is enough for 'dna', and 'evenly' "
                    "needs none.",
                ),
                io.Combo.Input(
                    "rule",
                    options=list(get_args(Rule)),
                    default="fitted",
                    advanced=True,
                    optional=True,
                    tooltip="This sets what the other steps use: 'fitted' forecasts from the last four computed "
                    "guesses, and 'hold' repeats the last one. Samplers that add noise always use 'hold'.",
                ),
                io.Int.Input(
                    "learn_from",
                    default=1,
                    min=1,
                    max=64,
                    advanced=True,
                    optional=True,
                    tooltip="This many runs are computed whole and learned from, before the first one that is faster. "
                    "1 is enough for most; 4 to 8, each with another prompt, suit prompts that differ much.",
                ),
            ],
            outputs=[io.Model.Output("model", tooltip="Connect it to the sampler or guider in place of the model.")],
            hidden=[io.Hidden.unique_id],
            not_idempotent=True,  # or the host gives one node's model, which shows its runs there, to its twins
        )

    @classmethod
    def execute(
        cls,
        model,
        calls: int,
        target_error: float,
        steps: Steps,
        rule: Rule,
        learn_from: int,
        dna: DiffusionDNA | None = None,
    ) -> io.NodeOutput:
        if dna is not None:
            check_fit(NODE, "dna", dna, model)
            with blamed_on(NODE, "dna"):
                check_errors(dna, say("a planned cache"))
        settings = CacheSettings(calls, target_error, steps, rule, learn_from)
        node_id = cls.hidden.unique_id

        def show(outcome: CacheOutcome) -> None:
            send("cotj_cache", {"node": node_id, "shown": cache_shown(outcome, settings)})

        return io.NodeOutput(CachedModel(settings, dna, node_id, show).attach(model))


NODES = [CacheSteps]
