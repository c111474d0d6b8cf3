"""The nodes that find the schedule that measures best, and take it from where it is stored."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import comfy.sample
import comfy.samplers
import folder_paths
import numpy as np
import torch
from comfy_api.latest import io, ui

from ..planner import DiffusionDNA, FloatArray, flow_to_sigma, sigma_to_flow
from ..planner.search import OutOfCalls, Trial, race, refine
from ..planner.smooth import clocks
from . import __version__, dna_file, host, planning, schedule_file
from .files import FOLDER, save_folder
from .link_types import DNA
from .optimize_picture import draw
from .optimize_text import OBJECTIVES, describe_search
from .probe import CallProgress
from .rollout import Memory, Rollout, in_model_space, with_positive
from .schedule_file import Schedules, Search

CATEGORY = "model/sampling/schedulers"
NODE = "Optimize Sigmas"
SHIFTS = (1, 1.5, 2, 2.5, 3, 4, 5, 6)
ENDS = (0, 0.3, 0.7)  # and how much denser each of them is at both ends
DEFAULT = "simple"  # the candidate that the others are held against
PLANNERS = [name for name in planning.PLANNERS if name != "auto"]
LEVERS = ("flow", "schedule")
BLOWN_UP = 1e15  # the deviation of a run that is not finite
HOST_NAMES = {"unipc": "uni_pc", "unipc_bh2": "uni_pc_bh2"}  # of samplers whose function is called something else


class OptimizeSigmas(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjOptimizeSigmas",
            display_name="Optimize Sigmas",
            category=CATEGORY,
            description="Finds the schedule whose images come closest to a long run's: it runs many with your model, "
            "sampler and guidance. Takes minutes to hours, once: the result is stored and used from then on.",
            search_aliases=["calibrate sigmas", "search schedule", "best scheduler", "tune sigmas", "CoTj"],
            inputs=[
                io.Guider.Input("guider", tooltip="Model, prompt and guidance, from CFGGuider or BasicGuider."),
                io.Noise.Input("noise", tooltip="From RandomNoise, with a fixed seed: the first of the seeds."),
                io.Sampler.Input("sampler", tooltip="The one that you sample with. It must add no noise of its own."),
                io.Latent.Input(
                    "latent_image",
                    tooltip="An empty latent of the size you render at. Each item of a batch is one more pair.",
                ),
                io.Int.Input(
                    "steps",
                    default=8,
                    min=2,
                    max=50,
                    display_mode=io.NumberDisplay.slider,
                    tooltip="Steps of the schedule. 4 to 16 are useful: in more, schedules differ little.",
                ),
                io.Int.Input(
                    "seeds",
                    default=16,
                    min=1,
                    max=256,
                    tooltip="Noises per prompt. Prompts times seeds are the pairs to run; 16 to 32 are useful, fewer "
                    "fit the schedule to themselves.",
                ),
                io.Int.Input(
                    "budget",
                    default=5000,
                    min=1,
                    max=10_000_000,
                    tooltip="Model calls to spend at most, those of the long runs included. 150 to 400 per pair are "
                    "useful. Raise it later to go on searching.",
                ),
                io.Autogrow.Input(
                    "prompts",
                    optional=True,
                    tooltip="Positive prompts to run in place of the guider's. 4 to 16 different ones are useful.",
                    template=io.Autogrow.TemplatePrefix(
                        io.Conditioning.Input("prompt", tooltip="A positive prompt."), prefix="prompt", min=0, max=64
                    ),
                ),
                DNA.Input(
                    "dna", display_name="DNA", optional=True, tooltip="Its plans, by every planner, are candidates too."
                ),
                io.String.Input(
                    "name",
                    default="",
                    tooltip="File name of the result, without folder or ending. Empty names it by model, sampler and "
                    "size.",
                ),
                io.String.Input(
                    "other_steps",
                    default="",
                    advanced=True,
                    tooltip="More numbers of steps to search for in the same run, such as 4, 6, 12. Each has a budget "
                    "of its own; the long runs are shared.",
                ),
                io.Int.Input(
                    "reference_steps",
                    default=50,
                    min=4,
                    max=1000,
                    advanced=True,
                    tooltip="Euler steps of the long run, on the model's simple schedule. 50 to 200 are useful.",
                ),
                io.Combo.Input(
                    "objective",
                    options=list(OBJECTIVES),
                    advanced=True,
                    tooltip="What is averaged over images. 'distance' (the root of the mean square) serves the typical "
                    "image; 'mean square' is ruled by the few worst, and needs many more pairs.",
                ),
                io.Boolean.Input(
                    "search_again",
                    default=False,
                    advanced=True,
                    tooltip="Search even where a stored result fits, with these prompts and seeds. When off, a stored "
                    "result is used at once.",
                ),
            ],
            outputs=[
                io.Sigmas.Output("sigmas", display_name="SIGMAS", tooltip="For SamplerCustomAdvanced, this sampler."),
                io.Int.Output("steps", tooltip="One fewer than there are sigmas."),
                io.Image.Output("report", tooltip="The candidates' errors, and the schedule."),
                io.String.Output("text", tooltip="What was found, what it saves and how sure that is."),
            ],
            hidden=[io.Hidden.unique_id],
            is_output_node=True,
        )

    @classmethod
    def validate_inputs(cls, name: str | None, other_steps: str | None, prompts: object = None) -> bool | str:
        try:
            _numbers(other_steps or "")
        except ValueError as error:
            return str(error)
        return (dna_file.name_fault(name) if name else None) or True

    @classmethod
    def execute(
        cls,
        guider,
        noise,
        sampler,
        latent_image,
        steps,
        seeds,
        budget,
        name,
        other_steps,
        reference_steps,
        objective,
        search_again,
        prompts=None,
        dna=None,
    ) -> io.NodeOutput:
        latent = _checked(guider, latent_image)
        key = fit(guider, sampler, latent["samples"])
        if name and (fault := dna_file.name_fault(name)):  # again: validation sees no name that comes through a link
            raise ValueError(f"{NODE}, input 'name': {fault}")
        store = Store(name or _automatic_name(key), key)
        counts = sorted({steps, *_numbers(other_steps)})
        calibration: Calibration | None = None
        for count in counts:
            search = store.schedules.searches.get(count)
            if search and not search_again and (search.finished or search.calls >= budget):
                continue
            if calibration is None:
                conditionings = list((prompts or {}).values())
                calibration = Calibration(guider, conditionings, noise, latent, sampler, seeds, reference_steps, store)
            _search(calibration, store, count, budget, OBJECTIVES[objective], dna, cls.hidden.unique_id)
        search = store.schedules.searches[steps]
        text = describe_search(store.name, store.schedules, steps)
        host.show_text(text, cls.hidden.unique_id)
        image = torch.from_numpy(draw(search, key["sampler"])).float()[None] / 255
        shown = ui.PreviewImage(image, cls=cls).as_dict() | {"text": [text]}
        return io.NodeOutput(_tensor(search.sigmas), steps, image, text, ui=shown)


class OptimizedSigmas(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjOptimizedSigmas",
            display_name="Load Optimized Sigmas",
            category=CATEGORY,
            description="Gives a schedule that Optimize Sigmas has stored. Needs no model.",
            search_aliases=["open optimized sigmas", "stored schedule", "CoTj"],
            inputs=[
                io.Combo.Input(
                    "name",
                    options=dna_file.choices(list_schedules(), _how_to_get_some()),
                    tooltip="Results of Optimize Sigmas in models/cotj. Press R to see new ones.",
                ),
                io.Int.Input(
                    "steps", default=8, min=2, max=50, tooltip="A number of steps that was searched for: see the text."
                ),
                io.Guider.Input(
                    "guider", optional=True, tooltip="What you sample with: connect it to be told if it does not fit."
                ),
                io.Sampler.Input("sampler", optional=True, tooltip="The sampler, checked together with the guider."),
                io.Latent.Input("latent_image", optional=True, tooltip="The latent, checked together with the guider."),
            ],
            outputs=[
                io.Sigmas.Output("sigmas", display_name="SIGMAS", tooltip="For SamplerCustomAdvanced."),
                io.Int.Output("steps", tooltip="One fewer than there are sigmas."),
                io.String.Output("text", tooltip="What it was found for, how good it is, and what does not fit."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def fingerprint_inputs(cls, name: str | None, **_: object) -> float:
        """A result that was searched further is loaded again."""
        path = list_schedules().get(name or "")
        return path.stat().st_mtime_ns if path else float("nan")

    @classmethod
    def execute(cls, name, steps, guider=None, sampler=None, latent_image=None) -> io.NodeOutput:
        node = "Load Optimized Sigmas"
        files = list_schedules()
        if name not in files:
            raise ValueError(f"{node}, input 'name': there is no {name!r}; {_how_to_get_some()}")
        try:
            schedules = schedule_file.read(files[name])
        except ValueError as error:
            raise ValueError(f"{node}, input 'name': {error}") from error
        if steps not in schedules.steps():
            raise ValueError(
                f"{node}, input 'steps': {name!r} holds {_listed(schedules.steps())} steps, not {steps}. "
                "Enter one of these, or run Optimize Sigmas for another."
            )
        text = describe_search(name, schedules, steps)
        here: dict[str, Any] = host.describe(guider) if guider is not None else {}
        if sampler is not None:
            here["sampler"] = sampler_name(sampler)
        if latent_image is not None:
            here["latent_shape"] = _size(latent_image["samples"])
        if misfits := schedules.misfits(here):
            text = "DOES NOT FIT: " + "; ".join(misfits) + f"\n{text}"
        host.show_text(text, cls.hidden.unique_id)
        return io.NodeOutput(_tensor(schedules.searches[steps].sigmas), steps, text)


def _plans(dna: DiffusionDNA, steps: int, sampler: str) -> dict[str, list[float]]:
    """What every planner makes of a DNA, where it has what that needs."""
    plans = {}
    for planner in PLANNERS:
        for lever in LEVERS if planner == "cotj" else LEVERS[:1]:
            values = {"steps": steps, "denoise": 1.0, "start": "top", "planner": planner, "lever": lever}
            try:
                plan = planning.make_plan(planning.FIXED, dna, values | {"sampler": sampler})
            except ValueError:
                continue
            plans[f"{planner} {lever}" if planner == "cotj" else planner] = plan.sigmas.tolist()
    return plans


def list_schedules() -> dict[str, Path]:
    return schedule_file.list_files(folder_paths.get_folder_paths(FOLDER))


def _how_to_get_some() -> str:
    return f"none yet: Optimize Sigmas stores its results in {save_folder()}"


class Store:
    """The file that a search writes to: what it holds already, if that fits."""

    def __init__(self, name: str, key: dict[str, Any]):
        self.name = name
        self.schedules = Schedules(key)
        if path := list_schedules().get(name):
            try:
                self.schedules = schedule_file.read(path)
            except ValueError as error:
                raise ValueError(f"{NODE}, input 'name': {error}") from error
            if misfits := self.schedules.misfits(key):
                raise ValueError(
                    f"{NODE}, input 'name': what is stored as {name!r} does not fit: {'; '.join(misfits)}. "
                    "Give another name, or none to have one made."
                )

    def save(self) -> None:
        schedule_file.write(save_folder(), self.name, self.schedules)


class Calibration:
    """Pairs of prompt and noise with the latents that long runs end in: the `Runner` of a search."""

    def __init__(
        self,
        guider: comfy.samplers.CFGGuider,
        conditionings: list[list],
        noise: Any,
        latent: dict[str, Any],
        sampler: comfy.samplers.Sampler,
        seeds: int,
        reference_steps: int,
        store: Store,
    ):
        try:
            guiders = [with_positive(guider, conditioning) for conditioning in conditionings] or [guider]
        except ValueError as error:
            raise ValueError(f"{NODE}, inputs 'prompts': {error}. Disconnect them.") from error
        self.guider, self.latent, self.sampler, self.store = guider, latent["samples"], sampler, store
        self.model_sampling = guider.model_patcher.get_model_object("model_sampling")
        self.kind = host.noise_kind(self.model_sampling)
        self.budget = Budget()
        rollouts = [Rollout(one, self.budget.before_call, self.budget.after_call) for one in guiders]
        self.pairs = len(rollouts) * seeds
        self.noises = _noises(noise, latent, self.pairs)
        self.first_seed = noise.seed
        self.rollouts = [rollouts[pair % len(rollouts)] for pair in range(self.pairs)]
        self.memories = [Memory() for _ in range(self.pairs)]
        self.reference_sigmas = host.simple_sigmas(self.model_sampling, reference_steps)
        self.about = {"prompts": len(guiders), "seeds": seeds, "items": len(host.parts(self.latent)[0])}
        self.about |= {"first_seed": noise.seed, "reference_steps": reference_steps}
        self.id = _digest([one.original_conds for one in guiders], self.about, self.noises[0], self.latent)
        self.references = [
            torch.from_numpy(array) for array in schedule_file.read_references(save_folder(), store.name, self.id)
        ]

    def make_references(self) -> None:
        euler = comfy.samplers.sampler_object("euler")
        had = len(self.references)
        try:
            for pair in range(had, self.pairs):
                final = self._final(euler, self.reference_sigmas, pair)
                if not final.isfinite().all():
                    raise ValueError(
                        f"{NODE}, input 'guider': the long run is not finite. Use a higher precision for this model "
                        "(such as bf16 or fp32 instead of fp16 or fp8)."
                    )
                self.references.append(final)
        finally:
            if len(self.references) > had:
                arrays = [reference.numpy() for reference in self.references]
                schedule_file.write_references(save_folder(), self.store.name, self.id, arrays)

    def check_sampler(self, times: FloatArray) -> None:
        """ValueError where the same run from another seed of the sampler ends elsewhere: it has no one long run."""
        sigmas = self.sigmas(times)
        one, other = (self._final(self.sampler, sigmas, 0, seed) for seed in (self.first_seed, self.first_seed + 1))
        if not torch.equal(one, other):
            raise ValueError(
                f"{NODE}, input 'sampler': this sampler adds noise of its own, so its images are no approximations of "
                "one long run. Connect one that adds none, such as euler, dpmpp_2m or res_multistep."
            )

    def run(self, times: FloatArray, pair: int) -> FloatArray:
        final = self._final(self.sampler, self.sigmas(times), pair, memory=self.memories[pair])
        deviation = (final - self.references[pair]).flatten(1).numpy()
        return np.nan_to_num(deviation, nan=BLOWN_UP, posinf=BLOWN_UP, neginf=-BLOWN_UP).clip(-BLOWN_UP, BLOWN_UP)

    def keep(self) -> None:
        for memory in self.memories:
            memory.keep_run()

    def candidates(self, steps: int, dna: DiffusionDNA | None, earlier: Search | None) -> dict[str, FloatArray]:
        """Flow times by name: the host's schedulers, shifts, the DNA's plans, what an earlier search found."""
        found: dict[str, FloatArray] = {}
        schedules = {
            name: comfy.samplers.calculate_sigmas(self.model_sampling, name, steps).tolist()
            for name in [DEFAULT, *comfy.samplers.SCHEDULER_NAMES]
        }
        top = float(self.model_sampling.sigma_max)
        for clock in clocks(float(sigma_to_flow(top, self.kind)), SHIFTS, ENDS):
            schedules[clock.name] = flow_to_sigma(np.append(clock.schedule(steps), 0), self.kind).tolist()
        if dna is not None:
            schedules |= _plans(dna, steps, sampler_name(self.sampler))
        if earlier and earlier.sigmas:
            schedules["stored before"] = earlier.sigmas
        for name, sigmas in schedules.items():
            whole = len(sigmas) == steps + 1 and sigmas[-1] == 0 and (np.diff(sigmas) < 0).all()
            if whole and sigmas[0] <= 1.001 * top:
                times = sigma_to_flow(sigmas[:-1], self.kind)
                if not any(np.allclose(times, other, rtol=1e-5, atol=0) for other in found.values()):
                    found[name] = times
        return found

    def sigmas(self, times: FloatArray) -> torch.Tensor:
        # Flow time and back may round above the top.
        sigmas = flow_to_sigma(np.append(times, 0), self.kind).clip(max=float(self.model_sampling.sigma_max))
        return torch.from_numpy(sigmas).float()

    def _final(self, sampler, sigmas, pair: int, seed: int | None = None, memory: Memory | None = None) -> torch.Tensor:
        """In the model's own latent space, packed."""
        seed = self.first_seed + pair if seed is None else seed
        final = self.rollouts[pair].final(self.noises[pair], self.latent, sampler, sigmas, seed, memory)
        return in_model_space(self.guider, final).cpu()


