"""Stands for the pack where Ray's processes import `cotj`: this folder is on their path, whatever ours is called."""

from pathlib import Path

__path__ = [str(Path(__file__).resolve().parents[2])]
