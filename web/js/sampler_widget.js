// The widget of CoTj KSampler: which steps of the next run call the model, and what runs of so many calls have ended in.

import { gallery } from "./before_and_after.js";
import { draw, ghost, reading, SamplerView } from "./draw_sampler.js";
import { LiveWidget } from "./live_widget.js";
import { imageAt } from "./pictures.js";
import { short } from "./plan_view.js";
import { fingerprint, loadedDna, source } from "./upstream.js";
import { list, say, sentences } from "./words.js";

const SAMPLED_WITH = ["calls", "steps", "cfg", "sampler_name", "scheduler", "denoise", "learn", "target_error"]; // its widgets

export class SamplerWidget extends LiveWidget {
  static sizes = { least: 260, width: 400, height: 460 };
  static picture = { draw, ghost, reading };
  static empty = () => [
    say("Nothing asked yet"),
    say(
      "Here stand the default and the planned picture of so many calls, and every step of the next run: filled where it " +
        "calls the model, hollow where its guess is forecast.",
    ),
  ];

  /** What fits the model is known from the last run; the rest from the widgets, and from Load DNA. */
  next() {
    const { values, linked } = this.valuesOf(this.node, SAMPLED_WITH, this.ran?.values);
    const { node = this.node.constructor.comfyClass, run, dna, content } = this.ran ?? {};
    return { request: { node, values, run, ...this.connected({ dna, content }) }, linked };
  }

  /** The fields of a request for the connected DNA. measured: those of the last run's. */
  connected(measured) {
    const name = loadedDna(this.node, "dna");
    if (name !== null) return { stored: name };
    return source(this.node, "dna") ? { connected: true, ...measured } : {};
  }

  isAsRun({ values }) {
    return Boolean(this.record) && !this.hasChanged() && SAMPLED_WITH.every((name) => values[name] === this.ran.values[name]);
  }

  viewOf(claims) {
    const { values } = this.next().request;
    const isOther = this.isOther();
    const image = (place) => imageAt(place, () => this.redraw());
    return Object.assign(new SamplerView(claims, gallery(claims, this.record?.known, values, isOther, image)), { isOther });
  }

  /** The pictures depend on the prompts too, of which no claims tell. */
  show() {
    if (this.view && this.view.isOther !== this.isOther()) this.view = this.viewOf(this.view.claims);
    super.show();
  }

  /** Of the prompts no plan is made, but pictures are. */
  upstream() {
    return [super.upstream(), fingerprint(this.node, ["positive", "negative"])].join(" ");
  }

  hasChanged(request) {
    return !request?.stored && this.differsIn(0);
  }

  /** Whether the pictures are of another model, latent or prompt than the next run's. */
  isOther() {
    return this.differsIn(0) || this.differsIn(1);
  }

  /** Whether what the plan (0) or the prompts (1) are made from has changed since the last run. */
  differsIn(part) {
    const at = (upstream) => upstream?.split(" ")[part];
    return Boolean(this.record) && at(this.property().upstream) !== at(this.upstream());
  }

  words(claims) {
    const { headline, computed, has_run: hasRun, predicted_error: error, reason } = claims;
    const predicted = error !== null && say("predicted error {error}", { error: short(error) });
    const run = hasRun ? say("The last run. ") : say("The next run. ");
    return [list([headline, predicted]), `${run}${sentences(reason)}`, this.calls(computed)];
  }

  /** Which steps call the model, null where that is not known yet. */
  calls(computed) {
    if (!computed) return say("which steps: known after a run");
    if (computed.length === this.view.steps) return say("all {count} computed", { count: computed.length });
    return say("computed: {those}", { those: list(computed.map(String)) });
  }

  notes() {
    return [
      this.changed &&
        say("What the model, the latent or the DNA is made from has changed since the last run: the next one says whether this still holds."),
      ...super.notes(),
    ];
  }
}
