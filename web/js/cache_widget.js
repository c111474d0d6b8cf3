// The widget of Cache Steps: which steps of the last run called the model, or which of the next one will.

import { CacheView, draw, ghost, reading } from "./draw_cache.js";
import { LiveWidget, sentences } from "./live_widget.js";
import { short } from "./plan_view.js";
import { widgetValue } from "./upstream.js";

export class CacheWidget extends LiveWidget {
  static sizes = { least: 220, width: 360, height: 300 };
  static picture = { draw, ghost, reading };
  static empty = [
    "Nothing computed yet",
    "Run once, and each step of the sampler is drawn here: filled where it calls the model, hollow where its guess is " +
      "forecast, with the error that this is predicted to leave. From then on, turning 'calls' shows at once what the " +
      "next run will compute.",
  ];

  next() {
    if (!this.ran) return super.next();
    const { values, linked } = this.valuesOf(this.node, Object.keys(this.ran.values), this.ran.values);
    return { request: { ...this.ran, values }, linked };
  }

  viewOf(claims) {
    return new CacheView(claims);
  }

  words(claims) {
    const steps = claims.sigmas.length - 1;
    const { computed, predicted_error: error, sampler, has_run: hasRun } = claims;
    const all = computed.length === steps;
    const some = `${computed.length} of ${steps}`;
    const predicted = error === null ? "" : `, predicted error ${short(error)}`;
    return [
      all ? `All ${steps} steps${hasRun ? " computed" : ""}` : `${some} steps${predicted}`,
      `${hasRun ? "The last run" : "The next run"}, with ${sampler}; the error is that to the run of all steps.`,
      `${all ? "all" : some} computed: ${computed.join(", ")}`,
    ];
  }

  notes() {
    if (!this.record) return super.notes();
    const [runs, wanted] = [this.record.learned_runs, widgetValue(this.node, "learn_from")];
    return [
      this.changed && "What the model or the DNA is made from has changed since the last run: the next one says whether this still holds.",
      runs !== null && runs < wanted && `Learned from ${runs} of ${wanted} runs: the next one is computed whole.`,
      this.view?.claims !== this.record && this.view?.claims.reason, // of a run, the text below says it
      ...super.notes(),
    ];
  }
}
