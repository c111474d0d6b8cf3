"""What a pick by score says: which schedule is taken, on what evidence, and how all of them scored."""

from __future__ import annotations

from collections.abc import Sequence

from ...planner.pick_by_score import Pick


def describe_pick(pick: Pick, own: str, sigmas: Sequence[float]) -> str:
    """Write the result in sentences, then a line for each schedule with its mean score, the best first."""
    half = pick.seeds // 2
    others = f"the {pick.seeds - half} seeds that it was not chosen by"
    against = f"{pick.checked[pick.best]:.4g} to {pick.checked[own]:.4g}"
    if pick.best == own:
        said = f"No schedule scores better than {own}, the model's own, on the first {half} seeds. It is given."
    elif pick.name == pick.best:
        said = (
            f"{pick.best} is given. On {others} it scores better than {own}, the model's own: {against}, a gain of "
            f"{pick.gain:.4g} with a standard error of {pick.deviation:.4g}."
        )
    else:
        said = (
            f"{own}, the model's own, is given. On {others}, {pick.best} does not surely score better: {against}, a "
            f"gain of {pick.gain:.4g} with a standard error of {pick.deviation:.4g}."
        )
    ranked = sorted(pick.chosen_by.items(), key=lambda item: -item[1])
    width = max(map(len, pick.chosen_by))
    lines = [f"{name:<{width}}  {score:.4g}" for name, score in ranked]
    levels = ", ".join(f"{sigma:.4g}" for sigma in sigmas)
    return "\n".join([said, f"sigmas {levels}", f"Mean scores on the first {half} seeds:", *lines])
