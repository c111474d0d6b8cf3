"""What the host's samplers do with a planned schedule, measured with an oracle; --write puts the table in the docs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from cotj.harness.environment import ROOT
from cotj.harness.find import find_comfyui
from cotj.planner.solvers.behaviour import SAMPLERS, Behaviour, Step, formula
from torch import Tensor

sys.path.append(str(find_comfyui()))
import comfy.cli_args

comfy.cli_args.args.cpu = True  # a few numbers: no device is faster
import comfy.conds  # noqa: E402
import comfy.k_diffusion.sampling  # noqa: E402
import comfy.model_base  # noqa: E402
import comfy.model_patcher  # noqa: E402
import comfy.samplers  # noqa: E402
import comfy.supported_models_base  # noqa: E402
import comfyui_version  # noqa: E402

BEGIN, END = "<!-- samplers: python benchmarks samplers --write -->", "<!-- end of samplers -->"
PAGES = {"en": "web/docs/CoTjPlanSigmas.md", "zh": "web/docs/CoTjPlanSigmas/zh.md"}
# Uneven, as planned schedules are; no jump is so small that two samplers could not be told apart.
SCHEDULES = {
    "FLOW": [0.96, 0.9, 0.78, 0.7, 0.55, 0.4, 0.25, 0.1, 0.0],
    "EPS": [13.0, 8.0, 5.5, 3.0, 2.2, 1.0, 0.6, 0.2, 0.0],
}
STEPS: tuple[Step, ...] = ("euler", "ancestral")
SAME = 1e-4  # relative; float32 is off by less, and what differs at all differs by more


class Gaussian(comfy.model_base.BaseModel):
    """A model that knows its clean latents: independent normals, of which it guesses the mean given the noisy one.

    Its prompt is a number, which they lie around. It notes the sigma of every call.
    """

    def __init__(self, model_type: str):
        config = comfy.supported_models_base.BASE({"disable_unet_model_creation": True})
        super().__init__(config, comfy.model_base.ModelType[model_type])
        self.diffusion_model = torch.nn.Module()
        self.diffusion_model.dtype = torch.float32
        self.calls: list[float] = []

    def extra_conds(self, **conditions: Any) -> dict[str, Any]:
        return {"c_crossattn": comfy.conds.CONDRegular(conditions["cross_attn"])}

    def memory_required(self, *_: Any, **__: Any) -> int:
        return 0

    def _apply_model(self, x: Tensor, t: Tensor, c_concat=None, c_crossattn: Tensor | None = None, *_, **__) -> Tensor:
        assert c_crossattn is not None
        sigma = t.reshape(-1, 1, 1, 1)
        self.calls.append(float(t[0]))
        clean = 1 - sigma if isinstance(self.model_sampling, comfy.model_sampling.CONST) else 1.0
        deviation = torch.linspace(0.3, 1.5, x.shape[-1])  # of each column: a model that is the same everywhere is easy
        mean = c_crossattn.reshape(-1, 1, 1, 1)
        return mean + clean * deviation**2 / ((clean * deviation) ** 2 + sigma**2) * (x - clean * mean)


class Run(comfy.samplers.Sampler):
    """Does something inside one run of the host's guider, which is where samplers find model and options."""

    def __init__(self, do: Callable[[Run], Any]):
        self.do = do

    def sample(self, model_wrap, sigmas, extra_args, callback, noise, latent_image=None, denoise_mask=None, *_):
        self.guider, self.noise, self.options = model_wrap, noise, extra_args["model_options"]
        self.result = self.do(self)
        return noise

    def __call__(self, name: str, sigmas: Tensor, x: Tensor | None = None, seed: int = 1) -> tuple[Tensor, list[float]]:
        """Where a sampler ends, from this state or else from noise, and the sigmas at which it called the model."""
        model = comfy.samplers.KSamplerX0Inpaint(self.guider, sigmas)
        model.latent_image, model.noise = torch.zeros_like(self.noise), self.noise
        sampler = comfy.samplers.sampler_object(name)
        # Post-CFG functions that a sampler leaves in the options belong to it alone.
        options = comfy.model_patcher.create_model_options_clone(self.options)
        extra_args = {"model_options": options, "seed": seed, "denoise_mask": None}
        calls = self.guider.inner_model.calls
        calls.clear()
        x = self.noise * sigmas[0] if x is None else x.clone()
        end = sampler.sampler_function(
            model, x, sigmas, extra_args=extra_args, callback=None, disable=True, **sampler.extra_options
        )
        return end, list(calls)

    def denoised(self, x: Tensor, sigma: Tensor) -> Tensor:
        return self.guider(x, sigma.expand(len(x)), model_options=self.options, seed=1)


