"""Workflows of the pack's own nodes and the host's, by which a benchmark measures on a running ComfyUI."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from cotj.harness.client import Workflow
from cotj.planner import PLANNER_NAMES, Clock, Kind, flow_to_sigma, sigma_to_flow
from cotj.planner.converged import CONVERGED_SAMPLER
from cotj.planner.solvers.formulas import is_multistep
from numpy.typing import NDArray

from .cells import COTJ, FloatArray
from .runs import GRID_POINTS, REFERENCES, dense_sigmas
from .schedules import AUTO, SHIFTS, STAGES
from .search import NAME as SEARCHED
from .search import OBJECTIVE, search_calls
from .uncertainty import DRAWS, LEVELS

Link = list[Any]

NODE_TABLES: dict[
    Kind, list[tuple[str, str | None]]
] = {  # of a kind of model: which of the host's nodes have tables in its noise levels
    "flow": [("OptimalStepsScheduler", name) for name in ("FLUX", "Wan", "Chroma")],
    "ve": [("AlignYourStepsScheduler", name) for name in ("SD1", "SDXL")] + [("GITSScheduler", None)],
}
UNCERTAINTY: dict[str, str | int] = {"measure": "uncertainty, without a long run", "stages": LEVELS, "draws": DRAWS}
SD_TOP = 14.6146
SEARCH_FORMAT = 2  # of a stored search; to be raised where Optimize Sigmas would find something else


@dataclass(frozen=True)
class Model:
    """What the server loads, by its file names: a checkpoint, or the three parts. frames: of a video; 0 for images."""

    checkpoint: str = ""
    diffusion_model: str = ""
    text_encoder: str = ""
    clip_type: str = "stable_diffusion"
    vae: str = ""
    size: tuple[int, int] = (1024, 1024)
    latent: str = "EmptySD3LatentImage"
    frames: int = 0

    @property
    def name(self) -> str:
        return Path(self.checkpoint or self.diffusion_model).stem


def plain_name(text: str) -> str:
    """Make a file name that every system bears."""
    return re.sub(r"[^A-Za-z0-9_.+-]", "_", text)


@dataclass
class Graph:
    """A growing workflow, in which the same inputs are the same node.

    So the server finds again what it made before.
    """

    nodes: Workflow = field(default_factory=dict)
    known: dict[str, str] = field(default_factory=dict)

    def add(self, class_type: str, **inputs: Any) -> str:
        key = repr((class_type, sorted(inputs.items())))
        if key not in self.known:
            self.known[key] = str(len(self.nodes) + 1)
            self.nodes[self.known[key]] = {"class_type": class_type, "inputs": inputs}
        return self.known[key]

    def link(self, class_type: str, **inputs: Any) -> Link:
        return [self.add(class_type, **inputs), 0]


@dataclass(frozen=True)
class ServedModel:
    """A model of a server, and how it is measured.

    calibration, test: prompts. kind: "flow" or "ve". top: its highest sigma. converged_steps: of the run that stands
    for the converged solution; 0 for no such reference.
    """

    model: Model
    guidance: float
    calibration: tuple[str, ...]
    test: tuple[str, ...]
    budget: int
    kind: Kind = "flow"
    top: float = 1.0
    reference_steps: int = 50
    converged_steps: int = 0
    objective: str = OBJECTIVE

    @property
    def references(self) -> tuple[str, ...]:
        return REFERENCES[: 1 + (self.converged_steps > 0)]

    def parts(self, graph: Graph) -> tuple[Link, Link, Link]:
        """Load MODEL, CLIP and VAE."""
        model = self.model
        if model.checkpoint:
            loader = graph.add("CheckpointLoaderSimple", ckpt_name=model.checkpoint)
            return [loader, 0], [loader, 1], [loader, 2]
        return (
            graph.link("UNETLoader", unet_name=model.diffusion_model, weight_dtype="default"),
            graph.link("CLIPLoader", clip_name=model.text_encoder, type=model.clip_type),
            graph.link("VAELoader", vae_name=model.vae),
        )

    def guider(self, graph: Graph, prompt: str) -> Link:
        model, clip, _ = self.parts(graph)
        positive = graph.link("CLIPTextEncode", clip=clip, text=prompt)
        if self.guidance == 1:
            return graph.link("BasicGuider", model=model, conditioning=positive)
        negative = graph.link("CLIPTextEncode", clip=clip, text="")
        return graph.link("CFGGuider", model=model, positive=positive, negative=negative, cfg=self.guidance)

    def run_inputs(self, graph: Graph, prompt: str, seed: int) -> dict[str, Link]:
        width, height = self.model.size
        size = {"width": width, "height": height, "batch_size": 1}
        if self.model.frames:
            size["length"] = self.model.frames
        return {
            "guider": self.guider(graph, prompt),
            "noise": graph.link("RandomNoise", noise_seed=seed),
            "latent_image": graph.link(self.model.latent, **size),
        }

    def dna(self, graph: Graph, prompt: str, seed: int, **measure: str | int) -> Link:
        inputs = self.run_inputs(graph, prompt, seed)
        options = {"reference_steps": self.reference_steps, "grid_points": GRID_POINTS, "profile": True} | measure
        return graph.link("CoTjMeasureDNA", probe_noise="same as the run", **options, **inputs)

    def mean_dna(self, graph: Graph, **measure: str | int) -> Link:
        dnas = [self.dna(graph, prompt, seed, **measure) for seed, prompt in enumerate(self.calibration, 1)]
        return graph.link("CoTjAverageDNA", **{f"dnas.dna{i}": dna for i, dna in enumerate(dnas)})

    def sampler(self, graph: Graph, name: str) -> Link:
        if name == "ucgm":
            return graph.link("CoTjUCGMSampler", kappa_mode="adaptive", kappa=0.4)
        return graph.link("KSamplerSelect", sampler_name=name)

    def peers(self, graph: Graph, schedulers: Sequence[str], steps: int, prompt: str, seed: int) -> dict[str, Link]:
        model, _, _ = self.parts(graph)
        found = {
            name: graph.link("BasicScheduler", model=model, scheduler=name, steps=steps, denoise=1.0)
            for name in schedulers
        }
        if self.kind == "flow" or math.isclose(self.top, SD_TOP, rel_tol=1e-3):
            for node, table in NODE_TABLES[self.kind]:
                named: dict[str, Any] = {"model_type": table} if table else {"coeff": 1.2}
                label = f"{node.removesuffix('Scheduler')} {table or 'node'}"
                found[label] = graph.link(node, steps=steps, denoise=1.0, **named)
        for shift in SHIFTS:
            found[f"shift {shift:g}"] = given(graph, self.shifted(shift, steps))
        lever = "schedule" if self.kind == "flow" else "flow"
        own, mean = self.dna(graph, prompt, seed), self.mean_dna(graph)
        for name, dna, options in zip(
            COTJ, (own, mean, mean), ({"start": "free", "lever": lever}, {"start": "free", "lever": lever}, {})
        ):
            found[name] = self.plan(graph, dna, steps, "cotj", "euler", **options)
        return found

    def shifted(self, shift: float, steps: int) -> FloatArray:
        """Make (steps + 1,) sigmas, uniform in the schedule time of a plain shift, from the model's top to 0."""
        clock = Clock(shift, 0, float(sigma_to_flow(self.top, self.kind)))
        sigmas = flow_to_sigma(np.append(clock.schedule(steps), 0), self.kind)
        sigmas[0] = self.top
        return sigmas

    def plan(self, graph: Graph, dna: Link, steps: int, planner: str, sampler: str, **options: str) -> Link:
        values = {"denoise": 1.0, "lever": "flow", "start": "top"} | options
        return graph.link("CoTjPlanSigmas", dna=dna, steps=steps, planner=planner, sampler=sampler, **values)

    def ours(self, graph: Graph, sampler: str, steps: int) -> dict[str, Link]:
        mean = self.mean_dna(graph)
        unfit = {"cotj"} if is_multistep(sampler) else {"cotj", "multistep"}  # cotj is a peer
        names = [AUTO, *(name for name in PLANNER_NAMES if name not in unfit | {STAGES})]
        found = {name: self.plan(graph, mean, steps, name, sampler) for name in names}
        found[STAGES] = self.plan(graph, self.mean_dna(graph, **UNCERTAINTY), steps, STAGES, sampler)
        if self.budget:
            inputs = self.run_inputs(graph, self.calibration[0], 1)
            prompts = [
                graph.link("CLIPTextEncode", clip=self.parts(graph)[1], text=prompt) for prompt in self.calibration
            ]
            found[SEARCHED] = graph.link(
                "CoTjOptimizeSigmas",
                **inputs,
                **{f"prompts.prompt{i}": prompt for i, prompt in enumerate(prompts)},
                sampler=self.sampler(graph, sampler),
                steps=steps,
                seeds=1,
                budget=self.search_calls(sampler, steps),
                name=self.stored_name(sampler),
                other_steps="",
                reference_steps=self.reference_steps,
                check=0,
                objective=self.objective,
                search_again=False,
                dna=mean,
            )
        return found

    def search_calls(self, sampler: str, steps: int) -> int:
        """Count the budget of Optimize Sigmas: that of a search in this process."""
        return search_calls(self.budget, steps, len(self.calibration), sampler, self.reference_steps)

    def stored_name(self, sampler: str) -> str:
        """Make a file name for what Optimize Sigmas finds; another one for whatever else it would find it on.

        It uses a stored result without a look at the prompts, and held-out ones may be among those of another run.
        """
        found_on = repr((SEARCH_FORMAT, self.model, self.calibration, self.reference_steps, self.objective))
        digest = hashlib.blake2b(found_on.encode(), digest_size=6).hexdigest()
        return f"{plain_name(f'benchmark-{self.model.name[:40]}-{sampler}-{self.guidance:g}')}-{digest}"

    def reference(self, graph: Graph, prompt: str, seed: int, name: str) -> Link:
        """Make the latent that a long run ends in, by one node for all comparisons of a prompt: it runs once."""
        if name == "own":
            model, _, _ = self.parts(graph)
            options = {"scheduler": "simple", "steps": self.reference_steps, "denoise": 1.0}
            sampler, sigmas = "euler", graph.link("BasicScheduler", model=model, **options)
        else:
            sampler, sigmas = CONVERGED_SAMPLER, self.dense(graph, self.converged_steps)
        inputs = self.run_inputs(graph, prompt, seed) | {"sampler": self.sampler(graph, sampler), "sigmas": sigmas}
        return graph.link("SamplerCustomAdvanced", **inputs)

    def drift(self, graph: Graph, prompt: str, seed: int) -> str:
        """Make the node that measures what half the steps change in the converged reference."""
        half = {"half": self.dense(graph, self.converged_steps // 2)}
        return self.compare(graph, prompt, seed, CONVERGED_SAMPLER, half, "converged", pictures=False)

    def dense(self, graph: Graph, steps: int) -> Link:
        return given(graph, dense_sigmas(self.kind, self.top, steps).numpy())

    def compare(
        self,
        graph: Graph,
        prompt: str,
        seed: int,
        sampler: str,
        schedules: dict[str, Link],
        reference: str,
        pictures: bool = True,
    ) -> str:
        """Make the node that measures these schedules, at most 32 at once."""
        inputs = self.run_inputs(graph, prompt, seed) | {"sampler": self.sampler(graph, sampler)}
        inputs |= {f"schedules.sigmas{i}": sigmas for i, sigmas in enumerate(schedules.values())}
        if pictures:
            _, _, inputs["vae"] = self.parts(graph)
        labels = "\n".join(name.replace(",", ";") for name in schedules)
        known = self.reference(graph, prompt, seed, reference)
        return graph.add("CoTjCompareSchedules", labels=labels, reference_steps=2, reference=known, **inputs)


def given(graph: Graph, sigmas: FloatArray | NDArray[np.float32]) -> Link:
    """Make a schedule from its figures, exactly."""
    texts = (np.format_float_positional(sigma, trim="-") for sigma in sigmas.astype(np.float32))  # without exponents
    return graph.link("ManualSigmas", sigmas=", ".join(texts))
