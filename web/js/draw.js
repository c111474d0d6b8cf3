// The picture of a plan on a 2D context: DNA, cost of every jump with the paths, gain of every step count. Pure drawing:
// lengths are CSS pixels, and nothing here knows the host.
//
// Sampling runs to the right and down: from noise, upper left, to the image. A schedule is a staircase under the
// diagonal, down from where a step starts to where it ends, then across to where the next one starts.

import { costColours } from "./colours.js";
import { short } from "./plan_view.js";

const DECADES = 4; // of costs, down from the dearest; what is cheaper looks the same
const TICKS = { flow: [0, 0.2, 0.4, 0.6, 0.8], ve: [0, 0.2, 0.5, 1, 2, 4, 10] }; // sigmas; the model's top is added
const SMALL = 170; // below this height only the heatmap fits
const WIDE = 1.35; // from this shape on, the heatmap stands beside the curves
const MARK = 6.5; // radius of a numbered node
const LEFT = 38;
const BOTTOM = 16;
const TOP = 7; // half of a mark
const RIGHT = 8;

/** Where each panel lies in a picture of this size: `{dna, costs, gain}`, each {x, y, w, h}; null where none fits. */
export function layout(width, height) {
  const panel = (x, y, w, h) => ({ x: x + LEFT, y: y + TOP, w: w - LEFT - RIGHT, h: h - TOP - BOTTOM });
  if (height < SMALL) return { dna: null, costs: panel(0, 0, width, height), gain: null };
  if (width > WIDE * height) {
    const half = Math.round(width * 0.55);
    return {
      costs: panel(0, 0, half, height),
      dna: panel(half, 0, width - half, height / 2),
      gain: panel(half, height / 2, width - half, height / 2),
    };
  }
  const rows = [0.25, 0.49, 0.26].map((share) => share * height);
  return {
    dna: panel(0, 0, width, rows[0]),
    costs: panel(0, rows[0], width, rows[1]),
    gain: panel(0, rows[0] + rows[1], width, rows[2]),
  };
}

/** Draws `view`, a PlanView, over the whole context. `cache` is an object of the caller's that keeps the heatmap. */
export function draw(context, { width, height, ratio, view, theme, hover = null, cache = {} }) {
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.lineJoin = "round";
  const panels = layout(width, height);
  const pen = { context, view, theme, ratio, hover };
  drawCosts(pen, panels.costs, cache);
  if (panels.dna) drawDna(pen, panels.dna);
  if (panels.gain) drawGain(pen, panels.gain);
}

/** What lies under a point of the picture, for PlanView.describe; null where nothing does. */
export function reading(view, width, height, x, y) {
  const panels = layout(width, height);
  const inside = (panel) =>
    panel && x >= panel.x - 4 && x <= panel.x + panel.w + 4 && y >= panel.y - TOP && y <= panel.y + panel.h + 4;
  if (inside(panels.dna)) return readDna(view, panels.dna, x);
  if (inside(panels.gain)) return readGain(view, panels.gain, x);
  return inside(panels.costs) ? readCosts(view, panels.costs, x, y) : null;
}

// Both axes in noise are even in flow time, in which jumps are costed, and labelled in sigma.
const acrossNoise = (panel, view) => (time) => panel.x + panel.w * (1 - time / view.top);
const downNoise = (panel, view) => (time) => panel.y + panel.h * (1 - time / view.top);

