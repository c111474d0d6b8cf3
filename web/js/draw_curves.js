// The panels that a DNA alone fills, on a 2D context: its error over the noise levels, and the gain of every step count.
// Pure drawing: lengths are CSS pixels, and nothing here knows the host.

import { closest, dot, frame, label, line, MARK, mark, marks } from "./pen.js";
import { short } from "./plan_view.js";
import { say } from "./words.js";

const TICKS = { flow: [0, 0.2, 0.4, 0.6, 0.8], ve: [0, 0.2, 0.5, 1, 2, 4, 10] }; // sigmas; the model's top is added
const LEFT = 38;
const BOTTOM = 16;
const TOP = 7; // half of a mark
const RIGHT = 8;

const along = (shape) => Array.from({ length: 25 }, (_, i) => [i / 24, shape(i / 24)]);

// Curves of no DNA in particular, in shares of their panels, for while there is none.
export const ghostDna = along((share) => 0.08 + 0.84 * share ** 1.6);
export const ghostGain = along((share) => 0.06 + 0.86 * Math.exp(-5 * share));

/** The panel of a picture's part, with room for its labels: {x, y, w, h}. */
export const panelIn = (x, y, w, h) => ({ x: x + LEFT, y: y + TOP, w: w - LEFT - RIGHT, h: h - TOP - BOTTOM });

/** Whether a point lies in a panel or at its edge. */
export const isInside = (panel, x, y) =>
  Boolean(panel) && x >= panel.x - 4 && x <= panel.x + panel.w + 4 && y >= panel.y - TOP && y <= panel.y + panel.h + 4;

// Both axes in noise are even in flow time, in which jumps are costed, and labelled in sigma.
export const acrossNoise = (panel, view) => (time) => panel.x + panel.w * (1 - time / view.top);
export const downNoise = (panel, view) => (time) => panel.y + panel.h * (1 - time / view.top);

export function drawDna({ context, view, theme, hover }, panel) {
  const { errors } = view.claims.dna;
  const [toX, toY] = [acrossNoise(panel, view), errorAxis(panel, view)];
  frame(context, theme, panel);
  noiseTicks(context, theme, panel, view, toX);
  label(context, theme, short(Math.max(...errors)), panel.x - MARK - 2, panel.y + 3, "right");
  label(context, theme, short(Math.min(...errors)), panel.x - 5, panel.y + panel.h, "right");
  label(context, theme, view.holdsErrors ? say("error") : say("var."), panel.x - 5, panel.y + panel.h / 2 + 2, "right");
  if (hover?.time !== undefined) {
    line(context, [[toX(hover.time), panel.y], [toX(hover.time), panel.y + panel.h]], { colour: theme.faint, width: 1 });
  }
  line(context, view.dnaTimes.map((time, i) => [toX(time), toY(errors[i])]), { colour: theme.text, width: 1.5 });
  marks(context, theme, dnaMarks(view, panel), view.held);
}

/** Where the steps of a plan are marked on the curve of its DNA, [x, y] each. */
export function dnaMarks(view, panel) {
  const [toX, toY] = [acrossNoise(panel, view), errorAxis(panel, view)];
  return view.path.slice(0, -1).map((time) => [toX(time), toY(view.errorAt(time))]);
}

/** Height of an error in its panel: even in its logarithm, over the range that the DNA has. */
function errorAxis(panel, view) {
  const positive = view.claims.dna.errors.filter((error) => error > 0).map(Math.log);
  const high = positive.length ? Math.max(...positive) : 0;
  const low = positive.length ? Math.min(...positive) : 0;
  return (error) => {
    const share = error > 0 && high > low ? (Math.log(error) - low) / (high - low) : 0;
    return panel.y + panel.h * (1 - Math.min(1, Math.max(0, share)));
  };
}

