// The places of pictures that only a run can make: what will stand there, until the host shows it there.

import { atlas, diagnosis, search, training } from "./draw_reports.js";
import { PictureWidget } from "./picture_widget.js";
import { say } from "./words.js";

class ReportWidget extends PictureWidget {
  static sizes = { least: 160, width: 360, height: 300 };

  constructor(node) {
    super(node);
    this.begin();
  }

  /** Whether this output of the node has the picture; once only, since it is then no longer awaited. */
  isReportIn(output) {
    return Boolean(output?.images?.length) && this.node.widgets.includes(this.widget);
  }

  /** The node keeps its size, for the picture. */
  leave() {
    const size = [...this.node.size];
    super.leave();
    this.node.setSize(size);
  }
}

export class SearchReport extends ReportWidget {
  static picture = { ghost: search };
  static empty = () => [
    say("Not searched yet"),
    say("Run it, and here stand how far each schedule ends from the long run, with its uncertainty, and below it the schedule that was found."),
  ];
}

export class DiagnosisReport extends ReportWidget {
  static picture = { ghost: diagnosis };
  static empty = () => [
    say("Not diagnosed yet"),
    say("Run it, and here stands the DNA with what each step takes away: a start or an end that makes it worse is marked."),
  ];
}

export class AtlasReport extends ReportWidget {
  static picture = { ghost: atlas };
  static empty = () => [
    say("No DNAs to compare yet"),
    say("Connect DNAs or choose a data set, and run: here stand how many steps each model needs, and all DNAs side by side."),
  ];
}

export class TrainingReport extends ReportWidget {
  static picture = { ghost: training };
  static empty = () => [
    say("Not trained yet"),
    say("Choose a data set and run: here stand how the losses fall, and measured beside predicted DNAs of prompts that were held out."),
  ];
}
