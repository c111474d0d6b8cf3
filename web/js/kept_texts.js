// Keeps the texts of runs on their nodes: newer frontends take them away as soon as the run has ended.

import { api } from "../../../scripts/api.js";
import { allNodes, nodeAt } from "./upstream.js";

const TEXT = "progress_text"; // the host's event, which shows a text on a node
const WIDGET = "$$node-text-preview"; // in which it does
const ENDS = ["execution_success", "execution_error", "execution_interrupted"];
const told = new WeakMap(); // what was last said on a node of this pack, as the event says it

/** Shows what nodes of this pack say until they say something else. */
export function keepTexts() {
  api.addEventListener(TEXT, ({ detail }) => {
    const node = nodeAt(detail.nodeId);
    if (node?.constructor.comfyClass?.startsWith("CoTj")) told.set(node, { nodeId: detail.nodeId, text: detail.text });
  });
  for (const end of ENDS) api.addEventListener(end, () => setTimeout(showAgain)); // after the host has dealt with it
}

function showAgain() {
  for (const node of allNodes()) {
    if (told.has(node) && !node.widgets?.some((widget) => widget.name === WIDGET)) {
      api.dispatchCustomEvent(TEXT, told.get(node));
    }
  }
}
