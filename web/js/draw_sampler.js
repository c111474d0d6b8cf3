// The picture of CoTj KSampler: what runs ended in, above the steps of the next run.

import { begin } from "./pen.js";
import { CacheView, drawRun, readRun, RUN } from "./draw_cache.js";
import { drawTiles, heightOf, tileAt } from "./draw_tiles.js";
import { say } from "./words.js";

/** The next run, or the one that has been, with the gallery of what runs of so many calls ended in. */
export class SamplerView extends CacheView {
  constructor(claims, gallery) {
    super(claims);
    this.gallery = gallery;
  }

  describe(found) {
    return found.tile === undefined ? super.describe(found) : this.gallery.tiles[found.tile].said;
  }
}

/** Draws `view`, a SamplerView, over the whole context. */
export function draw(context, { width, height, ratio, view, theme, hover = null }) {
  begin(context, width, height, ratio);
  const { gallery, run } = areas(view, width, height);
  drawTiles(context, theme, view.gallery, gallery);
  drawRun({ context, view, theme, hover: hover?.step === undefined ? null : hover }, run);
}

/** Draws a run of no sampler in particular, faintly, while nothing is known. */
export function ghost(context, { width, height, ratio, theme }) {
  const tile = { colour: "faint", figure: "", image: null, missing: "" };
  const tiles = [say("default"), say("planned")].map((name) => ({ ...tile, name, missing: say("shown after a run") }));
  const view = new SamplerView({ steps: 20, calls: 8, sigmas: null, computed: null, errors: null }, { tiles, verdict: "" });
  draw(context, { width, height, ratio, theme, view });
}

/** The tile or the step that lies under a point of the picture; null where none does. */
export function reading(view, width, height, x, y) {
  const { gallery, run } = areas(view, width, height);
  const tile = tileAt(view.gallery, gallery, x, y);
  return tile >= 0 ? { tile } : readRun(view, run, x, y);
}

/** The gallery takes what it needs for its full width, and leaves room for the strip of steps. */
function areas(view, width, height) {
  const high = Math.min(heightOf(view.gallery, width), height - RUN.strip);
  return { gallery: { x: 0, y: 0, w: width, h: high }, run: { x: 0, y: high, w: width, h: height - high } };
}
