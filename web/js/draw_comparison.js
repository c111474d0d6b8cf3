// The picture of Compare Schedules: what each schedule ends in, and the reference.

import { begin } from "./pen.js";
import { drawTiles, tileAt } from "./draw_tiles.js";
import { say } from "./words.js";

const whole = (width, height) => ({ x: 0, y: 0, w: width, h: height });

/** Draws `view`, {gallery, ...}, over the whole context. */
export function draw(context, { width, height, ratio, view, theme }) {
  begin(context, width, height, ratio);
  drawTiles(context, theme, view.gallery, whole(width, height));
}

/** Draws what a comparison will look like, faintly, while there is none. */
export function ghost(context, { width, height, ratio, theme }) {
  const tile = { colour: "faint", figure: "", image: null, missing: say("shown after a run") };
  const tiles = [say("one schedule"), say("another"), say("the reference")].map((name) => ({ ...tile, name }));
  draw(context, { width, height, ratio, theme, view: { gallery: { tiles, verdict: "" } } });
}

/** The tile that lies under a point of the picture; null where none does. */
export function reading(view, width, height, x, y) {
  const tile = tileAt(view.gallery, whole(width, height), x, y);
  return tile >= 0 ? { tile } : null;
}