class Budget:
    """Counts the calls of one search at the model, and ends it when they are spent. To be started before any call."""

    search: Search
    limit: int
    progress: CallProgress

    def start(self, search: Search, limit: int, node_id: str) -> None:
        self.search, self.limit = search, limit
        self.progress = CallProgress(limit - search.calls, node_id)

    def before_call(self) -> None:
        if self.search.calls >= self.limit:
            raise OutOfCalls
        self.search.calls += 1

    def after_call(self) -> None:
        self.progress.call_done()


def _search(
    calibration: Calibration,
    store: Store,
    steps: int,
    budget: int,
    power: float,
    dna: DiffusionDNA | None,
    node_id: str,
) -> None:
    """Search, from where an earlier run on the same pairs was stopped. What is found is stored even if this ends early.

    A schedule from another search competes; so a new one is never worse on its own pairs than what it replaces.
    """
    searches = store.schedules.searches
    earlier = searches.get(steps)
    if earlier and earlier.calibration == calibration.id and earlier.trials[0].power == power:
        search = earlier
    else:
        search = Search(calibration.id, calibration.about | {"pack_version": __version__})
    search.finished = False
    calibration.budget.start(search, budget, node_id)

    def save() -> None:
        if search.best or earlier is None:
            searches[steps] = search
            store.save()

    try:
        calibration.make_references()
        if not search.trials:
            candidates = calibration.candidates(steps, dna, earlier)
            calibration.check_sampler(candidates[DEFAULT])
            search.trials = [Trial(name, times, power) for name, times in candidates.items()]
        _race_and_refine(calibration, search, save)
        search.finished = True
    except OutOfCalls:
        pass
    finally:
        save()
    if search.best is None:
        raise ValueError(
            f"{NODE}, input 'budget': {budget} model calls are too few to run even one schedule on all "
            f"{calibration.pairs} pairs. Raise it to 150 or more per pair, or use fewer prompts or seeds."
        )


