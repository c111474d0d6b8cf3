// What runs of CoTj KSampler ended in, as a gallery to be drawn: the default and the planned run of so many calls, and
// the run of all steps that both are held against.

import { short } from "./plan_view.js";
import { list, say } from "./words.js";

const RUN_WITH = ["steps", "cfg", "sampler_name", "scheduler", "denoise"]; // widgets that runs share, beside the seed

/**
 * The gallery of the runs with as many calls as the run that is drawn.
 *
 * claims: of that run. known: what nodes/sampling/before_and_after.py claims, or null before any run. values: of the
 * node's widgets now. isOther: whether the model, the prompt or the latent is another now. imageAt: gives the image of a
 * picture's place. What is not known may yet have run: in another browser, or before the server was started.
 */
export function gallery(claims, known, values, isOther, imageAt) {
  const { calls } = claims;
  const differs = Boolean(known) && (isOther || RUN_WITH.some((name) => known.values[name] !== values[name]));
  const steps = known?.values.steps ?? values.steps;
  const find = (kind, count) => known?.[kind][count] ?? null;
  const [all, before, after] = [find("default", steps), find("default", calls), find("planned", calls)];
  const unknown = calls === 1 ? say("no known run with 1 call") : say("no known run with {calls} calls", { calls });
  const tile = (name, colour, found, figure, missing) => {
    const absent = found ? say("no preview of such a latent: connect a VAE") : missing;
    const said = say("{name}: {found}", { name, found: found ? list([figure, whichOf(known)]) : missing });
    return { name, colour, image: found?.picture ? imageAt(found.picture) : null, figure: found ? figure : "", missing: absent, said };
  };
  const whole = tile(say("all {steps} steps", { steps }), "text", all, say("what both aim at"), say("no known run"));
  if (calls >= steps) return { tiles: [whole], isFaint: differs, ...verdict([all], known, steps, differs) };
  const tiles = [
    tile(say("default, {calls} calls", { calls }), "compared", before, error(before), say("{unknown}: 'compare' shows it", { unknown })),
    tile(say("planned, {calls} calls", { calls }), "planned", after, error(after, claims.predicted_error), unknown),
  ];
  tiles[1].isStrong = shareOf(before, after) < 1;
  return { tiles: all ? [...tiles, whole] : tiles, isFaint: differs, ...verdict([before, after, all], known, steps, differs) };
}

/** The figure under a picture. predicted: the error that is expected where none was measured, or null. */
function error(found, predicted = null) {
  if (found && found.error !== null) return say("{error} measured", { error: short(found.error) });
  return predicted === null ? say("not measured") : say("{error} predicted", { error: short(predicted) });
}

/** What of the default's error the planned run has; NaN where one of them was not measured. */
const shareOf = (before, after) => (before?.error && after && after.error !== null ? after.error / before.error : NaN);

/** The line below the pictures: {verdict, isStrong}. */
function verdict(found, known, steps, differs) {
  const share = shareOf(...found);
  if (!found.some(Boolean)) return { verdict: say("here is what runs end in"), isStrong: false };
  const which = whichOf(known);
  if (differs) return { verdict: say("of the last run, {which}: the next is another", { which }), isStrong: false };
  const rough = found.some((one) => one && !one.decoded) && say("previews");
  if (!Number.isNaN(share)) {
    const gained = say("{share} times the default's error", { share: short(share) });
    return { verdict: list([gained, rough, which]), isStrong: share < 1 };
  }
  const isUnmeasured = found.some((one) => one && one.error === null);
  return { verdict: list([isUnmeasured ? say("not measured before all {steps} steps run", { steps }) : rough, which]), isStrong: false };
}

/** Of which seed, item and frame the pictures are. */
export function whichOf({ seed, items, frames }) {
  return list([items > 1 && say("first of {items}", { items }), frames > 1 && say("middle frame"), say("seed {seed}", { seed })]);
}
