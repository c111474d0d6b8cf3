// Planned sigmas moved by hand: a step that is dragged, or moved by keys, becomes one that the plan must visit.

import { app } from "../../../scripts/app.js";
import { handles, timeAt } from "./draw.js";
import { closest, MARK } from "./pen.js";
import { short } from "./plan_view.js";
import { isLinked, widgetValue } from "./upstream.js";

const FINGER = 16; // CSS pixels around a mark that a touch finds
const STILL = 3; // pixels of the page within which a press is no drag
const SAME = 2e-3; // relative; so near to a sigma of the plan one that was written with three digits lies
const KEY_STEPS = { true: 500, false: 100 }; // moves from the top to 0, with shift and without
const MOVES = { ArrowLeft: 1, ArrowRight: -1 }; // noise is on the left
const CHOICES = { ArrowUp: -1, ArrowDown: 1 };
const DELETES = ["Delete", "Backspace"]; // by which the host would delete the node

export class Hands {
  /** widget: the PlanWidget whose picture is dragged in; the node that plans has the sigmas to visit as a widget. */
  constructor(widget) {
    this.widget = widget;
    this.held = null; // the step that is dragged: {sigma, others, panel, from, grip}, `others` being what else is visited
    this.chosen = null; // the index of the step that keys move
    this.nudged = null; // that step as keys have moved it, which the plan that is drawn may not show yet: {sigma, others}
    const { canvas } = widget;
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "slider");
    canvas.style.touchAction = "none";
    const on = (name, act) => canvas.addEventListener(name, (event) => act(event) && event.stopPropagation());
    on("pointerdown", (event) => this.take(event));
    on("pointermove", (event) => this.drag(event));
    for (const end of ["pointerup", "pointercancel"]) on(end, (event) => this.release(event));
    on("dblclick", (event) => this.giveBack(this.sigmaOf(this.stepAt(event)?.step)));
    on("keydown", (event) => this.key(event) && !event.preventDefault()); // or the page scrolls
    canvas.addEventListener("blur", () => this.choose(null));
  }

  /** The widget with the sigmas to visit; null where there is none to write to. */
  list() {
    const node = this.widget.planner()?.node;
    const found = node?.widgets?.find((widget) => widget.name === "visit");
    return found && !isLinked(node, "visit") ? found : null;
  }

  visits() {
    const node = this.widget.planner()?.node;
    const text = node ? widgetValue(node, "visit") : "";
    return String(text ?? "").split(/[\s,]+/).filter(Boolean).map(Number).filter(Number.isFinite);
  }

  /** The steps of the plan that are visited because they were asked for. */
  visited(sigmas) {
    const visits = this.visits();
    return new Set(sigmas.flatMap((sigma, step) => (visits.some((other) => isSame(other, sigma)) ? [step] : [])));
  }

  write(visits) {
    const [list, { node }] = [this.list(), this.widget.planner()];
    list.value = [...new Set(visits.sort((a, b) => b - a).map(short))].join(", ");
    list.callback?.(list.value, app.canvas, node);
    this.widget.refresh();
  }

  /** A step of the plan that is drawn, ready to be moved: its sigma, and what else is visited. */
  hold(step) {
    const sigma = this.sigmaOf(step);
    return { sigma, others: this.visits().filter((other) => !isSame(other, sigma)) };
  }

  sigmaOf(step) {
    return this.widget.view?.claims.sigmas[step];
  }

  /** Has the plan visit this flow time in place of where the step was that is held. */
  move(held, time) {
    const { view } = this.widget;
    const least = view.top / KEY_STEPS.true;
    held.sigma = Number(short(view.sigma(Math.min(view.top - least, Math.max(least, time)))));
    this.write([...held.others, held.sigma]);
  }

  /** Leaves a step to the planner again. */
  giveBack(sigma) {
    if (sigma === undefined || !this.list()) return false;
    this.nudged = null;
    this.write(this.visits().filter((other) => !isSame(other, sigma)));
    return true;
  }

  // By mouse and touch.

  stepAt({ offsetX: x, offsetY: y, pointerType }) {
    const { view, picture } = this.widget;
    if (!view || !this.list()) return null;
    const marks = handles(view, picture.clientWidth, picture.clientHeight).filter(({ step }) => step > 0); // 0 starts the run
    const found = closest(marks.map((mark) => Math.hypot(mark.x - x, mark.y - y)), 0, pointerType === "touch" ? FINGER : MARK);
    return found < 0 ? null : marks[found];
  }

  take(event) {
    const mark = event.button ? null : this.stepAt(event);
    if (!mark) return false;
    this.widget.canvas.setPointerCapture(event.pointerId);
    this.widget.canvas.focus({ preventScroll: true });
    this.nudged = null;
    // `from`: where the press was on the page. `grip`: how far from the mark it was; so far from it the drag stays.
    this.held = { ...this.hold(mark.step), panel: mark.panel, from: event.clientX, grip: event.offsetX - mark.x };
    return true;
  }

  drag(event) {
    const { view, picture } = this.widget;
    if (!this.held || !view) {
      this.widget.canvas.style.cursor = this.stepAt(event) ? "ew-resize" : "";
      return false;
    }
    if (event.buttons || event.pointerType === "touch") {
      const { panel, from, grip } = this.held;
      this.held.isDragged ||= Math.abs(event.clientX - from) > STILL;
      if (this.held.isDragged) this.move(this.held, timeAt(view, picture.clientWidth, picture.clientHeight, panel, event.offsetX - grip));
    }
    return true;
  }

  release() {
    const had = Boolean(this.held);
    this.held = null;
    return had;
  }

  // By keys.

  key(event) {
    const { view, canvas } = this.widget;
    if (!view || !this.list() || view.path.length < 3) return DELETES.includes(event.key);
    if (event.key === "Escape") canvas.blur();
    else if (event.key in CHOICES) this.choose((this.chosen ?? (CHOICES[event.key] > 0 ? 0 : 2)) + CHOICES[event.key]);
    else if (event.key in MOVES) this.nudge((MOVES[event.key] * view.top) / KEY_STEPS[event.shiftKey]);
    else if (DELETES.includes(event.key)) this.giveBack(this.nudged?.sigma ?? this.sigmaOf(this.chosen));
    else return false;
    return true;
  }

  choose(step) {
    this.nudged = null;
    this.chosen = step === null ? null : Math.min(this.widget.view.path.length - 2, Math.max(1, step));
    this.tell();
  }

  /** Reads out the chosen step. */
  tell() {
    const { view, picture, canvas } = this.widget;
    if (!this.chosen) return;
    const { x, y } = handles(view, picture.clientWidth, picture.clientHeight)[this.chosen];
    this.widget.point(x, y);
    canvas.setAttribute("aria-valuenow", this.sigmaOf(this.chosen));
    canvas.setAttribute("aria-valuetext", this.widget.read.textContent);
  }

  nudge(by) {
    const { view } = this.widget;
    if (!this.chosen || this.chosen > view.path.length - 2) return this.choose(this.chosen ?? 1);
    const isWritten = this.nudged && this.visits().some((visit) => isSame(visit, this.nudged.sigma));
    if (!isWritten) this.nudged = this.hold(this.chosen); // as drawn: nothing is on its way
    this.move(this.nudged, view.flow(this.nudged.sigma) + by);
  }

  /** Another plan is shown: what was moved by keys stays chosen. */
  shown() {
    if (!this.chosen || !this.nudged || !this.widget.view) return;
    const step = this.widget.view.claims.sigmas.findIndex((sigma) => isSame(sigma, this.nudged.sigma));
    if (step < 1) return;
    this.chosen = step;
    this.tell();
  }
}

const isSame = (one, other) => Math.abs(one - other) <= SAME * Math.max(one, other);
