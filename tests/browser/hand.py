"""A hand that drags the steps of a plan in a live widget's picture."""

from __future__ import annotations

from cotj.tests.browser.canvas import Canvas


def place(canvas: Canvas, node_id: str, step: int) -> list[float]:
    """Where a step of the plan is drawn on the staircase, on the page."""
    return canvas.page.evaluate(
        """async ([id, step]) => {
          const { handles } = await import("/extensions/comfyui-cotj/js/draw.js");
          const { view, picture, canvas } = drive.plan(id);
          const { x, y } = handles(view, picture.clientWidth, picture.clientHeight)[step];
          const box = canvas.getBoundingClientRect();
          const scale = box.width / picture.clientWidth;
          return [box.left + x * scale, box.top + y * scale];
        }""",
        [node_id, step],
    )


def drag(canvas: Canvas, node_id: str, step: int, pixels: float) -> None:
    """Drag a step so far to the right."""
    x, y = place(canvas, node_id, step)
    canvas.page.mouse.move(x, y)
    canvas.page.mouse.down()
    for part in (0.3, 0.7, 1):
        canvas.page.mouse.move(x + part * pixels, y)
    canvas.page.mouse.up()
