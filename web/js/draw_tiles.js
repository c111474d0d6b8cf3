// Pictures side by side on a 2D context, each under its name and above its figure, and a line of words below them all.
// Pure drawing: lengths are CSS pixels, and nothing here knows the host.
//
// A tile is {name, colour, figure, isStrong, image, missing}: `colour` one of the theme's, `image` an HTMLImageElement or
// null, `missing` the words in its place. A gallery is {tiles, verdict, isStrong, isFaint}.

import { say } from "./words.js";

const GAP = 8; // between tiles
const SIDE = 8; // left and right of them all
const NAME = 18; // height of the line of names
const FIGURE = 17;
const VERDICT = 20; // of a line of words below them all
const RADIUS = 5;
const LINE = 13; // of words in a tile
const SMALLEST = 40; // a smaller picture tells nothing
const BREAKS = /(?<= )|(?<=[\u3000-\u9fff\uff00-\uffef])(?![\u3000-\u303f\uff00-\uffef])/; // where a line may end

const ruler = new OffscreenCanvas(1, 1).getContext("2d");
ruler.font = "600 11px sans-serif";

export const isThere = (image) => Boolean(image?.complete && image.naturalWidth);

/** How high a gallery is whose tiles fill this width in one row, its words included. */
export function heightOf(gallery, width) {
  return Math.round(NAME + widthOf(gallery.tiles.length, width) / aspectOf(gallery) + FIGURE + verdictHeight(gallery, width));
}

/** Where the picture of each tile lies in an area, {x, y, w, h}: in as many rows as make them largest. */
export function boxes(gallery, area) {
  const { tiles } = gallery;
  const aspect = aspectOf(gallery);
  const below = verdictHeight(gallery, area.w);
  const fits = tiles.map((_, i) => {
    const columns = tiles.length - i;
    const rows = Math.ceil(tiles.length / columns);
    const room = Math.max(SMALLEST, (area.h - below) / rows - NAME - FIGURE);
    return { columns, w: Math.min(widthOf(columns, area.w), room * aspect) };
  });
  const { columns, w } = fits.reduce((best, one) => (one.w > best.w ? one : best));
  const h = w / aspect;
  const left = area.x + (area.w - columns * w - (columns - 1) * GAP) / 2;
  return tiles.map((_, i) => ({
    x: left + (i % columns) * (w + GAP),
    y: area.y + NAME + Math.floor(i / columns) * (NAME + h + FIGURE),
    w,
    h,
  }));
}

/** The index of the tile under a point; -1 where there is none. */
export function tileAt(gallery, area, x, y) {
  return boxes(gallery, area).findIndex((box) => x >= box.x && x <= box.x + box.w && y >= box.y - NAME && y <= box.y + box.h + FIGURE);
}

export function drawTiles(context, theme, gallery, area) {
  const places = boxes(gallery, area);
  context.globalAlpha = gallery.isFaint ? 0.5 : 1;
  gallery.tiles.forEach((tile, i) => drawTile(context, theme, tile, places[i]));
  context.globalAlpha = 1;
  const style = { colour: gallery.isStrong ? theme.text : theme.faint, weight: gallery.isStrong ? 600 : 400, align: "center" };
  const below = places.at(-1).y + places.at(-1).h + FIGURE;
  const width = area.w - 2 * SIDE;
  context.font = fontOf(theme, style);
  linesOf(context, gallery.verdict, width).forEach((line, i) => {
    write(context, theme, line, area.x + area.w / 2, below + 14 + LINE * i, width, style);
  });
}

/** How high the words below the tiles are. Their font, which is known when they are drawn, may be wider than this one. */
function verdictHeight({ verdict }, width) {
  return VERDICT + LINE * (linesOf(ruler, verdict, 0.9 * (width - 2 * SIDE)).length - 1);
}

const widthOf = (columns, width) => (width - 2 * SIDE - (columns - 1) * GAP) / columns;

/** Width by height of the pictures, which all are of one shape. */
function aspectOf({ tiles }) {
  const known = tiles.map(({ image }) => image).find(isThere);
  return known ? known.naturalWidth / known.naturalHeight : 1;
}

function drawTile(context, theme, tile, box) {
  const there = isThere(tile.image);
  write(context, theme, tile.name, box.x, box.y - 6, box.w, { colour: theme[tile.colour], weight: 600 });
  context.beginPath();
  context.roundRect(box.x, box.y, box.w, box.h, RADIUS);
  if (there) {
    context.save();
    context.clip();
    context.imageSmoothingQuality = "high";
    context.drawImage(tile.image, box.x, box.y, box.w, box.h);
    context.restore();
  } else {
    const loading = tile.image && !tile.image.complete;
    missing(context, theme, loading ? "" : tile.image ? say("not kept any more") : tile.missing, box);
    context.roundRect(box.x, box.y, box.w, box.h, RADIUS);
  }
  context.strokeStyle = there ? theme[tile.colour] : theme.faint;
  context.lineWidth = 1;
  context.setLineDash(there ? [] : [4, 4]);
  context.stroke();
  context.setLineDash([]);
  if (there && tile.isStrong) ring(context, box);
  const style = tile.isStrong ? { colour: theme.text, weight: 600 } : { colour: theme.faint };
  write(context, theme, tile.figure, box.x, box.y + box.h + 14, box.w, style);
}

/** A second line around the best picture, clear of it, so that it is seen on any ground. */
function ring(context, { x, y, w, h }) {
  context.beginPath();
  context.roundRect(x - 2.5, y - 2.5, w + 5, h + 5, RADIUS + 2);
  context.lineWidth = 2;
  context.stroke();
}

function missing(context, theme, words, box) {
  const style = { colour: theme.faint, align: "center", size: 10 };
  context.font = fontOf(theme, style);
  const shown = linesOf(context, words, box.w - 16).slice(0, Math.floor(box.h / LINE));
  const top = box.y + (box.h - LINE * shown.length) / 2 + 9;
  shown.forEach((line, i) => write(context, theme, line, box.x + box.w / 2, top + LINE * i, box.w - 8, style));
}

/** Words as lines of at most this width in the font of a context, where no single word is wider. */
function linesOf(context, words, width) {
  const lines = [""];
  for (const word of words.split(BREAKS)) {
    const longer = lines.at(-1) + word;
    if (lines.at(-1) && context.measureText(longer.trim()).width > width) lines.push(word);
    else lines[lines.length - 1] = longer;
  }
  return lines.map((line) => line.trim());
}

const fontOf = (theme, { weight = 400, size = 11 }) => `${weight} ${size}px ${theme.font}`;

/** Writes a line, cut with an ellipsis where it is wider than `width`. */
function write(context, theme, text, x, y, width, style) {
  context.font = fontOf(theme, style);
  context.fillStyle = style.colour;
  context.textAlign = style.align ?? "left";
  context.textBaseline = "alphabetic";
  let shown = text;
  for (let end = text.length; end > 0 && context.measureText(shown).width > width; end--) shown = `${text.slice(0, end).trimEnd()}…`;
  context.fillText(shown, x, y);
}
