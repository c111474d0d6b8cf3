// The picture of a cached run on a 2D context: a cell for each step, from noise to the image, above the DNA at its noise
// level. Pure drawing: lengths are CSS pixels, and nothing here knows the host.

import { ghostDna } from "./draw_curves.js";
import { begin, dot, frame, ghostly, label, line } from "./pen.js";
import { short } from "./plan_view.js";
import { list, say } from "./words.js";

const LEFT = 38;
const RIGHT = 8;
const STRIP = 22; // height of the cells
const NUMBERS = 14; // of the line of step numbers below them
const BOTTOM = 16;
const TOP = 3;
const SMALL = 80; // below this height there is no room for the curve
export const RUN = { strip: TOP + STRIP + NUMBERS }; // the least height of a run

/**
 * A run that can be drawn, from the claims of nodes/reports/cache_claims.py or sampler_claims.py.
 *
 * Where it is not known yet which of its steps call the model, they are drawn evenly spread, and faintly.
 */
export class CacheView {
  constructor(claims) {
    this.claims = claims;
    this.steps = claims.sigmas ? claims.sigmas.length - 1 : claims.steps;
    this.isKnown = Boolean(claims.computed);
    this.computed = new Set(claims.computed ?? evenly(claims.calls, this.steps));
  }

  /** One line for the step that is pointed at: what `reading` found. */
  describe({ step }) {
    const { sigmas, errors } = this.claims;
    const isForecast = this.isKnown && sigmas && !this.computed.has(step);
    const known = this.isKnown ? say("step {step}: computed", { step }) : say("step {step}: known after a run", { step });
    return list([
      isForecast ? say("step {step}: forecast", { step }) : known,
      this.isKnown && sigmas && `sigma ${short(sigmas[step])}`,
      this.isKnown && sigmas && errors && say("one-step error {error}", { error: short(errors[step]) }),
    ]);
  }
}

const evenly = (calls, steps) => Array.from({ length: Math.min(calls, steps) }, (_, i) => Math.floor((i * steps) / Math.min(calls, steps)));

/** Draws a run of no sampler in particular, faintly, while nothing is known. */
export function ghost(context, { width, height, ratio, theme }) {
  draw(context, { width, height, ratio, theme, view: new CacheView({ steps: 20, calls: 8, sigmas: null, computed: null, errors: null }) });
}

/** Draws `view`, a CacheView, over the whole context. */
export function draw(context, { width, height, ratio, view, theme, hover = null }) {
  begin(context, width, height, ratio);
  drawRun({ context, view, theme, hover }, { x: 0, y: 0, w: width, h: height });
}

/** Draws a run into an area of a picture. pen: {context, view, theme, hover}. */
export function drawRun(pen, area) {
  drawStrip(pen, strip(area));
  if (area.h < SMALL) return;
  const { context, view, theme } = pen;
  const panel = curve(area);
  if (view.claims.errors) drawCurve(pen, panel);
  else ghostly(context, theme, panel, ghostDna, view.claims.sigmas ? say("no one-step errors are known of this run") : say("one-step error of each step, once it is known"));
}

/** The step whose column lies under a point of the picture; null where none does. */
export function reading(view, width, height, x, y) {
  return readRun(view, { x: 0, y: 0, w: width, h: height }, x, y);
}

/** The same in an area of a picture. */
export function readRun(view, area, x, y) {
  const { x: left, w } = strip(area);
  const step = Math.floor((view.steps * (x - left)) / w);
  return y >= area.y && step >= 0 && step < view.steps ? { step } : null;
}

const strip = ({ x, y, w }) => ({ x: x + LEFT, y: y + TOP, w: w - LEFT - RIGHT, h: STRIP });
const curve = ({ x, y, w, h }) => {
  const top = TOP + STRIP + NUMBERS + 4;
  return { x: x + LEFT, y: y + top, w: w - LEFT - RIGHT, h: h - top - BOTTOM };
};

