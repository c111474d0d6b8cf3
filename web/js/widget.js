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
const LOOK_AGAIN = 300; // ms; for what changes without an event: seeds after a run, values set by other packs, the zoom
const MOST_RATIO = 4; // device pixels per CSS pixel, zoomed in

export class PlanWidget {
  /** inputs: the node's inputs that a plan is made from. A node without its own planning widgets shows its source's. */
  constructor(node, inputs) {
    this.node = node;
    this.inputs = inputs;
    this.record = null; // what the last run showed: claims, with the request that gives them again
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

  /** The request that gives what the last run showed; null where that plan came from elsewhere. */
  ranWith() {
    const request = this.record.request ?? recall(this.node.properties[PROPERTY]?.planner)?.request;
    return request ? { ...request, compare: this.record.compare } : null;
  }

  /** The request for what the next run would show, as far as is known, and which of its values come through links. */
  next() {
    const planner = this.planner();
    const last = (planner !== this && planner?.record?.request) || this.ranWith();
    const node = planner?.node;
    if (!last || node?.constructor.comfyClass !== last.node) return { request: this.ranWith(), linked: [] };
    const names = Object.keys(last.values);
    const linked = names.filter((name) => isLinked(node, name));
    const value = (name) => (linked.includes(name) ? last.values[name] : (widgetValue(node, name) ?? last.values[name]));
    const values = Object.fromEntries(names.map((name) => [name, value(name)]));
    return { request: { ...last, values, compare: this.record.compare }, linked };
  }

  // What happens to it.

  /** A run has shown a plan; `upstream` is a promise of what it was made from. */
  async executed(shown, upstream) {
    this.accept(shown, this.node.properties[PROPERTY]?.upstream ?? null);
    this.accept(shown, await upstream);
  }

  /** A plan that a run has shown while this node was not there. */
  found(shown, upstream) {
    const text = JSON.stringify(shown);
    if (text !== JSON.stringify(this.record)) this.accept(shown, upstream);
  }

  accept(shown, upstream) {
    this.record = shown;
    const planner = this.planner();
    this.node.properties[PROPERTY] = { record: keep(shown), upstream };
    if (planner && planner !== this) {
      this.node.properties[PROPERTY].planner = planner.node.properties[PROPERTY]?.record;
    }
    this.asked = null;
    this.refresh();
  }

  /** The node was loaded: show what it last showed, if this browser still knows. */
  restore() {
    this.record = recall(this.node.properties?.[PROPERTY]?.record);
    this.asked = null;
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
    const { request, linked } = this.next();
    const asked = JSON.stringify(request);
    if (asked !== this.asked) {
      this.asked = asked;
      if (asked === JSON.stringify(this.ranWith())) this.answered(request, { claims: this.record });
      else this.client.ask(request);
    }
    this.linked = linked;
    this.changed = this.node.properties[PROPERTY]?.upstream !== this.upstream();
    this.show();
  }

  answered(request, { claims, error, offline }) {
    if (JSON.stringify(request) !== this.asked) return; // turned on meanwhile
    this.error = error ?? null;
    if (offline) this.asked = null; // ask again when next looked at
    if (claims) this.view = new PlanView(claims);
    this.show();
  }

  // What is seen.

  /** Brings the words and the picture up to date. */
  show() {
    const { view, record } = this;
    const claims = view?.claims;
    this.box.dataset.state = !view ? "empty" : this.error ? "error" : this.changed ? "stale" : "live";
    this.title.textContent = claims ? headline(claims) : "No plan yet";
    this.detail.textContent = claims ? detail(claims) : "Run the workflow once: the plan is drawn here.";
    this.box.title = claims?.reason ?? "";
    this.note.textContent = this.notes().join(" ");
    this.resting = claims?.sigmas.length ? claims.sigmas.map(short).join(" → ") : "";
    this.box.dataset.steps = claims?.steps ?? "";
    this.canvas.setAttribute("aria-label", claims ? `${this.title.textContent}. ${this.resting}` : "No plan yet");
    if (!record) this.view = null;
    this.paint();
  }

  notes() {
    if (!this.record) return [];
    const names = this.inputs[0] === "plan" ? "the DNA or the comparison" : "the DNA";
    return [
      this.error,
      this.changed && `What ${names} is made from has changed since the last run: run again to see the plan for it.`,
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
