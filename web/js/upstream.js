// What a node's input will be made from: links followed through reroutes, set/get pairs and subgraphs, and a fingerprint.

import { app } from "../../../scripts/app.js";
import { hash } from "./store.js";
import { say } from "./words.js";

const NOTHING_STORED = "none yet: "; // with this begins the one entry of such a list that is empty
const PLANNER = "CoTjPlanSigmas"; // its output "steps" holds what its widget of that name says
export const SUBGRAPH_INPUT = -10; // the id that links name for what comes from outside a subgraph

/** The node that feeds `input` of a node: {node, slot}, or null where nothing does or it cannot be told. */
export function source(node, name) {
  return origin(node.graph, linkInto(node, (input) => input.name === name));
}

/** The name that Load DNA will load for this input in the next run; null where the DNA comes from elsewhere. */
export function loadedDna(node, input) {
  const from = source(node, input)?.node;
  return from?.constructor.comfyClass === "CoTjLoadDNA" && !from.mode ? chosen(from, "name") : null;
}

/** What is chosen in a list of stored files; null where that is not known, or nothing is stored. */
export function chosen(node, name) {
  const value = nextValue(node, name);
  return typeof value !== "string" || value.startsWith(NOTHING_STORED) ? null : value;
}

/** The value that a widget will have in the next run, as far as it is known: not where a link's is computed. */
export function nextValue(node, name) {
  return isLinked(node, name) ? linkedValue(node, name) : widgetValue(node, name);
}

/** Whether a widget's value comes through a link. */
export function isLinked(node, name) {
  return Boolean(linkOf(node, name)) && !outerWidget(node, name);
}

/** The value that a widget will have in the next run: in a subgraph that shows it outside, the one shown there. */
export function widgetValue(node, name) {
  const widget = outerWidget(node, name) ?? node.widgets?.find((entry) => entry.name === name);
  return widget?.value;
}

/** The value that comes to a widget through a link which holds that of another one; undefined where it is computed. */
export function linkedValue(node, name, depth = 0) {
  const found = origin(node.graph, linkOf(node, name));
  const from = found?.node;
  const widget = found && passedOn(found);
  if (!widget || from.mode || depth > 100) return undefined;
  return isLinked(from, widget.name) ? linkedValue(from, widget.name, depth + 1) : widgetValue(from, widget.name);
}

/** The widget whose value an output holds as it is: that of a primitive, or the steps of a plan; else undefined. */
function passedOn({ node, slot }) {
  const named = (name) => node.widgets?.find((entry) => entry.name === name);
  if (node.type?.startsWith("Primitive")) return named("value") ?? node.widgets?.[0];
  return node.type === PLANNER && node.outputs[slot].name === "steps" ? named("steps") : undefined;
}

/** The nodes upstream of these inputs that are muted or bypassed, as sentences. */
export function idleSources(node, names, seen = new Set()) {
  return names.flatMap((name) => {
    const from = source(node, name.split(".")[0])?.node;
    if (!from || seen.has(from)) return [];
    seen.add(from);
    const words = {
      2: say("'{title}' is muted: the next run goes without it.", from),
      4: say("'{title}' is bypassed: the next run passes it over.", from),
    }[from.mode];
    return [...(words ? [words] : []), ...idleSources(from, (from.inputs ?? []).map((input) => input.name), seen)];
  });
}

/** A fingerprint of everything upstream of these inputs, "guider.model" being the model of what feeds guider; it does not depend on ids, places or what is computed from it. */
export function fingerprint(node, names) {
  const known = new Map();
  return hash(JSON.stringify(names.map((name) => describe(along(node, name.split(".")), known))));
}

function along(node, [name, ...rest]) {
  const found = source(node, name);
  return rest.length && found ? along(found.node, rest) : found;
}

/** All nodes of a graph and of the subgraphs in it. */
export function* allNodes(graph = rootGraph(), seen = new Set()) {
  if (!graph || seen.has(graph)) return;
  seen.add(graph);
  for (const node of graph.nodes) {
    yield node;
    if (node.subgraph) yield* allNodes(node.subgraph, seen);
  }
}

