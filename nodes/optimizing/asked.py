"""What a user asks of Optimize Sigmas, in the words of its inputs, and what that means where it is left open."""

from __future__ import annotations

from typing import Any, get_args

from comfy_execution.graph import DynamicPrompt
from comfy_execution.graph_utils import is_link

from ...planner.reading import shortened
from ...planner.score_search import FEWEST_PAIRS
from ...planner.search_record import Aim, SearchRecord
from ...planner.solver_record import Entrants
from ...planner.texts import say, say_name
from ..host.fingerprint import digest_of
from ..host.inputs import blamed_on, input_error
from .calibration import NODE
from .scorer_graph import BEGIN, ScorerGraph

FIT = "fit"
SIGMAS, SOLVER, REFINED = "sigmas", "sigmas and solver", "sigmas and solver, refined"
ALL, CONNECTED = get_args(Entrants)
LONG_RUN, CONVERGED = get_args(Aim)
AUTO = "auto"


def aim_of(aim: str, fit: str, stored: SearchRecord | None) -> Aim:
    """Say what to search for. A stored result with a solver keeps its aim when sigmas alone are asked for again."""
    if aim != AUTO:
        return LONG_RUN if aim == LONG_RUN else CONVERGED
    if fit != SIGMAS:
        return CONVERGED
    return stored.pairs.aim if stored and stored.solver else LONG_RUN


def name_for(key: dict[str, Any]) -> str:
    """Make the name of a result from what it fits."""
    size = "x".join(map(str, key["latent_shape"][0][-2:]))
    sampler = key["sampler"].split(" ")[0]
    return f"{key['model']}-{sampler}-{size}-{digest_of(key)[:8]}"


def numbers_of(text: str) -> list[int]:
    """Read a list of numbers of steps; ValueError where it is none."""
    try:
        numbers = [int(word) for word in text.replace(",", " ").split()]
    except ValueError:
        numbers = [0]
    if not all(2 <= number <= 50 for number in numbers):
        problem = say("{text!r} is no list of numbers from 2 to 50, such as 4, 6, 12", text=text)
        raise input_error(NODE, "other_steps", problem)
    return numbers


def scorer_of(score: Any, prompt: DynamicPrompt, fit: str, other_steps: str, check: int) -> ScorerGraph:
    """Find the graph that a score comes of; ValueError where it is none, or more is asked for than scores can tell."""
    if not is_link(score):
        problem = say(
            "it is {score}, the same for every image. Connect what comes of {begin}",
            score=shortened(repr(score), 80),
            begin=say_name(BEGIN),
        )
        raise input_error(NODE, "score", problem)
    if fit != SIGMAS:
        problem = say(
            "a solver cannot be fitted to a score. Set it to {sigmas!r}, or disconnect {score}",
            sigmas=SIGMAS,
            score=say_name("score", of=NODE),
        )
        raise input_error(NODE, FIT, problem)
    if other_steps.strip():
        problem = say(
            "a search by score finds a schedule of one number of steps. Empty it, or disconnect {score}",
            score=say_name("score", of=NODE),
        )
        raise input_error(NODE, "other_steps", problem)
    if check < FEWEST_PAIRS:
        problem = say(
            "without a check, what scores well by chance would be taken. Set it to {fewest} or more",
            fewest=FEWEST_PAIRS,
        )
        raise input_error(NODE, "check", problem)
    with blamed_on(NODE, "score", say("Connect a graph that begins there")):
        return ScorerGraph(prompt, score)
