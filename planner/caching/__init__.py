"""Planned caches: which steps of a run call the model, and how the guesses of the others are forecast."""
