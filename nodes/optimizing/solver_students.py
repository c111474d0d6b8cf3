"""Students that a solver is learned on, through the host: runs of all pairs side by side, beside their long runs."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch

from ...measuring.frequency_bands import FrequencyBands
from ...measuring.straying import Path
from ...planner import FloatArray
from ..host.fingerprint import digest_of
from ..host.folders import save_folder
from ..host.rollout import packed
from . import stored_search
from .calibration import GuiderCalibration
from .students import Asking, FirstState, Guesses

SUFFIX = ".teaching"  # of the name under which states of long runs are kept until the fit is done


class SolverStudents:
    """The pairs that are searched on, a batch each, as `fit_solver` asks for them.

    Of their long runs only the ends are known, which is enough to run solvers; a fit asks for states on the way too,
    see `make_long_runs`.
    """

    def __init__(self, calibration: GuiderCalibration):
        self.calibration = calibration
        self.batches = calibration.pairs
        self.bands = FrequencyBands(packed(calibration.noises[0]).shape)
        self._name = calibration.name + SUFFIX
        self._levels = np.empty(0)
        self._long: list[torch.Tensor] = []

    def first(self, pairs: int) -> SolverStudents:
        """Give the first so many pairs alone."""
        some = copy.copy(self)
        some.batches = pairs
        return some

    def know(self, schedules: Sequence[FloatArray]) -> int:
        """Read what was kept of long runs at the sigmas of these schedules, and count the pairs that lack it."""
        self._levels = np.unique(np.concatenate([sigmas[1:-1] for sigmas in schedules]))[::-1]
        self._id = digest_of(self.calibration.id, self._levels.tolist(), self.calibration.searched)
        known = stored_search.read_long_runs(save_folder(), self._name, self._id, {"states"})
        self._long = [torch.from_numpy(arrays["states"]) for arrays in known]
        return self.batches - len(self._long)

    def make_long_runs(self) -> None:
        """Run the long runs once more, since a search keeps sketches of their states alone. Cancel keeps those made."""
        before = len(self._long)
        try:
            for batch in range(before, self.batches):
                pair = self.calibration.searched[batch]
                path = Path(self.calibration.levels.kind, long=True, sketched=False)
                final = self.calibration.long_run(pair, path)
                path.end(final)
                states = torch.stack([path.at(float(sigma)) for sigma in self._levels])
                self._long.append(states.unflatten(2, final.shape[1:])[:, self.calibration.items[pair]])
        finally:
            if len(self._long) > before:
                arrays = [{"states": states.numpy()} for states in self._long]
                stored_search.write_long_runs(save_folder(), self._name, self._id, arrays)

    def forget(self) -> None:
        """Delete the kept states of the long runs.

        They are as large as all latents of the steps, and of no use after the fit.
        """
        self._long = []
        stored_search.delete_long_runs(save_folder(), self._name)

    def start(self, batch: int, sigma: float) -> torch.Tensor:
        """Give the (items, ...) states that runs from a sigma start at."""
        return self._ask(batch, FirstState(), sigma)

    def guess(self, batch: int, x: torch.Tensor, sigma: float) -> torch.Tensor:
        """Ask the guided model for clean guesses of states (items, ...)."""
        # The whole batch is asked, as the conditions of its items may differ; any state does for items left out.
        kept = self.calibration.items[self.calibration.searched[batch]]
        whole = np.zeros(self.calibration.about.items, dtype=np.intp)
        whole[kept] = np.arange(len(kept))
        return self._ask(batch, Guesses(x[whole][None].numpy(), np.array([sigma])), of=0)

    def long_run(self, batch: int, sigma: float) -> torch.Tensor:
        """Give the (items, ...) states of the long runs, or at 0 their ends."""
        if sigma == 0:
            pair = self.calibration.searched[batch]
            return self.calibration.long_runs[pair].finals[0][self.calibration.items[pair]]
        return self._long[batch][int(np.abs(self._levels - sigma).argmin())]

    def _ask(self, batch: int, sampler: Asking, start: float | None = None, of: int | None = None) -> torch.Tensor:
        pair = self.calibration.searched[batch]
        sigmas = self.calibration.long_schedules[0]
        if start is not None:
            sigmas = torch.tensor([start, *sigmas[sigmas < start]])
        # The final 0 is left out, since no run ends here: Record DNA would take it for one.
        self.calibration.final(sampler, sigmas[:-1], pair)
        answer = sampler.answer if of is None else sampler.answer[of]
        return answer[self.calibration.items[pair]]
