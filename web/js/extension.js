// Puts the live widgets into their nodes, and tells them what happens around them.

import { api } from "../../../scripts/api.js";
import { app } from "../../../scripts/app.js";
import { CacheWidget } from "./cache_widget.js";
import { ComparisonWidget } from "./comparison_widget.js";
import { keepTexts } from "./kept_texts.js";
import { TYPE } from "./picture_widget.js";
import { PlanWidget } from "./plan_widget.js";
import { isReplaceable, replaceSampler } from "./replace_sampler.js";
import { AtlasReport, DiagnosisReport, SearchReport, TrainingReport } from "./report_widgets.js";
import { SamplerWidget } from "./sampler_widget.js";
import { LoadedDnaWidget, LoadedScheduleWidget } from "./stored_widgets.js";
import { allNodes, nodeAt } from "./upstream.js";
import { say, useLocales } from "./words.js";

const PLANNED_FROM = ["dna", "constraints", "model", "guider.model"]; // a guider's prompt changes no plan
// The kind of widget, and the inputs that decide on what it shows.
const WIDGETS = {
  CoTjPlanSigmas: [PlanWidget, PLANNED_FROM],
  CoTjAdaptiveLength: [PlanWidget, PLANNED_FROM],
  CoTjHeatmap: [PlanWidget, ["plan"]],
  CoTjCacheSteps: [CacheWidget, ["model", "dna"]],
  CoTjKSampler: [SamplerWidget, ["model", "latent_image", "dna"]],
  CoTjCompareSchedules: [ComparisonWidget, ["guider", "sampler", "latent_image"]],
  CoTjLoadDNA: [LoadedDnaWidget, []],
  CoTjOptimizedSigmas: [LoadedScheduleWidget, []],
};
// What stands in nodes whose picture only a run can make, until the host shows it.
const REPORTS = {
  CoTjOptimizeSigmas: SearchReport,
  CoTjDiagnostics: DiagnosisReport,
  CoTjAtlas: AtlasReport,
  CoTjTrainPredictor: TrainingReport,
};
const UPSTREAM = "cotj_upstream"; // property of a node in a workflow that is saved or queued: what it was made from then

const HIDDEN = "cotj_picture_hidden"; // property of a subgraph node that is to have no picture
const outside = new WeakMap(); // the live widget that is shown on a subgraph node

let running = null; // a promise of the workflow that the server works on, as it was when it was queued
let ran = null; // the last such workflow that came

app.registerExtension({
  name: "cotj.plan",

  async init() {
    useLocales(await locales(), () => app.extensionManager.setting.get("Comfy.Locale"));
  },

  setup() {
    const link = Object.assign(document.createElement("link"), {
      rel: "stylesheet",
      href: new URL("./widget.css", import.meta.url).href,
    });
    document.head.append(link);
    keepTexts();
    api.addEventListener("execution_start", ({ detail }) => {
      running = queuedWorkflow(detail.prompt_id);
      running.then((workflow) => (ran = workflow ?? ran));
    });
    // A cached run is the sampler's, so that what it computed is no output of its node.
    api.addEventListener("cotj_cache", ({ detail }) => {
      const node = nodeAt(detail.node);
      widgetsOf(node).forEach((widget) => widget.executed(detail.shown, upstreamWhenQueued(node)));
    });
    api.addEventListener("execution_success", () => planWidgets().forEach((widget) => widget.storedAnew()));
    api.addEventListener("graphChanged", () => {
      showAllOutside();
      planWidgets().forEach((widget) => widget.refresh());
    });
    document.fonts?.addEventListener("loadingdone", () => planWidgets().forEach((widget) => widget.redraw()));
    new MutationObserver(() => planWidgets().forEach((widget) => widget.readTheme())).observe(document.documentElement, {
      attributes: true,
      attributeFilter: ["class", "style"],
    });
  },

  afterConfigureGraph: showAllOutside,

  nodeCreated(node) {
    if (node.subgraph) {
      showOutside(node);
      chain(node, "onRemoved", () => outside.get(node)?.removed());
    }
    const Report = REPORTS[node.constructor.comfyClass];
    if (Report) awaitReport(node, new Report(node));
    const [Widget, inputs] = WIDGETS[node.constructor.comfyClass] ?? [];
    if (!Widget) return;
    const widget = new Widget(node, inputs);
    chain(node, "onExecuted", (output) => {
      const shown = shownIn(output);
      if (shown) for (const one of [widget, ...outsideOf(node)]) one.executed(shown, upstreamWhenQueued(node));
    });
    chain(node, "onConfigure", () => widget.restore());
    chain(node, "onSerialize", (saved) => (saved.properties = { ...saved.properties, [UPSTREAM]: widget.upstream() }));
    chain(node, "onConnectionsChange", () => widget.refresh());
    chain(node, "onRemoved", () => widget.removed());
  },

  getNodeMenuItems(node) {
    if (isReplaceable(node)) return [{ content: say("Replace with CoTj KSampler"), callback: () => replaceSampler(node) }];
    if (!node.subgraph || !pictured(node)) return [];
    const hidden = Boolean(node.properties[HIDDEN]);
    const callback = () => {
      node.properties[HIDDEN] = !hidden;
      showOutside(node);
    };
    return [{ content: hidden ? say("Show CoTj picture") : say("Hide CoTj picture"), callback }];
  },

  // A run that ended while another tab was shown.
  onNodeOutputsUpdated(outputs) {
    for (const widget of planWidgets()) {
      const { node } = widget;
      const output = outputs[node.id] ?? outputs[place(node)];
      if (widget.isReportIn?.(output)) widget.leave();
      const shown = shownIn(output);
      if (shown) widget.found(shown, upstreamIn(ran, node));
    }
  },
});

