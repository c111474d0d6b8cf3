"""What a DNA's `meta` says of the model that it is of, as plain values."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
_COMPARED = ("guidance", "size", "weight_patches")  # what a reader expects to be compared
MOST_TOLD = 1 << 16  # characters of what tells runs apart that many share one DNA
MOST_VALUES = 4  # that a sentence lists


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
    dnas = [dna for meta in metas for dna in _dnas(meta)]
    predicted = sum(is_predicted(dna) for dna in dnas)
    if 0 < predicted < len(dnas):
        yield say(
            "{predicted} of {number} DNAs are predicted, and the others measured.",
            predicted=predicted,
            number=len(dnas),
        )
    told = [_told(run) for dna in dnas for run in runs(dna)]
    differing: set[str] = set()
    for name in CALLED | _OF_RUNS:
        found = {json.dumps(run[name], sort_keys=True): run[name] for run in told if name in run}
        if len(found) > 1 and not (name == "matrices" and "checkpoint" in differing):  # which says no more
            differing.add(name)
            values = listed(list(found.values()))
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


def runs(meta: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """List the metas of the runs that a DNA is of: of a mean, of its sources; of a predicted one, of what taught it."""
    for dna in _dnas(meta):
        predictor = dna.get("predictor")
        if not isinstance(predictor, dict):
            yield dna
        elif predictor.get("sources"):
            yield from runs({"sources": predictor["sources"]})
        else:
            yield from ({"model": name} for name in architectures(dna))


def untold(meta: Mapping[str, Any]) -> list[str]:
    """Name what a predicted DNA, or one among the sources of a mean, does not tell of what taught its predictor."""
    told = [{name for run in runs(dna) for name in _told(run)} for dna in _dnas(meta) if is_predicted(dna)]
    return [name for name in _COMPARED if any(name not in names for names in told)]


def distinct_runs(metas: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Keep what tells models and sizes apart in the metas of many DNAs, each once.

    Where that is more than MOST_TOLD, what all of them share.
    """
    found: dict[str, dict[str, Any]] = {}
    for run in (run for meta in metas for run in runs(meta)):
        known = {name: run[name] for name in CALLED if name in run}
        if shapes := latent_shapes(run):
            known["latent_shape"] = [[1, *shape[1:]] for shape in shapes]  # whatever the batch
        if known:
            found[json.dumps(known, sort_keys=True)] = known
    if sum(map(len, found)) <= MOST_TOLD:
        return list(found.values())
    first, *others = found.values()
    shared = {name: value for name, value in first.items() if all(name in of and of[name] == value for of in others)}
    return [shared] if shared and len(json.dumps(shared)) <= MOST_TOLD else []


def latent_shapes(meta: Mapping[str, Any]) -> list[list[int]]:
    """Give the shapes of the parts of the latent that a run sampled; none where they are not known."""
    shapes = meta.get("latent_shape")
    if not isinstance(shapes, list):
        return []
    if len(shapes) >= 4 and not any(isinstance(shape, list) for shape in shapes):
        return [shapes]  # of the one part, as Record DNA wrote it at first
    return [shape for shape in shapes if isinstance(shape, list)]


def sizes(shapes: Iterable[Sequence[int]]) -> list[str]:
    """Write the sizes of a latent's parts without batch and channels: the host repeats an empty latent's channels."""
    return ["x".join(map(str, shape[2:][-2:])) for shape in shapes]


def _dnas(meta: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """List the metas of the DNAs that a mean is of, or the DNA's own."""
    if "sources" not in meta:
        yield meta
        return
    for source in meta["sources"]:
        yield from _dnas(source)


def _told(run: Mapping[str, Any]) -> dict[str, Any]:
    """Add to a run's meta what `_OF_RUNS` names, as plain values."""
    told = dict(run)
    if shapes := latent_shapes(run):
        told["size"] = ["x".join(map(str, shape[2:])) for shape in shapes]
    if isinstance(run.get("reference"), dict):
        told["long run"] = run["reference"].get("steps")
    return told


def listed(values: Sequence[Any]) -> str:
    """List values in plain words, each once, and no more than MOST_VALUES of them."""
    words = list(dict.fromkeys(map(plain, values)))
    return " / ".join([*words[:MOST_VALUES], *(["..."] if len(words) > MOST_VALUES else [])])


def plain(value: Any) -> str:
    """Put a plain value of a meta into words."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {plain(inner)}" for name, inner in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(plain, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