function drawDna({ context, view, theme, hover }, panel) {
  const { errors } = view.claims.dna;
  const [toX, toY] = [acrossNoise(panel, view), errorAxis(panel, view)];
  frame(context, theme, panel);
  noiseTicks(context, theme, panel, view, toX);
  label(context, theme, short(Math.max(...errors)), panel.x - MARK - 2, panel.y + 3, "right");
  label(context, theme, short(Math.min(...errors)), panel.x - 5, panel.y + panel.h, "right");
  label(context, theme, "error", panel.x - 5, panel.y + panel.h / 2 + 2, "right");
  if (hover?.time !== undefined) {
    line(context, [[toX(hover.time), panel.y], [toX(hover.time), panel.y + panel.h]], { colour: theme.faint, width: 1 });
  }
  line(context, view.dnaTimes.map((time, i) => [toX(time), toY(errors[i])]), { colour: theme.text, width: 1.5 });
  marks(context, theme, view.path.slice(0, -1).map((time) => [toX(time), toY(view.errorAt(time))]));
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

function drawCosts({ context, view, theme, ratio, hover }, panel, cache) {
  const [toX, toY] = [acrossNoise(panel, view), downNoise(panel, view)];
  context.drawImage(heatmap(view, panel, ratio, theme, cache), panel.x, panel.y, panel.w, panel.h);
  frame(context, theme, panel);
  noiseTicks(context, theme, panel, view, toX);
  let free = panel.y + panel.h / 2; // where "to" stands
  for (const [time, text] of ticks(view)) {
    if (Math.abs(toY(time) - free) < 12) continue;
    label(context, theme, text, panel.x - 5 - (time === view.top ? 3 : 0), toY(time) + 3.5, "right");
    free = toY(time);
  }
  label(context, theme, "to", panel.x - 5, panel.y + panel.h / 2 + 3, "right");
  legend(context, theme, view, panel);
  if (hover?.panel === "costs") {
    const [x, y] = [toX(hover.time), toY(hover.toTime)];
    line(context, [[x, toY(hover.time)], [x, y], [toX(hover.toTime), y]], { colour: theme.faint, width: 1 });
    context.strokeStyle = theme.planned;
    context.lineWidth = 1;
    context.strokeRect(x - 3.5, y - 3.5, 7, 7);
  }
  const staircase = (times) => times.flatMap((time, i) => [[toX(times[Math.max(0, i - 1)]), toY(time)], [toX(time), toY(time)]]);
  const halo = { colour: theme.ground, width: 4.5 };
  if (view.compared.length) {
    line(context, staircase(view.compared), halo);
    line(context, staircase(view.compared), { colour: theme.compared, width: 1.8, dash: [5, 3.5] });
  }
  if (view.path.length) {
    line(context, staircase(view.path), halo);
    line(context, staircase(view.path), { colour: theme.planned, width: 1.8 });
    marks(context, theme, view.path.slice(0, -1).map((time, i) => [toX(time), toY(view.path[i + 1])]));
  }
}

/** The costs as a picture at the screen's own resolution, drawn anew only for another plan, size or theme. */
function heatmap(view, panel, ratio, theme, cache) {
  const [w, h] = [Math.max(1, Math.round(panel.w * ratio)), Math.max(1, Math.round(panel.h * ratio))];
  const codes = view.claims.costs.codes;
  if (cache.codes === codes && cache.w === w && cache.h === h && cache.dark === theme.dark) return cache.canvas;
  const colours = costColours(theme.dark);
  const canvas = cache.canvas ?? new OffscreenCanvas(w, h);
  canvas.width = w;
  canvas.height = h;
  const context = canvas.getContext("2d");
  const image = context.createImageData(w, h);
  const pixels = new Uint32Array(image.data.buffer);
  const cells = Uint32Array.from(view.codes, (code) => {
    const share = (view.logCost(code) - view.high + DECADES) / DECADES;
    return Number.isNaN(share) ? 0 : colours[Math.round(Math.min(1, Math.max(0, share)) * (colours.length - 1))];
  });
  const columns = nearest(view.nodeTimes, w, (i) => view.top * (1 - (i + 0.5) / w));
  const rows = nearest([0, ...view.nodeTimes], h, (i) => view.top * (1 - (i + 0.5) / h));
  for (let y = 0, pixel = 0; y < h; y++) {
    const to = rows[y];
    for (let x = 0; x < w; x++, pixel++) {
      const from = columns[x];
      if (to <= from) pixels[pixel] = cells[(from * (from + 1)) / 2 + to];
    }
  }
  context.putImageData(image, 0, 0);
  Object.assign(cache, { canvas, codes, w, h, dark: theme.dark });
  return canvas;
}

/** For each of `count` falling times, the index of the nearest of these rising ones. */
function nearest(times, count, timeOf) {
  let index = times.length - 1;
  return Int32Array.from({ length: count }, (_, i) => {
    const time = timeOf(i);
    while (index > 0 && Math.abs(times[index - 1] - time) <= Math.abs(times[index] - time)) index--;
    return index;
  });
}

/** In the corner that no jump reaches: which line is which, and what the colours mean. */
function legend(context, theme, view, panel) {
  if (panel.w < 190 || panel.h < 90) return;
  const right = panel.x + panel.w - 6;
  const rows = [["planned", theme.planned, []]];
  if (view.compared.length) rows.push([view.claims.compared_with, theme.compared, [5, 3.5]]);
  rows.forEach(([text, colour, dash], i) => {
    const y = panel.y + 10 + 14 * i;
    label(context, { ...theme, faint: theme.text }, text, right - 26, y + 3.5, "right");
    line(context, [[right - 21, y], [right, y]], { colour, width: 1.8, dash });
  });
  const bar = { x: right - 80, y: panel.y + 12 + 14 * rows.length, w: 80, h: 5 };
  const colours = costColours(theme.dark, bar.w);
  colours.forEach((colour, i) => {
    context.fillStyle = `rgb(${colour & 255} ${(colour >> 8) & 255} ${(colour >> 16) & 255})`;
    context.fillRect(bar.x + i, bar.y, 1.5, bar.h);
  });
  label(context, theme, "cost to", bar.x - 5, bar.y + 6, "right");
  label(context, theme, short(10 ** view.high), right, bar.y + 17, "right");
}

function drawGain({ context, view, theme, hover }, panel) {
  const { explained_gain: gain, steps, threshold } = view.claims;
  const { toX, toY } = gainAxes(panel, view);
  frame(context, theme, panel);
  label(context, theme, "100 %", panel.x - 5, toY(1) + 4, "right");
  label(context, theme, "gain", panel.x - 5, panel.y + panel.h / 2 + 4, "right");
  label(context, theme, "0", panel.x - 5, toY(0) + 3, "right");
  const counts = [1, 5, 10, 20, 30, 40, 50, 100, 200, 500, 1000].filter((count) => count <= gain.length);
  let free = -Infinity;
  for (const count of counts) {
    const text = count === 1 ? "1 step" : String(count);
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
    label(context, { ...theme, faint: theme.compared }, `threshold ${threshold}`, panel.x + panel.w - 4, toY(threshold) + 12, "right");
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

// Marks and lines.

function frame(context, theme, panel) {
  context.strokeStyle = theme.faint;
  context.globalAlpha *= 0.5;
  context.lineWidth = 1;
  context.strokeRect(panel.x - 0.5, panel.y - 0.5, panel.w + 1, panel.h + 1);
  context.globalAlpha /= 0.5;
}

function line(context, points, { colour, width, dash = [] }) {
  context.beginPath();
  points.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.setLineDash(dash);
  context.stroke();
  context.setLineDash([]);
}

/** The chosen nodes in order, numbered where there is room for a number. */
function marks(context, theme, points) {
  const numbered = [];
  const clear = ([x, y], others, distance) => others.every(([ox, oy]) => Math.hypot(x - ox, y - oy) >= distance);
  points.forEach((point, i) => {
    if (clear(point, numbered.map((n) => points[n]), 2 * MARK + 1)) numbered.push(i);
  });
  points.forEach((point, i) => {
    if (!numbered.includes(i)) dot(context, theme, point, 2.5);
  });
  for (const i of numbered) mark(context, theme, points[i], String(i + 1));
}

function mark(context, theme, point, text) {
  dot(context, theme, point, MARK);
  context.fillStyle = theme.dark ? "#000000" : "#ffffff";
  context.font = `600 ${text.length > 2 ? 7 : 9}px ${theme.font}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(text, point[0], point[1] + 0.5);
}

function dot(context, theme, [x, y], radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fillStyle = theme.planned;
  context.fill();
  context.strokeStyle = theme.ground;
  context.lineWidth = 1.2;
  context.stroke();
}

function label(context, theme, text, x, y, align = "left") {
  context.fillStyle = theme.faint;
  context.font = `10px ${theme.font}`;
  context.textAlign = align;
  context.textBaseline = "alphabetic";
  context.fillText(text, x, y);
}

/** Flow time and text of the labels of an axis in noise; none so near to the top that they overlap. */
function ticks(view) {
  const top = view.claims.dna.sigmas.at(-1);
  const below = TICKS[view.kind].map((sigma) => [view.flow(sigma), sigma]).filter(([time]) => time < 0.93 * view.top);
  return [...below, [view.top, top]].map(([time, sigma]) => [time, short(sigma)]);
}

function noiseTicks(context, theme, panel, view, toX) {
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

function readDna(view, panel, x) {
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

function readCosts(view, panel, x, y) {
  const [toX, toY] = [acrossNoise(panel, view), downNoise(panel, view)];
  const rowTimes = [0, ...view.nodeTimes];
  const corners = view.path.slice(0, -1).map((time, i) => Math.hypot(toX(time) - x, toY(view.path[i + 1]) - y));
  const step = closest(corners, 0, MARK);
  const [time, toTime] =
    step >= 0
      ? [view.path[step], view.path[step + 1]]
      : [view.nodeTimes[closest(view.nodeTimes.map(toX), x, Infinity)], rowTimes[closest(rowTimes.map(toY), y, Infinity)]];
  const from = closest(view.nodeTimes, time, Infinity);
  const to = closest(rowTimes, toTime, Infinity);
  const code = view.code(from, to);
  if (Number.isNaN(view.logCost(code))) return null;
  const found = { panel: "costs", time, toTime, code, error: view.errorAt(time) };
  return step >= 0
    ? { ...found, step, sigma: view.claims.sigmas[step], to: view.claims.sigmas[step + 1] }
    : { ...found, sigma: view.nodes[from], to: to ? view.nodes[to - 1] : 0 };
}

function readGain(view, panel, x) {
  const most = view.claims.explained_gain.length;
  if (!most) return null;
  const share = (x - panel.x) / panel.w;
  return { panel: "gain", steps: Math.min(most, Math.max(1, Math.round(1 + share * (Math.max(2, most) - 1)))) };
}

/** Index of the value nearest to `target` within `distance`; -1 where there is none. */
function closest(values, target, distance) {
  let best = -1;
  values.forEach((value, i) => {
    if (Math.abs(value - target) <= (best < 0 ? distance : Math.abs(values[best] - target))) best = i;
  });
  return best;
}