def in_a_run(kind: str, do: Callable[[Run], Any]) -> Any:
    """What `do` finds in a guided run of the oracle."""
    patcher = comfy.model_patcher.ModelPatcher(Gaussian(kind), torch.device("cpu"), torch.device("cpu"))
    guider = comfy.samplers.CFGGuider(patcher)
    guider.set_conds(*([[torch.full((1, 1, 1), mean), {}]] for mean in (0.5, -0.2)))
    guider.set_cfg(3.0)
    noise = torch.randn((1, 4, 4, 8), generator=torch.Generator().manual_seed(0))
    run = Run(do)
    guider.sample(noise, torch.zeros_like(noise), run, torch.tensor(SCHEDULES[kind]), disable_pbar=True, seed=1)
    return run.result


@contextmanager
def same_noise() -> Iterator[None]:
    """What samplers add is the same noise at every step, so that a run can be taken up in its middle."""

    def constant(x: Tensor, *_: Any, **__: Any) -> Callable[..., Tensor]:
        return lambda sigma, sigma_next: added_noise(x)

    sampling = comfy.k_diffusion.sampling
    with (
        mock.patch.object(sampling, "default_noise_sampler", constant),
        mock.patch.object(sampling, "BrownianTreeNoiseSampler", constant),
    ):
        yield


def added_noise(x: Tensor) -> Tensor:
    return torch.randn(x.shape, generator=torch.Generator().manual_seed(2))


def same(a: Tensor, b: Tensor) -> bool:
    return bool((a - b).abs().max() <= SAME * a.abs().max())


def first_order(run: Run, sigmas: Tensor, ancestral: bool) -> Tensor:
    """Where Euler steps end; or such as go down to `to^2 / sigma`, from where noise and a scale lead up to `to`."""
    flow = isinstance(run.guider.inner_model.model_sampling, comfy.model_sampling.CONST)
    x = run.noise * sigmas[0]
    for sigma, to in zip(sigmas, sigmas[1:]):
        down = to**2 / sigma if ancestral else to
        scale = (1 - to) / (1 - down) if flow else torch.ones(())
        x = scale * (down / sigma * x + (1 - down / sigma) * run.denoised(x, sigma))
        x = x + (to**2 - (scale * down) ** 2).sqrt() * added_noise(x)
    return x


