// The widgets of the nodes that load: what is stored under the name that is chosen, without a run.

import * as dnaPicture from "./draw_dna.js";
import * as schedulePicture from "./draw_schedule.js";
import { LiveWidget } from "./live_widget.js";
import { DnaView, short } from "./plan_view.js";
import { chosen } from "./upstream.js";
import { list, say, sentences } from "./words.js";

class StoredWidget extends LiveWidget {
  static sizes = { least: 180, width: 340, height: 260 };
  static asksWith = []; // the names of widgets that decide on what is shown, beside the name

  next() {
    const { values, linked } = this.valuesOf(this.node, this.constructor.asksWith);
    const name = chosen(this.node, "name");
    return { request: name === null ? null : { node: this.node.constructor.comfyClass, stored: name, values }, linked };
  }
}

export class LoadedDnaWidget extends StoredWidget {
  static picture = dnaPicture;
  static empty = () => [
    say("No DNA yet"),
    say(
      "Here the chosen DNA is drawn: how wrong the model's guess is at each noise level, and what more steps would gain. " +
        "Measure DNA and Save DNA make one of your model.",
    ),
  ];

  viewOf(claims) {
    return new DnaView({ ...claims, steps: 0, threshold: null });
  }

  words({ headline, reason, enough }) {
    const inSteps = (steps, percent) =>
      steps === 1 ? say("{percent} % in 1 step", { percent }) : say("{percent} % in {steps} steps", { steps, percent });
    const reached = list(enough.map(([share, steps]) => inSteps(steps, 100 * share)));
    return [headline, sentences(reason), reached ? say("of the gain {reached}", { reached }) : say("more steps gain nothing")];
  }
}

export class LoadedScheduleWidget extends StoredWidget {
  static picture = schedulePicture;
  static asksWith = ["steps"];
  static empty = () => [
    say("No stored schedule yet"),
    say(
      "Here the stored schedule is drawn beside the model's own, with what it gains as Optimize Sigmas measured it. Run that once to have one.",
    ),
  ];

  viewOf(claims) {
    return new schedulePicture.ScheduleView(claims);
  }

  words({ headline, reason, sigmas }) {
    return [headline, sentences(reason), sigmas.map(short).join(" → ")];
  }
}
