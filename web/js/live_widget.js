// A live widget of one node: a DOM element that shows what the next run does, and says so where it cannot know it.

import { app } from "../../../scripts/app.js";
import { readTheme } from "./colours.js";
import { addWidget, removeWidget } from "./outside.js";
import { PlanClient } from "./plan_client.js";
import { keep, recall } from "./store.js";
import { fingerprint, isLinked, linkedValue, widgetValue } from "./upstream.js";
import { list, say } from "./words.js";

export const TYPE = "cotj_plan";
const PROPERTY = "cotj_plan"; // of the node: {record, upstream, request}, saved with the workflow
const ASK_AGAIN = 3000; // ms, after no answer
const LOOK_AGAIN = 300; // ms; for what changes without an event: seeds after a run, values set by other packs, the zoom
const MOST_RATIO = 4; // device pixels per CSS pixel, zoomed in

/**
 * What every live widget is: elements, a record of the last run, and answers to what the next one is asked with.
 *
 * A kind of widget says what that is (`next`), what can be drawn of an answer (`viewOf`, `picture`), what is said of it
 * (`words`, `notes`), and what is shown before anything is known (`empty`, and the `ghost` of its picture).
 */
export class LiveWidget {
  static sizes = { least: 200, width: 360, height: 420 }; // least height; of a new node, and of the widget in it

