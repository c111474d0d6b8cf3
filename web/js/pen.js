// Frames, lines, marks and labels on a 2D context, in the colours of a theme. Lengths are CSS pixels.

export const MARK = 6.5; // radius of a numbered mark

/** Clears a context for a picture of this size, of so many device pixels per CSS pixel. */
export function begin(context, width, height, ratio) {
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.lineJoin = "round";
}

/** A panel with a faint dashed curve of no data, given in shares of it, and words below its left and its right end. */
export function ghostly(context, theme, panel, curve, left, right = "") {
  frame(context, theme, panel);
  ghostlyCurve(context, theme, panel, curve);
  label(context, theme, left, panel.x, panel.y + panel.h + 12);
  label(context, theme, right, panel.x + panel.w, panel.y + panel.h + 12, "right");
}

export function ghostlyCurve(context, theme, panel, curve) {
  context.globalAlpha = 0.55;
  const points = curve.map(([x, y]) => [panel.x + x * panel.w, panel.y + y * panel.h]);
  line(context, points, { colour: theme.faint, width: 1.5, dash: [4, 4] });
  context.globalAlpha = 1;
}

export function frame(context, theme, panel) {
  context.strokeStyle = theme.faint;
  context.globalAlpha *= 0.5;
  context.lineWidth = 1;
  context.strokeRect(panel.x - 0.5, panel.y - 0.5, panel.w + 1, panel.h + 1);
  context.globalAlpha /= 0.5;
}

export function line(context, points, { colour, width, dash = [] }) {
  context.beginPath();
  points.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.setLineDash(dash);
  context.stroke();
  context.setLineDash([]);
}

/** The chosen nodes in order, numbered where there is room for a number. held: indices of those that were asked for. */
export function marks(context, theme, points, held = new Set()) {
  const numbered = [];
  const clear = ([x, y], others, distance) => others.every(([ox, oy]) => Math.hypot(x - ox, y - oy) >= distance);
  points.forEach((point, i) => {
    if (clear(point, numbered.map((n) => points[n]), 2 * MARK + 1)) numbered.push(i);
  });
  const colour = (i) => (held.has(i) ? theme.compared : theme.planned);
  points.forEach((point, i) => {
    if (!numbered.includes(i)) dot(context, theme, point, 2.5, colour(i));
  });
  for (const i of numbered) mark(context, theme, points[i], String(i + 1), colour(i));
}

export function mark(context, theme, point, text, colour = theme.planned) {
  dot(context, theme, point, MARK, colour);
  context.fillStyle = theme.dark ? "#000000" : "#ffffff";
  context.font = `600 ${text.length > 2 ? 7 : 9}px ${theme.font}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(text, point[0], point[1] + 0.5);
}

export function dot(context, theme, [x, y], radius, colour = theme.planned) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fillStyle = colour;
  context.fill();
  context.strokeStyle = theme.ground;
  context.lineWidth = 1.2;
  context.stroke();
}

export function label(context, theme, text, x, y, align = "left") {
  context.fillStyle = theme.faint;
  context.font = `10px ${theme.font}`;
  context.textAlign = align;
  context.textBaseline = "alphabetic";
  context.fillText(text, x, y);
}

/** Index of the value nearest to `target` within `distance`; -1 where there is none. */
export function closest(values, target, distance) {
  let best = -1;
  values.forEach((value, i) => {
    if (Math.abs(value - target) <= (best < 0 ? distance : Math.abs(values[best] - target))) best = i;
  });
  return best;
}
