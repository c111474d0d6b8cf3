"""The picture is read back from what matplotlib was told to draw."""

import numpy as np
import pytest
from cotj.nodes.reports import plan_picture
from cotj.nodes.reports.plan_claims import hold_against
from cotj.planner import CoTj, DiffusionDNA, Stages, TimeShift, plan_adaptive, plan_fixed, sigma_to_flow

TIMES = np.arange(1, 31) / 30
FLOW = DiffusionDNA(TIMES, 0.01 + TIMES**3, shift=TimeShift("static", 3.0))
VE = DiffusionDNA(np.geomspace(0.03, 14.6, 30), 0.01 + TIMES**2, kind="ve")


def panels(plan, comparison=None):
    return plan_picture.figure(plan, comparison or hold_against(plan)).axes[:3]


def drawn(axes, gid):
    [line] = [line for line in axes.lines if line.get_gid() == gid]
    return np.array(line.get_data())


def stairs(sigmas, dna):
    """Down from where a step starts to where it ends, across to the start of the next."""
    corners = np.repeat(sigma_to_flow(sigmas, dna.kind), 2)
    return np.array([corners[:-1], corners[1:]])


@pytest.mark.parametrize("dna", [FLOW, VE])
def test_paths_and_nodes_are_those_of_plan_and_comparison(dna):
    plan = plan_fixed(dna, 6)
    comparison = hold_against(plan)
    errors, costs, gain = panels(plan)
    np.testing.assert_allclose(drawn(errors, "planned"), [dna.flow_times[plan.path], dna.errors[plan.path]])
    np.testing.assert_allclose(drawn(costs, "planned"), stairs(plan.sigmas, dna))
    np.testing.assert_allclose(drawn(costs, "compared"), stairs(comparison.sigmas, dna))
    np.testing.assert_allclose(drawn(gain, "planned").ravel(), [6, plan.curve[5]])


def test_an_uncertainty_is_drawn_as_what_it_is():
    dna = DiffusionDNA(TIMES, TIMES * (1 - TIMES), measure="uncertainty")
    plan = plan_fixed(dna, 6, Stages())
    errors, costs, _ = panels(plan)
    assert errors.get_ylabel() == "variance of one-step guess"
    assert panels(plan_fixed(FLOW, 6))[0].get_ylabel() == "error of one-step guess"
    chosen = sigma_to_flow(plan.sigmas[:-1], "flow")
    np.testing.assert_allclose(drawn(errors, "planned"), [chosen, dna.errors_at(chosen)])
    np.testing.assert_allclose(drawn(costs, "planned"), stairs(plan.sigmas, dna))


def test_the_heatmap_holds_the_cost_of_every_jump():
    [mesh] = panels(plan_fixed(FLOW, 6))[1].collections
    shown = np.ma.filled(mesh.get_array(), np.inf)
    np.testing.assert_allclose(shown[0], FLOW.errors)  # to 0
    np.testing.assert_allclose(shown[1:].T, CoTj().jump_costs(FLOW))


def test_the_gain_shows_the_threshold_of_an_adaptive_plan_only():
    _, _, gain = panels(plan_adaptive(FLOW, 0.9, 20))
    assert set(drawn(gain, "threshold")[1]) == {0.9}
    assert not [line for line in panels(plan_fixed(FLOW, 6))[2].lines if line.get_gid() == "threshold"]


def test_the_title_says_steps_cost_and_saving():
    plan = plan_fixed(FLOW, 6)
    title = plan_picture.figure(plan, hold_against(plan)).get_suptitle()
    assert title == f"6 steps\npredicted error {hold_against(plan).verdict(plan)}"


@pytest.mark.parametrize(("dna", "top"), [(FLOW, "1"), (VE, "14.6")])
def test_axes_are_labelled_in_sigma(dna, top):
    fig = plan_picture.figure(plan_fixed(dna, 6), hold_against(plan_fixed(dna, 6)))
    fig.canvas.draw()
    errors, costs, _ = fig.axes[:3]
    for axis in (errors.xaxis, costs.xaxis, costs.yaxis):
        assert "sigma" in axis.get_label_text()
        labels = [label.get_text() for label in axis.get_ticklabels()]
        assert (labels[0], labels[-1]) == ("0", top)


@pytest.mark.parametrize(
    "plan",
    [
        plan_fixed(FLOW, 1),
        plan_fixed(FLOW, 30),
        plan_fixed(FLOW, 4, denoise=0.0),
        plan_fixed(FLOW, 4, planner=CoTj("schedule"), start="free", denoise=0.5),
        plan_fixed(DiffusionDNA([0.5, 1], [0, 0]), 2),
        plan_fixed(DiffusionDNA(TIMES, 1 - TIMES), 3),
    ],
)
def test_every_plan_is_drawn(plan):
    image = plan_picture.draw(plan, hold_against(plan))
    assert (image.shape, image.dtype) == ((1440, 960, 3), np.uint8)
    assert image.std() > 10
