// Puts CoTj KSampler in the place of a KSampler: at its place, with its settings and its links.

import { app } from "../../../scripts/app.js";
import { SUBGRAPH_INPUT, allNodes, nextValue, widgetValue } from "./upstream.js";

const SUBGRAPH_OUTPUT = -20; // the id that links name for what leaves a subgraph
const REPLACED = "KSampler";
const OURS = "CoTjKSampler";
const LOOKS = ["mode", "color", "bgcolor", "shape"];
const SHARE = 0.5; // of the steps, that are to call the model

export const isReplaceable = (node) => node.constructor.comfyClass === REPLACED;

/** Replaces a KSampler; gives the new node. */
export function replaceSampler(node) {
  const { graph } = node;
  const values = node.widgets.map(({ name }) => [name, nextValue(node, name) ?? widgetValue(node, name)]);
  const { into, from } = linksOf(node);
  const [outer, steps] = [outerValues(graph), nextValue(node, "steps")];
  app.canvas.emitBeforeChange(); // one step to undo
  const made = LiteGraph.createNode(OURS);
  graph.remove(node);
  made.id = node.id; // by which the outside of a subgraph knows its widgets
  graph.add(made);
  made.pos = [...node.pos];
  for (const look of LOOKS) if (node[look] !== undefined) made[look] = node[look];
  if (node.title !== node.constructor.title) made.title = node.title;
  const setAll = () => values.forEach(([name, value]) => set(made, name, value));
  setAll(); // before the links too: a primitive takes the value of what it is linked to
  for (const link of into) connectInput(graph, link, made);
  for (const link of from) connectOutput(graph, link, made);
  setAll();
  if (steps !== undefined) set(made, "calls", Math.ceil(steps * SHARE));
  for (const [outside, name, value] of outer) set(outside, name, value);
  app.canvas.emitAfterChange();
  return made;
}

/** What the outsides of a subgraph hold: each has values of its own, which a new link inside would set back. */
function outerValues(graph) {
  const outsides = [...allNodes()].filter((node) => node.subgraph === graph);
  const held = outsides.flatMap((node) => (node.widgets ?? []).map(({ name, value }) => [node, name, value]));
  return held.filter(([, , value]) => ["number", "string", "boolean"].includes(typeof value));
}

function set(node, name, value) {
  const widget = node.widgets.find((one) => one.name === name);
  if (!widget) return;
  const { min = -Infinity, max = Infinity } = widget.options ?? {};
  widget.value = typeof value === "number" ? Math.min(max, Math.max(min, value)) : value;
  widget.callback?.(widget.value, app.canvas, node);
}

/** The links of a node as they are now: into its inputs, by their names, and from its output; each after a reroute or none. */
function linksOf(node) {
  const links = [...node.graph.links.values()];
  const into = links.filter((link) => link.target_id === node.id);
  const from = links.filter((link) => link.origin_id === node.id);
  return {
    into: into.map((link) => ({
      id: link.origin_id,
      slot: link.origin_slot,
      name: node.inputs[link.target_slot].name,
      after: link.parentId,
    })),
    from: from.map((link) => ({ id: link.target_id, slot: link.target_slot, after: link.parentId })),
  };
}

function connectInput(graph, { id, slot, name, after }, node) {
  const index = node.inputs.findIndex((input) => input.name === name);
  if (index < 0) return;
  if (Number(id) !== SUBGRAPH_INPUT) {
    graph.getNodeById(id).connect(slot, node, index, after);
    return;
  }
  const input = graph.inputs[slot];
  if (!input.linkIds.length) input.disconnect(); // or it takes no widget that has other limits than the one before
  input.connect(node.inputs[index], node, after);
}

function connectOutput(graph, { id, slot, after }, node) {
  if (Number(id) === SUBGRAPH_OUTPUT) graph.outputs[slot].connect(node.outputs[0], node, after);
  else node.connect(0, graph.getNodeById(id), slot, after);
}
