// The picture of a plan on a 2D context: DNA, cost of every jump with the paths, gain of every step count. Pure drawing:
// lengths are CSS pixels, and nothing here knows the host.
//
// Sampling runs to the right and down: from noise, upper left, to the image. A schedule is a staircase under the
// diagonal, down from where a step starts to where it ends, then across to where the next one starts.

import { costColours } from "./colours.js";
import { acrossNoise, dnaMarks, downNoise, drawDna, drawGain, ghostDna, ghostGain, isInside, noiseTicks, panelIn, readDna, readGain, ticks } from "./draw_curves.js";
import { begin, closest, frame, ghostly, label, line, MARK, marks } from "./pen.js";
import { short } from "./plan_view.js";
import { say } from "./words.js";

const DECADES = 4; // of costs, down from the dearest; what is cheaper looks the same
const SMALL = 170; // below this height only the heatmap fits
const WIDE = 1.35; // from this shape on, the heatmap stands beside the curves
// Schedules that are drawn faintly beside the plan: that of the host's scheduler, and the plan before a change.
const BETA = { colour: "faint", dash: [] };
const BEFORE = { colour: "text", dash: [1.5, 2.5] };
const GHOST_PATH = [1, 0.88, 0.72, 0.53, 0.33, 0.15, 0]; // flow times of no plan in particular

/** Where each panel lies in a picture of this size: `{dna, costs, gain}`, each {x, y, w, h}; null where none fits. */
export function layout(width, height) {
  if (height < SMALL) return { dna: null, costs: panelIn(0, 0, width, height), gain: null };
  if (width > WIDE * height) {
    const half = Math.round(width * 0.55);
    return {
      costs: panelIn(0, 0, half, height),
      dna: panelIn(half, 0, width - half, height / 2),
      gain: panelIn(half, height / 2, width - half, height / 2),
    };
  }
  const rows = [0.25, 0.49, 0.26].map((share) => share * height);
  return {
    dna: panelIn(0, 0, width, rows[0]),
    costs: panelIn(0, rows[0], width, rows[1]),
    gain: panelIn(0, rows[0] + rows[1], width, rows[2]),
  };
}

/** Draws `view`, a PlanView, over the whole context. `cache` is an object of the caller's that keeps the heatmap. */
export function draw(context, { width, height, ratio, view, theme, hover = null, cache = {} }) {
  begin(context, width, height, ratio);
  const panels = layout(width, height);
  const pen = { context, view, theme, ratio, hover };
  drawCosts(pen, panels.costs, cache);
  if (panels.dna) drawDna(pen, panels.dna);
  if (panels.gain) drawGain(pen, panels.gain);
}

/** Draws what a plan will look like, faintly, while there is none. */
export function ghost(context, { width, height, ratio, theme }) {
  begin(context, width, height, ratio);
  const { dna, costs, gain } = layout(width, height);
  const stairs = GHOST_PATH.flatMap((time, i) => [[1 - GHOST_PATH[Math.max(0, i - 1)], 1 - time], [1 - time, 1 - time]]);
  ghostly(context, theme, costs, stairs, say("from noise"), say("to the image"));
  if (dna) ghostly(context, theme, dna, ghostDna, say("error at each noise level"));
  if (gain) ghostly(context, theme, gain, ghostGain, say("gain of each number of steps"));
}

/** Where the steps of a plan can be taken hold of, on the staircase and then on the DNA: {step, panel, x, y} each. */
export function handles(view, width, height) {
  const { costs, dna } = layout(width, height);
  const of = (panel, points) => points.map(([x, y], step) => ({ step, panel, x, y }));
  return [...of("costs", stairMarks(view, costs)), ...(dna ? of("dna", dnaMarks(view, dna)) : [])];
}

function stairMarks(view, panel) {
  const [toX, toY] = [acrossNoise(panel, view), downNoise(panel, view)];
  return view.path.slice(0, -1).map((time, step) => [toX(time), toY(view.path[step + 1])]);
}

/** The flow time at this place across a panel. */
export function timeAt(view, width, height, panel, x) {
  const { x: left, w } = layout(width, height)[panel];
  return view.top * (1 - (x - left) / w);
}

/** What lies under a point of the picture, for PlanView.describe; null where nothing does. */
export function reading(view, width, height, x, y) {
  const panels = layout(width, height);
  if (isInside(panels.dna, x, y)) return readDna(view, panels.dna, x);
  if (isInside(panels.gain, x, y)) return readGain(view, panels.gain, x);
  return isInside(panels.costs, x, y) ? readCosts(view, panels.costs, x, y) : null;
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
  label(context, theme, say("to"), panel.x - 5, panel.y + panel.h / 2 + 3, "right");
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
  for (const [times, look] of [[view.beta, BETA], [view.before, BEFORE]]) {
    if (times.length) line(context, staircase(times), { colour: theme[look.colour], width: 1, dash: look.dash });
  }
  if (view.compared.length) {
    line(context, staircase(view.compared), halo);
    line(context, staircase(view.compared), { colour: theme.compared, width: 1.8, dash: [5, 3.5] });
  }
  if (view.path.length) {
    line(context, staircase(view.path), halo);
    line(context, staircase(view.path), { colour: theme.planned, width: 1.8 });
    marks(context, theme, stairMarks(view, panel), view.held);
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
  const rows = [[say("planned"), theme.planned, []]];
  if (view.compared.length) rows.push([view.claims.compared_with, theme.compared, [5, 3.5]]);
  if (view.beta.length) rows.push(["beta", theme[BETA.colour], BETA.dash]);
  if (view.before.length) rows.push([say("the plan before"), theme[BEFORE.colour], BEFORE.dash]);
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
  label(context, theme, say("cost to"), bar.x - 5, bar.y + 6, "right");
  label(context, theme, short(10 ** view.high), right, bar.y + 17, "right");
}

// Reading off.

function readCosts(view, panel, x, y) {
  const [toX, toY] = [acrossNoise(panel, view), downNoise(panel, view)];
  const rowTimes = [0, ...view.nodeTimes];
  const corners = stairMarks(view, panel).map(([left, top]) => Math.hypot(left - x, top - y));
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

