"""Planned sigmas moved by hand, in a real browser: what is dragged is visited, and what is shown is what then runs."""

import numpy as np
import pytest
from cotj.planner import Constraints, plan_fixed
from cotj.tests.browser.canvas import told
from cotj.tests.browser.conftest import DNAS
from cotj.tests.browser.hand import drag, place
from cotj.tests.host.workflows import Graph, plan

FIRST = DNAS["first"]
STEPS = 6
PLANNED = plan_fixed(FIRST, STEPS).sigmas
RADIUS = 6.5


class Planned:
    def __init__(self) -> None:
        self.graph = Graph()
        dna = self.graph.add("CoTjLoadDNA", name="first")
        self.fixed = plan(self.graph, dna[0], steps=STEPS, visit="")
        self.heatmap = self.graph.add("CoTjHeatmap", plan=self.fixed[2])


@pytest.fixture
def nodes(canvas):
    made = Planned()
    canvas.build(made.graph.nodes)
    for node_id in (made.fixed.id, made.heatmap.id):
        canvas.wait(node_id, lambda state: state["claims"] and state["claims"]["sigmas"] == PLANNED.tolist())
    return made


def visiting(*sigmas):
    return plan_fixed(FIRST, STEPS, constraints=Constraints(visit=sigmas)).sigmas.tolist()


def asked(canvas, nodes):
    return [float(sigma) for sigma in canvas.drive("value", nodes.fixed.id, "visit").split(",") if sigma.strip()]


@pytest.mark.parametrize("where", ["fixed", "heatmap"])
def test_a_step_that_is_dragged_is_visited_and_a_double_click_gives_it_back(canvas, nodes, where):
    before = canvas.drive("nodePlace", nodes.fixed.id)
    node_id = getattr(nodes, where).id
    drag(canvas, node_id, 2, -20)
    [sigma] = asked(canvas, nodes)
    assert sigma > PLANNED[2] + 0.01, "noise is on the left"
    for one in (nodes.fixed.id, nodes.heatmap.id):
        state = canvas.wait(one, lambda state: state["claims"]["sigmas"] == visiting(sigma))
        assert (state["state"], state["note"]) == ("live", "")
    assert canvas.drive("nodePlace", nodes.fixed.id) == before, "the node was dragged"

    canvas.run()
    assert canvas.widget(nodes.fixed.id)["claims"]["sigmas"] == pytest.approx(visiting(sigma), abs=1e-6)

    step = int(np.abs(np.array(canvas.widget(node_id)["claims"]["sigmas"]) - sigma).argmin())
    canvas.page.mouse.dblclick(*place(canvas, node_id, step))
    canvas.wait(nodes.fixed.id, lambda state: state["claims"]["sigmas"] == PLANNED.tolist())
    assert asked(canvas, nodes) == []


def test_a_step_is_dragged_on_the_curve_of_the_dna_too(canvas, nodes):
    drag(canvas, nodes.fixed.id, 3, 15, "dna")
    [sigma] = asked(canvas, nodes)
    assert sigma < PLANNED[3] - 0.01, "the image is on the right"
    canvas.wait(nodes.fixed.id, lambda state: state["claims"]["sigmas"] == visiting(sigma))
    step = int(np.abs(np.array(visiting(sigma)) - sigma).argmin())
    canvas.page.mouse.dblclick(*place(canvas, nodes.fixed.id, step, "dna"))
    canvas.wait(nodes.fixed.id, lambda state: state["claims"]["sigmas"] == PLANNED.tolist())


def test_a_press_that_trembles_moves_nothing_and_a_drag_keeps_to_where_the_step_was_gripped(canvas, nodes):
    x, y = place(canvas, nodes.fixed.id, 2)
    canvas.page.mouse.move(x, y)
    canvas.page.mouse.down()
    canvas.page.mouse.move(x + 1, y + 1)
    canvas.page.mouse.up()
    assert asked(canvas, nodes) == []
    canvas.page.mouse.move(x + 4, y)  # a grip beside the mark
    canvas.page.mouse.down()
    canvas.page.mouse.move(x + 14, y)
    canvas.page.mouse.move(x + 4, y)  # and back
    canvas.page.mouse.up()
    assert asked(canvas, nodes) == [pytest.approx(PLANNED[2], abs=6e-4)]


def test_a_frame_takes_few_milliseconds(canvas, nodes):
    """The limit has room for a busy machine; what was measured is told after the tests."""
    frames = []
    for share in np.linspace(0.2, 0.8, 20):
        canvas.point(nodes.fixed.id, share, 0.5)
        frames.append(canvas.widget(nodes.fixed.id)["drawMs"])
    renderer = "Nodes 2.0" if canvas.vue else "the classic canvas"
    told.add(f"A frame of a plan's picture takes {np.median(frames):.1f} ms in {renderer}.")
    assert 0 < np.median(frames) < 50


def test_two_steps_are_visited_and_one_that_is_moved_again_leaves_its_place(canvas, nodes):
    drag(canvas, nodes.fixed.id, 1, -10)
    [first] = asked(canvas, nodes)
    canvas.wait(nodes.fixed.id, lambda state: state["claims"]["sigmas"] == visiting(first))
    drag(canvas, nodes.fixed.id, 4, 12)
    both = asked(canvas, nodes)
    assert len(both) == 2 and first in both
    canvas.wait(nodes.fixed.id, lambda state: state["claims"]["sigmas"] == visiting(*both))
    drag(canvas, nodes.fixed.id, 4, 8)
    assert len(asked(canvas, nodes)) == 2 and both[1] not in asked(canvas, nodes)


