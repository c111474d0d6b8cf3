// The live heatmap of one node: a DOM element that shows the plan of the next run, and says so where it cannot know it.

import { app } from "../../../scripts/app.js";
import { readTheme } from "./colours.js";
import { draw, reading } from "./draw.js";
import { PlanClient } from "./plan_client.js";
import { PlanView, short } from "./plan_view.js";
import { keep, recall } from "./store.js";
import { fingerprint, isLinked, source, widgetValue } from "./upstream.js";

export const TYPE = "cotj_plan";
const PROPERTY = "cotj_plan"; // of the node: {record, upstream}, saved with the workflow
const MIN_HEIGHT = 200;
const NEW = { width: 360, height: 420 }; // of a new node, and of the widget in it
const ASK_AGAIN = 3000; // ms, after no answer
const LOOK_AGAIN = 300; // ms; for what changes without an event: seeds after a run, values set by other packs, the zoom
const MOST_RATIO = 4; // device pixels per CSS pixel, zoomed in

export class PlanWidget {
  /** inputs: the node's inputs that a plan is made from. A node without its own planning widgets shows its source's. */
  constructor(node, inputs) {
    this.node = node;
    this.inputs = inputs;
    this.record = null; // what the last run showed
    this.ran = null; // the request that gives it again
    this.view = null;
    this.error = null;
    this.hover = null;
    this.cache = {};
    this.theme = readTheme();
    this.client = new PlanClient((request, answer) => this.answered(request, answer));
    this.makeElements();
    const widget = node.addDOMWidget(TYPE, TYPE, this.box, {
      serialize: false,
      hideOnZoom: false,
      getMinHeight: () => MIN_HEIGHT,
      getValue: () => "",
    });
    widget.serialize = false; // the option keeps it out of the prompt, this out of the file
    widget.plan = this;
    for (const other of node.widgets) if (other !== widget) this.follow(other);
    const [width, height] = node.computeSize();
    node.setSize([Math.max(width, NEW.width), height + NEW.height - MIN_HEIGHT]); // a saved size comes after
    this.resize = new ResizeObserver(() => this.resized());
    this.resize.observe(this.picture);
    this.show();
  }

