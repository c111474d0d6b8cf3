"""What a pick or a search by score says: which schedule is taken, on what evidence, and how others scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...planner.pick_by_score import Pick
from ...planner.score_search import ScoreSearch
from ...planner.texts import say


def describe_pick(pick: Pick, own: str, sigmas: Sequence[float]) -> str:
    """Write the result in sentences, then a line for each schedule with its mean score, the best first."""
    half = pick.seeds // 2
    held = {
        "best": pick.best,
        "own": own,
        "seeds": pick.seeds - half,
        "score": pick.checked[pick.best],
        "other": pick.checked[own],
        "gain": pick.gain,
        "deviation": pick.deviation,
    }
    if pick.best == own:
        said = say(
            "No schedule scores better than {own}, the model's own, on the first {half} seeds. It is given.",
            own=own,
            half=half,
        )
    elif pick.name == pick.best:
        said = say(
            "{best} is given. On the {seeds} seeds that it was not chosen by it scores better than {own}, the model's "
            "own: {score:.4g} to {other:.4g}, a gain of {gain:.4g} with a standard error of {deviation:.4g}.",
            **held,
        )
    else:
        said = say(
            "{own}, the model's own, is given. On the {seeds} seeds that it was not chosen by, {best} does not surely "
            "score better: {score:.4g} to {other:.4g}, a gain of {gain:.4g} with a standard error of {deviation:.4g}.",
            **held,
        )
    heading = say("Mean scores on the first {half} seeds:", half=half)
    return "\n".join([said, _levels(sigmas), heading, *_ranked(pick.chosen_by)])


def describe_scores(search: ScoreSearch, sigmas: Sequence[float], calls: int, name: str, held: Sequence[int]) -> str:
    """Write what a search by scores has found, in sentences, then a line for each schedule that ran on every pair.

    sigmas: of what is given. calls: of the model in a run. name: that it is stored as; held: the numbers of steps that
    are stored there, none where nothing could be written.
    """
    counts = {"runs": search.spent, "calls": search.spent * calls, "pairs": search.pairs}
    lines = [
        _found(search),
        say("It was searched for in {runs} runs, {calls} model calls, on {pairs} pairs.", **counts),
    ]
    if not search.finished:
        lines.append(say("The budget ended the search. Raise it to go on from here."))
    if held:
        steps = ", ".join(map(str, held))
        lines.append(say("It is stored as {name}, which holds {steps} steps.", name=name, steps=steps))
        lines.append(say("All scores are kept with it: Optimize Sigmas makes and scores no image twice."))
    means = {trial.name: float(trial.on(range(search.pairs)).mean()) for trial in search.whole}
    heading = say("Mean scores on these {pairs} pairs, for those that ran on all of them:", pairs=search.pairs)
    return "\n".join([*lines, _levels(sigmas), heading, *_ranked(means)])


def _found(search: ScoreSearch) -> str:
    assert search.best
    gain, deviation = search.gain
    held = {"own": search.own.name, "pairs": len(search.checked), "gain": gain, "deviation": deviation}
    if search.best is search.own:
        return say("No schedule scores better than {own}, the model's own. It is given.", own=search.own.name)
    held |= {"score": search.best.on(search.checked).mean(), "other": search.own.on(search.checked).mean()}
    if search.taken is search.best:
        return say(
            "{best} is given. On {pairs} pairs that nothing was chosen by it scores better than {own}, the model's "
            "own: {score:.4g} to {other:.4g}, a gain of {gain:.4g} with a standard error of {deviation:.4g}.",
            best=search.best.name,
            **held,
        )
    return say(
        "{own}, the model's own, is given. On {pairs} pairs that nothing was chosen by, {best} does not surely score "
        "better: {score:.4g} to {other:.4g}, a gain of {gain:.4g} with a standard error of {deviation:.4g}.",
        best=search.best.name,
        **held,
    )


def _levels(sigmas: Sequence[float]) -> str:
    return "sigmas " + ", ".join(f"{sigma:.4g}" for sigma in sigmas)


def _ranked(means: Mapping[str, float]) -> list[str]:
    """Write a line for each mean score, the best first."""
    width = max(map(len, means), default=0)
    return [f"{name:<{width}}  {score:.4g}" for name, score in sorted(means.items(), key=lambda item: -item[1])]
