"""The sheet of an atlas: which panels there are for what, and that they draw the figures that they claim to."""

import numpy as np
import pytest
from cotj.nodes.reports.atlas.curve_panels import relative_gains
from cotj.nodes.reports.atlas.models import of_dnas, of_pairs
from cotj.nodes.reports.atlas.sheet import ALL, PANELS, figure
from cotj.nodes.reports.figures import pixels
from cotj.planner import DiffusionDNA
from cotj.tests.nodes.reports.atlas.test_models import TIMES, dna, pairs, planned
from cotj.tests.planner.test_profile import Run

PLAIN = ["steps needed", "DNAs", "where steps fall", "gains"]


def with_profile(kind="flow"):
    run = Run(kind)
    return DiffusionDNA(run.sigmas[1:], 0.01 + run.times[1:] ** 3, profile=run.profile, kind=kind)


def lines(axes, gid):
    return [line for line in axes.lines if line.get_gid() == gid]


@pytest.mark.parametrize(
    ("models", "panels"),
    [
        (lambda: of_dnas([dna()], []), PLAIN),
        (lambda: of_dnas([dna(2), dna(3), dna(4)], []), [*PLAIN, "likeness of DNAs"]),
        (lambda: [of_pairs("set", pairs(50), 50)], [*PLAIN, "likeness of DNAs", "likeness and prompts"]),
        (lambda: of_dnas([with_profile(), dna()], []), [*PLAIN, "norms", "deviation", "components"]),
        (lambda: [*of_dnas([with_profile("ve")], []), of_pairs("set", pairs(9), 9)], list(PANELS)),
    ],
)
def test_a_sheet_has_what_can_be_drawn_and_other_panels_say_what_they_need(models, panels):
    found = planned(models())
    sheet = figure(found, 0.99)
    assert len(sheet.axes) == len(panels)
    image = pixels(sheet)
    assert image.std() > 10
    for name in set(PANELS) - set(panels):
        with pytest.raises(ValueError, match="this needs"):
            figure(found, 0.99, name)


@pytest.mark.parametrize("name", PANELS)
def test_a_panel_by_itself_is_larger(name):
    found = planned([*of_dnas([with_profile()], []), of_pairs("set", pairs(9), 9)])
    alone = figure(found, 0.99, name)
    assert pixels(alone).shape == (720, 960, 3)
    assert len(alone.axes) == 1 and alone.axes[0].get_title()


@pytest.mark.parametrize("errors", [np.zeros(30), np.ones(30), 1 - TIMES / 2])
def test_every_dna_is_drawn(errors):
    found = planned(of_dnas([DiffusionDNA(TIMES, errors)], []))
    assert pixels(figure(found, 0.99, ALL)).std() > 10


def test_steps_needed_are_drawn_with_the_point_that_nine_in_ten_can_do_with():
    [model] = planned([of_pairs("set", pairs(60), 60)])
    [axes] = figure([model], 0.95, "steps needed").axes
    [point] = lines(axes, "served")
    steps = np.sort([plan.steps for plan in planned([model], threshold=0.95)[0].plans])
    assert (point.get_xdata()[0], point.get_ydata()[0]) == (pytest.approx(0.05), steps[53])
    [median] = lines(axes, "median")
    shares = 1 - median.get_xdata()
    np.testing.assert_array_equal(median.get_ydata(), np.sort(model.steps(shares), axis=0)[29])


def test_the_bands_of_dnas_hold_eight_in_ten():
    [model] = planned([of_pairs("set", pairs(60), 60)])
    [axes] = figure([model], 0.99, "DNAs").axes
    [band] = [shape for shape in axes.collections if shape.get_gid() == "band"]
    [box] = [path.vertices for path in band.get_paths()]
    at_half = box[np.isclose(box[:, 0], 0.5), 1]
    np.testing.assert_allclose([at_half.min(), at_half.max()], np.quantile(model.errors[:, 14], [0.1, 0.9]))


def test_marks_are_where_the_steps_are():
    [model] = planned(of_dnas([dna()], []))
    [axes] = figure([model], 0.99, "where steps fall").axes
    [marks] = [shape for shape in axes.collections if shape.get_gid() == "steps"]
    assert [segment[0, 0] for segment in marks.get_segments()] == pytest.approx(model.plans[0].sigmas[:-1].tolist())


def test_gains_add_up_to_one_over_the_run():
    times, gains = relative_gains(dna(4))
    assert gains @ np.diff(times) == pytest.approx(1)
    worse = np.append(dna(4).errors[:-1], 0.5)
    assert relative_gains(DiffusionDNA(TIMES, worse))[1][-1] < 0


def test_norms_are_those_of_the_runs_states():
    run = Run("flow")
    found = planned(of_dnas([DiffusionDNA(run.times[1:], 0.01 + run.times[1:] ** 3, profile=run.profile)], []))
    [axes] = figure(found, 0.99, "norms").axes
    [states] = lines(axes, "states")
    np.testing.assert_allclose(states.get_ydata(), np.sqrt(np.square(run.states).mean(axis=(1, 2))))
