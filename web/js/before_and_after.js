// What runs of CoTj KSampler ended in, as a gallery to be drawn: the default and the planned run of so many calls, and
// the run of all steps that both are held against.

import { short } from "./plan_view.js";

const RUN_WITH = ["steps", "cfg", "sampler_name", "scheduler", "denoise"]; // widgets that runs share, beside the seed

/**
 * The gallery of the runs with as many calls as the run that is drawn.
 *
 * claims: of that run. known: what nodes/sampling/before_and_after.py claims, or null before any run. values: of the
 * node's widgets now. isOther: whether the model, the prompt or the latent is another now. imageAt: gives the image of a
 * picture's place.
 */
export function gallery(claims, known, values, isOther, imageAt) {
  const { calls } = claims;
  const differs = Boolean(known) && (isOther || RUN_WITH.some((name) => known.values[name] !== values[name]));
  const steps = known?.values.steps ?? values.steps;
  const find = (kind, count) => known?.[kind][count] ?? null;
  const [all, before, after] = [find("default", steps), find("default", calls), find("planned", calls)];
  const notYet = `not run yet with ${calls} call${calls === 1 ? "" : "s"}`;
  const tile = (name, colour, found, figure, missing) => {
    const absent = found ? "no preview of such a latent: connect a VAE" : missing;
    const said = `${name}: ${found ? [figure, whichOf(known)].filter(Boolean).join(", ") : missing}`;
    return { name, colour, image: found?.picture ? imageAt(found.picture) : null, figure: found ? figure : "", missing: absent, said };
  };
  const whole = tile(`all ${steps} steps`, "text", all, "what both aim at", "not run yet");
  if (calls >= steps) return { tiles: [whole], isFaint: differs, ...verdict([all], known, steps, differs) };
  const tiles = [
    tile(`default, ${calls} calls`, "compared", before, error(before), `${notYet}: 'compare' shows it`),
    tile(`planned, ${calls} calls`, "planned", after, error(after, claims.predicted_error), notYet),
  ];
  tiles[1].isStrong = shareOf(before, after) < 1;
  return { tiles: all ? [...tiles, whole] : tiles, isFaint: differs, ...verdict([before, after, all], known, steps, differs) };
}

/** The figure under a picture. predicted: the error that is expected where none was measured, or null. */
function error(found, predicted = null) {
  if (found && found.error !== null) return `${short(found.error)} measured`;
  return predicted === null ? "not measured" : `${short(predicted)} predicted`;
}

/** What of the default's error the planned run has; NaN where one of them was not measured. */
const shareOf = (before, after) => (before?.error && after && after.error !== null ? after.error / before.error : NaN);

/** The line below the pictures: {verdict, isStrong}. */
function verdict(found, known, steps, differs) {
  const share = shareOf(...found);
  if (!known) return { verdict: "here is what runs end in", isStrong: false };
  if (differs) return { verdict: `of the last run, ${whichOf(known)}: the next is another`, isStrong: false };
  const rough = found.some((one) => one && !one.decoded) ? "previews, " : "";
  if (!Number.isNaN(share)) return { verdict: `${short(share)} times the default's error, ${rough}${whichOf(known)}`, isStrong: share < 1 };
  const unmeasured = found.some((one) => one && one.error === null) ? `not measured before all ${steps} steps run, ` : rough;
  return { verdict: `${unmeasured}${whichOf(known)}`, isStrong: false };
}

/** Of which seed, item and frame the pictures are. */
export function whichOf({ seed, items, frames }) {
  return [items > 1 && `first of ${items}`, frames > 1 && "middle frame", `seed ${seed}`].filter(Boolean).join(", ");
}
