"""How much a model's guess of one clean latent depends on the noise that it is guessed from."""

from __future__ import annotations

from collections.abc import Iterable

import torch


def variance(guesses: Iterable[torch.Tensor]) -> torch.Tensor:
    """Return the unbiased variance of every value over draws, float64, in one pass and so in the memory of three.

    guesses: at least 2 tensors of one shape. Welford 1962, Technometrics 4 (3). Raises ValueError for fewer.
    """
    count, mean, squares = 0, torch.zeros(()), torch.zeros(())
    for guess in guesses:
        count += 1
        value = guess.detach().cpu().double()  # which some devices lack
        off = value - mean
        mean = mean + off / count
        squares = squares + off * (value - mean)
    if count < 2:
        raise ValueError(f"a variance needs at least 2 draws, not {count}")
    return squares / (count - 1)
