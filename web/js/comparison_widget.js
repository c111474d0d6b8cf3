// The widget of Compare Schedules: what each schedule ends in with its measured error, and the reference.

import { whichOf } from "./before_and_after.js";
import { draw, ghost, reading } from "./draw_comparison.js";
import { LiveWidget } from "./live_widget.js";
import { imageAt } from "./pictures.js";
import { short } from "./plan_view.js";
import { source } from "./upstream.js";
import { list, say } from "./words.js";

const MOST = 24; // comparisons that are kept, of one model, prompt and seed
const SCHEDULE = /^schedules\./; // the inputs that grow

export class ComparisonWidget extends LiveWidget {
  static sizes = { least: 220, width: 400, height: 260 };
  static picture = { draw, ghost, reading };
  static empty = () => [
    say("Nothing measured yet"),
    say("Here stands the picture that each schedule ends in, with its error. Connect guider, noise, sampler and latent_image, and run."),
  ];

  /** What is asked for: the comparison at the numbers of steps that the nodes before have now. */
  next() {
    return { request: { steps: this.stepsNow() }, linked: [] };
  }

  /** The steps of each schedule in the next run, as far as the nodes that make them tell: null where they do not. */
  stepsNow() {
    const inputs = (this.node.inputs ?? []).filter(({ name }) => SCHEDULE.test(name));
    return inputs.flatMap(({ name }) => {
      const maker = source(this.node, name)?.node;
      return maker ? [this.valuesOf(maker, ["steps"]).values.steps ?? null] : [];
    });
  }

  /** Beside a comparison, the steps that the nodes before had then: they need not be those of the sigmas. */
  origin() {
    return { steps: this.stepsNow() };
  }

  recordIs(record, ran) {
    if (record) this.remember(record);
    super.recordIs(record, ran);
  }

  /** Keeps a comparison, beside those of the same model, prompt and seed. */
  remember(record) {
    const series = record.reference?.series;
    if (this.series !== series) this.known = new Map();
    this.series = series;
    const key = stepsOf(record).join();
    this.known.delete(key);
    this.known.set(key, record);
    if (this.known.size > MOST) this.known.delete(this.known.keys().next().value);
  }

  /** The last comparison, or an earlier one that had these numbers of steps. */
  ask(request) {
    if (!this.record) return super.ask(null);
    const then = this.property().steps ?? [];
    const steps = stepsOf(this.record).map((last, i) => (request.steps[i] === then[i] ? last : (request.steps[i] ?? last)));
    const claims = this.known.get(steps.join()) ?? { ...this.record, wanted: steps };
    this.answered(request, { claims: claims.reference ? claims : { unknown: true } });
  }

  viewOf(claims) {
    const gallery = galleryOf(claims, (place) => imageAt(place, () => this.redraw()));
    return { claims: { ...claims, reason: "", steps: stepsOf(claims).join() }, gallery, describe: ({ tile }) => gallery.tiles[tile].said };
  }

  words({ schedules, reference }) {
    const best = nearest(schedules);
    const aim = reference.steps === null ? say("the reference") : say("{steps} steps of {sampler}", reference);
    const measured =
      reference.items > 1
        ? say("Measured against {aim}, the mean of {items} items.", { aim, items: reference.items })
        : say("Measured against {aim}.", { aim });
    return [titleOf(best, schedules), measured, list(schedules.map((schedule) => say("{label}: {calls} calls", schedule)))];
  }

  notes() {
    return [this.changed && say("What is compared is made from something else now: run again to measure that."), ...super.notes()];
  }
}

const stepsOf = ({ schedules }) => schedules.map(({ steps }) => steps);

/** The mean of measured errors; null where one is not finite. */
const mean = (values) => (values?.every((value) => value !== null) ? values.reduce((sum, value) => sum + value, 0) / values.length : null);

/**
 * The schedule that ends nearest of those with as many calls as most have, since more calls would win by themselves; of all,
 * where no two have as many. Undefined where none ended in finite values.
 */
function nearest(schedules) {
  const finite = schedules.filter(({ mse }) => mean(mse) !== null).sort((a, b) => mean(a.mse) - mean(b.mse));
  const rivals = finite.map((one) => finite.filter(({ calls }) => calls === one.calls).length);
  return finite[rivals.indexOf(Math.max(...rivals))];
}

function titleOf(best, schedules) {
  if (!best) return say("No run ended in finite values");
  const { label, calls } = best;
  const values = { label, calls, error: short(mean(best.mse)) };
  const isAlike = schedules.every((schedule) => schedule.calls === calls);
  if (isAlike) return say("{label} ends nearest, error {error}", values);
  return say("With {calls} calls {label} ends nearest, error {error}", values);
}

/** The pictures of a comparison. claims.wanted: the numbers of steps that are asked for, where they are others. */
function galleryOf({ schedules, reference, wanted }, imageFor) {
  const best = nearest(schedules);
  const image = (place) => (place ? imageFor(place) : null);
  const none = say("no preview of such a latent: connect a VAE");
  const tiles = schedules.map((schedule, i) => {
    const { label, steps, calls, mse, psnr, picture } = schedule;
    if (wanted && wanted[i] !== steps) {
      const missing = say("no known run with {steps} steps", { steps: wanted[i] });
      const said = say("{name}: {found}", { name: label, found: missing });
      return { name: label, colour: "faint", figure: "", image: null, missing, said };
    }
    const error = mean(mse);
    const isStrong = schedule === best;
    const figure = error === null ? say("not finite") : say("{error} measured", { error: short(error) });
    const name = say("{label}, {calls} calls", { label, calls });
    const said = list([say("{label}: {calls} calls", { label, calls }), figure, mean(psnr) !== null && `PSNR ${mean(psnr).toFixed(1)} dB`]);
    const colour = isStrong ? "planned" : "compared";
    return { name, colour, figure, image: image(picture), missing: none, isStrong, said };
  });
  const name = reference.steps === null ? say("reference") : say("{steps} steps", reference);
  const figure = say("the reference");
  const said = say("{name}: {found}", { name: figure, found: name });
  const aim = { name, colour: "text", figure, image: image(reference.picture), missing: none, said };
  return { tiles: [...tiles, aim], verdict: list([!reference.decoded && say("previews"), whichOf(reference)]), isStrong: false };
}