def test_by_keys(canvas, nodes):
    canvas.page.evaluate("id => drive.plan(id).canvas.focus()", nodes.fixed.id)
    canvas.page.keyboard.press("ArrowDown")
    assert canvas.widget(nodes.fixed.id)["reading"].startswith("step 2: sigma ")
    canvas.page.keyboard.press("ArrowDown")
    canvas.page.keyboard.press("ArrowLeft")
    [sigma] = asked(canvas, nodes)
    assert sigma == pytest.approx(PLANNED[2] + 0.01, abs=6e-4)
    canvas.wait(nodes.fixed.id, lambda state: state["claims"]["sigmas"] == visiting(sigma))
    canvas.page.keyboard.press("Shift+ArrowRight")
    assert asked(canvas, nodes)[0] == pytest.approx(sigma - 0.002, abs=6e-4)
    [sigma] = asked(canvas, nodes)
    canvas.wait(nodes.fixed.id, lambda state: state["claims"]["sigmas"] == visiting(sigma))
    canvas.page.keyboard.press("Delete")
    assert asked(canvas, nodes) == []
    assert canvas.drive("nodePlace", nodes.fixed.id), "the node was deleted"


def test_by_keys_no_node_is_deleted_where_no_step_can_be_moved(canvas, nodes):
    canvas.turn(nodes.fixed.id, "steps", 1)
    canvas.wait(nodes.fixed.id, lambda state: len(state["claims"]["sigmas"]) == 2)
    canvas.page.mouse.click(*place(canvas, nodes.fixed.id, 0))  # which selects the node, in the classic renderer
    canvas.page.evaluate("id => app.canvas.selectItems([drive.node(id)])", nodes.fixed.id)
    canvas.page.evaluate("id => drive.plan(id).canvas.focus()", nodes.fixed.id)
    for key in ("Delete", "Backspace"):
        canvas.page.keyboard.press(key)
    assert canvas.drive("nodePlace", nodes.fixed.id), "the node was deleted"


def press(canvas, nodes, key, times=1):
    """Press a key so fast that no plan is drawn between two presses; what is asked for after each."""
    asked_for = canvas.page.evaluate(
        """([id, key, times]) => Array.from({ length: times }, () => {
          drive.plan(id).canvas.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
          return drive.value(id, "visit");
        })""",
        [nodes.fixed.id, key, times],
    )
    return [[float(sigma) for sigma in text.split(",") if sigma.strip()] for text in asked_for]


def test_keys_move_on_from_what_is_written_when_they_are_faster_than_the_plan(canvas, nodes):
    press(canvas, nodes, "ArrowDown", 2)
    moved = press(canvas, nodes, "ArrowLeft", 8)
    assert moved == [[pytest.approx(PLANNED[2] + 0.01 * (i + 1), abs=3e-3)] for i in range(8)]
    [sigma] = moved[-1]
    canvas.wait(nodes.fixed.id, lambda state: state["claims"]["sigmas"] == visiting(sigma))
    below = int(np.abs(np.array(visiting(sigma)) - sigma).argmin()) + 1
    press(canvas, nodes, "ArrowDown")
    far = int((sigma - visiting(sigma)[below]) / 0.01) + 3
    moved = press(canvas, nodes, "ArrowLeft", far)
    assert all(sigma in asked_for and len(set(asked_for)) == len(asked_for) <= 2 for asked_for in moved)
    assert len(moved[-1]) == 2 and max(moved[-1]) > sigma, "it has not passed the other one"
    press(canvas, nodes, "Delete")
    assert asked(canvas, nodes) == [sigma]


def test_by_touch(canvas, nodes):
    x, y = place(canvas, nodes.fixed.id, 2)
    canvas.page.evaluate(
        """([id, x, y]) => {
          const { canvas } = drive.plan(id);
          canvas.setPointerCapture = () => {}; // which a made event has no pointer for
          const send = (type, dx) => canvas.dispatchEvent(new PointerEvent(type, {
            pointerId: 7, pointerType: "touch", clientX: x + dx, clientY: y + 9, bubbles: true, cancelable: true,
            buttons: type === "pointerup" ? 0 : 1,
          }));
          send("pointerdown", 0);
          send("pointermove", -15);
          send("pointerup", -15);
        }""",
        [nodes.fixed.id, x, y],
    )
    [sigma] = asked(canvas, nodes)
    assert sigma > PLANNED[2] + 0.01


@pytest.mark.parametrize("palette", ["light", "dark"])
def test_a_visited_step_and_the_plan_before_are_drawn_in_both_themes(canvas, nodes, palette):
    canvas.set("Comfy.ColorPalette", palette)
    canvas.page.wait_for_timeout(1600)  # from here on the plan that is shown is the one before
    before = canvas.drive("colours", nodes.fixed.id)
    drag(canvas, nodes.fixed.id, 3, -25)
    [sigma] = asked(canvas, nodes)
    canvas.wait(nodes.fixed.id, lambda state: state["claims"]["sigmas"] == visiting(sigma))
    accent = {"light": "#a8320aff", "dark": "#ff9d76ff"}[palette]
    assert canvas.drive("colours", nodes.fixed.id)[accent] > before[accent] + 60, "no visited mark"
    times = canvas.drive("drawTimes", nodes.fixed.id)
    print(f"\ndraws in {times['again']:.1f} ms while it is dragged")
