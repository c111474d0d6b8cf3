"""API prompts with a node's required inputs only, and links of another type than a node takes."""

import json

import numpy as np
import pytest
from cotj.demo.models import VAE
from cotj.harness.client import ComfyClient, NodeError
from cotj.planner import DiffusionDNA, TimeShift, dna_file, plan_file, plan_fixed
from cotj.planner.plan_record import PlanRecord
from cotj.tests.host.test_schemas import NODES
from cotj.tests.host.workflows import DemoRun, Graph, plan
from cotj.tests.planner.test_plan_file import saved

SEED = 4401
NAME = "left-out"
# Values for inputs whose defaults run for long, or that name what is made here.
VALUES = {"reference_steps": 4, "grid_points": 6, "budget": 60, "seeds": 4, "steps": 3, "data_set": NAME, "name": NAME}
VALUES["image"] = f"{NAME}.png"
# These need more than what is required and made here, and are to say so.
MORE = {
    "CoTjTrainPredictor": {},
    "CoTjCompareSchedules": {},
    "CoTjOptimizeSigmas": {},  # for which 60 calls are too few
    "CoTjOptimizedSigmas": {"steps": 49},
    "CoTjPlannedSampler": {"steps": 49},
    "CoTjApplyPlan": {},
    "CoTjSavePlan": {},
    "CoTjPickByScore": {},  # for which one score is too few
    "CoTjImageToScore": {},  # which Optimize Sigmas alone gives an image
}


@pytest.fixture(scope="module")
def stored(server, demo_models):
    grid = np.arange(1, 21) / 20
    meta = {"model": "SD3", "latent_shape": [1, 16, 32, 32]}
    dna = DiffusionDNA(grid.astype(np.float32), 0.01 + grid**3, shift=TimeShift("static", 3.0), meta=meta)
    dna_file.write(server.models / "cotj", NAME, dna)
    planned = plan_file.to_json(PlanRecord(plan_fixed(dna, 4)))
    saved(server.base / "input" / VALUES["image"], "png", {plan_file.KEY: json.dumps(planned)})
    with ComfyClient(server.url) as client:
        client.run(filled(client, "CoTjAddToDataSet").nodes)


def required(client, name):
    return client.object_info()[name]["input"].get("required", {})


@pytest.mark.parametrize("name", NODES)
def test_no_advanced_input_is_required(client, name):
    assert not [one for one, (_, options) in required(client, name).items() if options.get("advanced")]


class Sources:
    """What gives a link of each type, made where it is asked for."""

    def __init__(self, graph):
        self.graph = graph
        self.run = DemoRun(graph, seed=SEED)

    def of(self, kind):
        run, graph = self.run, self.graph
        dna = graph.add("CoTjLoadDNA", name=NAME)[0]
        found = {
            "MODEL": run.model,
            "GUIDER": run.guider,
            "NOISE": run.noise,
            "LATENT": run.latent,
            "CONDITIONING": run.positive,
            "COTJ_DNA": dna,
            "SIGMAS": graph.add("ManualSigmas", sigmas="1, 0.9, 0.5, 0")[0],
            "SAMPLER": graph.add("KSamplerSelect", sampler_name="euler")[0],
            "COTJ_PLAN": plan(graph, dna)[2],
            "STRING": graph.add("PrimitiveString", value=NAME)[0],
            "FLOAT": graph.add("PrimitiveFloat", value=0.5)[0],
            "VAE": graph.add("VAELoader", vae_name=VAE)[0],
        }
        return found[kind]


def filled(client, name, **others):
    """A graph of one node with nothing but its required inputs."""
    graph = Graph()
    sources, inputs = Sources(graph), {}
    for one, (kind, options) in required(client, name).items():
        if "template" in options:
            [(grown, (kind, _))] = options["template"]["input"]["required"].items()
            few = max(options["template"]["min"], 1)
            inputs |= {f"{one}.{options['template']['prefix']}{i}": sources.of(kind) for i in range(few)}
        elif "options" in options:
            inputs[one] = VALUES[one] if VALUES.get(one) in options["options"] else options["options"][0]
        elif "default" in options:
            inputs[one] = VALUES.get(one, options["default"])
        else:
            inputs[one] = sources.of(kind.split(",")[0])
    node = graph.add(name, **inputs | others)
    graph.show(node[0])
    return graph


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("name", NODES)
def test_a_node_runs_with_its_required_inputs_only(client, server, name):
    if name not in MORE:
        client.run(filled(client, name).nodes)
        return
    words = f"{NODES[name].split(' (')[0]}, input '"
    with server.expect_traceback(words), pytest.raises(NodeError) as error:
        client.run(filled(client, name, **MORE[name]).nodes)
    assert error.value.message.startswith(words)


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(
    ("name", "one", "wanted"),
    [
        ("CoTjPlanSigmas", "dna", "a DNA"),
        ("CoTjDiagnostics", "dna", "a DNA"),
        ("CoTjHeatmap", "plan", "a PLAN"),
        ("CoTjAverageDNA", "dnas.dna0", "a DNA"),
        ("CoTjMeasureDNA", "guider", "a GUIDER"),
        ("CoTjSplitAtBoundary", "sigmas", "SIGMAS"),
    ],
)
def test_a_text_in_place_of_a_link_is_an_error_of_that_input(client, server, name, one, wanted):
    graph = filled(client, name, **{one: "case"})
    words = f"{NODES[name]}, input '{one}': it takes {wanted}, and what comes is a text. Connect"
    with server.expect_traceback("what comes is a text"), pytest.raises(NodeError) as error:
        client.run(graph.nodes)
    assert error.value.message.startswith(words)