def _race_and_refine(calibration: Calibration, search: Search, save: Callable[[], None]) -> None:
    def found(trial: Trial) -> None:
        search.best = trial
        search.sigmas = calibration.sigmas(trial.times).tolist()
        search.about["found_at"] = datetime.now(timezone.utc).isoformat(timespec="seconds")
        save()

    def after_pair(trial: Trial) -> None:
        if trial.complete(calibration.pairs) and (search.best is None or trial.total() < search.best.total()):
            found(trial)

    race(calibration, search.trials, after_pair)
    assert search.best is not None
    refine(calibration, search.best, after_pair, found)


def _noises(noise: Any, latent: dict[str, Any], count: int) -> list[torch.Tensor]:
    """Of as many seeds, from the one of the noise on."""
    noises = []
    for number in range(count):
        other = copy.copy(noise)
        other.seed = noise.seed + number
        noises.append(other.generate_noise(latent))
    parts = [host.parts(one)[0] for one in noises]
    if not parts[0].any() or (count > 1 and torch.equal(parts[0], parts[1])):
        raise ValueError(f"{NODE}, input 'noise': it gives no other noise for another seed. Connect RandomNoise.")
    return noises


def fit(guider: comfy.samplers.CFGGuider, sampler: comfy.samplers.Sampler, samples: torch.Tensor) -> dict[str, Any]:
    """What a schedule is found for."""
    return host.describe(guider) | {"sampler": sampler_name(sampler), "latent_shape": _size(samples)}


