// Puts the live heatmap into the nodes that plan and the one that shows a plan, and tells it what happens around it.

import { api } from "../../../scripts/api.js";
import { app } from "../../../scripts/app.js";
import { allNodes } from "./upstream.js";
import { PlanWidget, TYPE } from "./widget.js";

const PLANNED_FROM = ["dna", "constraints", "model", "guider.model"]; // a guider's prompt changes no plan
const NODES = { CoTjPlanSigmas: PLANNED_FROM, CoTjAdaptiveLength: PLANNED_FROM, CoTjHeatmap: ["plan"] };
const REMEMBERED = 100; // queued prompts whose upstream is known

let running = null; // the prompt that the server works on
const queueing = new Set(); // requests to queue a prompt that have no answer yet
const queued = new Map(); // prompt id: upstream fingerprints, by place of the node, as they were when it was queued

app.registerExtension({
  name: "cotj.plan",

  setup() {
    const link = Object.assign(document.createElement("link"), {
      rel: "stylesheet",
      href: new URL("./widget.css", import.meta.url).href,
    });
    document.head.append(link);
    watchQueue();
    api.addEventListener("execution_start", ({ detail }) => (running = detail.prompt_id));
    api.addEventListener("graphChanged", () => planWidgets().forEach((widget) => widget.refresh()));
    document.fonts?.addEventListener("loadingdone", () => planWidgets().forEach((widget) => widget.redraw()));
    new MutationObserver(() => planWidgets().forEach((widget) => widget.readTheme())).observe(document.documentElement, {
      attributes: true,
      attributeFilter: ["class", "style"],
    });
  },

  nodeCreated(node) {
    const made = NODES[node.constructor.comfyClass];
    if (!made) return;
    const widget = new PlanWidget(node, made);
    chain(node, "onExecuted", (output) => {
      const shown = output?.cotj_plan?.[0];
      if (shown) widget.executed(shown, upstreamWhenQueued(node));
    });
    chain(node, "onConfigure", () => widget.restore());
    chain(node, "onConnectionsChange", () => widget.refresh());
    chain(node, "onRemoved", () => widget.removed());
  },

  // A run that ended while another tab was shown.
  onNodeOutputsUpdated(outputs) {
    for (const widget of planWidgets()) {
      const { node } = widget;
      const shown = (outputs[node.id] ?? outputs[place(node)])?.cotj_plan?.[0];
      if (shown) widget.found(shown, [...queued.values()].at(-1)?.get(place(node)) ?? null);
    }
  },
});

function chain(node, name, after) {
  const before = node[name];
  node[name] = function (...args) {
    const result = before?.apply(this, args);
    after(...args);
    return result;
  };
}

function planWidgets() {
  return [...allNodes()].flatMap((node) => node.widgets ?? []).filter((widget) => widget.type === TYPE).map((widget) => widget.plan);
}

const place = (node) => `${node.graph?.id}:${node.id}`;

/** Notes with every prompt what its plans will be made from: by the time that it has run, a person may have changed it. */
function watchQueue() {
  const queuePrompt = api.queuePrompt;
  api.queuePrompt = async function (...args) {
    const upstream = new Map(planWidgets().map((widget) => [place(widget.node), widget.upstream()]));
    const request = queuePrompt.apply(this, args);
    queueing.add(request);
    try {
      const reply = await request;
      if (reply?.prompt_id) queued.set(reply.prompt_id, upstream);
      if (queued.size > REMEMBERED) queued.delete(queued.keys().next().value);
      return reply;
    } finally {
      queueing.delete(request);
    }
  };
}

async function upstreamWhenQueued(node) {
  const prompt = running;
  if (!queued.has(prompt)) {
    // It may have run before the answer to its queueing was read.
    await Promise.allSettled([...queueing]);
    await null;
  }
  return queued.get(prompt)?.get(place(node)) ?? null;
}
