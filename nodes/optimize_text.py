"""What a search found, in words and figures. No host."""

from __future__ import annotations

from typing import Any

from ..planner import FloatArray
from ..planner.search import Trial, mean_interval, ratio_interval, unproven
from .schedule_file import Schedules, Search

OBJECTIVES = {"distance": 0.5, "mean square": 1.0}  # as powers of the mean squared error of one image
SHOWN = 8  # candidates in the list
FEW_PAIRS = 16  # `python benchmarks optimizing`: from here on a refined schedule holds on other pairs


def objective(search: Search) -> str:
    """What the search made small."""
    [name] = [name for name, power in OBJECTIVES.items() if power == search.trials[0].power]
    return name


def values(trial: Trial) -> FloatArray:
    """What is averaged, image by image."""
    return trial.all_errors() ** trial.power


def finished_trials(search: Search) -> list[Trial]:
    """Candidates that were run on every pair, from the best to the worst."""
    assert search.best is not None
    pairs = len(search.best.errors)
    return sorted((trial for trial in search.trials if trial.complete(pairs)), key=Trial.total)


def describe_search(name: str, schedules: Schedules, steps: int) -> str:
    """Lines about one number of steps, for a text output."""
    search = schedules.searches[steps]
    best, about, what = search.best, search.about, objective(search)
    assert best is not None
    low, high = mean_interval(values(best))
    trials = finished_trials(search)
    state = "no change of it is better" if search.finished else "raise the budget to search on"
    lines = [
        f"{steps} steps of {schedules.key['sampler']}: mean {what} from the long run ({about['reference_steps']} Euler "
        f"steps) {values(best).mean():.3g}, 95 % interval {low:.3g} to {high:.3g}",
        "sigmas " + ", ".join(f"{sigma:.4g}" for sigma in search.sigmas),
        f"found on {_counted(about)} with {search.calls} model calls; {state}",
        *_ratios(best, trials, search.trials[0]),
        f"mean {what} of candidates: " + ", ".join(f"{t.name} {values(t).mean():.3g}" for t in trials[:SHOWN]),
    ]
    if len(best.errors) < FEW_PAIRS:
        lines.append(f"with fewer than {FEW_PAIRS} pairs it fits these more than others: use more prompts or seeds")
    if left := unproven(search.trials, best, len(best.errors)):
        lines.append("not run on every pair for want of calls: " + ", ".join(trial.name for trial in left))
    lines.append(f"stored as {name}, which holds {', '.join(map(str, schedules.steps()))} steps")
    return "\n".join(lines)


def _ratios(best: Trial, trials: list[Trial], default: Trial) -> list[str]:
    """What the schedule saves over the best candidate and over the model's own, on the pairs that it was found on."""
    if best is trials[0]:
        return [f"it is the candidate {best.name}"]
    lines = []
    rivals = {trials[0].name: (trials[0], ", the best candidate")}
    rivals.setdefault(default.name, (default, ""))
    for rival, role in rivals.values():
        low, high = ratio_interval(values(best), values(rival))
        ratio = best.total() / rival.total()
        lines.append(f"{ratio:.2f} times that of {rival.name}{role}, 95 % interval {low:.2f} to {high:.2f}")
    return lines


def _counted(about: dict[str, Any]) -> str:
    prompts = "1 prompt" if about["prompts"] == 1 else f"{about['prompts']} prompts"
    return f"{about['prompts'] * about['seeds'] * about['items']} images of {prompts}"