/** The whole workflow, or null while the page loads; asking the app itself that early is logged as an error. */
function rootGraph() {
  const shown = app.canvas?.graph;
  return shown?.rootGraph ?? shown ?? null;
}

/** The node with this id of the server's: "7", or "5:7" for node 7 in the subgraph of node 5; undefined where there is none. */
export function nodeAt(id) {
  const find = (graph, one) => graph?.nodes.find((node) => String(node.id) === one);
  const [first, ...rest] = String(id).split(":");
  return rest.reduce((node, one) => find(node?.subgraph, one), find(rootGraph(), first));
}

const linkOf = (node, widgetName) => linkInto(node, (input) => input.widget?.name === widgetName);

/** The link into the first input that is the one; null where none is, or nothing leads there. */
function linkInto(node, isIt) {
  return linkAt(node, node.inputs?.findIndex(isIt) ?? -1);
}

function linkAt(node, slot) {
  if (!node?.graph || !node.inputs?.[slot]) return null;
  // Not by the node's own method: of one that only passes on, that gives what it passes.
  return LiteGraph.LGraphNode.prototype.getInputLink.call(node, slot);
}

function linkById(graph, id) {
  return graph.getLink?.(id) ?? graph.links?.get?.(id) ?? graph.links?.[id] ?? null;
}

/** The widget on the outside of the one subgraph node whose input feeds this widget; null where there is none. */
function outerWidget(node, name) {
  let link = linkOf(node, name);
  let graph = node.graph;
  while (link && Number(link.origin_id) === SUBGRAPH_INPUT) {
    const outside = onlyInstance(graph);
    const slot = outside?.inputs?.[link.origin_slot];
    if (!slot) return null;
    link = linkAt(outside, link.origin_slot);
    if (!link) return outside.widgets?.find((entry) => entry.name === (slot.widget?.name ?? slot.name)) ?? null;
    graph = outside.graph;
  }
  return null;
}

function onlyInstance(subgraph) {
  const instances = [...allNodes()].filter((node) => node.subgraph && node.subgraph === subgraph);
  return instances.length === 1 ? instances[0] : null;
}

/** Where a link begins, beyond whatever only passes it on. */
function origin(graph, link, depth = 0) {
  if (!link || depth > 100) return null; // as long a chain is a circle
  if (Number(link.origin_id) === SUBGRAPH_INPUT) {
    const outside = onlyInstance(graph);
    return origin(outside?.graph, linkAt(outside, link.origin_slot), depth + 1);
  }
  const node = graph.getNodeById(link.origin_id);
  if (!node) return null;
  if (node.subgraph) {
    const inner = node.subgraph.outputs?.[link.origin_slot]?.linkIds?.[0];
    return origin(node.subgraph, linkById(node.subgraph, inner), depth + 1);
  }
  if (node.isVirtualNode) {
    const passed = node.resolveVirtualOutput?.(link.origin_slot);
    if (passed) return { node: passed.node, slot: passed.slot };
    const inner = node.getInputLink?.(link.origin_slot) ?? linkAt(node, 0);
    if (inner) return origin(node.graph, inner, depth + 1);
  }
  return { node, slot: link.origin_slot };
}

/** A text that changes with whatever can change what this output will hold. */
function describe(found, known) {
  if (!found) return null;
  const { node, slot } = found;
  if (!known.has(node)) {
    known.set(node, "circle");
    const widgets = (node.widgets ?? []).filter((widget) => widget.serialize !== false && widget.options?.serialize !== false);
    const values = widgets.map(({ name }) => [name, isLinked(node, name) ? "linked" : widgetValue(node, name)]);
    const inputs = (node.inputs ?? []).map(({ name }) => [name, describe(source(node, name), known)]);
    known.set(node, hash(JSON.stringify([node.type, node.mode ?? 0, values, inputs])));
  }
  return [known.get(node), slot];
}
