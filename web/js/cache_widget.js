// The widget of Cache Steps: which steps of the last run called the model, or which of the next one will.

import { CacheView, draw, ghost, reading } from "./draw_cache.js";
import { LiveWidget } from "./live_widget.js";
import { short } from "./plan_view.js";
import { widgetValue } from "./upstream.js";
import { list, say } from "./words.js";

export class CacheWidget extends LiveWidget {
  static sizes = { least: 220, width: 360, height: 300 };
  static picture = { draw, ghost, reading };
  static empty = () => [
    say("Nothing computed yet"),
    say(
      "Run once, and each step of the sampler is drawn here: filled where it calls the model, hollow where its guess is " +
        "forecast, with the error that this is predicted to leave. From then on, turning 'calls' shows at once what the " +
        "next run will compute.",
    ),
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
    const [count, those] = [computed.length, list(computed.map(String))];
    const whole = hasRun ? say("All {steps} steps computed", { steps }) : say("All {steps} steps", { steps });
    const predicted = error !== null && say("predicted error {error}", { error: short(error) });
    return [
      all ? whole : list([say("{count} of {steps} steps", { count, steps }), predicted]),
      hasRun
        ? say("The last run, with {sampler}; the error is that to the run of all steps.", { sampler })
        : say("The next run, with {sampler}; the error is that to the run of all steps.", { sampler }),
      all ? say("all computed: {those}", { those }) : say("{count} of {steps} computed: {those}", { count, steps, those }),
    ];
  }

  notes() {
    if (!this.record) return super.notes();
    const [runs, wanted] = [this.record.learned_runs, widgetValue(this.node, "learn_from")];
    return [
      this.changed &&
        say("What the model or the DNA is made from has changed since the last run: the next one says whether this still holds."),
      runs !== null && runs < wanted && say("Learned from {runs} of {wanted} runs: the next one is computed whole.", { runs, wanted }),
      this.view?.claims !== this.record && this.view?.claims.reason, // of a run, the text below says it
      ...super.notes(),
    ];
  }
}