function drawStrip({ context, view, theme, hover }, panel) {
  const cell = panel.w / view.steps;
  const gap = Math.min(3, 0.25 * cell);
  label(context, theme, say("step"), panel.x - 5, panel.y + STRIP / 2 + 3.5, "right");
  let free = -Infinity; // where the last number ends
  for (let step = 0; step < view.steps; step++) {
    const x = panel.x + step * cell + gap / 2;
    const computed = view.computed.has(step);
    context.beginPath();
    // A hollow cell's line lies inside it, so that both kinds are of one size.
    const inset = computed ? 0 : 0.5;
    context.roundRect(x + inset, panel.y + inset, Math.max(1, cell - gap - 2 * inset), panel.h - 2 * inset, Math.min(3, cell / 4));
    const shown = computed && view.isKnown;
    context.globalAlpha = shown || hover?.step === step ? 1 : computed ? 0.35 : 0.6;
    context.fillStyle = context.strokeStyle = shown ? theme.planned : theme.faint;
    context.lineWidth = 1;
    if (computed) context.fill();
    else if (cell >= 4) context.stroke();
    else context.fillRect(x, panel.y + panel.h - 2, Math.max(1, cell - gap), 2); // too narrow to be seen as hollow
    context.globalAlpha = 1;
    const middle = x + (cell - gap) / 2;
    const half = context.measureText(String(step)).width / 2;
    if (shown && middle - half > free) {
      label(context, theme, String(step), middle, panel.y + panel.h + 11, "center");
      free = middle + half + 3;
    }
  }
  if (hover) {
    context.strokeStyle = theme.compared;
    context.lineWidth = 1.5;
    context.strokeRect(panel.x + hover.step * cell, panel.y - 1.5, cell, panel.h + 3);
  }
}

function drawCurve({ context, view, theme, hover }, panel) {
  const { errors, sigmas } = view.claims;
  const toX = (step) => panel.x + (panel.w * (step + 0.5)) / view.steps;
  const [low, high] = [Math.min, Math.max].map((of) => Math.log(of(...errors)));
  const inner = { y: panel.y + 6, h: panel.h - 12 };
  const toY = (error) => inner.y + inner.h * (high > low ? 1 - (Math.log(error) - low) / (high - low) : 0.5);
  const bottom = panel.y + panel.h;
  frame(context, theme, panel);
  label(context, theme, short(Math.max(...errors)), panel.x - 5, inner.y + 3, "right");
  label(context, theme, short(Math.min(...errors)), panel.x - 5, bottom - 3, "right");
  label(context, theme, say("error"), panel.x - 5, panel.y + panel.h / 2 + 3, "right");
  const points = errors.map((error, step) => [toX(step), toY(error)]);
  for (const step of view.computed) {
    const [x, y] = points[step];
    line(context, [[x, panel.y], [x, y]], { colour: theme.faint, width: step === hover?.step ? 1.5 : 0.6, dash: [2, 3] });
  }
  fillBelow(context, theme, points, bottom);
  line(context, points, { colour: theme.text, width: 1.5 });
  const room = panel.w / view.steps;
  points.forEach((point, step) => {
    if (view.computed.has(step)) dot(context, theme, point, Math.min(3.5, Math.max(2, room / 2.5)));
    else if (room >= 8) hollow(context, theme, point);
  });
  if (hover && !view.computed.has(hover.step)) hollow(context, theme, points[hover.step], 3.5);
  sigmaLabels(context, theme, panel, sigmas, toX);
}

function fillBelow(context, theme, points, bottom) {
  context.beginPath();
  context.moveTo(points[0][0], bottom);
  for (const [x, y] of points) context.lineTo(x, y);
  context.lineTo(points.at(-1)[0], bottom);
  context.fillStyle = theme.text;
  context.globalAlpha = 0.1;
  context.fill();
  context.globalAlpha = 1;
}

function hollow(context, theme, [x, y], radius = 2) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fillStyle = theme.ground;
  context.fill();
  context.strokeStyle = theme.text;
  context.lineWidth = 1;
  context.stroke();
}

/** Sigmas of steps below their columns, from the first on, as many as there is room for. */
function sigmaLabels(context, theme, panel, sigmas, toX) {
  const y = panel.y + panel.h + 12;
  const first = `sigma ${short(sigmas[0])}`;
  label(context, theme, first, panel.x, y);
  let free = panel.x + context.measureText(first).width + 10;
  for (let step = 1; step < sigmas.length - 1; step++) {
    const text = short(sigmas[step]);
    const half = context.measureText(text).width / 2;
    if (toX(step) - half < free || toX(step) + half > panel.x + panel.w) continue;
    label(context, theme, text, toX(step), y, "center");
    free = toX(step) + half + 14;
  }
}
