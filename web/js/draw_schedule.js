// The picture of a stored schedule on a 2D context: its noise levels step by step, beside the model's own. Pure drawing:
// lengths are CSS pixels, and nothing here knows the host.

import { panelIn } from "./draw_curves.js";
import { begin, closest, frame, ghostly, label, line, marks } from "./pen.js";
import { short, toFlow } from "./plan_view.js";
import { say } from "./words.js";

export const ghostSchedule = Array.from({ length: 25 }, (_, i) => [i / 24, (i / 24) ** 1.7]);

/** A stored schedule that can be drawn, from the claims of nodes/reports/result_claims.py. */
export class ScheduleView {
  constructor(claims) {
    this.claims = claims;
    this.path = claims.sigmas.map((sigma) => toFlow(sigma, claims.kind));
    this.compared = claims.compared_sigmas.map((sigma) => toFlow(sigma, claims.kind));
    this.top = Math.max(...this.path, ...this.compared);
  }

  /** One line for the step that is pointed at: what `reading` found. */
  describe({ step }) {
    const { sigmas, compared_sigmas: own, compared_with: name } = this.claims;
    const values = { step: step + 1, sigma: short(sigmas[step]), name, other: short(own[step]) };
    return say("step {step}: sigma {sigma}, in {name} {other}", values);
  }
}

const axes = (panel, view) => ({
  toX: (step) => panel.x + (panel.w * step) / (view.path.length - 1),
  toY: (time) => panel.y + panel.h * (1 - time / view.top),
});

/** Draws `view`, a ScheduleView, over the whole context. */
export function draw(context, { width, height, ratio, view, theme, hover = null }) {
  begin(context, width, height, ratio);
  const panel = panelIn(0, 0, width, height);
  const { toX, toY } = axes(panel, view);
  const points = (times) => times.map((time, step) => [toX(step), toY(time)]);
  frame(context, theme, panel);
  label(context, theme, short(view.claims.sigmas[0]), panel.x - 8, panel.y + 3, "right");
  label(context, theme, "sigma", panel.x - 5, panel.y + panel.h / 2 + 3, "right");
  label(context, theme, "0", panel.x - 5, panel.y + panel.h, "right");
  label(context, theme, say("step 1"), panel.x, panel.y + panel.h + 12);
  label(context, theme, String(view.path.length - 1), toX(view.path.length - 2), panel.y + panel.h + 12, "center");
  if (hover) line(context, [[toX(hover.step), panel.y], [toX(hover.step), panel.y + panel.h]], { colour: theme.faint, width: 1 });
  line(context, points(view.compared), { colour: theme.compared, width: 1.8, dash: [5, 3.5] });
  line(context, points(view.path), { colour: theme.planned, width: 1.8 });
  marks(context, theme, points(view.path).slice(0, -1));
  legend(context, theme, panel, view.claims.compared_with);
}

/** In the corner that schedules, which descend, seldom reach: which line is which. */
function legend(context, theme, panel, compared) {
  const rows = [[say("stored"), theme.planned, []], [compared, theme.compared, [5, 3.5]]];
  rows.forEach(([text, colour, dash], i) => {
    const [x, y] = [panel.x + 6, panel.y + panel.h - 24 + 14 * i];
    line(context, [[x, y], [x + 21, y]], { colour, width: 1.8, dash });
    label(context, { ...theme, faint: theme.text }, text, x + 26, y + 3.5);
  });
}

/** Draws what a schedule will look like, faintly, while none is known. */
export function ghost(context, { width, height, ratio, theme }) {
  begin(context, width, height, ratio);
  ghostly(context, theme, panelIn(0, 0, width, height), ghostSchedule, say("step by step from noise"), say("to the image"));
}

/** The step that lies under a point of the picture; null where none does. */
export function reading(view, width, height, x, y) {
  const panel = panelIn(0, 0, width, height);
  const steps = view.path.slice(0, -1).map((_, step) => axes(panel, view).toX(step));
  const step = y >= 0 ? closest(steps, x, panel.w / steps.length) : -1;
  return step < 0 ? null : { step };
}
