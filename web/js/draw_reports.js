// What pictures of runs will look like, faintly, while there are none. Pure drawing: lengths are CSS pixels.

import { ghostDna, ghostGain, panelIn } from "./draw_curves.js";
import { ghostSchedule } from "./draw_schedule.js";
import { begin, dot, ghostly, ghostlyCurve, line } from "./pen.js";
import { say } from "./words.js";

// Means of no candidates in particular with their intervals, in shares of a panel.
const CANDIDATES = [[0.14, 0.05], [0.24, 0.06], [0.33, 0.08], [0.47, 0.11], [0.68, 0.2]];
const SPREAD = [1, 1.25, 0.8]; // of several curves, by which their heights are multiplied
const LOSS = ghostGain.map(([x, y]) => [x, 1 - y]);

/** Two panels, one above the other, the upper with this share of the height. */
function halves(width, height, share) {
  const split = Math.round(share * height);
  return [panelIn(0, 0, width, split), panelIn(0, split, width, height - split)];
}

/** How far candidates end from the long run, and the schedule found. */
export function search(context, { width, height, ratio, theme }) {
  begin(context, width, height, ratio);
  const [candidates, found] = halves(width, height, 0.55);
  ghostly(context, theme, candidates, [], say("how far each schedule ends from the long run"));
  context.globalAlpha = 0.55;
  CANDIDATES.forEach(([mean, half], row) => {
    const y = candidates.y + (candidates.h * (row + 0.5)) / CANDIDATES.length;
    const at = (share) => candidates.x + share * candidates.w;
    line(context, [[at(mean - half), y], [at(mean + half), y]], { colour: theme.faint, width: 1.5 });
    dot(context, theme, [at(mean), y], 3.5, row ? theme.faint : theme.planned);
  });
  context.globalAlpha = 1;
  ghostly(context, theme, found, ghostSchedule, say("step by step from noise"), say("to the image"));
}

/** A DNA, and what each step takes away from it. */
export function diagnosis(context, { width, height, ratio, theme }) {
  begin(context, width, height, ratio);
  const [dna, gains] = halves(width, height, 0.55);
  ghostly(context, theme, dna, ghostDna, say("error at each noise level"));
  ghostly(context, theme, gains, ghostGain, say("what each step takes away"));
}

/** DNAs side by side, and the steps that they need. */
export function atlas(context, { width, height, ratio, theme }) {
  begin(context, width, height, ratio);
  const [dnas, gains] = halves(width, height, 0.55);
  several(context, theme, dnas, ghostDna, SPREAD, say("error at each noise level"));
  several(context, theme, gains, ghostGain, SPREAD, say("steps that each model needs"));
}

/** Falling losses, and a predicted beside a measured DNA. */
export function training(context, { width, height, ratio, theme }) {
  begin(context, width, height, ratio);
  const [losses, dna] = halves(width, height, 0.55);
  several(context, theme, losses, LOSS, SPREAD.slice(0, 2), say("loss of each epoch"));
  several(context, theme, dna, ghostDna, SPREAD.slice(0, 2), say("measured and predicted"));
}

/** A panel with curves of one shape, whose distances from the top are so many times as large, within the panel. */
function several(context, theme, panel, curve, times, words) {
  const scaled = times.map((more) => curve.map(([x, y]) => [x, Math.min(0.97, y * more)]));
  ghostly(context, theme, panel, scaled[0], words);
  for (const one of scaled.slice(1)) ghostlyCurve(context, theme, panel, one);
}
