"""Sigmas that a person writes into a widget, separated by commas."""

from __future__ import annotations


def read_sigmas(name: str, listed: str) -> tuple[float, ...]:
    """Read the sigmas of the widget of this name; ValueError, with an example, for what is no list of numbers."""
    try:
        return tuple(float(number) for number in listed.replace(",", " ").split())
    except ValueError as error:
        raise ValueError(f"'{name}' is a list of sigmas such as 0.875, 0.3, but {error}") from error
