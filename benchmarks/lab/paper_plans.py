"""The paper's figures of its plans: two of them on the costs, steps against the threshold, and where steps fall."""

from __future__ import annotations

from functools import partial

import numpy as np
from cotj.nodes.reports.atlas.axes import FAINT, look_of
from cotj.nodes.reports.atlas.models import MOST_PLANNED, AtlasModel, evenly
from cotj.nodes.reports.atlas.step_panels import draw_steps_needed
from cotj.nodes.reports.figures import COMPARED, DPI, PLANNED
from cotj.nodes.reports.plan_claims import hold_against
from cotj.nodes.reports.plan_picture import draw_costs
from cotj.planner import CoTj, DiffusionDNA, Plan, baseline, plan_adaptive
from cotj.planner.atlas.density import density
from cotj.planner.atlas.steps_needed import steps_for_share
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .paper_dnas import BUSY, MEASURED, QWEN, SIMPLE, WIDE, decay, shipped, textures
from .paper_part import Check, Part, rows
from .runs import REFERENCE_STEPS, FloatArray
from .statistics import rank_correlation

THRESHOLD, STRICTER = 0.99, 0.995
PLANNER = CoTj("schedule")  # with a free start, as the authors' code plans
SHARES = (0.5, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999)
LAST = SHARES[-1]
GATHERED = 0.35  # of the steps, in a quarter of schedule time; even ones have 0.25
KNEE = 1.5  # times faster must steps grow beyond the threshold than before it
PLACES = np.linspace(0, 1, 401)
PLANS = (
    f"{MEASURED}; plans of {MOST_PLANNED} of them, evenly spread, as the authors' code makes them, of at most "
    f"{REFERENCE_STEPS} steps"
)


def published(threshold: float, dna: DiffusionDNA) -> Plan:
    """Plan adaptively as the authors' code does, for up to as many steps as the long run has."""
    return plan_adaptive(dna, threshold, REFERENCE_STEPS, planner=PLANNER, start="free")


def figure_6(model: AtlasModel) -> Part:
    """Hold the plan for a simple image against that for a busy one, on the costs of all jumps."""
    assert model.prompts is not None
    rows_planned = evenly(len(model), MOST_PLANNED)
    prompts, ends = model.prompts[rows_planned], decay(model)[rows_planned]
    kinds, steps = textures(prompts), np.array([plan.steps for plan in model.plans])
    own = [baseline(plan) for plan in model.plans]
    saved = [1 - plan.predicted_error / one.predicted_error for plan, one in zip(model.plans, own)]
    of = {kind: steps[kinds == kind] for kind in (SIMPLE, BUSY)}
    means = {kind: float(found.mean()) for kind, found in of.items()}
    related, cheaper = rank_correlation(ends, steps), float(np.mean([one > 0 for one in saved]))
    checks = (
        Check(
            f"simple images take fewer steps to {THRESHOLD:.0%}: {means[SIMPLE]:.1f} on {SIMPLE} backgrounds, "
            f"{means[BUSY]:.1f} on {BUSY} ones",
            means[SIMPLE] < means[BUSY],
        ),
        Check(
            f"the sooner the error decays the fewer steps: rank correlation {related:+.2f} of the steps with the sigma "
            "at which a tenth is left",
            related < -0.2,
        ),
        Check(
            f"by its own costs a plan is cheaper than the model's own schedule of as many steps: "
            f"{np.median(saved):.0%} in the middle, and {cheaper:.0%} of the plans are",
            cheaper > 0.9,
        ),
    )
    fig = Figure(figsize=(12.8, 6.0), dpi=DPI, layout="constrained")
    for axes, kind in zip(fig.subplots(1, 2), of):
        row = min(np.flatnonzero(kinds == kind).tolist(), key=lambda row: (abs(steps[row] - means[kind]), row))
        plan = model.plans[row]
        draw_costs(axes, plan, hold_against(plan))
        axes.set_title(f"{prompts[row]}\n{plan.steps} steps", fontsize=9.5)
    claim = (
        "on a map of the costs of all jumps the plan takes the cheapest way, which the usual schedule does not. To "
        "99 % of the gain a simple prompt needs few steps (8 are drawn) and a busy one more (10)"
    )
    return Part("Figure 6", "two plans on the costs of all jumps", claim, PLANS, checks, picture=fig)