export function drawGain({ context, view, theme, hover }, panel) {
  const { explained_gain: gain, steps, threshold } = view.claims;
  const { toX, toY } = gainAxes(panel, view);
  frame(context, theme, panel);
  label(context, theme, "100 %", panel.x - 5, toY(1) + 4, "right");
  label(context, theme, say("gain"), panel.x - 5, panel.y + panel.h / 2 + 4, "right");
  label(context, theme, "0", panel.x - 5, toY(0) + 3, "right");
  const counts = [1, 5, 10, 20, 30, 40, 50, 100, 200, 500, 1000].filter((count) => count <= gain.length);
  let free = -Infinity;
  for (const count of counts) {
    const text = count === 1 ? say("1 step") : String(count);
    if (toX(count) - free < 22) continue;
    label(context, theme, text, toX(count), panel.y + panel.h + 12, count === 1 ? "left" : "center");
    free = toX(count) + (count === 1 ? 20 : 0);
  }
  if (!gain.length) return;
  const curve = gain.map((value, i) => [toX(i + 1), toY(value)]);
  context.beginPath();
  context.moveTo(curve[0][0], toY(0));
  for (const [x, y] of curve) context.lineTo(x, y);
  context.lineTo(curve.at(-1)[0], toY(0));
  context.fillStyle = theme.text;
  context.globalAlpha *= 0.12;
  context.fill();
  context.globalAlpha /= 0.12;
  if (threshold !== null) {
    line(context, [[panel.x, toY(threshold)], [panel.x + panel.w, toY(threshold)]], { colour: theme.compared, width: 1.2, dash: [2, 3] });
    label(context, { ...theme, faint: theme.compared }, say("threshold {threshold}", { threshold }), panel.x + panel.w - 4, toY(threshold) + 12, "right");
  }
  line(context, curve, { colour: theme.text, width: 1.5 });
  if (hover?.panel === "gain") dot(context, theme, curve[hover.steps - 1], 3.5);
  if (steps) mark(context, theme, curve[steps - 1], String(steps));
}

function gainAxes(panel, view) {
  const gain = view.claims.explained_gain;
  const low = Math.min(0, ...gain);
  const most = Math.max(2, gain.length);
  return {
    toX: (steps) => panel.x + (panel.w * (steps - 1)) / (most - 1),
    toY: (value) => panel.y + panel.h * (1 - (Math.max(low, value) - low) / (Math.max(1, ...gain) - low)),
  };
}

// Labels of the axes in noise.

/** Flow time and text of the labels of an axis in noise; none so near to the top that they overlap. */
export function ticks(view) {
  const top = view.claims.dna.sigmas.at(-1);
  const below = TICKS[view.kind].map((sigma) => [view.flow(sigma), sigma]).filter(([time]) => time < 0.93 * view.top);
  return [...below, [view.top, top]].map(([time, sigma]) => [time, short(sigma)]);
}

export function noiseTicks(context, theme, panel, view, toX) {
  const y = panel.y + panel.h + 12;
  const [[, lowest], ...others] = ticks(view);
  const highest = `sigma ${others.pop()[1]}`;
  label(context, theme, lowest, panel.x + panel.w + 2, y, "right");
  label(context, theme, highest, panel.x, y);
  let free = panel.x + context.measureText(highest).width + 6;
  for (const [time, text] of others.reverse()) {
    const [x, half] = [toX(time), context.measureText(text).width / 2];
    if (x - half < free || x + half > panel.x + panel.w - 10) continue;
    label(context, theme, text, x, y, "center");
    free = x + half + 6;
  }
}

// Reading off.

export function readDna(view, panel, x) {
  const toX = acrossNoise(panel, view);
  const step = closest(view.path.slice(0, -1).map(toX), x, MARK);
  if (step >= 0) {
    const time = view.path[step];
    return { panel: "dna", step, time, sigma: view.claims.sigmas[step], error: view.errorAt(time) };
  }
  const node = closest(view.dnaTimes.map(toX), x, Infinity);
  const { sigmas, errors } = view.claims.dna;
  return { panel: "dna", time: view.dnaTimes[node], sigma: sigmas[node], error: errors[node] };
}

export function readGain(view, panel, x) {
  const most = view.claims.explained_gain.length;
  if (!most) return null;
  const share = (x - panel.x) / panel.w;
  return { panel: "gain", steps: Math.min(most, Math.max(1, Math.round(1 + share * (Math.max(2, most) - 1)))) };
}
