"""What a search found, in words and figures. No host."""

from __future__ import annotations

from typing import Any

from ..planner import FloatArray
from ..planner.search import OBJECTIVES, Objective, Trial, mean_interval, ratio_interval, unproven
from .schedule_file import Schedules, Search

SHOWN = 8  # candidates in the list
OPTIMAL_STEPS = "optimal-steps"  # the candidate that students were led to
FEW_IMAGES = 4  # whose mean has no interval to speak of
FEW_PAIRS = 16  # `python benchmarks optimizing`: from here on a refined schedule holds on other pairs


def averaging(search: Search) -> str:
    """The objective that averages images as the search did, and counts nothing else."""
    return _named(Objective(search.trials[0].objective.power))


def _named(objective: Objective) -> str:
    [name] = [name for name, known in OBJECTIVES.items() if known == objective]
    return name


def values(trial: Trial) -> FloatArray:
    """What is averaged, image by image."""
    return trial.all_errors() ** trial.objective.power


def distance(trial: Trial) -> float:
    """Of the images from their long runs, averaged as the search does, per value of a latent; without forking."""
    return float(values(trial).mean() ** _root(trial))


def distance_interval(trial: Trial) -> tuple[float, float]:
    """95 % of it."""
    low, high = mean_interval(values(trial))
    return low ** _root(trial), high ** _root(trial)


def _root(trial: Trial) -> float:
    """The power that makes a mean of `values` a distance."""
    return 1 / (2 * trial.objective.power)


def finished_trials(search: Search) -> list[Trial]:
    """Candidates that were run on every pair, from the best to the worst."""
    assert search.best is not None
    pairs = len(search.best.errors)
    return sorted((trial for trial in search.trials if trial.complete(pairs)), key=Trial.total)


def describe_search(name: str, schedules: Schedules, steps: int) -> str:
    """Lines about one number of steps, for a text output."""
    search = schedules.searches[steps]
    best, about = search.best, search.about
    assert best is not None
    low, high = distance_interval(best)
    trials = finished_trials(search)
    state = "no change of it is surely better" if search.finished else "raise the budget to search on"
    lines = [
        f"{steps} steps of {schedules.key['sampler']}: distance from the long run ({about['reference_steps']} Euler "
        f"steps) {distance(best):.3g}, 95 % interval {low:.3g} to {high:.3g}",
        "sigmas " + ", ".join(f"{sigma:.4g}" for sigma in search.sigmas),
        f"found on {_images(len(best.all_errors()))} of {_prompts(about)} with {search.calls} model calls; {state}",
        *_ratios(search),
        *_check(search),
        "candidates: " + ", ".join(f"{trial.name} {distance(trial):.3g}" for trial in trials[:SHOWN]),
        _aim(search),
    ]
    if len(best.errors) < FEW_PAIRS:
        lines.append(f"with fewer than {FEW_PAIRS} pairs it fits these more than others: use more prompts or seeds")
    pairs = about.get("student_pairs")
    if pairs and any(trial.name == OPTIMAL_STEPS for trial in search.trials):
        lines.append(f"the candidate {OPTIMAL_STEPS} was found on {_pairs(pairs)}")
    if left_out := len(about.get("left_out", [])):
        lines.append(
            f"{_images(left_out)} left out: half as many steps as the long run's end in another image "
            "there, so that any schedule does by chance"
        )
    if left := unproven(search.trials, best, len(best.errors)):
        lines.append("not run on every pair for want of calls: " + ", ".join(trial.name for trial in left))
    lines.append(f"stored as {name}, which holds {', '.join(map(str, schedules.steps()))} steps")
    return "\n".join(lines)


def _aim(search: Search) -> str:
    """What "best" means here, and by what the candidates are in order."""
    objective = search.trials[0].objective
    if not objective.forking:
        return f"images are averaged as the objective {_named(objective)!r} does"
    known = any(values.any() for values in search.trials[0].forking.values())
    straying = "straying counts" if known else "straying cannot be told, and counts not"
    how = f"images are averaged as {averaging(search)!r} does"
    return f"the best by the objective {_named(objective)!r}: {how}, and {straying}"


def rivals(search: Search) -> list[tuple[Trial, str]]:
    """What the best is held against, and what that is: the best candidate, and the model's own schedule."""
    assert search.best is not None
    roles = {finished_trials(search)[0].name: "the best candidate", search.trials[0].name: "the model's own"}
    trials = {trial.name: trial for trial in search.trials}
    return [(trials[name], role) for name, role in roles.items() if name != search.best.name]


def _ratios(search: Search) -> list[str]:
    """What the schedule saves on the pairs that it was found on."""
    best = search.best
    assert best is not None
    is_candidate = best.name in {trial.name for trial in search.trials}
    lines = [f"it is the candidate {best.name}"] if is_candidate else []
    return lines + [_ratio(best, rival, role) for rival, role in rivals(search)]


def _check(search: Search) -> list[str]:
    """And on others."""
    if not search.checked:
        return []
    best, *others = search.checked
    found = [f"distance {distance(best):.3g}"]
    found += [_ratio(best, rival, role) for rival, (_, role) in zip(others, rivals(search))]
    images = _images(len(best.all_errors()))
    return [f"checked on {images} of other seeds with {search.check_calls} more calls: " + "; ".join(found)]


def _ratio(best: Trial, rival: Trial, role: str) -> str:
    found, low, high = ratio(best, rival)
    text = f"{found:.2f} times that of {rival.name}, {role}"
    if len(best.all_errors()) >= FEW_IMAGES:
        text += f", 95 % interval {low:.2f} to {high:.2f}"
    strayed, other = (sum(trial.forking[pair].sum() for pair in best.forking) for trial in (best, rival))
    return f"{text}, straying {strayed / other:.2f} times as far" if other else text  # 0 where it is not known


def ratio(best: Trial, rival: Trial) -> tuple[float, float, float]:
    """Of the distances on the same images, and the ends of its 95 % interval."""
    low, high = (end ** _root(best) for end in ratio_interval(values(best), values(rival)))
    return distance(best) / distance(rival), low, high


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count} images"


def _pairs(count: int) -> str:
    return "1 pair" if count == 1 else f"{count} pairs"


def _prompts(about: dict[str, Any]) -> str:
    return "1 prompt" if about["prompts"] == 1 else f"{about['prompts']} prompts"
