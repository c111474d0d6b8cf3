"""An atlas in words. It begins with what most people ask: how many steps the model needs. No host."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ....planner import diagnose, flow_to_sigma
from ....planner.atlas.steps_needed import steps_for_share
from ....planner.distilled import distillation
from ..phrases import count
from .likeness_panels import has_pairs
from .models import MOST_COMPARED, SERVED, AtlasModel
from .step_panels import step_times

SHARES = (0.9, 0.95, 0.98, 0.99, 0.995, 0.999)  # of the gain, in the table
UNRELATED = 0.2  # below it, in size, a correlation says next to nothing
FEW = 8  # DNAs, which say little of the spread


def describe(models: Sequence[AtlasModel], threshold: float, sampler: str) -> str:
    """Say how many steps each model needs, then what else its DNAs show, a finding a line.

    threshold: the share of the gain that is asked for. sampler: that the plans are for, by its name in ComfyUI.
    """
    lines = [_answer(model, threshold) for model in models]
    lines += ["", *_table(models), "", *_how_counted(models, sampler)]
    for model in models:
        lines += ["", f"{model.name}:", *_findings(model)]
    return "\n".join(lines)


def _answer(model: AtlasModel, threshold: float) -> str:
    counts = model.steps(np.array([threshold]))
    half, served, hardest = (int(steps_for_share(counts, share)[0]) for share in (0.5, SERVED, 1))
    least, most = min(model.limits), max(model.limits)
    if not any(plan.curve.any() for plan in model.plans):
        return f"{model.name}: by its DNA, {most} steps gain nothing over one."
    limit = f"{most} steps" if least == most else f"{least} to {most} steps, by the DNA,"
    answer = (
        f"{model.name} needs {count(served, 'step')}: so many reach {_share(threshold)} of what {limit} gain over one"
    )
    if len(model) == 1:
        return f"{answer}. That is by one DNA; DNAs of other prompts would say how much it varies."
    of = f"its {len(model.plans)} DNAs"
    if len(model.plans) < model.total:
        of = f"the {len(model.plans)} DNAs that were planned for, of {model.total}"
    spread = f"Half of them can do with {half}, and the hardest takes {hardest}."
    if half == hardest:
        spread = "All of them take the same." if counts.min() == half else "None takes more."
    few = " They are too few to tell the spread." if len(model.plans) < FEW else ""
    return f"{answer}, on {SERVED:.0%} of {of}. {spread}{few}"


def _table(models: Sequence[AtlasModel]) -> Iterator[str]:
    """Steps by share of the gain, a line for each model."""
    columns = [["share of the gain", *(model.name for model in models)]]
    per_model = [model.steps(np.array(SHARES)) for model in models]
    for index, share in enumerate(SHARES):
        cells = []
        for counts in per_model:
            half, served = (int(steps_for_share(counts, part)[index]) for part in (0.5, SERVED))
            cells.append(f"{half}" if half == served else f"{half}-{served}")
        columns.append([_share(share), *cells])
    widths = [max(map(len, column)) for column in columns]
    for name, *cells in zip(*columns):
        yield "  ".join([name.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(cells, widths[1:]))])
    if any(len(counts) > 1 for counts in per_model):
        yield f"Of two numbers the first is enough for half of the DNAs, the second for {SERVED:.0%}."


def _how_counted(models: Sequence[AtlasModel], sampler: str) -> Iterator[str]:
    by = {model.name: "/".join(dict.fromkeys(plan.planner.name for plan in model.plans)) for model in models}
    named = " and ".join(dict.fromkeys(by.values()))
    yield (
        f"Counted on the plans that Adaptive Length Threshold makes with these settings, by planner {named} for "
        f"{sampler}. They are predictions: Compare Schedules measures what so many steps give."
    )
    if len(set(by.values())) > 1:
        each = ", ".join(f"{name} by {planner}" for name, planner in by.items())
        yield (
            f"Planners count gain each in a way of their own ({each}), so the numbers of these models do not compare. "
            "Choose planner 'cotj' to compare them."
        )


def _findings(model: AtlasModel) -> Iterator[str]:
    if len(model) < model.total:
        yield f"- Its newest {len(model)} DNAs of {model.total} were read."
    yield _where_steps_fall(model)
    yield from _limits(model)
    yield from _likeness(model)
    yield from _path(model)


def _where_steps_fall(model: AtlasModel) -> str:
    kind = model.mean.kind
    planned, own = (float(flow_to_sigma(np.median(times), kind)) for times in step_times(model))
    return f"- Half of the planned steps lie above sigma {planned:.3g}; of the model's own schedule, above {own:.3g}."


def _limits(model: AtlasModel) -> Iterator[str]:
    found, known = diagnose(model.mean), distillation(model.mean)
    if known:
        yield f"- The model {known.told}."
    if found.most_steps is not None:
        yield f"- Its gain does not decay: by its mean DNA, it over-cooks beyond about {found.most_steps} steps."
    if found.negative_start:
        yield "- The first step from pure noise makes the guess worse, by its mean DNA."
    nodes = len(model.mean.sigmas)
    if nodes == max(model.limits) and model.plans[0].planner.name == "cotj":
        yield f"- Its DNAs have {nodes} noise levels, and planner cotj makes no plan of more steps than that."


def _likeness(model: AtlasModel) -> Iterator[str]:
    if not has_pairs(model):
        return
    found = model.likeness
    compared = f" of {MOST_COMPARED} of them" if len(model) > MOST_COMPARED else ""
    yield (
        f"- Two DNAs{compared} have a cosine of {np.median(found.dnas):.4f} in the middle, and of "
        f"{found.dnas.min():.4f} at least."
    )
    if found.correlation is not None:
        says = "so like prompts have like DNAs" if found.correlation > 0 else "so like prompts have unlike DNAs"
        if abs(found.correlation) < UNRELATED:
            says = "so how alike two prompts are tells next to nothing of their DNAs"
        held = "With the cosine of their prompts' embeddings"
        yield f"- {held} that has a correlation of {found.correlation:.2f}, {says}."


def _path(model: AtlasModel) -> Iterator[str]:
    path = model.path
    if path is None:
        yield (
            "- No trajectory profile is known, so nothing is said of its path. Measure DNA keeps one with 'profile' "
            "on, and so does Record DNA of runs that are long enough."
        )
        return
    bent = path.deviation.max() / path.distance[-1] if path.distance[-1] else 0.0
    needed = int(np.argmax(path.explained >= 0.99)) + 1
    runs = model.mean.profile.runs if model.mean.profile else 0
    yield (
        f"- The path of its long run ({count(runs, 'run')}) leaves the straight line by at most {bent:.1%} of its "
        f"length, and {count(needed, 'principal component')} make up 99% of that. No latents are kept: this follows "
        "from their inner products."
    )


def _share(share: float) -> str:
    return f"{100 * share:.4g}%"
