"""Every way in which the pack writes, as disks in trouble are written to, with a way to read it back."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
from cotj.nodes.optimizing import stored_scores, stored_search
from cotj.nodes.optimizing.stored_scores import StoredScores
from cotj.nodes.optimizing.stored_search import StoredSchedules
from cotj.planner import DiffusionDNA, dna_file
from cotj.predictor import DNADataSet, Pair, files
from cotj.tests.predictor.test_files import make


def make_dna(rng: np.random.Generator) -> DiffusionDNA:
    levels = int(rng.integers(2, 500))
    return DiffusionDNA(np.arange(1, levels + 1) / levels, rng.random(levels))


def make_pair(rng: np.random.Generator) -> Pair:
    sigmas = np.arange(1, 41) / 40
    return Pair(
        rng.random(4096, dtype=np.float32), DiffusionDNA(sigmas, rng.random(40)), "token mean", "SD3", "realised"
    )


def make_scores(rng: np.random.Generator) -> StoredScores:
    runs = {tuple(times): dict(enumerate(rng.random(20))) for times in rng.random((int(rng.integers(500)), 4)).tolist()}
    return StoredScores({}, digest="a", scores=runs)


def writers(folder: Path, rng: np.random.Generator) -> dict[str, tuple[Callable[[], None], Callable[[], object]]]:
    """Name every way to write, with a way to read it back."""
    data = DNADataSet(folder / "d.sqlite")
    scores = folder / f"c{stored_scores.SUFFIX}"
    return {
        "DNA": (lambda: dna_file.write(folder, "a", make_dna(rng)), lambda: dna_file.read(folder / "a.safetensors")),
        "predictor": (
            lambda: files.write(folder / "p.safetensors", make()),
            lambda: files.read(folder / "p.safetensors"),
        ),
        "schedules": (
            lambda: stored_search.write(folder, "s", StoredSchedules({"model": "x" * int(rng.integers(10**5))})),
            lambda: stored_search.read(folder / f"s{stored_search.SUFFIX}"),
        ),
        "scores": (lambda: stored_scores.write(scores, make_scores(rng)), lambda: stored_scores.read(scores)),
        "data set": (lambda: [data.append(make_pair(rng)) for _ in range(20)] and None, lambda: data.load("realised")),
    }


def write_all(folder: Path, rng: np.random.Generator) -> None:
    """Write everything once. It is read too, so that a child that gives up its rights has imported what that needs."""
    for write, read in writers(folder, rng).values():
        write()
        read()


def refused_or_whole(folder: Path, rng: np.random.Generator) -> str:
    """Write everything where something is in the way: what was there, or what comes, can be read afterwards."""
    for name, (write, read) in writers(folder, rng).items():
        with suppress(OSError, ValueError):
            write()
        try:
            read()
        except Exception as error:
            return f"{name} after it could not be written: {type(error).__name__}: {error}"[:300]
    left = [path.name for path in folder.iterdir() if path.name.endswith(".tmp")]
    return f"{left} left behind" if left else ""
