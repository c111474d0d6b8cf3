// What a node's input will be made from: links followed through reroutes, set/get pairs and subgraphs, and a fingerprint.

import { app } from "../../../scripts/app.js";
import { hash } from "./store.js";

const SUBGRAPH_INPUT = -10; // the id that links name for what comes from outside a subgraph

/** The node that feeds `input` of a node: {node, slot}, or null where nothing does or it cannot be told. */
export function source(node, name) {
  const input = node.inputs?.find((entry) => entry.name === name);
  return input?.link == null ? null : origin(node.graph, input.link);
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

function linkOf(node, widgetName) {
  const input = node.inputs?.find((entry) => entry.widget?.name === widgetName);
  return input?.link == null ? null : linkById(node.graph, input.link);
}

function linkById(graph, id) {
  return graph?.getLink?.(id) ?? graph?.links?.get?.(id) ?? graph?.links?.[id] ?? null;
}

/** The widget on the outside of the one subgraph node whose input feeds this widget; null where there is none. */
function outerWidget(node, name) {
  let link = linkOf(node, name);
  let graph = node.graph;
  while (link && Number(link.origin_id) === SUBGRAPH_INPUT) {
    const outside = onlyInstance(graph);
    const slot = outside?.inputs?.[link.origin_slot];
    if (!slot) return null;
    if (slot.link == null) return outside.widgets?.find((entry) => entry.name === (slot.widget?.name ?? slot.name)) ?? null;
    graph = outside.graph;
    link = linkById(graph, slot.link);
  }
  return null;
}

function onlyInstance(subgraph) {
  const instances = [...allNodes()].filter((node) => node.subgraph && node.subgraph === subgraph);
  return instances.length === 1 ? instances[0] : null;
}

/** Where a link begins, beyond whatever only passes it on. */
function origin(graph, linkId, depth = 0) {
  const link = linkById(graph, linkId);
  if (!link || depth > 100) return null; // as long a chain is a circle
  if (Number(link.origin_id) === SUBGRAPH_INPUT) {
    const outside = onlyInstance(graph);
    const outer = outside?.inputs?.[link.origin_slot]?.link;
    return outer == null ? null : origin(outside.graph, outer, depth + 1);
  }
  const node = graph.getNodeById(link.origin_id);
  if (!node) return null;
  if (node.subgraph) {
    const inner = node.subgraph.outputs?.[link.origin_slot]?.linkIds?.[0];
    return inner == null ? null : origin(node.subgraph, inner, depth + 1);
  }
  if (node.isVirtualNode) {
    const passed = node.resolveVirtualOutput?.(link.origin_slot);
    if (passed) return { node: passed.node, slot: passed.slot };
    const inner = node.getInputLink?.(link.origin_slot)?.id ?? node.inputs?.[0]?.link;
    if (inner != null) return origin(node.graph, inner, depth + 1);
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