def behaviour(run: Run, name: str, sigmas: Tensor) -> Behaviour:
    """Measure what one sampler does."""
    (_, calls), (_, half) = run(name, sigmas), run(name, torch.cat((sigmas[:-1:2], sigmas[-1:])))
    steps = len(sigmas) - 1
    per_step, remainder = divmod(len(calls) - len(half), steps // 2)
    plan = [float(sigma) for sigma in sigmas[:-1]]
    near = [[abs(call - sigma) <= SAME * sigma for sigma in plan] for call in calls]
    noise = not same(run(name, sigmas, seed=1)[0], run(name, sigmas, seed=2)[0])
    high = sigmas[:-2]  # to where nothing is forgotten yet
    with same_noise():
        end, _ = run(name, high)
        restarted, _ = run(name, high[2:], run(name, high[:3])[0])
    steps_alike: list[Step] = [step for step in STEPS if same(end, first_order(run, high, step == "ancestral"))]
    step = steps_alike[0] if steps_alike else "own"
    return Behaviour(
        flow=step,
        ve=step,
        calls=None if remainder else (per_step, len(calls) - per_step * steps),
        memory=not same(end, restarted),
        noise=noise,
        between=not all(map(any, near)),
        skips=not all(map(any, zip(*near))),
        drops=name in comfy.samplers.KSampler.DISCARD_PENULTIMATE_SIGMA_SAMPLERS,
    )


def measure() -> dict[str, Behaviour]:
    """Measure what every sampler of the host does."""

    def all_of_them(run: Run) -> dict[str, Behaviour]:
        sigmas = torch.tensor(SCHEDULES[run.guider.inner_model.model_type.name])
        return {name: behaviour(run, name, sigmas) for name in comfy.samplers.SAMPLER_NAMES}

    flow, ve = (in_a_run(kind, all_of_them) for kind in SCHEDULES)
    return {name: _both(flow[name], ve[name]) for name in flow}


def _both(flow: Behaviour, ve: Behaviour) -> Behaviour:
    """One of two kinds of models: what holds on either of them."""
    assert (flow.calls, flow.drops) == (ve.calls, ve.drops)
    flags = {flag: getattr(flow, flag) or getattr(ve, flag) for flag in ("memory", "noise", "between", "skips")}
    return Behaviour(flow.flow, ve.ve, flow.calls, drops=flow.drops, **flags)


HEADS = {
    "en": ["samplers", "calls in N steps", "kind", "adds noise", "a plan made for euler"],
    "zh": ["采样器", "N 步的调用次数", "类型", "加噪声", "为 euler 做的规划"],
}
WORDS = {
    "first-order": "一阶",
    "multistep": "多步法",
    "several calls": "每步多次调用",
    "own choice": "自行决定",
    "yes": "是",
    "no": "否",
    "is run as planned": "按规划运行",
    "is run as planned where *sampler* names it": "在 *sampler* 中选它时按规划运行",
    "eps models: as planned where *sampler* names it; flow models: a step of its own, so compare": "eps 模型：在 "
    "*sampler* 中选它时按规划运行；flow 模型：步法不同，请与默认调度比较",
    "a step of its own: compare with the default": "步法不同：请与默认调度比较",
    "can be worse than the default: compare": "可能不如默认调度：请比较",
    "compare with the default at as many calls": "请在相同调用次数下与默认调度比较",
    "keeps only its first and last sigma": "只保留首尾两个 sigma",
    "; also calls between its sigmas": "；还会在两个 sigma 之间调用",
    "; in KSampler the default lacks its last sigma": "；KSampler 会去掉默认调度的最后一个 sigma",
}


def _kind(behaviour: Behaviour) -> str:
    if behaviour.skips:
        return "own choice"
    if behaviour.calls != (1, 0):
        return "several calls"
    return "multistep" if behaviour.memory else "first-order"


def _verdict(behaviour: Behaviour) -> list[str]:
    if behaviour.skips:
        return ["keeps only its first and last sigma"]
    if behaviour.flow == "euler":
        return ["is run as planned"]
    if behaviour.flow == "ancestral":
        return ["is run as planned where *sampler* names it"]
    if behaviour.ve == "ancestral":
        return ["eps models: as planned where *sampler* names it; flow models: a step of its own, so compare"]
    of_kind = {
        "several calls": "compare with the default at as many calls",
        "multistep": "can be worse than the default: compare",
        "first-order": "a step of its own: compare with the default",
    }
    between = ["; also calls between its sigmas"] if behaviour.between else []
    drops = ["; in KSampler the default lacks its last sigma"] if behaviour.drops else []
    return [of_kind[_kind(behaviour)], *between, *drops]


def table(samplers: dict[str, Behaviour], language: str = "en") -> str:
    """Write Markdown, a row for the samplers that do the same, in the language of a page."""

    def say(*texts: str) -> str:
        return "".join(text if language == "en" else WORDS[text] for text in texts)

    groups: dict[Behaviour, list[str]] = {}
    for name, behaviour in samplers.items():
        groups.setdefault(behaviour, []).append(name)
    rows = [HEADS[language], ["---"] * len(HEADS[language])]
    for behaviour, names in groups.items():
        kind, noise = say(_kind(behaviour)), say("yes" if behaviour.noise else "no")
        rows.append([", ".join(names), formula(behaviour) or "-", kind, noise, say(*_verdict(behaviour))])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def pages(samplers: dict[str, Behaviour]) -> Iterator[tuple[str, str, str]]:
    """List path, what it says now, and what it should say, of every page with the table."""
    for language, path in PAGES.items():
        page = (ROOT / path).read_text(encoding="utf-8")
        before, _, rest = page.partition(BEGIN)
        _, end, after = rest.partition(END)
        if not end:
            raise SystemExit(f"{path} has no place for the table, between {BEGIN} and {END}")
        yield path, page, f"{before}{BEGIN}\n{table(samplers, language)}\n{END}{after}"


def faults(samplers: dict[str, Behaviour]) -> Iterator[str]:
    """List where the pack's own table and its help pages contradict what was measured; hosts may lack samplers."""
    for name, found in samplers.items():
        if found != SAMPLERS.get(name):
            yield f"nodes/samplers.py has {name}: {SAMPLERS.get(name)}, but it was measured as {found}"
    for path, now, should_be in pages(SAMPLERS):
        if now != should_be:
            yield f"{path} does not hold the table of nodes/samplers.py: python benchmarks samplers --write"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python benchmarks samplers", description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the table of nodes/samplers.py into the help pages")
    write = parser.parse_args(argv).write
    found = measure()
    print(f"ComfyUI {comfyui_version.__version__}, {len(found)} samplers\n\n{table(found)}")
    if write:
        for path, _, should_be in pages(SAMPLERS):
            (ROOT / path).write_text(should_be, encoding="utf-8")
    wrong = list(faults(found))
    print("", *wrong or ["nodes/samplers.py and the help pages say the same."], sep="\n")
    return len(wrong)
