// What the server claims about a plan, made ready to be drawn and read off. No DOM.

const NO_JUMP = 65535;
const LAST_CODE = 65534;

/** Flow time, in which every axis is even, of a sigma. */
export const toFlow = (sigma, kind) => (kind === "flow" ? sigma : sigma / (1 + sigma));

/** A plan that can be drawn, from the claims of nodes/comparison.py. */
export class PlanView {
  constructor(claims) {
    this.claims = claims;
    this.kind = claims.kind;
    this.top = toFlow(claims.dna.sigmas.at(-1), this.kind);
    this.dnaTimes = claims.dna.sigmas.map((sigma) => this.flow(sigma));
    this.path = claims.sigmas.map((sigma) => this.flow(sigma));
    this.compared = claims.compared_sigmas.map((sigma) => this.flow(sigma));
    this.nodes = claims.costs.sigmas;
    this.nodeTimes = this.nodes.map((sigma) => this.flow(sigma));
    this.codes = decode(claims.costs.codes);
    this.low = Math.log10(claims.costs.cheapest);
    this.high = Math.log10(claims.costs.dearest);
  }

  flow(sigma) {
    return toFlow(sigma, this.kind);
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

  /** The DNA at any flow time: log D interpolated in flow time, as the planner reads it. */
  errorAt(time) {
    const { errors } = this.claims.dna;
    const above = this.dnaTimes.findIndex((other) => other >= time);
    if (above <= 0) return above === 0 ? errors[0] : errors.at(-1);
    const [t0, t1] = [this.dnaTimes[above - 1], this.dnaTimes[above]];
    const [e0, e1] = [errors[above - 1], errors[above]].map((error) => Math.log(Math.max(error, Number.MIN_VALUE)));
    return Math.exp(e0 + ((e1 - e0) * (time - t0)) / (t1 - t0));
  }

  /** One line for a cell of the heatmap, a grid point of the DNA, or a number of steps: what `reading` in draw.js found. */
  describe(found) {
    if (found.panel === "gain") {
      const gain = this.claims.explained_gain[found.steps - 1];
      return `${found.steps} step${found.steps === 1 ? "" : "s"}: ${(100 * gain).toFixed(2)} % of the gain`;
    }
    const step = found.step === undefined ? "" : `step ${found.step + 1}: `;
    if (found.panel === "dna") return `${step}sigma ${short(found.sigma)}, error ${short(found.error)}`;
    const cost = 10 ** this.logCost(found.code);
    return `${step}sigma ${short(found.sigma)} → ${short(found.to)}, cost ${short(cost)}, error ${short(found.error)}`;
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
