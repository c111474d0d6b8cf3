"""What a DNA's `meta` says of the model that it is of, as plain values."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .texts import say

# What tells models apart, as Measure DNA writes it: two DNAs that differ in one of these are not to be mixed.
_TOLD_APART = ("model", "checkpoint", "matrices", "weight_patches", "sampling_shift", "guidance", "controlnets")

CALLED = {  # by what two runs of a model may differ, in plain words
    "model": "the architecture",
    "checkpoint": "the checkpoint (or its precision)",
    "matrices": "the checkpoint with what is merged into it (or its precision)",
    "sampling": "the sampling type",
    "sampling_shift": "the shift",
    "noise_scale": "the noise scale",
    "weight_patches": "the set of LoRAs or other weight patches",
    "guidance": "the guidance",
    "controlnets": "the set of ControlNets",
}
_OF_RUNS = {"size": "the size of the latent", "long run": "the number of steps of the long run"}
NAMELESS = {"checkpoint", "matrices", "weight_patches"}  # fingerprints, which tell a reader nothing


def architectures(meta: Mapping[str, Any]) -> Iterator[str]:
    """Name the classes of the host that a DNA, or the sources of a mean, were measured with, where they say so."""
    predictor = meta.get("predictor")
    if "model" in meta:
        yield meta["model"]
    elif isinstance(predictor, dict) and isinstance(predictor.get("host_class"), str):
        yield predictor["host_class"]
    for source in meta.get("sources", []):
        yield from architectures(source)


def is_predicted(meta: Mapping[str, Any]) -> bool:
    """Tell whether a DNA, or a source of a mean, is a predictor's and was not measured."""
    return "predictor" in meta or any(is_predicted(source) for source in meta.get("sources", []))


def told_apart(meta: Mapping[str, Any]) -> frozenset[str]:
    """Tell models apart by all that a DNA, or the sources of a mean, say of them: equal for DNAs of the same model.

    Checkpoint, LoRAs, shift and guidance count; a predicted DNA is told from a measured one.
    """
    sources = meta.get("sources")
    if sources:
        return frozenset().union(*(told_apart(source) for source in sources))
    predictor = meta.get("predictor")
    of = {"predictor": predictor.get("model", "")} if isinstance(predictor, dict) else meta
    names = ("predictor", *_TOLD_APART)
    return frozenset([json.dumps([of.get(name) for name in names], sort_keys=True)])


def differences_among(metas: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Say in what the models and runs differ that DNAs, or the sources of a mean, are of, a sentence each.

    metas: of the DNAs. What one of them does not tell differs from none.
    """
    runs = [run for meta in metas for run in _runs(meta)]
    predicted = sum(is_predicted(run) for run in runs)
    if 0 < predicted < len(runs):
        yield say(
            "{predicted} of {number} DNAs are predicted, and the others measured.",
            predicted=predicted,
            number=len(runs),
        )
    differing: set[str] = set()
    for name in CALLED | _OF_RUNS:
        found = {json.dumps(run[name], sort_keys=True): run[name] for run in runs if name in run}
        if len(found) > 1 and not (name == "matrices" and "checkpoint" in differing):  # which says no more
            differing.add(name)
            values = " / ".join(map(plain, found.values()))
            called = called_by(name)
            what = f"{called[0].upper()}{called[1:]}"
            yield (
                say("{what} is not the same for all.", what=what)
                if name in NAMELESS
                else say("{what} is not the same for all: {values}.", what=what, values=values)
            )


def called_by(name: str) -> str:
    """Say in plain words what two runs of a model may differ by. name: one of `CALLED`, or of what runs have."""
    return say(CALLED[name]) if name in CALLED else say(_OF_RUNS[name])


def _runs(meta: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """List the metas of the runs that a DNA is of, with what `_OF_RUNS` names as plain values."""
    if "sources" in meta:
        for source in meta["sources"]:
            yield from _runs(source)
        return
    run = dict(meta)
    if isinstance(meta.get("latent_shape"), list):
        run["size"] = ["x".join(map(str, shape[2:])) for shape in meta["latent_shape"] if isinstance(shape, list)]
    if isinstance(meta.get("reference"), dict):
        run["long run"] = meta["reference"].get("steps")
    yield run


def plain(value: Any) -> str:
    """Put a plain value of a meta into words."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {plain(inner)}" for name, inner in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(plain, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
