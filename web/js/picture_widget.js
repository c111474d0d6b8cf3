// A widget of one node that holds a picture, as a DOM element: title, detail, note, the picture, and what is read off it.

import { app } from "../../../scripts/app.js";
import { readTheme } from "./colours.js";
import { addWidget, removeWidget } from "./outside.js";

export const TYPE = "cotj_plan";
const LOOK_AGAIN = 300; // ms; for what changes without an event: seeds after a run, values set by other packs, the zoom
const MOST_RATIO = 4; // device pixels per CSS pixel, zoomed in

/**
 * What every widget of ours is, whatever it comes to know. A kind of it says what will stand there, in words (`empty`) and
 * as the `ghost` of its `picture`; where it has a `view`, that is drawn.
 */
export class PictureWidget {
  static sizes = { least: 200, width: 360, height: 420 }; // least height; of a new node, and of the widget in it

  /** host: the node that it is shown on, where that is a subgraph with the node inside. */
  constructor(node, host = node) {
    this.node = node;
    this.host = host;
    const { least, height } = this.constructor.sizes;
    this.least = host === node ? least : (least + height) / 2; // a subgraph's node was seldom made larger for it
    this.view = null;
    this.pointer = [-1, -1]; // where it is on the picture
    this.cache = {};
    this.theme = readTheme();
    this.makeElements();
    const widget = addWidget(host, TYPE, this.box, {
      serialize: false,
      hideOnZoom: false,
      getMinHeight: () => this.least,
      getValue: () => "",
    });
    widget.serialize = false; // the option keeps it out of the prompt, this out of the file
    widget.plan = this;
    this.widget = widget;
  }

  makeElements() {
    const part = (name, tag = "div") => Object.assign(document.createElement(tag), { className: name });
    this.box = part("cotj-plan");
    this.box.style.minHeight = `${this.least}px`;
    [this.title, this.detail, this.note, this.picture, this.read] = ["title", "detail", "note", "picture", "reading"].map((name) => part(name));
    this.canvas = part("", "canvas");
    this.canvas.setAttribute("role", "img");
    this.picture.append(this.canvas);
    this.box.append(this.title, this.detail, this.note, this.picture, this.read);
    this.canvas.addEventListener("pointermove", (event) => this.point(event.offsetX, event.offsetY));
    this.canvas.addEventListener("pointerleave", () => this.point(-1, -1));
    this.passToGraph();
  }

  /** Zooming and panning begin above the picture as well as beside it. */
  passToGraph() {
    const classic = () => !this.box.closest("[data-node-id]"); // the other renderer does this by itself
    this.box.addEventListener("wheel", (event) => classic() && app.canvas.processMouseWheel(event), { passive: false });
    for (const [name, handler] of [["pointerdown", "processMouseDown"], ["pointermove", "processMouseMove"], ["pointerup", "processMouseUp"]]) {
      this.box.addEventListener(name, (event) => {
        if (classic() && (event.button === 1 || event.buttons & 4)) app.canvas[handler](event);
      });
    }
  }

  /** Makes room in a new node and begins to draw, once a kind has what it draws from. */
  begin() {
    const { width: wide, height: high } = this.constructor.sizes;
    const [width, height] = this.host.computeSize();
    this.host.setSize([Math.max(width, wide), height + high - this.least]); // a saved size comes after
    this.resize = new ResizeObserver(() => this.resized());
    this.resize.observe(this.picture);
    this.show();
  }

  /** Takes it off the node that it is shown on. */
  leave() {
    this.removed();
    removeWidget(this.host, this.widget, this.box);
  }

  removed() {
    clearInterval(this.timer);
    this.timer = null;
    this.resize.disconnect();
  }

  /** A run is over. */
  storedAnew() {}

  /** Looks at the graph again. */
  refresh() {
    this.show();
  }

  /** Brings the words and the picture up to date. */
  show() {
    [this.title.textContent, this.detail.textContent] = this.constructor.empty();
    this.box.dataset.state = "empty";
    this.canvas.setAttribute("aria-label", this.title.textContent);
    this.paint();
  }

  readTheme() {
    const theme = readTheme();
    if (theme.key === this.theme.key) return;
    this.theme = theme;
    this.paint();
  }

  /** For what has changed without a trace in what is drawn: a font that has come. */
  redraw() {
    this.drawn = null;
    this.paint();
  }

  resized() {
    if (this.picture.clientWidth && !this.timer) {
      this.timer = setInterval(() => this.lookAgain(), LOOK_AGAIN);
      this.readTheme();
    }
    this.paint();
  }

  lookAgain() {
    if (!this.box.isConnected) {
      clearInterval(this.timer);
      this.timer = null;
    } else if (!document.hidden && this.picture.clientWidth) {
      this.refresh();
    }
  }

  point(x, y) {
    this.pointer = [x, y];
    this.paint();
  }

  /** Draws, where anything that is drawn has changed. */
  paint() {
    const [width, height] = [this.picture.clientWidth, this.picture.clientHeight];
    // Read anew, since another view may have nothing there.
    const hover = this.view && width && height ? this.constructor.picture.reading(this.view, width, height, ...this.pointer) : null;
    this.read.textContent = hover ? this.view.describe(hover) : (this.resting ?? "");
    this.read.classList.toggle("on", Boolean(hover));
    if (!width || !height) return;
    const ratio = this.ratio();
    const drawn = [this.view, width, height, ratio, this.theme.key, JSON.stringify(hover)];
    if (this.drawn?.every((entry, i) => entry === drawn[i])) return;
    this.drawn = drawn;
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.canvas.width !== w || this.canvas.height !== h) Object.assign(this.canvas, { width: w, height: h });
    const context = this.canvas.getContext("2d");
    const started = performance.now();
    const { theme, view, cache } = this;
    const size = { width, height, ratio, theme };
    if (view) this.constructor.picture.draw(context, { ...size, view, hover, cache });
    else this.constructor.picture.ghost(context, size);
    this.box.dataset.drawMs = (performance.now() - started).toFixed(2);
  }

  /** Device pixels per CSS pixel of the canvas, the graph's zoom included; in half steps, so that zooming draws seldom. */
  ratio() {
    const zoom = this.picture.getBoundingClientRect().width / this.picture.offsetWidth || 1;
    return Math.min(MOST_RATIO, Math.max(1, Math.ceil(2 * zoom * devicePixelRatio) / 2));
  }
}
