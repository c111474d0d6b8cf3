"""The time shift of a model that chooses it by image size (Flux, Qwen-Image)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ..planner import TimeShift

MAX_TOKENS = 1 << 24


@dataclass(frozen=True)
class SizeShift:
    """mu of an exponential shift, linear in the number of image tokens: `base_mu` at `base_tokens`, and so on.

    patch: side of an image token, in latent pixels. terminal: the sigma that the last call is stretched to, or None.
    Raises ValueError for values that give no shift.
    """

    base_tokens: int
    base_mu: float
    max_tokens: int
    max_mu: float
    patch: int = 2
    terminal: float | None = None

    def __post_init__(self) -> None:
        tokens = (self.base_tokens, self.max_tokens, self.patch)
        if not all(type(count) is int and 0 < count <= MAX_TOKENS for count in tokens):
            raise ValueError(f"tokens and patch of a size shift are whole numbers from 1 to {MAX_TOKENS}, not {tokens}")
        if self.base_tokens >= self.max_tokens:
            raise ValueError(f"a size shift ends at more tokens than {self.base_tokens}, not at {self.max_tokens}")
        for mu in (self.base_mu, self.max_mu):
            TimeShift("exponential", mu, self.terminal)  # raises where it is none

    def at(self, height: int, width: int) -> TimeShift:
        """Return the shift of a latent of this size, in latent pixels."""
        tokens = (height // self.patch) * (width // self.patch)
        slope = (self.max_mu - self.base_mu) / (self.max_tokens - self.base_tokens)
        return TimeShift("exponential", self.base_mu + slope * (tokens - self.base_tokens), self.terminal)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, for `SizeShift(**values)`."""
        return asdict(self)
