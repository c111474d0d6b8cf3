"""A hand that drags the steps of a plan in a live widget's picture."""

from __future__ import annotations

from cotj.tests.browser.canvas import Canvas


def place(canvas: Canvas, node_id: str, step: int, panel: str = "costs") -> list[float]:
    """Where a step of the plan is drawn on the page: on the staircase ("costs") or on the curve of the DNA ("dna")."""
    return canvas.page.evaluate(
        """async ([id, step, panel]) => {
          const { handles } = await import("/extensions/comfyui-cotj/js/draw.js");
          const { view, picture, canvas } = drive.plan(id);
          const marks = handles(view, picture.clientWidth, picture.clientHeight);
          const { x, y } = marks.find((mark) => mark.step === step && mark.panel === panel);
          const box = canvas.getBoundingClientRect();
          const scale = box.width / picture.clientWidth;
          return [box.left + x * scale, box.top + y * scale];
        }""",
        [node_id, step, panel],
    )


def drag(canvas: Canvas, node_id: str, step: int, pixels: float, panel: str = "costs") -> None:
    """Drag a step so far to the right."""
    x, y = place(canvas, node_id, step, panel)
    canvas.page.mouse.move(x, y)
    canvas.page.mouse.down()
    for part in (0.3, 0.7, 1):
        canvas.page.mouse.move(x + part * pixels, y)
    canvas.page.mouse.up()
