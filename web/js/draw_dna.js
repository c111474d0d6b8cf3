// The picture of a DNA on a 2D context: its error over the noise levels, and the gain of every step count. Pure drawing:
// lengths are CSS pixels, and nothing here knows the host.

import { drawDna, drawGain, ghostDna, ghostGain, isInside, panelIn, readDna, readGain } from "./draw_curves.js";
import { begin, ghostly } from "./pen.js";
import { say } from "./words.js";

const SMALL = 130; // below this height only the curve of the DNA fits

/** Where each panel lies in a picture of this size: {dna, gain}; null where one does not fit. */
function layout(width, height) {
  if (height < SMALL) return { dna: panelIn(0, 0, width, height), gain: null };
  const split = Math.round(0.58 * height);
  return { dna: panelIn(0, 0, width, split), gain: panelIn(0, split, width, height - split) };
}

/** Draws `view`, a DnaView, over the whole context. */
export function draw(context, { width, height, ratio, view, theme, hover = null }) {
  begin(context, width, height, ratio);
  const { dna, gain } = layout(width, height);
  const pen = { context, view, theme, ratio, hover };
  drawDna(pen, dna);
  if (gain) drawGain(pen, gain);
}

/** Draws what a DNA will look like, faintly, while none is known. */
export function ghost(context, { width, height, ratio, theme }) {
  begin(context, width, height, ratio);
  const { dna, gain } = layout(width, height);
  ghostly(context, theme, dna, ghostDna, say("error at each noise level"));
  if (gain) ghostly(context, theme, gain, ghostGain, say("gain of each number of steps"));
}

/** What lies under a point of the picture, for DnaView.describe; null where nothing does. */
export function reading(view, width, height, x, y) {
  const { dna, gain } = layout(width, height);
  if (isInside(dna, x, y)) return readDna(view, dna, x);
  return isInside(gain, x, y) ? readGain(view, gain, x) : null;
}
