"""Models that were distilled for few steps: how they are recognised, and for how many steps they were trained."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .diagnose import diagnose
from .dna import DiffusionDNA
from .texts import say

DISTILLED = "distilled_files"  # in a DNA's meta: the names of its model, or of the files of it, that say so
# How authors name models and LoRAs that were trained for few steps, and ones whose distillation was undone. "Hyper" and
# a number of steps say nothing by themselves: styles are called hyper, and training saves a file every so many steps.
_WORDS = re.compile(
    r"(?<![a-z])(?P<undone>(de|un|non?|not|without)[-_ ]?)?"
    r"(turbo|lightning|lcm|tcd|schnell|hyper[-_ ]?(sd|sdxl|flux)|dmd2?|distill(ed)?|causvid|lightx2v|self[-_ ]?forcing)"
    r"(?![a-z])"
)
# "4steps", or apart, as in "4-steps", unless a letter before or a number after speak of training: "epoch2_step50".
_STEPS = re.compile(r"(?<![\d.])(\d{1,2})steps?(?![a-z\d])|(?<![\d.a-z])(\d{1,2})[-_ ]steps?(?![a-z\d]|[-_ ]\d)")
MOST = 32  # steps that a name is believed to be distilled for
# Models whose authors say for how many steps they trained them elsewhere than in the name.
_KNOWN = ((re.compile(r"z[-_ ]?image[-_ ]?turbo"), 8), (re.compile(r"flux[-_ ]?1?[-_. ]?schnell"), 4))


@dataclass(frozen=True)
class Distillation:
    """What is known of a distilled model.

    told: what it was recognised as, and by what, for a sentence about the model. steps: how many it was trained for by
    the names of its files; None where they do not say, or not the same.
    """

    told: str
    steps: int | None = None


def names_of_distilled(names: Iterable[str]) -> list[str]:
    """Return the file names that say that a model, or a LoRA on it, was distilled for few steps; each once, sorted."""
    return sorted({name for name in names if _says_distilled(name)})


def trained_steps(name: str) -> int | None:
    """Read how many steps a distilled file is for from its name, as in "Lightning-8steps"; None where it is not known.

    A few models are known by their names alone.
    """
    if not _says_distilled(name):
        return None
    found = _STEPS.search(name.lower())
    steps = int(found[1] or found[2]) if found else 0
    known = (steps for pattern, steps in _KNOWN if pattern.search(name.lower()))
    return steps if 0 < steps <= MOST else next(known, None)


def distillation(dna: DiffusionDNA) -> Distillation | None:
    """Say how a DNA's model is recognised as distilled for few steps; None where nothing says so.

    By the names of its files, where Measure DNA found them, or those of the model that a plan is made for, or by the
    name of the model that a predictor is of; else by a gain that does not decay at guidance 1, which such models have
    built in. All sources of a mean DNA must say so, and both experts of a joined one, where the DNA itself does not.
    """
    if found := distillation_of(dna.meta):
        return found
    sources = _parts(dna.meta)
    unguided = all(_cfg(source) == 1 for source in sources)
    if unguided and dna.measure == "error" and diagnose(dna).most_steps is not None:
        return Distillation(say("may be distilled for few steps: its guidance is 1, and its gain does not decay"))
    return None


def distillation_of(meta: dict[str, Any]) -> Distillation | None:
    """Say by what names a DNA's meta tells a distilled model; None where none does. See `distillation`."""
    by_name = [_names(source) for source in _parts(meta)]
    if not all(by_name):
        return None
    names = sorted({name for found in by_name for name in found})
    steps = {trained for name in names if (trained := trained_steps(name))}
    known = steps.pop() if len(steps) == 1 else None
    files = ", ".join(names)
    told = (
        say("was distilled for {steps} steps, by the name of {files}", steps=known, files=files)
        if known
        else say("was distilled for few steps, by the name of {files}", files=files)
    )
    return Distillation(told, known)


def _parts(meta: dict[str, Any]) -> list[dict[str, Any]]:
    """List the metas that must all say that a model is distilled: that of a DNA itself, or of what it is made of."""
    experts = [meta[name] for name in ("high", "low") if isinstance(meta.get(name), dict)]
    return [meta] if _names(meta) else meta.get("sources") or experts or [meta]


def _says_distilled(name: str) -> bool:
    found = list(_WORDS.finditer(name.lower()))
    return bool(found) and not any(word["undone"] for word in found)


def names_told(meta: dict[str, Any]) -> list[str]:
    """List what a DNA's meta says that its model is called: its distilled files, or the model of a predictor."""
    names, predictor = meta.get(DISTILLED), meta.get("predictor")
    if not isinstance(names, list):
        names = [predictor.get("model")] if isinstance(predictor, dict) else []
    return [name for name in names if isinstance(name, str)]


def _names(meta: dict[str, Any]) -> list[str]:
    return names_of_distilled(names_told(meta))


def _cfg(meta: dict[str, Any]) -> Any:
    guidance = meta.get("guidance")
    return guidance.get("cfg") if isinstance(guidance, dict) else None