  /**
   * inputs: those of the node that decide on what is shown, as well as its own widgets. host: the node that it is shown
   * on, where that is a subgraph with the node inside.
   */
  constructor(node, inputs, host = node) {
    this.node = node;
    this.host = host;
    const { least, width: wide, height: high } = this.constructor.sizes;
    this.least = host === node ? least : (least + high) / 2; // a subgraph's node was seldom made larger for it
    this.inputs = inputs;
    this.record = null; // what the last run showed
    this.ran = null; // the request that gives it again
    this.view = null;
    this.error = null;
    this.pointer = [-1, -1]; // where it is on the picture
    this.cache = {};
    this.theme = readTheme();
    this.client = new PlanClient((request, answer) => this.answered(request, answer));
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
    if (host === node) for (const other of node.widgets) if (other !== widget) this.follow(other);
    const [width, height] = host.computeSize();
    host.setSize([Math.max(width, wide), height + high - this.least]); // a saved size comes after
    this.resize = new ResizeObserver(() => this.resized());
    this.resize.observe(this.picture);
    this.show();
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

  /** Asks again at once when a widget of the node is turned. */
  follow(widget) {
    const before = widget.callback;
    widget.callback = (...args) => {
      const result = before?.apply(widget, args);
      queueMicrotask(() => this.refresh());
      return result;
    };
  }

  // What is asked.

  /** The request for the next run: {request, linked}, the request null where too little is known for one. */
  next() {
    return { request: this.ran, linked: [] };
  }

  /** The values that these widgets of a node will have in the next run, and the names of those that only a run knows. */
  valuesOf(node, names, otherwise = {}) {
    const linked = [];
    const known = (name) => {
      const value = isLinked(node, name) ? linkedValue(node, name) : widgetValue(node, name);
      if (value !== undefined) return value;
      linked.push(name);
      return otherwise[name] ?? node.widgets?.find((widget) => widget.name === name)?.value;
    };
    return { values: Object.fromEntries(names.map((name) => [name, known(name)])), linked };
  }

  /** Fingerprint of what is shown is made from, beside the widgets of the node. */
  upstream() {
    return fingerprint(this.node, this.inputs);
  }

  property() {
    return this.node.properties?.[PROPERTY] ?? {};
  }

  recordId() {
    return this.property().record;
  }

  // What happens to it.

  /** A run has shown something; `upstream` is a promise of what it was made from. */
  async executed(shown, upstream) {
    this.accept(shown, this.property().upstream ?? null);
    const known = await upstream;
    if (this.record === shown) this.accept(shown, known);
  }

  /** What a run has shown while this node was not there. */
  found(shown, upstream) {
    if (JSON.stringify(shown) !== JSON.stringify(this.record)) this.accept(shown, upstream);
  }

  accept(shown, upstream) {
    this.node.properties[PROPERTY] = { record: keep(shown), upstream, request: withoutContent(shown.request), ...this.origin() };
    this.recordIs(shown, shown.request);
  }

  /** What else is kept of where a record comes from. */
  origin() {
    return {};
  }

  /** The node was loaded: show what it last showed, if this browser or the server still knows. */
  restore() {
    const record = recall(this.recordId());
    this.recordIs(record, record?.request ?? this.property().request);
  }

  /** record: what the last run showed. ran: the request that gives it again; null where there is none. */
  recordIs(record, ran) {
    this.record = record;
    this.ran = ran ?? null;
    this.key = undefined; // null is that of a record without a request
    this.refresh();
  }

  /** Takes it off the subgraph that it is shown on. */
  leave() {
    this.removed();
    removeWidget(this.host, this.widget, this.box);
  }

  removed() {
    clearInterval(this.timer);
    this.timer = null;
    this.resize.disconnect();
    this.client.forget();
  }

  /** Looks at the graph again, and asks where something has changed. */
  refresh() {
    const { request, linked } = this.next();
    const key = request && JSON.stringify({ ...request, content: null });
    if (key !== this.key) {
      Object.assign(this, { key, asked: request });
      this.ask(request);
    }
    this.linked = linked;
    this.changed = this.hasChanged(request);
    this.show();
  }

  /** Has `answered` called for a request, now or later. */
  ask(request) {
    if (this.isAsRun(request)) this.answered(request, { claims: this.record });
    else if (request) this.client.ask(request);
    else Object.assign(this, { view: null, error: null });
  }

  /** Whether this is asked just as the last run was, whose record then is the answer. */
  isAsRun(request) {
    return Boolean(this.record) && (!request || sameRequest(request, this.record.request));
  }

  /** Whether something upstream has changed since the last run, of which only a run tells what it makes of the picture. */
  hasChanged(request) {
    return Boolean(this.record) && !request?.stored && this.property().upstream !== this.upstream();
  }

  /** A run is over: what is stored under a name may be another now. */
  storedAnew() {
    if (!this.asked?.stored && !this.asked?.run?.learned) return;
    this.key = null;
    this.refresh();
  }

  answered(request, { claims, error, offline }) {
    if (request !== this.asked) return; // turned on meanwhile
    this.error = error ?? null;
    if (claims?.unknown || (error && request.stored !== this.named)) this.view = null; // rather than another DNA's
    else if (claims) Object.assign(this, { view: this.viewOf(claims), named: request?.stored });
    if (offline) setTimeout(() => request === this.asked && (this.key = null), ASK_AGAIN);
    this.show();
  }

  // What is seen.

  /** Brings the words and the picture up to date. */
  show() {
    const claims = this.view?.claims;
    const words = claims ? this.words(claims) : this.error ? [say("Nothing to draw"), ""] : this.constructor.empty();
    this.box.dataset.state = this.error ? "error" : !claims ? "empty" : this.changed ? "stale" : "live";
    [this.title.textContent, this.detail.textContent] = words;
    this.resting = words[2] ?? "";
    this.box.title = claims?.reason ?? "";
    this.note.textContent = [this.error, ...this.notes()].filter(Boolean).join(" ");
    this.box.dataset.steps = claims?.steps ?? "";
    this.canvas.setAttribute("aria-label", claims ? `${say("{sentence}. ", { sentence: words[0] })}${this.resting}` : words[0]);
    this.paint();
  }

  /** Sentences beside the error, for what the picture cannot tell. */
  notes() {
    if (!this.linked?.length) return [];
    const names = list(this.linked.map((name) => `'${name}'`));
    const come = this.linked.length > 1 ? say("{names} come through a link", { names }) : say("{names} comes through a link", { names });
    return [this.record ? say("{come}: as in the last run.", { come }) : say("{come}: as the widget here says, until a run.", { come })];
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

/** Whether two requests ask for the same, however their DNA travels, and in whatever order their fields are. */
function sameRequest(one, other) {
  return JSON.stringify(sorted({ ...one, content: null })) === JSON.stringify(sorted({ ...other, content: null }));
}

function sorted(value) {
  if (!value || typeof value !== "object" || Array.isArray(value)) return value;
  const names = Object.keys(value).filter((name) => value[name] != null);
  return Object.fromEntries(names.sort().map((name) => [name, sorted(value[name])]));
}

function withoutContent(request) {
  if (!request) return null;
  const { content, ...rest } = request;
  return rest;
}
