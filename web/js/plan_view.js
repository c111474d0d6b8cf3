// What the server claims about a plan, made ready to be drawn and read off. No DOM.

import { list, say } from "./words.js";

const NO_JUMP = 65535;
const LAST_CODE = 65534;

/** Flow time, in which every axis is even, of a sigma. */
export const toFlow = (sigma, kind) => (kind === "flow" ? sigma : sigma / (1 + sigma));

/** A DNA that can be drawn, from the claims of nodes/reports/dna_claims.py. */
export class DnaView {
  path = []; // flow times of a schedule on it
  held = new Set(); // the steps of it that were asked for by hand

  constructor(claims) {
    this.claims = claims;
    this.kind = claims.kind;
    this.top = toFlow(claims.dna.sigmas.at(-1), this.kind);
    this.dnaTimes = claims.dna.sigmas.map((sigma) => this.flow(sigma));
  }

  flow(sigma) {
    return toFlow(sigma, this.kind);
  }

  sigma(time) {
    return this.kind === "flow" ? time : time / (1 - time);
  }

  /** Whether the DNA holds the error of the guess, rather than its variance over noises. */
  get holdsErrors() {
    return this.claims.dna.measure !== "uncertainty";
  }

  /** The DNA at any flow time: log D interpolated in flow time, as the planner reads it, and a variance itself. */
  errorAt(time) {
    const { errors } = this.claims.dna;
    const above = this.dnaTimes.findIndex((other) => other >= time);
    if (above <= 0) return above === 0 ? errors[0] : errors.at(-1);
    const [t0, t1] = [this.dnaTimes[above - 1], this.dnaTimes[above]];
    const share = (time - t0) / (t1 - t0);
    if (!this.holdsErrors) return errors[above - 1] + (errors[above] - errors[above - 1]) * share;
    const [e0, e1] = [errors[above - 1], errors[above]].map((error) => Math.log(Math.max(error, Number.MIN_VALUE)));
    return Math.exp(e0 + (e1 - e0) * share);
  }

  /** One line for a grid point of the DNA, or a number of steps: what `reading` of a picture found. */
  describe(found) {
    if (found.panel === "gain") {
      const { steps } = found;
      const percent = (100 * this.claims.explained_gain[steps - 1]).toFixed(2);
      return steps === 1 ? say("1 step: {percent} % of the gain", { percent }) : say("{steps} steps: {percent} % of the gain", { steps, percent });
    }
    return this.read(found, `sigma ${short(found.sigma)}`);
  }

  /** A line on a place of the picture, with the step that lies there, if one does, and what the DNA holds there. */
  read({ step, error }, ...parts) {
    const held = { value: short(error) };
    const what = list([...parts, this.holdsErrors ? say("error {value}", held) : say("variance {value}", held)]);
    return step === undefined ? what : say("step {step}: {what}", { step: step + 1, what });
  }
}

/** A plan that can be drawn, from the claims of nodes/reports/plan_claims.py. */
export class PlanView extends DnaView {
  before = []; // flow times of the plan that was shown before this one was asked for

  constructor(claims) {
    super(claims);
    this.path = claims.sigmas.map((sigma) => this.flow(sigma));
    this.compared = claims.compared_sigmas.map((sigma) => this.flow(sigma));
    this.beta = (claims.beta_sigmas ?? []).map((sigma) => this.flow(sigma));
    this.nodes = claims.costs.sigmas;
    this.nodeTimes = this.nodes.map((sigma) => this.flow(sigma));
    this.codes = decode(claims.costs.codes);
    this.low = Math.log10(claims.costs.cheapest);
    this.high = Math.log10(claims.costs.dearest);
  }

  /** Code of the jump from node `from` to row `to`: 0 is sigma 0, n + 1 is node n. */
  code(from, to) {
    return to > from ? NO_JUMP : this.codes[(from * (from + 1)) / 2 + to];
  }

  /** log10 of a code's cost; -Infinity for no cost, NaN for no jump. */
  logCost(code) {
    if (code === NO_JUMP) return NaN;
    return code === 0 ? -Infinity : this.low + ((code - 1) / (LAST_CODE - 1)) * (this.high - this.low);
  }

  /** The same for a cell of the heatmap too. */
  describe(found) {
    if (found.panel !== "costs") return super.describe(found);
    const cost = short(10 ** this.logCost(found.code));
    return this.read(found, `sigma ${short(found.sigma)} → ${short(found.to)}`, say("cost {cost}", { cost }));
  }
}

/** A number in three digits, as people write it. */
export function short(number) {
  if (number === 0) return "0";
  const size = Math.abs(number);
  return size >= 1e-3 && size < 1e4 ? String(Number(number.toPrecision(3))) : number.toExponential(1);
}

function decode(base64) {
  const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  const data = new DataView(bytes.buffer);
  return Uint16Array.from({ length: bytes.length / 2 }, (_, i) => data.getUint16(2 * i, true));
}