def figure_7(model: AtlasModel) -> Part:
    """Count the steps that each share of the gain takes."""
    counts = model.steps(np.array(SHARES))
    middle, low, high = (steps_for_share(counts, share) for share in (0.5, 0.1, 0.9))
    at = {share: (int(middle[i]), int(low[i]), int(high[i])) for i, share in enumerate(SHARES)}
    few, half, many = (at[share][0] for share in (0.9, THRESHOLD, LAST))
    before, beyond = np.log10([half / few, many / half])
    [qwen] = shipped(QWEN).planned(partial(published, THRESHOLD), REFERENCE_STEPS).steps(np.array(SHARES))
    counted = {"a tenth of the DNAs": low, "half": middle, "nine tenths": high, f"{QWEN}'s mean DNA": qwen}
    table = rows(
        ("share of the gain", *(f"{share:.1%}" for share in SHARES)),
        [(name, *map(str, found)) for name, found in counted.items()],
    )
    checks = (
        Check(
            f"from {THRESHOLD:.0%} to {LAST:.1%} takes more steps than all before: {many - half} beyond {half}",
            many - half > half,
        ),
        Check(
            f"steps grow faster beyond {THRESHOLD:.0%}: ten times less left takes {10**before:.1f} times the steps up "
            f"to there, {10**beyond:.1f} times beyond",
            beyond > KNEE * before,
        ),
        Check(
            f"prompts agree: at {THRESHOLD:.0%} eight in ten take {at[THRESHOLD][1]} to {at[THRESHOLD][2]} steps",
            at[THRESHOLD][2] <= 1.5 * at[THRESHOLD][1],
        ),
    )
    fig = Figure(figsize=WIDE, dpi=DPI, layout="constrained")
    linear, logarithmic = fig.subplots(1, 2)
    _draw_on_line(linear, model)
    draw_steps_needed(logarithmic, [model], THRESHOLD)
    logarithmic.set(title="The same, even in what is left", yscale="log", ylim=(1, None))
    claim = (
        "the steps that a share of the gain needs grow slowly up to 99 %, and sharply beyond. All prompts agree in "
        "that, so 99 % is the natural threshold"
    )
    return Part("Figure 7", "steps against the share of the gain", claim, PLANS, checks, table, picture=fig)


def _draw_on_line(axes: Axes, model: AtlasModel) -> None:
    """Draw steps against the share of the gain as the paper does, even in the share."""
    shares = np.linspace(0.5, LAST, 500)
    counts = model.steps(shares)
    low, middle, high = (steps_for_share(counts, share) for share in (0.1, 0.5, 0.9))
    axes.fill_between(shares, low, high, step="mid", linewidth=0, alpha=FAINT, **look_of(0))
    axes.plot(shares, middle, drawstyle="steps-mid", **look_of(0), label="half of the DNAs; shaded: eight in ten")
    axes.axvline(THRESHOLD, color="#777777", linestyle=":", linewidth=1, label=f"{THRESHOLD:.0%}")
    axes.set(title="Steps needed", xlabel="share of the gain that is reached", ylabel="steps", ylim=(0, None))
    axes.grid(alpha=0.25)
    axes.legend(loc="upper left")


def figure_8(model: AtlasModel) -> Part:
    """Find where in schedule time the steps of the plans lie, and those of the model's own schedule."""
    plans = [published(STRICTER, dna) for dna in model.dnas]
    planned = _times(model, [plan.sigmas for plan in plans])
    own = _times(model, [baseline(plan).sigmas for plan in plans])
    curve = density(planned, PLACES, 0, 1)
    peak = float(PLACES[curve.argmax()])
    shares = {name: quarters(times) for name, times in (("plans", planned), ("own schedule", own))}
    fullest, early = shares["plans"].max(), {name: found[:2].sum() for name, found in shares.items()}
    checks = (
        Check(
            f"planned steps gather: their fullest quarter of schedule time holds {fullest:.0%} of them, where the own "
            f"schedule spreads evenly",
            fullest > GATHERED,
        ),
        Check(f"they gather early, at high noise: they are densest at schedule time {peak:.2f}", peak > 0.5),
        Check(
            f"late intervals are sparse: {early['plans']:.0%} of the planned steps lie in the first half of schedule "
            f"time, {early['own schedule']:.0%} of the own schedule's",
            bool(early["plans"] > GATHERED + 0.25),
        ),
    )
    table = rows(
        ("schedule time", *(f"{1 - i / 4:g} to {0.75 - i / 4:g}" for i in range(4))),
        [(name, *(f"{share:.0%}" for share in found)) for name, found in shares.items()],
    )
    steps = [plan.steps for plan in plans]
    data = f"{PLANS}, to {STRICTER:.1%}: {np.mean(steps):.1f} steps in the mean, {min(steps)} to {max(steps)}"
    fig = Figure(figsize=(8.6, 4.8), dpi=DPI, layout="constrained")
    axes = fig.subplots()
    axes.plot(PLACES, curve, color=PLANNED, linewidth=2, label="plans")
    axes.fill_between(PLACES, curve, color=PLANNED, alpha=FAINT, linewidth=0)
    axes.axhline(1, linestyle="--", color=COMPARED, linewidth=1.8, label="the model's own schedule, even in this time")
    axes.set(title=f"Where the steps to {STRICTER:.1%} fall", xlabel="schedule time", ylabel="density of steps")
    axes.set(xlim=(1.02, 0), ylim=(0, 1.3 * curve.max()))
    axes.grid(alpha=0.25)
    axes.legend(loc="best")
    claim = (
        "to a stricter threshold the planned steps gather early, at high noise, where the meaning of the image is "
        "decided, and are sparse late; Euler's are spread evenly"
    )
    return Part("Figure 8", "where steps fall", claim, data, checks, table, picture=fig)


def quarters(times: FloatArray) -> FloatArray:
    """Count what share of the times lies in each quarter of schedule time, the noisiest first."""
    quarter = np.minimum(np.ceil(4 * times - 1e-6), 4).astype(int)  # what lies on an edge is of the quarter below
    return np.bincount(4 - quarter, minlength=4)[:4] / len(times)


def _times(model: AtlasModel, schedules: list[FloatArray]) -> FloatArray:
    """Give the schedule times of all steps."""
    shift = model.mean.shift
    assert shift is not None
    return np.concatenate([shift.times(sigmas[:-1]) for sigmas in schedules])
