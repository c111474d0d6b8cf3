"""The nodes that have a graph's own scores choose a schedule: one lists schedules to run, the other picks of them.

The host runs a graph once for every value of a list. So what lies between the two is any graph that makes an image
along SIGMAS and gives it a number.
"""

from __future__ import annotations

import torch
from comfy_api.latest import io

from ..planner import FloatArray, NoiseLevels, flow_to_sigma
from ..planner.cost_models.clocks import CANDIDATE_SHIFTS, clocks
from ..planner.pick_by_score import FEWEST_SEEDS, pick_by_score
from ..planner.search_candidates import distinct
from ..planner.search_record import OWN
from ..planner.texts import say
from .host.inputs import blamed_on, input_error, whole_schedule
from .host.model import noise_levels, simple_sigmas
from .host.progress import show_text
from .optimizing.candidates import candidates
from .plan import CATEGORY
from .reports.score_text import describe_pick

LIST, PICK = "List Candidate Sigmas", "Pick Sigmas by Score"
SHIFTS, ALL = "plain shifts", "all of Optimize Sigmas"
MOST_SEEDS = 256


class ListCandidates(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjListCandidates",
            display_name=LIST,
            category=CATEGORY,
            description="Lists schedules, each with several seeds, so that the graph behind this node runs once for "
            "each. Score the images there with any node, and let Pick Sigmas by Score choose.",
            search_aliases=["reward", "aesthetic score", "candidate schedules", "loop over schedules", "CoTj"],
            inputs=[
                io.Model.Input("model", tooltip="Connect the model that you sample with."),
                io.Int.Input(
                    "steps",
                    default=8,
                    min=1,
                    max=50,
                    tooltip="The schedules have this many steps. 4 to 16 are useful.",
                ),
                io.Combo.Input(
                    "candidates",
                    options=[SHIFTS, ALL],
                    tooltip="'plain shifts' are about eight schedules. 'all of Optimize Sigmas' are about thirty: "
                    "ComfyUI's schedulers, and shifts that also dwell at both ends.",
                ),
                io.Int.Input(
                    "seeds",
                    default=16,
                    min=FEWEST_SEEDS,
                    max=MOST_SEEDS,
                    tooltip="Every schedule runs with this many seeds. The first half of them chooses, the other half "
                    "checks; 16 or more are useful.",
                ),
                io.Int.Input(
                    "first_seed",
                    default=0,
                    min=0,
                    max=2**63,
                    tooltip="This is the first of the seeds. Take others than those that you judge the result on.",
                ),
                io.Autogrow.Input(
                    "schedules",
                    optional=True,
                    tooltip="Connect schedules of as many steps that compete too, such as plans.",
                    template=io.Autogrow.TemplatePrefix(
                        io.Sigmas.Input("sigmas", tooltip="A schedule that competes."), prefix="sigmas", min=0, max=32
                    ),
                ),
            ],
            outputs=[
                io.Sigmas.Output(
                    "sigmas",
                    display_name="SIGMAS",
                    is_output_list=True,
                    tooltip="Connect it to SamplerCustomAdvanced, and to Pick Sigmas by Score.",
                ),
                io.Int.Output(
                    "seed", is_output_list=True, tooltip="Connect it to RandomNoise, in place of its noise_seed."
                ),
                io.String.Output(
                    "name", is_output_list=True, tooltip="Connect it to Pick Sigmas by Score: the schedules' names."
                ),
            ],
        )

    @classmethod
    def execute(cls, model, steps, candidates, seeds, first_seed, schedules=None) -> io.NodeOutput:
        found = _candidates(model, steps, candidates == ALL, schedules or {})
        sigmas = [one for one in found.values() for _ in range(seeds)]
        names = [name for name in found for _ in range(seeds)]
        return io.NodeOutput(sigmas, list(range(first_seed, first_seed + seeds)) * len(found), names)


def _candidates(model, steps: int, every: bool, schedules: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """List schedules by name, the model's own first. Raises ValueError for connected ones of other steps."""
    levels = noise_levels(model)
    for name, sigmas in schedules.items():
        if len(whole_schedule(LIST, f"schedules.{name}", sigmas, levels.top)) != steps + 1:
            problem = say(
                "it has {own} steps, and the others have {steps}. Connect one of {steps} steps",
                own=len(sigmas) - 1,
                steps=steps,
            )
            raise input_error(LIST, f"schedules.{name}", problem)
    known = {name: sigmas.tolist() for name, sigmas in schedules.items()}
    if every:
        found = candidates(model.get_model_object("model_sampling"), steps, "euler", None, known)
    else:
        shifts = {
            clock.name: [*flow_to_sigma(clock.schedule(steps), levels.kind).tolist(), 0.0]
            for clock in clocks(levels.flow_ends[1], CANDIDATE_SHIFTS, (0.0,))
        }
        named = {OWN: simple_sigmas(model, steps).tolist(), **known, **shifts}
        found = distinct(named.items(), steps, levels.kind, levels.include)
    return {name: _sigmas(times, levels) for name, times in found.items()}


def _sigmas(times: FloatArray, levels: NoiseLevels) -> torch.Tensor:
    """Give the (steps + 1,) SIGMAS of flow times, which may round to above the model's highest sigma."""
    sigmas = torch.from_numpy(flow_to_sigma(times, levels.kind)).float().clamp(max=levels.top)
    return torch.cat([sigmas, torch.zeros(1)])


class PickByScore(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjPickByScore",
            display_name=PICK,
            category=CATEGORY,
            description="Gives the schedule whose images score best, if that holds on seeds that it was not chosen "
            "by, and else the model's own. The scores come from any node that gives an image a number.",
            search_aliases=["reward", "aesthetic score", "best schedule", "preference", "CoTj"],
            is_input_list=True,
            inputs=[
                io.Sigmas.Input("sigmas", tooltip="Connect the SIGMAS of List Candidate Sigmas."),
                io.String.Input("name", force_input=True, tooltip="Connect the name of List Candidate Sigmas."),
                io.Float.Input(
                    "score",
                    force_input=True,
                    tooltip="Connect the score of the image, or of the images of a batch: one number a run, of which "
                    "more is better.",
                ),
            ],
            outputs=[
                io.Sigmas.Output("sigmas", display_name="SIGMAS", tooltip="Connect it to SamplerCustomAdvanced."),
                io.String.Output("text", tooltip="The text says what was picked, on what evidence, and all scores."),
            ],
            hidden=[io.Hidden.unique_id],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, sigmas, name, score) -> io.NodeOutput:
        if not len(sigmas) == len(name) == len(score):
            problem = say(
                "{scores} scores came for {runs} runs of {names} names. Give each run one number",
                scores=len(score),
                runs=len(sigmas),
                names=len(name),
            )
            raise input_error(PICK, "score", problem)
        way_out = say("Connect SIGMAS and name of List Candidate Sigmas, and what scores each of its runs")
        with blamed_on(PICK, "score", way_out):
            pick = pick_by_score(name, score, OWN)
        picked = sigmas[name.index(pick.name)]
        text = describe_pick(pick, OWN, picked.tolist())
        show_text(text, cls.hidden.unique_id)
        return io.NodeOutput(picked, text, ui={"text": [text]})


NODES = [ListCandidates, PickByScore]
