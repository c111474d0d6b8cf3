"""The time shift of a model that chooses it by image size (Flux, Qwen-Image)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ..planner import TimeShift


@dataclass(frozen=True)
class SizeShift:
    """mu of an exponential shift, linear in the number of image tokens: `base_mu` at `base_tokens`, and so on.

    patch: side of an image token, in latent pixels. terminal: the sigma that the last call is stretched to, or None.
    """

    base_tokens: int
    base_mu: float
    max_tokens: int
    max_mu: float
    patch: int = 2
    terminal: float | None = None

    def at(self, height: int, width: int) -> TimeShift:
        """The shift of a latent of this size, in latent pixels."""
        tokens = (height // self.patch) * (width // self.patch)
        slope = (self.max_mu - self.base_mu) / (self.max_tokens - self.base_tokens)
        return TimeShift("exponential", self.base_mu + slope * (tokens - self.base_tokens), self.terminal)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, for `SizeShift(**values)`."""
        return asdict(self)
