"""An atlas in words. It begins with what most people ask: how many steps the model needs. No host."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ....planner import diagnose, flow_to_sigma
from ....planner.about import differences_among
from ....planner.atlas.steps_needed import steps_for_share
from ....planner.distilled import distillation
from ....planner.texts import say, say_count
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
    if most == 1:
        return say("{model}: one step is compared with itself. Set max_steps to 0, or above 1.", model=model.name)
    if not any(plan.curve.any() for plan in model.plans):
        return say("{model}: by its DNA, {most} steps gain nothing over one.", model=model.name, most=most)
    limit = (
        say("{most} steps", most=most)
        if least == most
        else say("{least} to {most} steps, by the DNA,", least=least, most=most)
    )
    answer = say(
        "{model} needs {steps}: so many reach {share} of what {limit} gain over one",
        model=model.name,
        steps=say_count(served, "1 step", "{number} steps"),
        share=_share(threshold),
        limit=limit,
    )
    if len(model) == 1:
        return say("{answer}. That is by one DNA; DNAs of other prompts would say how much it varies.", answer=answer)
    of = say("its {number} DNAs", number=len(model.plans))
    if len(model.plans) < model.total:
        of = say("the {number} DNAs that were planned for, of {total}", number=len(model.plans), total=model.total)
    spread = say("Half of them can do with {half}, and the hardest takes {hardest}.", half=half, hardest=hardest)
    if half == hardest:
        spread = say("All of them take the same.") if counts.min() == half else say("None takes more.")
    told = say("{answer}, on {share:.0%} of {dnas}. {spread}", answer=answer, share=SERVED, dnas=of, spread=spread)
    return say("{told} They are too few to tell the spread.", told=told) if len(model.plans) < FEW else told


def _table(models: Sequence[AtlasModel]) -> Iterator[str]:
    """Steps by share of the gain, a line for each model."""
    columns = [[say("share of the gain"), *(model.name for model in models)]]
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
        yield say("Of two numbers the first is enough for half of the DNAs, the second for {share:.0%}.", share=SERVED)


def _how_counted(models: Sequence[AtlasModel], sampler: str) -> Iterator[str]:
    by = {model.name: "/".join(dict.fromkeys(plan.planner.name for plan in model.plans)) for model in models}
    named = say(" and ").join(dict.fromkeys(by.values()))
    yield say(
        "Counted on the plans that Adaptive Length Threshold makes with these settings, by planner {planner} for "
        "{sampler}. They are predictions: Compare Schedules measures what so many steps give.",
        planner=named,
        sampler=sampler,
    )
    if len(set(by.values())) > 1:
        each = ", ".join(say("{model} by {planner}", model=name, planner=planner) for name, planner in by.items())
        yield say(
            "Planners count gain each in a way of their own ({each}), so the numbers of these models do not compare. "
            "Choose planner 'cotj' to compare them.",
            each=each,
        )


def _findings(model: AtlasModel) -> Iterator[str]:
    if len(model) < model.total:
        yield say("- Its newest {number} DNAs of {total} were read.", number=len(model), total=model.total)
    for difference in differences_among([dna.meta for dna in model.dnas]):
        yield f"- {difference}"
    yield _where_steps_fall(model)
    yield from _limits(model)
    yield from _likeness(model)
    yield from _path(model)


def _where_steps_fall(model: AtlasModel) -> str:
    kind = model.mean.kind
    planned, own = (float(flow_to_sigma(np.median(times), kind)) for times in step_times(model))
    return say(
        "- Half of the planned steps lie above sigma {planned:.3g}; of the model's own schedule, above {own:.3g}.",
        planned=planned,
        own=own,
    )


def _limits(model: AtlasModel) -> Iterator[str]:
    found, known = diagnose(model.mean), distillation(model.mean)
    if known:
        yield say("- The model {is_distilled}.", is_distilled=known.told)
    if found.most_steps is not None:
        yield say(
            "- Its gain does not decay: by its mean DNA, it over-cooks beyond about {most} steps. They are the most "
            "with max_steps 0, unless the trained ones are known.",
            most=found.most_steps,
        )
    if found.negative_start:
        yield say("- The first step from pure noise makes the guess worse, by its mean DNA.")
    nodes = len(model.mean.sigmas)
    if nodes == max(model.limits) and model.plans[0].planner.name == "cotj":
        yield say(
            "- Its DNAs have {levels} noise levels, and planner cotj makes no plan of more steps than that.",
            levels=nodes,
        )


def _likeness(model: AtlasModel) -> Iterator[str]:
    if not has_pairs(model):
        return
    found = model.likeness
    cosines = {"middle": np.median(found.dnas), "least": found.dnas.min(), "number": MOST_COMPARED}
    yield (
        say(
            "- Two DNAs of {number} of them have a cosine of {middle:.4f} in the middle, and of {least:.4f} at least.",
            **cosines,
        )
        if len(model) > MOST_COMPARED
        else say("- Two DNAs have a cosine of {middle:.4f} in the middle, and of {least:.4f} at least.", **cosines)
    )
    if found.correlation is not None:
        says = (
            say("so like prompts have like DNAs") if found.correlation > 0 else say("so like prompts have unlike DNAs")
        )
        if abs(found.correlation) < UNRELATED:
            says = say("so how alike two prompts are tells next to nothing of their DNAs")
        yield say(
            "- With the cosine of their prompts' embeddings that has a correlation of {correlation:.2f}, {says}.",
            correlation=found.correlation,
            says=says,
        )


def _path(model: AtlasModel) -> Iterator[str]:
    path = model.path
    if path is None:
        yield say(
            "- No trajectory profile is known, so nothing is said of its path. Measure DNA keeps one with 'profile' "
            "on, and so does Record DNA of runs that are long enough."
        )
        return
    bent = path.deviation.max() / path.distance[-1] if path.distance[-1] else 0.0
    needed = int(np.argmax(path.explained >= 0.99)) + 1
    runs = model.mean.profile.runs if model.mean.profile else 0
    yield say(
        "- The path of its long run ({runs}) leaves the straight line by at most {bent:.1%} of its length, and "
        "{components} make up 99% of that. No latents are kept: this follows from their inner products.",
        runs=say_count(runs, "1 run", "{number} runs"),
        bent=bent,
        components=say_count(needed, "1 principal component", "{number} principal components"),
    )


def _share(share: float) -> str:
    return f"{100 * share:.4g}%"
