// Widgets on the outside of subgraphs, which not every frontend lets an extension add.

import { app } from "../../../scripts/app.js";

const LOOK_AGAIN = 300; // ms; for a node that has come onto the page
const FRAME = "cotj-outside"; // its class
const NODE_EVENTS = ["pointerdown", "pointermove", "pointerup"]; // by which a node is dragged
const watched = new Map(); // the elements on the outside of subgraphs, with the nodes that they belong to
let timer = null;

/** Adds a DOM widget to a node, be it a subgraph's. */
export function addWidget(host, type, element, options) {
  const widget = host.addDOMWidget(type, type, element, options);
  if (!host.subgraph) return widget;
  if (!takesWidgets(host)) listWidget(host, widget);
  watched.set(element, host);
  timer ??= setInterval(putOnPage, LOOK_AGAIN);
  return widget;
}

/** Takes a DOM widget off again. */
export function removeWidget(host, widget, element) {
  forget(element);
  if (widget.unlist) widget.unlist();
  else host.removeWidget(widget);
  host.setSize([host.size[0], host.computeSize()[1]]);
}

/** Takes it off the page, with the frame that it has there. */
function forget(element) {
  watched.delete(element);
  (element.closest(`.${FRAME}`) ?? element).remove();
}

/** Whether the subgraph nodes of this frontend have widgets of their own, beside those that are promoted. */
const takesWidgets = (host) => host.addCustomWidget !== LiteGraph.LGraphNode.prototype.addCustomWidget;

function listWidget(host, widget) {
  const listed = Object.getOwnPropertyDescriptor(host, "widgets");
  const others = () => listed.get.call(host).filter((other) => other !== widget);
  let list = () => [...others(), widget];
  Object.defineProperty(host, "widgets", { ...listed, get: () => list() });
  widget.unlist = () => {
    list = others;
    widget.onRemove?.();
  };
}

/** Nodes 2.0 of some frontends draw the promoted widgets of a subgraph alone, those of others what it began with. */
function putOnPage() {
  for (const [element, host] of watched) {
    // It was removed, or another workflow is open, whose node of the same id has the same place on the page.
    const isGone = host.graph?.getNodeById(host.id) !== host;
    if (isGone) forget(element);
    if (isGone || !LiteGraph.vueNodesMode || host.graph !== app.canvas?.graph) continue;
    const body = document.querySelector(`[data-testid="node-body-${host.id}"]`);
    if (!body || body.contains(element)) continue;
    const frame = Object.assign(document.createElement("div"), { className: FRAME });
    for (const name of NODE_EVENTS) frame.addEventListener(name, (event) => event.stopPropagation());
    frame.append(element);
    body.append(frame);
  }
  if (watched.size) return;
  clearInterval(timer);
  timer = null;
}
