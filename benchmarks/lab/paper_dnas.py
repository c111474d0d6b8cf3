"""The paper's figures of the DNAs themselves: how they differ, how alike they are, and where error is taken away."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from cotj.demo.models import PREDICTOR
from cotj.demo.training.scenes import TEXTURES
from cotj.nodes.reports.atlas.axes import FAINT, across_noise, look_of
from cotj.nodes.reports.atlas.curve_panels import BAND, draw_gains, relative_gains
from cotj.nodes.reports.atlas.likeness_panels import draw_cosines, draw_prompts
from cotj.nodes.reports.atlas.models import MOST_COMPARED, AtlasModel
from cotj.nodes.reports.atlas.text import UNRELATED
from cotj.nodes.reports.figures import DPI
from cotj.planner import DiffusionDNA, diagnose, dna_file
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .paper_part import Check, Part, rows
from .runs import FloatArray
from .statistics import rank_correlation

MEASURED = "DNAs of 2048 training captions of the demo model, a run each, at guidance 3, by `python demo measure-dna`"
WIDE = (12.8, 4.8)  # inches, of two panels
SIMPLE, BUSY = "plain", "checked"
DECAYED = 0.1  # of the error at the top
ALIKE = 0.9  # of a cosine
MIDDLE = 0.5  # of the noise levels
QWEN, DISTILLED = "Qwen-Image", "Z-Image-Turbo"


def textures(prompts: npt.NDArray[np.str_]) -> npt.NDArray[np.str_]:
    """Read from captions (n,) what sort of background each asks for."""
    return np.array([next(texture for texture in TEXTURES if f" a {texture} " in prompt) for prompt in prompts])


def decay(model: AtlasModel) -> FloatArray:
    """Find the sigmas (n,) down to which the errors stay above a tenth of what they are at the top."""
    return np.asarray(model.mean.sigmas[(model.errors >= DECAYED * model.errors[:, -1:]).argmax(axis=1)])


def explained(values: FloatArray, groups: npt.NDArray[np.str_]) -> float:
    """Compute the share of the variance of values (n,) that lies between groups."""
    means = {group: values[groups == group].mean() for group in np.unique(groups)}
    return float(np.var([means[group] for group in groups]) / values.var())


def figure_3(model: AtlasModel) -> Part:
    """Hold the DNAs of simple images against those of busy ones."""
    assert model.prompts is not None
    kinds, ends, sigmas = textures(model.prompts), decay(model), model.mean.sigmas
    of = {kind: replace(model, name=kind, errors=model.errors[kinds == kind]) for kind in TEXTURES}
    means = {kind: one.errors.mean(0) for kind, one in of.items()}
    decays = {kind: float(ends[kinds == kind].mean()) for kind in TEXTURES}
    middle = model.errors[:, np.searchsorted(sigmas, MIDDLE)]
    low, high = np.quantile(middle, BAND)
    above = means[BUSY] > means[SIMPLE]
    words = np.array([len(prompt.split()) for prompt in model.prompts])
    alone = np.array([rank_correlation(words[kinds == kind], ends[kinds == kind]) for kind in (SIMPLE, BUSY)])
    burden = means[BUSY].mean() / means[SIMPLE].mean() - 1
    apart = explained(ends, kinds)
    checks = (
        Check(f"DNAs differ: at sigma {MIDDLE:g} eight in ten lie within {low:.4f} and {high:.4f}", high > 2 * low),
        Check(
            f"a simple image's error decays sooner: to a tenth at sigma {decays[SIMPLE]:.2f} on a {SIMPLE} background, "
            f"at {decays[BUSY]:.2f} on a {BUSY} one; the background explains {apart:.0%} of where that is",
            decays[SIMPLE] > decays[BUSY],
        ),
        Check(
            f"a busy image's DNA lies above a simple one's: below sigma {sigmas[~above].min():.2f} alone, and its mean "
            f"over the levels differs by {burden:+.1%}",
            bool(above.all()),
        ),
        Check(
            f"a caption's length does not tell: among captions of a {SIMPLE} background it has a rank correlation of "
            f"{alone[0]:+.2f} with that sigma, of a {BUSY} one {alone[1]:+.2f}",
            bool((np.abs(alone) < UNRELATED).all()),
        ),
    )
    table = rows(
        ("background", "captions", "a tenth at sigma", "error at the top", f"at sigma {MIDDLE:g}"),
        [
            (kind, f"{len(one)}", f"{decays[kind]:.2f}", f"{means[kind][-1]:.4f}",
             f"{means[kind][np.searchsorted(sigmas, MIDDLE)]:.4f}") for kind, one in of.items()
        ],
    )  # fmt: skip
    fig = Figure(figsize=WIDE, dpi=DPI, layout="constrained")
    errors, shares = fig.subplots(1, 2)
    for relative, axes in enumerate((errors, shares)):
        _draw_kinds(axes, list(of.values()), bool(relative))
    shares.axhline(DECAYED, color="#777777", linestyle=":", linewidth=1)
    errors.set(title="DNA by background", ylabel="mean squared error", yscale="log")
    shares.set(title="As a share of the error at the top", ylabel="share", ylim=(0, 1.02))
    errors.legend(loc="lower left", fontsize=9)
    claim = (
        "inputs differ much in their DNA. Errors of simple images decay fast, those of busy ones lie above them for "
        "long, and a prompt's length does not tell which it is"
    )
    return Part("Figure 3", "DNAs of simple and of busy images", claim, MEASURED, checks, table, picture=fig)


def _draw_kinds(axes: Axes, models: list[AtlasModel], relative: bool) -> None:
    """Draw the mean DNA of each kind, and of two of them the band of eight in ten."""
    for index, one in enumerate(models):
        times, look = one.mean.flow_times, look_of(index)
        shown = one.errors / one.errors[:, -1:] if relative else one.errors
        axes.plot(times, shown.mean(0), linewidth=2, label=f"{one.name}, {len(one)} captions", **look)
        if one.name in (SIMPLE, BUSY) and not relative:
            axes.fill_between(times, *np.quantile(shown, BAND, axis=0), linewidth=0, alpha=FAINT, **look)
    across_noise(axes, models)


def figure_4(model: AtlasModel) -> Part:
    """Compare how alike DNAs are with how alike their captions are."""
    found = model.likeness
    assert found.correlation is not None and found.embeddings is not None
    tenth, middle = np.quantile(found.dnas, (0.1, 0.5))
    checks = (
        Check(
            f"DNAs are much alike: of {len(found.dnas)} pairs half have a cosine above {middle:.3f}, nine in ten above "
            f"{tenth:.3f}, the least {found.dnas.min():.3f}",
            middle > ALIKE,
        ),
        Check(
            f"like captions do not have like DNAs: correlation {found.correlation:+.3f} of the DNAs' cosine with that "
            f"of the captions' embeddings, which lies above {np.floor(1000 * found.embeddings.min()) / 1000:.3f} here",
            abs(found.correlation) < UNRELATED,
        ),
    )
    data = f"{MEASURED}; pairs of {MOST_COMPARED} of them, evenly spread"
    fig = Figure(figsize=WIDE, dpi=DPI, layout="constrained")
    cosines, prompts = fig.subplots(1, 2)
    draw_cosines(cosines, [model])
    draw_prompts(prompts, [model])
    claim = "the cosine of two DNAs is high for nearly all pairs, and hardly correlated with that of their prompts"
    return Part("Figure 4", "likeness of DNAs and of captions", claim, data, checks, picture=fig)


def figure_12(model: AtlasModel) -> Part:
    """Look at the gains of the demo model beside those of the two models whose mean DNAs ship."""
    models = [replace(model, name="demo model"), shipped(QWEN), shipped(DISTILLED)]
    demo, base, distilled = (diagnose(one.mean) for one in models)
    noisy = [_early(one.mean) for one in models]
    single = float((np.diff(model.errors, axis=1) < 0).any(axis=1).mean())
    assert demo.tail_ratio is not None and base.tail_ratio is not None and distilled.tail_ratio is not None
    top = models[2].mean.errors
    checks = (
        Check(
            f"a model that was not distilled gains at every step: the demo model's mean DNA has "
            f"{_negative(model.mean)} gains below 0, Qwen-Image's {_negative(models[1].mean)}",
            not demo.negative_regions and not base.negative_regions,
        ),
        Check(
            f"its gain comes early: above sigma {MIDDLE:g}, {noisy[0]:.0%} of it on the demo model, {noisy[1]:.0%} on "
            "Qwen-Image",
            min(noisy[:2]) > 0.5,
        ),
        Check(
            f"it decays towards the image: the last tenth gains {demo.tail_ratio:.2f} of the mean on the demo model, "
            f"{base.tail_ratio:.2f} on Qwen-Image",
            bool(demo.gain_decays and base.gain_decays),
        ),
        Check(
            f"a distilled model's first step makes it worse: Z-Image-Turbo's error is {top[-1]:.3f} at pure noise and "
            f"{top[-2]:.3f} at the level below",
            distilled.negative_start,
        ),
        Check(f"and its gain does not decay: {distilled.tail_ratio:.2f} of the mean", not distilled.gain_decays),
    )
    table = f"Of the demo model's single DNAs, {single:.0%} have a gain below 0 somewhere."
    data = (
        f"{MEASURED}, their mean; the mean DNAs of Qwen-Image and Z-Image-Turbo are the authors', so what holds of "
        "these two is read again and not found again"
    )
    missing = "SD3.5's gains around 0, and whether a distilled model over-cooks: no such model is at hand"
    fig = Figure(figsize=(8.6, 4.8), dpi=DPI, layout="constrained")
    draw_gains(fig.subplots(), models)
    claim = (
        "Qwen-Image gains at every step, most at high noise, and less and less. SD3.5's gain swings around 0 late in "
        "the run. Z-Image-Turbo, which is distilled, loses in its first step, and its gain does not decay, so that "
        "more steps over-cook"
    )
    return Part("Figure 12", "gain along the run", claim, data, checks, table, missing, fig)


def _early(dna: DiffusionDNA) -> float:
    """Compute the share of the gain that lies above the middle of the noise levels."""
    _, gains = relative_gains(dna)
    times = dna.flow_times
    return float((gains * np.diff(times))[times[1:] > MIDDLE].sum())


def _negative(dna: DiffusionDNA) -> int:
    return int((np.diff(dna.errors) < 0).sum())


def shipped(name: str) -> AtlasModel:
    """Read the mean DNA of a model that ships with the pack."""
    dna = dna_file.read(PREDICTOR.parent / f"{name}-mean.safetensors")
    return AtlasModel(name, dna, dna.errors[None], [dna], 1)
