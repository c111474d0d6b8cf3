// A live widget of one node: a DOM element that shows what the next run does, and says so where it cannot know it.

import { PictureWidget } from "./picture_widget.js";
import { PlanClient } from "./plan_client.js";
import { keep, recall } from "./store.js";
import { fingerprint, nextValue } from "./upstream.js";
import { list, say } from "./words.js";

const PROPERTY = "cotj_plan"; // of the node: {record, upstream, request}, saved with the workflow
const ASK_AGAIN = 3000; // ms, after no answer

/**
 * What every live widget is: a record of the last run, and answers to what the next one is asked with.
 *
 * A kind of widget says what that is (`next`), what can be drawn of an answer (`viewOf`, `picture`), and what is said of
 * it (`words`, `notes`).
 */
export class LiveWidget extends PictureWidget {
  /** inputs: those of the node that decide on what is shown, as well as its own widgets. */
  constructor(node, inputs, host = node) {
    super(node, host);
    this.inputs = inputs;
    this.record = null; // what the last run showed
    this.ran = null; // the request that gives it again
    this.error = null;
    this.client = new PlanClient((request, answer) => this.answered(request, answer));
    if (host === node) for (const other of node.widgets) if (other !== this.widget) this.follow(other);
    this.begin();
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
      const value = nextValue(node, name);
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

  removed() {
    super.removed();
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
    const claims = this.error ? null : this.view?.claims; // what is still drawn beside an error is no answer to what is asked
    const words = claims ? this.words(claims) : this.error ? this.wordsOfError() : this.constructor.empty();
    this.box.dataset.state = this.error ? "error" : !claims ? "empty" : this.changed ? "stale" : "live";
    [this.title.textContent, this.detail.textContent] = words;
    this.resting = words[2] ?? "";
    this.box.title = claims?.reason ?? "";
    this.note.textContent = [this.error, ...this.notes()].filter(Boolean).join(" ");
    this.box.dataset.steps = claims?.steps ?? "";
    this.canvas.setAttribute("aria-label", claims ? `${say("{sentence}. ", { sentence: words[0] })}${this.resting}` : words[0]);
    this.paint();
  }

  wordsOfError() {
    if (!this.view) return [say("Nothing to draw"), ""];
    return [say("Nothing for these settings"), say("The picture is of the settings before.")];
  }

  /** Sentences beside the error, for what the picture cannot tell. */
  notes() {
    if (!this.linked?.length) return [];
    const names = list(this.linked.map((name) => `'${name}'`));
    const come = this.linked.length > 1 ? say("{names} come through a link", { names }) : say("{names} comes through a link", { names });
    return [this.record ? say("{come}: as in the last run.", { come }) : say("{come}: as the widget here says, until a run.", { come })];
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