/** Leaves the place to the picture that a run of the node gives the host. */
function awaitReport(node, widget) {
  chain(node, "onExecuted", (output) => widget.isReportIn(output) && widget.leave());
  chain(node, "onRemoved", () => widget.removed());
}

/** The locales of all packs, by language. Without them everything is in English. */
async function locales() {
  try {
    return await (await api.fetchApi("/i18n")).json();
  } catch {
    return {};
  }
}

function chain(node, name, after) {
  const before = node[name];
  node[name] = function (...args) {
    const result = before?.apply(this, args);
    after(...args);
    return result;
  };
}

/** What the output of a node has for its widget. */
const shownIn = (output) => (output?.cotj_plan ?? output?.cotj_comparison)?.[0];

function planWidgets() {
  return [...allNodes()].flatMap((node) => node.widgets ?? []).filter((widget) => widget.type === TYPE).map((widget) => widget.plan);
}

const widgetsOf = (node) => planWidgets().filter((widget) => widget.node === node);
const outsideOf = (node) => widgetsOf(node).filter((widget) => widget.host !== node);

function showAllOutside() {
  for (const node of allNodes()) if (node.subgraph) showOutside(node);
}

/** Shows on a subgraph's node the picture of a node that is in it. */
function showOutside(host) {
  const [shown, node] = [outside.get(host), host.properties[HIDDEN] ? undefined : pictured(host)];
  if (shown?.node === node) return;
  shown?.leave();
  outside.delete(host);
  if (!node) return;
  const [Widget, inputs] = WIDGETS[node.constructor.comfyClass];
  const widget = new Widget(node, inputs, host);
  outside.set(host, widget);
  widget.restore();
}

/** The node in a subgraph, or in one within that, whose picture tells most: kinds are listed in this order. */
function pictured(host) {
  const kinds = Object.keys(WIDGETS);
  const rank = (node) => kinds.indexOf(node.constructor.comfyClass);
  return [...allNodes(host.subgraph)].filter((node) => rank(node) >= 0).sort((a, b) => rank(a) - rank(b))[0];
}

const place = (node) => `${node.graph?.id}:${node.id}`;

/** The workflow that a prompt was queued with: by the time that it runs, a person may have changed the one on the canvas. */
async function queuedWorkflow(prompt) {
  const read = async (path) => (await api.fetchApi(path)).json();
  try {
    const { queue_running: now } = await read("/queue");
    // A run may be over before the server is asked.
    const entry = now.find(([, id]) => id === prompt) ?? (await read(`/history/${prompt}`))[prompt]?.prompt;
    return entry?.[3]?.extra_pnginfo?.workflow ?? null;
  } catch {
    return null; // the server has gone away
  }
}

async function upstreamWhenQueued(node) {
  return upstreamIn(await running, node);
}

function upstreamIn(workflow, node) {
  const graphs = [workflow, ...(workflow?.definitions?.subgraphs ?? [])];
  const graph = graphs.find((one) => one && one.id === node.graph?.id);
  return graph?.nodes.find((saved) => String(saved.id) === String(node.id))?.properties?.[UPSTREAM] ?? null;
}
