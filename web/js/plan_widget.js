// The live heatmap of one node: the plan of the next run.

import { draw, ghost, reading } from "./draw.js";
import { Hands } from "./hands.js";
import { LiveWidget } from "./live_widget.js";
import { TYPE } from "./picture_widget.js";
import { PlanView, short } from "./plan_view.js";
import { fingerprint, idleSources, loadedDna, source } from "./upstream.js";
import { say, sentences } from "./words.js";

const GESTURE = 1500; // ms; plans that come nearer to each other are of one drag of a slider or of a step
const LIMITS = ["constraints", "model", "guider"]; // inputs that a plan depends on beside its DNA

export class PlanWidget extends LiveWidget {
  static empty = () => [
    say("No plan yet"),
    say(
      "Here the plan is drawn: which jump each step makes, what it costs, and what more steps would gain. From a DNA that " +
        "Load DNA names it is drawn at once, from any other one after the first run; then it follows every slider.",
    ),
  ];
  static picture = { draw, ghost, reading };

  makeElements() {
    super.makeElements();
    this.hands = new Hands(this);
  }

  /** The live widget whose node's widgets decide the plan: this one, or that of the node that the plan comes from. */
  planner() {
    if (this.inputs[0] !== "plan") return this;
    const from = source(this.node, "plan")?.node;
    return from?.widgets?.find((widget) => widget.type === TYPE && widget.plan instanceof PlanWidget)?.plan ?? null;
  }

  next() {
    const planner = this.planner();
    if (planner !== this) {
      const { request, linked } = planner?.next() ?? { request: null, linked: [] };
      const compare = this.isCompared() ? this.record?.compare : null;
      return { request: request && compare ? { ...request, compare } : request, linked };
    }
    const { node, ran } = this;
    const own = node.widgets.filter((widget) => widget.type !== TYPE && widget.serialize !== false).map((widget) => widget.name);
    const { values, linked } = this.valuesOf(node, own, ran?.values);
    const name = loadedDna(node, "dna");
    const asMeasured = this.record && this.limits().length && this.property().upstream === this.upstream();
    if (name !== null && !asMeasured) return { request: { node: node.constructor.comfyClass, stored: name, values }, linked };
    return { request: ran && { ...ran, values }, linked };
  }

  /** The connected inputs that limit the plan, which only a run reads. */
  limits() {
    return LIMITS.filter((name) => source(this.node, name));
  }

  isCompared() {
    return this.inputs[0] === "plan" && Boolean(source(this.node, "compare"));
  }

  upstream() {
    const planner = this.planner();
    const compared = this.inputs[0] === "plan" ? fingerprint(this.node, ["compare"]) : "";
    return [planner ? fingerprint(planner.node, planner.inputs) : fingerprint(this.node, this.inputs), compared].join(" ");
  }

  /** A comparison is known by a run alone, whatever else is known without one. */
  hasChanged(request) {
    if (!request?.stored || !this.isCompared()) return super.hasChanged(request);
    const comparison = (upstream) => upstream?.split(" ")[1];
    return Boolean(this.record) && comparison(this.property().upstream) !== comparison(this.upstream());
  }

  viewOf(claims) {
    const view = new PlanView(claims);
    view.held = this.hands.visited(claims.sigmas);
    const now = performance.now();
    if (this.view && now - (this.viewedAt ?? 0) > GESTURE) this.before = this.view;
    this.viewedAt = now;
    const isComparable = this.before?.top === view.top && this.before.claims.sigmas.join() !== claims.sigmas.join();
    view.before = isComparable ? this.before.path : [];
    return view;
  }

  answered(request, answer) {
    super.answered(request, answer);
    this.hands.shown();
  }

  words(claims) {
    return [claims.headline, detail(claims), claims.sigmas.map(short).join(" → ")];
  }

  notes() {
    const changed =
      this.inputs[0] === "plan"
        ? say("What the DNA or the comparison is made from has changed since the last run: run again to see the plan for it.")
        : say("What the DNA is made from has changed since the last run: run again to see the plan for it.");
    const limits = this.asked?.stored && this.planner()?.limits();
    return [
      ...(this.view ? idleSources(this.node, this.inputs) : []),
      this.changed && changed,
      ...((!this.changed && this.record?.warnings) || []),
      limits?.length && say("Drawn without {limits}, which the next run reads.", { limits: limits.join(say(" and ")) }),
      ...super.notes(),
    ];
  }
}

/** Which planner planned, and why. */
function detail({ reason, planner, predicted_error: error, compared_error: other, compared_with: name }) {
  const named = reason.includes(say("planner {name}", planner)) ? "" : say("Planner {name}. ", planner);
  const held = { error: short(error), other: short(other), name };
  return `${named}${sentences(reason) || say("Predicted error {error}, against {other} of {name}.", held)}`;
}