  makeElements() {
    const part = (name, tag = "div") => Object.assign(document.createElement(tag), { className: name });
    this.box = part("cotj-plan");
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

  /** Plans again at once when a widget of the node is turned. */
  follow(widget) {
    const before = widget.callback;
    widget.callback = (...args) => {
      const result = before?.apply(widget, args);
      queueMicrotask(() => this.refresh());
      return result;
    };
  }

  // Where the plan comes from.

  /** The node whose widgets decide the plan: this one, or the one that its plan comes from. */
  planner() {
    if (this.inputs[0] !== "plan") return this;
    const from = source(this.node, "plan")?.node;
    return from?.widgets?.find((widget) => widget.type === TYPE)?.plan ?? null;
  }

  /** Fingerprint of what the DNA (and what it is compared with) will be made from. */
  upstream() {
    const planner = this.planner();
    const compared = this.inputs[0] === "plan" ? fingerprint(this.node, ["compare"]) : "";
    return [planner ? fingerprint(planner.node, planner.inputs) : fingerprint(this.node, this.inputs), compared].join(" ");
  }

  /** What the plan of the next run is asked with, as far as is known: {base, values, linked}; no base where it is not. */
  next() {
    const planner = this.planner();
    const newer = planner && planner !== this && planner.recordId() !== this.property().planner;
    const base = (newer && planner.record?.request) || this.ran;
    const node = planner?.node;
    if (!base || node?.constructor.comfyClass !== base.node) return { base: this.ran, values: this.ran?.values, linked: [] };
    const names = Object.keys(base.values);
    const linked = names.filter((name) => isLinked(node, name));
    const value = (name) => (linked.includes(name) ? base.values[name] : (widgetValue(node, name) ?? base.values[name]));
    return { base, values: Object.fromEntries(names.map((name) => [name, value(name)])), linked };
  }

  property() {
    return this.node.properties?.[PROPERTY] ?? {};
  }

  recordId() {
    return this.property().record;
  }

  // What happens to it.

  /** A run has shown a plan; `upstream` is a promise of what it was made from. */
  async executed(shown, upstream) {
    this.accept(shown, this.property().upstream ?? null);
    const known = await upstream;
    if (this.record === shown) this.accept(shown, known);
  }

  /** A plan that a run has shown while this node was not there. */
  found(shown, upstream) {
    if (JSON.stringify(shown) !== JSON.stringify(this.record)) this.accept(shown, upstream);
  }

  accept(shown, upstream) {
    const planner = this.planner();
    const from = planner && planner !== this ? { planner: planner.recordId() } : {};
    this.node.properties[PROPERTY] = { record: keep(shown), upstream, ...from };
    this.recordIs(shown, planner?.record?.request);
  }

  /** The node was loaded: show what it last showed, if this browser still knows. */
  restore() {
    this.recordIs(recall(this.recordId()), recall(this.property().planner)?.request);
  }

  /** record: what the last run showed. ran: the request that gives it again; null where it came from elsewhere. */
  recordIs(record, planners) {
    this.record = record;
    this.ran = record?.request ?? planners ?? null;
    this.key = null;
    if (!record) this.view = null;
    this.refresh();
  }

  removed() {
    clearInterval(this.timer);
    this.timer = null;
    this.resize.disconnect();
    this.client.forget();
  }

  /** Look at the graph again, and ask for another plan where it has changed. */
  refresh() {
    if (!this.record) return this.show();
    const { base, values, linked } = this.next();
    const key = JSON.stringify(values) ?? "";
    if (base !== this.base || key !== this.key) {
      Object.assign(this, { base, key, asked: { ...base, values, compare: this.record.compare } });
      const asRun = base === this.ran && (!base || key === JSON.stringify(base.values));
      if (asRun) this.answered(this.asked, { claims: this.record });
      else this.client.ask(this.asked);
    }
    this.linked = linked;
    this.changed = this.property().upstream !== this.upstream();
    this.show();
  }

  answered(request, { claims, error, offline }) {
    if (request !== this.asked) return; // turned on meanwhile
    this.error = error ?? null;
    if (claims) this.view = new PlanView(claims);
    if (offline) setTimeout(() => request === this.asked && (this.key = null), ASK_AGAIN);
    this.show();
  }

  // What is seen.

  /** Brings the words and the picture up to date. */
  show() {
    const { view } = this;
    const claims = view?.claims;
    this.box.dataset.state = !view ? "empty" : this.error ? "error" : this.changed ? "stale" : "live";
    this.title.textContent = claims ? headline(claims) : "No plan yet";
    this.detail.textContent = claims ? detail(claims) : "Run the workflow once: the plan is drawn here.";
    this.box.title = claims?.reason ?? "";
    this.note.textContent = this.notes().join(" ");
    this.resting = claims?.sigmas.length ? claims.sigmas.map(short).join(" → ") : "";
    this.box.dataset.steps = claims?.steps ?? "";
    this.canvas.setAttribute("aria-label", claims ? `${this.title.textContent}. ${this.resting}` : "No plan yet");
    this.paint();
  }

  notes() {
    if (!this.record) return [];
    const names = this.inputs[0] === "plan" ? "the DNA or the comparison" : "the DNA";
    return [
      this.error,
      this.changed && `What ${names} is made from has changed since the last run: run again to see the plan for it.`,
      ...(this.record.warnings ?? []),
      this.linked?.length && `${list(this.linked)} ${this.linked.length > 1 ? "come" : "comes"} through a link: as in the last run.`,
    ].filter(Boolean);
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
    this.hover = this.view ? reading(this.view, this.picture.clientWidth, this.picture.clientHeight, x, y) : null;
    this.paint();
  }

  /** Draws, where anything that is drawn has changed. */
  paint() {
    this.read.textContent = this.hover ? this.view.describe(this.hover) : (this.resting ?? "");
    this.read.classList.toggle("on", Boolean(this.hover));
    const [width, height] = [this.picture.clientWidth, this.picture.clientHeight];
    if (!width || !height) return;
    const ratio = this.ratio();
    const drawn = [this.view, width, height, ratio, this.theme.key, JSON.stringify(this.hover)];
    if (this.drawn?.every((entry, i) => entry === drawn[i])) return;
    this.drawn = drawn;
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.canvas.width !== w || this.canvas.height !== h) Object.assign(this.canvas, { width: w, height: h });
    const context = this.canvas.getContext("2d");
    if (!this.view) {
      context.clearRect(0, 0, w, h);
      return;
    }
    const started = performance.now();
    draw(context, { width, height, ratio, view: this.view, theme: this.theme, hover: this.hover, cache: this.cache });
    this.box.dataset.drawMs = (performance.now() - started).toFixed(2);
  }

  /** Device pixels per CSS pixel of the canvas, the graph's zoom included; in half steps, so that zooming draws seldom. */
  ratio() {
    const zoom = this.picture.getBoundingClientRect().width / this.picture.offsetWidth || 1;
    return Math.min(MOST_RATIO, Math.max(1, Math.ceil(2 * zoom * devicePixelRatio) / 2));
  }
}

function headline({ steps, saving, compared_with: other }) {
  if (!steps) return "No steps at denoise 0";
  const percent = Math.round(100 * saving);
  return `${steps} step${steps === 1 ? "" : "s"}, predicted error ${Math.abs(percent)} % ${percent >= 0 ? "below" : "above"} ${other}`;
}

function detail({ reason, planner, predicted_error: error, compared_error: other, compared_with: name }) {
  const figures = `error ${short(error)}, ${name} ${short(other)}`;
  return `${planner.name}: ${reason.replaceAll("\n", ". ") || figures}`;
}

const list = (names) => names.map((name) => `'${name}'`).join(", ");
