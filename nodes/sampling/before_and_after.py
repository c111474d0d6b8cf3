"""Before and after: what a run with few calls ends in, beside the scheduler's own run with as many, and all steps."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from ...planner.texts import say
from ..host.final_latents import Final, FinalLatents, Ran, series_of
from ..host.progress import show_text
from ..host.rollout import in_model_space
from ..host.thumbnails import counts, save, thumbnail
from ..reports.cache_claims import CacheOutcome
from .asked_run import AskedRun
from .best_known import Way
from .sample import computed_by, sample

OFF, DEFAULT, ALL = COMPARE = ("off", "default", "default and all steps")


FINALS = FinalLatents()


@dataclass(frozen=True, eq=False)
class BeforeAndAfter:
    """The known runs of one model, prompt, seed and latent, whatever their calls. vae: decodes their pictures."""

    run: AskedRun
    seed: int
    vae: Any
    node_id: str

    @cached_property
    def series(self) -> str:
        run = self.run
        return series_of(run.guider, run.latent, self.seed, run.name, run.scheduler, run.denoise)

    @property
    def steps(self) -> int:
        """Count the steps of the whole run, which the others are held against."""
        return len(self.run.whole) - 1

    def keep(self, way: Way, outcome: CacheOutcome, samples: Any) -> Ran:
        """Keep what a run ended in; gives what the run was."""
        calls = len(computed_by(way, outcome))
        by_scheduler = way.sampler is self.run.sampler and torch.equal(way.sigmas, self.run.sigmas(way.steps))
        ran = Ran(self.series, calls if by_scheduler and calls == way.steps else self.steps, calls)
        self._keep(ran, samples)
        return ran

    def make(self, ran: Ran, compare: str) -> bool:
        """Make the runs that a planned one is to be compared with, but for those that are known; tell whether any was.

        compare: one of `COMPARE`. Costs as many calls as the planned run, and for all steps theirs.
        """
        wanted = {OFF: (), DEFAULT: (ran.calls,), ALL: (ran.calls, self.steps)}[compare]
        others = [] if ran.is_default else [Ran(self.series, steps, steps) for steps in wanted]
        missing = [other for other in others if FINALS.recall(other) is None]
        for other in missing:
            to_compare = say(
                "to compare: {steps} steps of '{scheduler}'", steps=other.steps, scheduler=self.run.scheduler
            )
            show_text(to_compare, self.node_id)
            way = Way(self.run.sigmas(other.steps), self.run.sampler, "")
            self._keep(other, sample(self.run, way, self.seed, self.node_id)[0])
        return bool(missing)

    def _keep(self, ran: Ran, samples: Any) -> None:
        picture = thumbnail(samples, self.run.model, self.vae)
        latent = in_model_space(self.run.guider, samples).flatten(1).cpu()
        FINALS.keep(ran, Final(latent, None if picture is None else save(picture), self.vae is not None))

    def error(self, ran: Ran) -> float | None:
        """Measure the error of a run against all steps, its mean over the items; None where either is not known."""
        final, whole = FINALS.recall(ran), FINALS.recall(Ran(self.series, self.steps, self.steps))
        if final is None or whole is None:
            return None
        error = float((final.latent - whole.latent).square().mean())
        return error if math.isfinite(error) else None

    def told(self, ran: Ran) -> Iterator[str]:
        """Say what a planned run was measured to be worth, where the runs are known that it takes."""
        own, default = self.error(ran), self.error(Ran(self.series, ran.calls, ran.calls))
        if own is not None and default and not ran.is_default:
            yield say(
                "Measured against all {steps} steps: error {error:.3g}, {ratio:.2g} times that of {calls} steps of "
                "'{scheduler}'.",
                steps=self.steps,
                error=own,
                ratio=own / default,
                calls=ran.calls,
                scheduler=self.run.scheduler,
            )
            if own > default:
                yield self._how_to_get_default(ran.calls)

    def _how_to_get_default(self, calls: int) -> str:
        """Say that the default ended nearer than what ran, and which inputs give it."""
        asked = {"calls": calls, "scheduler": self.run.scheduler}
        if self.run.target_error:
            return say(
                "So '{scheduler}' with as many calls was nearer here. To have it, set 'steps' and 'calls' to {calls}, "
                "and 'target_error' to 0.",
                **asked,
            )
        return say(
            "So '{scheduler}' with as many calls was nearer here. To have it, set 'steps' and 'calls' to {calls}.",
            **asked,
        )

    def claims(self) -> dict[str, Any]:
        """Collect what is known for the widget, as finite JSON: the runs by their calls, with picture and error."""
        run = self.run
        known: dict[str, dict[str, Any]] = {"planned": {}, "default": {}}
        for ran, final in FINALS.of(self.series):
            if ran.is_default or ran.steps == self.steps:
                shown = {"picture": final.picture, "decoded": final.decoded, "error": self.error(ran)}
                known["default" if ran.is_default else "planned"][str(ran.calls)] = shown
        values = {"steps": run.steps, "cfg": run.cfg, "sampler_name": run.name, "scheduler": run.scheduler}
        return known | {"seed": self.seed, "values": values | {"denoise": run.denoise}} | counts(run.samples)
