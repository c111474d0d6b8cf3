"""A search for the schedule whose images score best: begun, gone on with round by round, and told."""

from __future__ import annotations

from comfy_api.latest import io

from ...planner import DiffusionDNA
from ...planner.search_record import STORED
from ..host.sampler_names import sampler_name
from ..host.saving import why_not_stored
from ..reports.score_picture import draw
from ..reports.score_text import describe_scores
from .calibration import GuiderCalibration
from .outcome import OUTPUTS, outcome, with_fault
from .score_rounds import ScoreRounds
from .scorer_graph import ScorerGraph
from .search import ScheduleFile
from .stored_scores import FoundByScore, listed_as


def search_by_score(
    cls: type[io.ComfyNode],
    calibration: GuiderCalibration,
    scorer: ScorerGraph,
    file: ScheduleFile,
    steps: int,
    budget: int,
    dna: DiffusionDNA | None,
    search_again: bool,
) -> io.NodeOutput:
    """Begin a search for a schedule of so many steps. One that is stored in the file competes."""
    earlier = file.schedules.searches.get(steps)
    known = {STORED: earlier.sigmas} if earlier and earlier.sigmas else {}
    node_id = cls.hidden.unique_id
    return go_on(ScoreRounds(calibration, scorer, file.key, steps, budget, dna, known, search_again, node_id), cls)


def go_on(rounds: ScoreRounds, cls: type[io.ComfyNode]) -> io.NodeOutput:
    """Give the host the graph of the next round, and after the last one what Optimize Sigmas gives."""
    if following := rounds.next_graph():
        graph, last = following
        return io.NodeOutput(*([last, output] for output in range(OUTPUTS)), expand=graph)
    search, sampler = rounds.search, rounds.calibration.sampler
    file = rounds.file
    found = file.keep(FoundByScore(search, rounds.calibration.sigmas(search.taken.times), rounds.calls))
    held = [] if file.fault else file.stored.steps()
    text = describe_scores(found.search, found.sigmas, found.calls, listed_as(file.path), held)
    text = with_fault(text, why_not_stored(file.fault) if file.fault else "")
    return outcome(cls, rounds.node_id, found.sigmas, draw(found.search, sampler_name(sampler)), text, sampler)
