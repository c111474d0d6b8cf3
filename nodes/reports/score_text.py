"""What a pick by score says: which schedule is taken, on what evidence, and how all of them scored."""

from __future__ import annotations

from collections.abc import Sequence

from ...planner.pick_by_score import Pick
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
    ranked = sorted(pick.chosen_by.items(), key=lambda item: -item[1])
    width = max(map(len, pick.chosen_by))
    lines = [f"{name:<{width}}  {score:.4g}" for name, score in ranked]
    levels = ", ".join(f"{sigma:.4g}" for sigma in sigmas)
    return "\n".join([said, f"sigmas {levels}", say("Mean scores on the first {half} seeds:", half=half), *lines])
