"""A search by scores in the host: rounds of runs, whose images copies of a graph score before the next round is made.

The host runs what a node gives it as a graph, and then the last node of that, which may give it another one. So what
lies between two rounds is kept here, and every score in a file as soon as it is there: a search that was stopped asks
for the same runs again, and makes only those whose scores are not known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import comfy.nested_tensor
import numpy as np
import torch
from comfy.model_management import InterruptProcessingException
from comfy_execution.graph_utils import GraphBuilder

from ...planner import DiffusionDNA
from ...planner.reading import shortened
from ...planner.score_search import LARGEST_SCORE, Asked, ScoredTrial, ScoreSearch
from ...planner.solvers.behaviour import calls_of
from ...planner.texts import say, say_name
from ..host.fingerprint import digest_of
from ..host.folders import save_folder
from ..host.inputs import blamed_on, input_error
from ..host.progress import show_text
from ..host.sampler_names import sampler_name
from .calibration import NODE, GuiderCalibration
from .candidates import candidates
from .score_file import ScoreFile
from .scorer_graph import BEGIN, ScorerGraph
from .stored_scores import SUFFIX

TAKE_ID = "CoTjTakeScore"
Graph = dict[str, dict[str, Any]]
MOST_IMAGES = 64  # that are made before they are scored: what makes images and what scores them may not fit at once


@dataclass
class ImageRun:
    """An image of a run that gets a score.

    samples: its final latent, until it is scored. prompt: which of so many prompts it was made by. last: whether no
    other image of the run follows. decoded: what was decoded of it.
    """

    trial: ScoredTrial
    pair: int
    samples: Any
    prompt: int
    prompts: int
    last: bool
    decoded: list[torch.Tensor] = field(default_factory=list)

    def let_go(self) -> None:
        """Free what it takes in memory. The host keeps what its nodes gave until the search ends."""
        self.samples = None
        with torch.inference_mode():  # as they were made
            for pixels in self.decoded:
                pixels.set_()  # what else is a view of them stays whole
        self.decoded.clear()


class ScoreRounds:
    """A search by scores, from one round to the next.

    key: what is searched for, on which a score depends beside prompts, noises and scorer. known: sigmas by name that
    compete as well. anew: whether what is stored of so many steps does not count.
    """

    def __init__(
        self,
        calibration: GuiderCalibration,
        scorer: ScorerGraph,
        key: Mapping[str, Any],
        steps: int,
        budget: int,
        dna: DiffusionDNA | None,
        known: Mapping[str, Sequence[float]],
        anew: bool,
        node_id: str,
    ):
        self.calibration, self.scorer, self.budget, self.node_id = calibration, scorer, budget, node_id
        name = sampler_name(calibration.sampler)
        found = candidates(calibration.model_sampling, steps, name, dna, known)
        self.calls = calls_of(name, steps)  # of a run
        trials = [ScoredTrial(name, times) for name, times in found.items()]
        with blamed_on(NODE, "seeds", say("Raise it")):
            self.search = ScoreSearch(trials, calibration.made, len(calibration.check_pairs), budget // self.calls)
        for text in scorer.prompts():
            prompt_of(text, 0, calibration.about.prompts)
        digest = digest_of(key, calibration.id, scorer.digest)
        path = save_folder() / f"{calibration.name}.{digest[:8]}{SUFFIX}"
        self.file = ScoreFile(path, key, digest, steps if anew else 0)
        self._anew = anew
        self._rounds = self.search.rounds()
        self._round: list[Asked] = []
        self._prefix = GraphBuilder.alloc_prefix()
        self._images = 0
        self._scores: list[float] = []  # of the images of the run that is being scored

    def next_graph(self) -> tuple[Graph, str] | None:
        """Make the next runs; give the graph that scores their images, and its last node. None when the search ended.

        Raises ValueError where the budget does not allow for the first round.
        """
        if asked := self._missing():
            # The first image alone: a scorer that cannot work is to say so before many are made.
            most = max(1, MOST_IMAGES // self.calibration.about.items) if self.file.stored.scores else 1
            return self._graph(self._made(asked[:most]))
        if self.search.best is None:
            count = len(self.search.candidates)
            least = self.search.first * count * self.calls
            problem = say(
                "{budget} model calls are too few to run {count} candidates on {pairs} pairs. Raise it to {least} or "
                "more",
                budget=self.budget,
                count=count,
                pairs=self.search.first,
                least=least,
            )
            raise input_error(NODE, "budget", problem)
        return None

    def take(self, image: ImageRun, scores: Sequence[Any]) -> None:
        """Take the score of an image. Raises ValueError unless it is one finite number."""
        if len(scores) != 1:
            problem = say("{count} scores came for one image. Give each image one number", count=len(scores))
            raise input_error(NODE, "score", problem)
        try:
            score = float(scores[0])
        except (TypeError, ValueError, OverflowError):
            score = math.nan
        if not abs(score) <= LARGEST_SCORE:  # nor is NaN
            problem = say(
                "the score of an image is {score}. Connect a node that gives each image a number, at most {most:g}",
                score=_shown(scores[0]),
                most=LARGEST_SCORE,
            )
            raise input_error(NODE, "score", problem)
        self._scores.append(score)
        image.let_go()
        counts = {"calls": self.search.spent * self.calls, "budget": self.budget}
        show_text(say("Scoring images: {calls} of {budget} model calls are spent", **counts), self.node_id)
        if image.last:
            image.trial.scores[image.pair] = float(np.mean(self._scores))
            self._scores = []
            self.file.add(image.trial.times, image.pair, image.trial.scores[image.pair])

    def _missing(self) -> list[Asked]:
        """List the runs that are asked for and whose scores are not known, through the rounds that lack none."""
        asked: list[Asked] | None = self._round
        while asked is not None:
            missing = [(trial, pair) for trial, pair in asked if pair not in trial.scores]
            if missing:
                self._round = missing
                return missing
            asked = next(self._rounds, None)
            for trial, pair in asked or []:
                if (score := self.file.get(trial.times, pair)) is not None:
                    trial.scores[pair] = score
        return []

    def _made(self, asked: Sequence[Asked]) -> list[ImageRun]:
        """Make runs, and list their images."""
        self.calibration.budget.start(0, math.inf, len(asked) * self.calls)
        prompts, images = self.calibration.about.prompts, list[ImageRun]()
        try:
            for trial, pair in asked:
                items = _items(self.calibration.latent_of(trial.times, pair))
                for number, samples in enumerate(items, 1):
                    image = ImageRun(trial, pair, samples, pair % prompts, prompts, number == len(items))
                    images.append(image)
        except InterruptProcessingException:
            told = say("Cancelled. The scores so far are kept. Queue again to go on.")
            if self._anew:
                told = say(
                    "Cancelled. The scores so far are kept. Switch '{again}' off and queue again to go on.",
                    again=say_name("search_again", of=NODE),
                )
            show_text(told, self.node_id)
            raise
        return images

    def _graph(self, images: Sequence[ImageRun]) -> tuple[Graph, str]:
        """Make the graph that scores images one after the other; give it and its last node, which goes on."""
        graph: Graph = {}
        last = ""
        for image in images:
            self._images += 1
            name = f"{self._prefix}{self._images}"
            copies, score = self.scorer.copy(f"{name}.", image)
            inputs = {"rounds": self, "image_run": image, "score": score, "goes_on": image is images[-1]}
            graph |= copies | {name: {"class_type": TAKE_ID, "inputs": inputs | ({"after": [last, 0]} if last else {})}}
            last = name
        return graph, last


def _shown(score: Any) -> str:
    try:
        return shortened(repr(score), 80)
    except ValueError:  # a whole number too long to be written
        return type(score).__name__


def _items(latent: Any) -> list[Any]:
    """Take the items of a batch apart."""
    if latent.is_nested:
        parts = zip(*(part.split(1) for part in latent.unbind()))
        return [comfy.nested_tensor.NestedTensor(item) for item in parts]
    return list(latent.split(1))


def prompt_of(text: str, number: int, count: int) -> str:
    """Give one of so many prompts from a text that has a line for each; ValueError where it has other lines.

    A text for one prompt is that prompt, whatever its lines; an empty one means that the score asks for none.
    """
    lines = [line.strip() for line in text.strip().splitlines()]
    if count == 1 or not lines:
        return text.strip()
    if len(lines) != count:
        problem = say(
            "it has {lines} lines, and {node} runs {count} prompts. Give a line to each, in their order",
            lines=len(lines),
            node=say_name(NODE),
            count=count,
        )
        raise input_error(BEGIN, "prompts", problem)
    return lines[number]
