"""The paper's table of what a prediction costs."""

from __future__ import annotations

import torch
from cotj.demo.models import PREDICTOR
from cotj.nodes.reports.atlas.models import AtlasModel
from cotj.planner import plan_fixed
from cotj.predictor import files
from cotj.predictor.model import Regressor

from .paper_part import Check, Part, rows
from .paper_plans import PLANNER
from .runs import Runs
from .timing import median_ms

CALLS = 10
QWEN = Regressor(3584, 100)  # the network of the authors' release for Qwen-Image
SMALL = 0.01  # of a run
REPEATS = 50


def weights_of(network: Regressor) -> tuple[float, float]:
    """Count millions of parameters, and of floating-point operations of one prediction."""
    count = sum(value.numel() for value in network.parameters())
    matrices = sum(value.numel() for value in network.parameters() if value.ndim == 2)
    return count / 1e6, 2 * matrices / 1e6


@torch.inference_mode()
def table_1(model: AtlasModel, runs: Runs) -> Part:
    """Hold the cost of predicting and planning against that of the run."""
    assert model.embeddings is not None
    predictor, embedding = files.read(PREDICTOR), torch.from_numpy(model.embeddings[:1])
    item = runs.subject.test[:1]
    noise, denoise = runs.subject.noise(item), runs.subject.denoiser(item)
    networks = {"demo model": predictor.network, "Qwen-Image, as released": QWEN.train(False)}
    costs = {name: (*weights_of(network), _milliseconds(network)) for name, network in networks.items()}
    predict = median_ms(lambda: predictor.predict(embedding), REPEATS)
    plan = median_ms(lambda: plan_fixed(model.mean, CALLS, PLANNER, start="free"), REPEATS)
    call = median_ms(lambda: denoise(noise, 0.5), REPEATS)
    share = (predict + plan) / (CALLS * call)
    parameters, operations, _ = costs["Qwen-Image, as released"]
    network = costs["demo model"][2]
    checks = (
        Check(
            f"the network is as light as is said: {parameters:.2f} million parameters and {operations:.2f} million "
            "operations",
            (round(parameters, 2), round(operations, 2)) == (0.96, 1.93),
        ),
        Check(
            f"it costs next to nothing: {network:.2f} ms are {network / (CALLS * call):.2%} of a run of {CALLS} calls "
            f"of the demo model, {call:.1f} ms each",
            network < SMALL * CALLS * call,
        ),
        Check(
            f"so does all that comes before a run: {predict:.2f} ms for a DNA with a profile from this network, and "
            f"{plan:.2f} ms for the plan, are {share:.1%} of it",
            share < SMALL,
        ),
    )
    table = rows(
        ("predictor", "parameters, millions", "operations, millions", "ms"),
        [(name, *(f"{figure:.2f}" for figure in found)) for name, found in costs.items()],
    )
    claim = "the predictor has 0.96 million parameters, takes 1.93 million operations and 0.073 ms on a graphics card"
    data = "milliseconds of one core, medians; the DNA of one caption"
    return Part("Table 1", "cost of a prediction", claim, data, checks, table)


def _milliseconds(network: Regressor) -> float:
    return median_ms(lambda: network(torch.zeros(1, network.inputs)), REPEATS)
