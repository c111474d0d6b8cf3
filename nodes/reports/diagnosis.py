"""What a DNA's shape says, as a picture and in plain words. Matplotlib only, no host."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...planner import Diagnosis, DiffusionDNA, diagnose
from ...planner.arrays import FloatArray
from ...planner.diagnose import TAIL, judged_times, tail_end
from ...planner.distilled import distillation
from ...planner.texts import say, say_count
from .figures import DPI, MEASURED, PLANNED, TICKS, across_noise

SIZE = (6.4, 6.4)  # inches
WORSE: dict[str, Any] = {"color": PLANNED, "alpha": 0.18, "linewidth": 0}
UNSETTLED: dict[str, Any] = {"facecolor": "none", "edgecolor": "#777777", "hatch": "//", "linewidth": 0, "alpha": 0.6}
LINEAR = 1e-2  # of about the largest gain: below it the scale of gains is linear, above it logarithmic
NEGLIGIBLE = 1e-3  # of the DNA's range: a smaller rise is a measurement's own noise
SHOWN = 3  # negative regions in words, the deepest


def report(dna: DiffusionDNA) -> str:
    """Describe the diagnosis in plain words, one finding a line."""
    found = diagnose(dna)
    return "\n".join([*_distilled(dna), *_start(dna, found), *_middle(dna, found), _end(dna, found)])


def figure(dna: DiffusionDNA) -> Figure:
    """Draw DNA and gains over the time that the diagnosis is made in; without pyplot, whose state is global."""
    found, times = diagnose(dna), judged_times(dna)
    fig = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    errors, gains = fig.subplots(2, 1, height_ratios=[2, 3])
    errors.plot(times, dna.errors, color=MEASURED)
    if dna.errors.any():
        errors.set_yscale("log", nonpositive="clip")
    errors.set(ylabel="error of one-step guess")
    _draw_gains(gains, times, found)
    for axes in (errors, gains):
        for first, last in found.negative_regions:
            axes.axvspan(*times[[first, last]], label="a step makes it worse", gid="negative", **WORSE)
        if found.gain_decays is False:
            axes.axvspan(times[0], tail_end(times), label="gain has not decayed", gid="tail", **UNSETTLED)
        if dna.times is None:
            across_noise(axes, dna)
        else:
            _label_in_sigma(axes, dna, times)
    errors.set_xlabel("")
    handles, labels = errors.get_legend_handles_labels()
    if named := dict(zip(labels, handles)):
        errors.legend(named.values(), named.keys(), loc="lower left")
    fig.suptitle(_title(found), fontsize=14)
    return fig


def _label_in_sigma(axes: Axes, dna: DiffusionDNA, times: FloatArray) -> None:
    """Label an axis that is even in schedule time by the sigmas that the report speaks of."""
    sigmas = np.array([sigma for sigma in TICKS[dna.kind] if sigma < 0.95 * dna.sigmas[-1]] + [dna.sigmas[-1]])
    places = np.interp(sigmas, np.append(0, dna.sigmas), np.append(0, times))
    axes.set(xlim=(times[-1] * 1.02, 0), xlabel="sigma, spaced as the model's time shift spaces steps")
    axes.set_xticks(places, [f"{sigma:.3g}" for sigma in sigmas])
    axes.grid(alpha=0.25)


def _draw_gains(axes: Axes, times: FloatArray, found: Diagnosis) -> None:
    gain = found.gain
    colours = [PLANNED if taken < 0 else MEASURED for taken in gain]
    axes.bar(times[:-1], gain, times[1:] - times[:-1], align="edge", color=colours, gid="gain")
    axes.axhline(0, color=MEASURED, linewidth=0.8)
    if gain.any():
        # A power of 10: a smaller one has a label within the linear range, on top of that of 0.
        axes.set_yscale("symlog", linthresh=10 ** np.ceil(np.log10(LINEAR * abs(gain).max())))
    axes.set(ylabel="gain of the step to each node")


def _title(found: Diagnosis) -> str:
    start = "negative gain at the start" if found.negative_start else "clean at the start"
    if found.gain_decays is None:
        return start
    if found.tail_ratio is None:
        return f"{start}, nothing gained overall"
    return f"{start}, {'decaying' if found.gain_decays else 'not decaying'} at the end"


def _distilled(dna: DiffusionDNA) -> Iterator[str]:
    known = distillation(dna)
    if known is None:
        return
    if known.steps:
        yield say(
            "This model {is_distilled}. Adaptive Length Threshold with max_steps 0 takes as many.",
            is_distilled=known.told,
        )
    else:
        yield say("This model {is_distilled}.", is_distilled=known.told)


def _start(dna: DiffusionDNA, found: Diagnosis) -> list[str]:
    if not found.negative_start:
        return []
    top, times = found.negative_regions[-1][0], judged_times(dna)
    skipped = _percent(1 - times[top] / times[-1])
    start = f"{dna.sigmas[top]:.3g}"
    if dna.times is not None:
        start = say("{sigma} (schedule time {time:.3g})", sigma=start, time=times[top])
    return [
        say("Starts at sigma {start}: the first {share} of the range make it worse.", start=start, share=skipped),
        say(
            "Between sigma {high:.3g} and {low:.3g} the one-step guess gets {rise} of the DNA's range worse. {ways}",
            high=dna.sigmas[-1],
            low=dna.sigmas[top],
            rise=_rise(dna, top, -1),
            ways=_ways_to_skip(dna),
        ),
    ]


def _ways_to_skip(dna: DiffusionDNA) -> str:
    """Name the starts that this DNA allows."""
    if dna.power is None:
        return say(
            "Whether it pays to begin below is not known, since this DNA does not know the power of its clean latents: "
            "start 'free' with the planner cotj takes the paper's word that it does."
        )
    return say(
        "Plans with start 'auto' or 'costed' begin below it where that pays; start 'free' with the planner cotj takes "
        "the paper's word that it does."
    )


def _middle(dna: DiffusionDNA, found: Diagnosis) -> list[str]:
    """Describe what lies below the start."""
    if not found.negative_regions:
        return [say("Clean and monotone: every step towards less noise improves the guess.")]
    regions = found.negative_regions[:-1] if found.negative_start else found.negative_regions
    spread = dna.errors.max() - dna.errors.min()
    rises = sorted(((dna.errors[low] - dna.errors[high], low, high) for low, high in regions), reverse=True)
    deep = [(low, high) for rise, low, high in rises if rise > NEGLIGIBLE * spread]
    lines = [
        say(
            "Between sigma {high:.3g} and {low:.3g} a step makes the guess worse, by {rise} of the DNA's range: the "
            "planner cotj looks for a way past it, and smooth keeps its even steps.",
            high=dna.sigmas[high],
            low=dna.sigmas[low],
            rise=_rise(dna, low, high),
        )
        for low, high in deep[:SHOWN]
    ]
    if hidden := len(rises) - len(lines):
        smaller = say_count(hidden, "1 smaller rise", "{number} smaller rises")
        lines.append(
            say("{smaller} elsewhere.", smaller=smaller)
            if len(deep) > SHOWN
            else say("{smaller} elsewhere, within the noise of a measurement.", smaller=smaller)
        )
    if not regions:
        lines.append(say("From there on every step towards less noise improves the guess."))
    return lines


def _end(dna: DiffusionDNA, found: Diagnosis) -> str:
    if found.gain_decays is None:
        return say(
            "Whether gain decays is not known: in the last {tail} of the range this DNA has too few noise levels. "
            "Measure it with more.",
            tail=_percent(TAIL),
        )
    if found.tail_ratio is None:
        return say(
            "Nothing is gained overall: the guess from pure noise is no worse than the one from the nearly clean "
            "image. Check that the reference is a finished image, or measure at lower guidance."
        )
    tail = say(
        "in the last {tail} of the range it is {ratio} of its mean",
        tail=_percent(TAIL),
        ratio=_percent(found.tail_ratio),
    )
    if found.gain_decays:
        return say("Gain decays: {tail}. More steps refine the image; there is no sign of over-cooking.", tail=tail)
    told = say(
        "Gain does not decay: {tail}, so the image keeps changing instead of settling. This model over-cooks beyond "
        "about {most} steps, from where on a uniform schedule takes whole steps in that tail.",
        tail=tail,
        most=found.most_steps,
    )
    known = distillation(dna)
    if known and known.steps:
        return told
    return say("{told} Adaptive Length Threshold takes no more with max_steps 0.", told=told)


def _rise(dna: DiffusionDNA, low: int, high: int) -> str:
    return _percent((dna.errors[low] - dna.errors[high]) / (dna.errors.max() - dna.errors.min()))


def _percent(share: float) -> str:
    percent = 100 * share
    return f"{percent:.0f}%" if percent >= 1 else f"{percent:.1g}%"