def sampler_name(sampler: Any) -> str:
    """The host's name of a sampler, with the options that it was given."""
    function = getattr(sampler, "sampler_function", None)
    name = getattr(function, "__name__", type(sampler).__name__).removeprefix("sample_")
    options = sorted(getattr(sampler, "extra_options", {}).items())
    given = ", ".join(f"{option} {value}" for option, value in options if isinstance(value, (int, float, str, bool)))
    return HOST_NAMES.get(name, name) + (f" ({given})" if given else "")


def _size(samples: Any) -> list[list[int]]:
    """Without the batch, on which no schedule depends."""
    return [list(part.shape[1:]) for part in host.parts(samples)]


def _automatic_name(key: dict[str, Any]) -> str:
    size = "x".join(map(str, key["latent_shape"][0][-2:]))
    sampler = key["sampler"].split(" ")[0]
    return f"{key['model']}-{sampler}-{size}-{_digest(key).removesuffix('=')[:8]}"


def _checked(guider: comfy.samplers.CFGGuider, latent_image: dict[str, Any]) -> dict[str, Any]:
    """The latent to work on, in the model's own number of channels."""
    if reason := host.why_not_measurable(guider.model_patcher):
        raise ValueError(f"{NODE}, input 'guider': {reason}")
    if latent_image.get("noise_mask") is not None:
        raise ValueError(
            f"{NODE}, input 'latent_image': the latent has a noise mask, and schedules are compared on whole images. "
            "Connect the latent without its mask."
        )
    latent = latent_image.copy()
    latent["samples"] = comfy.sample.fix_empty_latent_channels(
        guider.model_patcher,
        latent["samples"],
        latent.pop("downscale_ratio_spacial", None),
        latent.pop("downscale_ratio_temporal", None),
    )
    return latent


def _numbers(text: str) -> list[int]:
    try:
        numbers = [int(word) for word in text.replace(",", " ").split()]
    except ValueError:
        numbers = [0]
    if not all(2 <= number <= 50 for number in numbers):
        raise ValueError(f"{NODE}, input 'other_steps': {text!r} is no list of numbers from 2 to 50, such as 4, 6, 12.")
    return numbers


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))


def _tensor(sigmas: list[float]) -> torch.Tensor:
    return torch.tensor(sigmas, dtype=torch.float32)


def _digest(*values: Any) -> str:
    """Of plain values and tensors, however nested. What else a conditioning may carry does not count."""
    digest = hashlib.blake2b(digest_size=12)
    for leaf in _leaves(values):
        digest.update(leaf)
    return digest.hexdigest()


def _leaves(value: Any) -> Iterator[bytes]:
    if isinstance(value, torch.Tensor) and not value.is_nested:
        yield value.detach().cpu().contiguous().float().numpy().tobytes()
    elif isinstance(value, Mapping):
        for name in sorted(map(str, value)):
            if name != "uuid":  # which the host makes anew for each conditioning
                yield name.encode()
                yield from _leaves(value[name])
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _leaves(item)
    elif isinstance(value, (str, int, float, bool)):
        yield repr(value).encode()


NODES = [OptimizeSigmas, OptimizedSigmas]
