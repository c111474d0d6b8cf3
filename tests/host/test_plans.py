"""The planning nodes: what they send to a sampler, and what they refuse."""

import re

import numpy as np
import pytest
from cotj.harness.client import NodeError, ValidationError
from cotj.planner import CoTj, DiffusionDNA, TimeShift, dna_file, plan_adaptive, plan_fixed
from cotj.tests.host.workflows import DemoRun, Graph, adaptive, pictures, plan

TIMES = np.arange(1, 41) / 40
FLOW = DiffusionDNA(TIMES.astype(np.float32), 0.01 + TIMES**3, shift=TimeShift("static", 3.0))
VE = DiffusionDNA(np.geomspace(0.03, 14.6, 40).astype(np.float32), 0.01 + TIMES**2, kind="ve")
FLAT = DiffusionDNA(TIMES.astype(np.float32), 1.1 - TIMES)  # more steps gain nothing: it rises towards the image


@pytest.fixture(scope="module", autouse=True)
def dna_files(server):
    for name, dna in {"plan flow": FLOW, "plan ve": VE, "plan flat": FLAT}.items():
        dna_file.write(server.models / "cotj", name, dna)


@pytest.fixture
def graph():
    return Graph()


def load(graph, name="plan flow"):
    return graph.add("CoTjLoadDNA", name=name)[0]


def text(result, node_id):
    return result.outputs[node_id]["text"][0]


def sigmas_of(result, node_id):
    """SIGMAS as a preview prints them: to four decimals."""
    return [float(number) for number in re.findall(r"\d+\.\d*", text(result, node_id))]


OPTIONS = [
    {},
    {"steps": 1},
    {"steps": 40},
    {"steps": 20, "denoise": 0.6},
    {"steps": 3, "denoise": 0.35},
    {"start": "free"},
    {"lever": "schedule"},
    {"lever": "schedule", "start": "free", "denoise": 0.8},
]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize(("name", "dna"), [("plan flow", FLOW), ("plan ve", VE)])
def test_sigmas_are_the_planners_and_fit_a_sampler(client, graph, name, dna, options):
    if dna is VE and options.get("lever") == "schedule":
        options = {**options, "lever": "flow"}  # it has no schedule times; see the refusals
    options = {"steps": 6} | options
    planned = plan(graph, load(graph, name), **options)
    sigmas, steps, said = graph.show(planned[0], planned[1], planned[3])
    picture = graph.add("CoTjHeatmap", plan=planned[2])
    result = client.run(graph.nodes)

    lever = CoTj(options.pop("lever", "flow"))
    published = lever == CoTj("schedule")
    expected = plan_fixed(dna, planner=lever, fall_back=not published, **options)
    [claims] = result.outputs[picture.id]["cotj_plan"]
    np.testing.assert_allclose(claims["sigmas"], expected.sigmas)
    np.testing.assert_allclose(sigmas_of(result, sigmas), expected.sigmas, atol=6e-5)
    assert int(text(result, steps)) == options["steps"]
    exact = np.float32(claims["sigmas"])
    assert len(exact) == options["steps"] + 1
    assert (np.diff(exact) < 0).all() and exact[-1] == 0
    assert exact[0] <= np.float32(dna.sigmas[-1])
    head = rf"{options['steps']} steps?.* the model's own schedule.* \([\d.e-]+ against [\d.e-]+; a run may measure"
    assert re.match(head, text(result, said))


@pytest.mark.parametrize("add", [plan, adaptive])
def test_denoise_0_gives_no_sigmas_and_the_latent_passes(client, demo_models, graph, add):
    run = DemoRun(graph)
    planned = add(graph, load(graph), denoise=0.0)
    sigmas, steps = graph.show(planned[0], planned[1])
    picture = graph.add("CoTjHeatmap", plan=planned[2])
    before = run.picture(run.latent)
    after = run.picture(run.sample(planned[0])[0])
    result = client.run(graph.nodes)
    assert text(result, sigmas) == "tensor([])"
    assert text(result, steps) == "0"
    assert result.outputs[picture.id]["cotj_plan"][0]["sigmas"] == []
    np.testing.assert_array_equal(pictures(client, result, before), pictures(client, result, after))


@pytest.mark.parametrize(
    "options",
    [{}, {"threshold": 0.8}, {"threshold": 1.0}, {"min_steps": 9}, {"max_steps": 3}, {"denoise": 0.5}],
)
def test_the_adaptive_length_is_the_planners(client, graph, options):
    options = {"threshold": 0.95, "max_steps": 20} | options
    planned = adaptive(graph, load(graph), **options)
    sigmas, steps = graph.show(planned[0], planned[1])
    result = client.run(graph.nodes)
    expected = plan_adaptive(FLOW, fall_back=True, **options)
    assert int(text(result, steps)) == expected.steps
    np.testing.assert_allclose(sigmas_of(result, sigmas), expected.sigmas, atol=6e-5)


def test_a_dna_on_which_steps_gain_nothing_takes_the_fewest_and_says_why(client, graph):
    planned = adaptive(graph, load(graph, "plan flat"), min_steps=2)
    [steps] = graph.show(planned[1])
    picture = graph.add("CoTjHeatmap", plan=planned[2])
    result = client.run(graph.nodes)
    assert text(result, steps) == "2"
    assert "gain nothing" in result.outputs[picture.id]["cotj_plan"][0]["reason"]


@pytest.mark.parametrize(
    ("add", "options"),
    [
        (plan, {"steps": -1}),
        (plan, {"steps": 51}),
        (plan, {"denoise": -0.1}),
        (plan, {"denoise": 1.1}),
        (plan, {"lever": "crowbar"}),
        (plan, {"start": "bottom"}),
        (adaptive, {"threshold": 0.4}),
        (adaptive, {"threshold": 1.01}),
        (adaptive, {"min_steps": 0}),
        (adaptive, {"max_steps": 51}),
    ],
)
def test_what_is_out_of_range_is_refused_before_it_runs(client, graph, add, options):
    graph.show(add(graph, load(graph), **options)[1])
    with pytest.raises(ValidationError, match=f"CoTj.*{next(iter(options))}"):
        client.run(graph.nodes)


def refusal(client, server, graph, planned, *words):
    graph.show(planned[1])
    with server.expect_traceback(words[0]), pytest.raises(NodeError) as failure:
        client.run(graph.nodes)
    assert failure.value.message.startswith(("Plan CoTj Sigmas", "Adaptive Length Threshold"))
    for word in words:
        assert word in failure.value.message


def test_more_steps_than_grid_points_are_refused(client, server, graph):
    refusal(client, server, graph, plan(graph, load(graph), steps=41), "41 steps", "40", "take fewer steps")


@pytest.mark.parametrize(
    ("add", "options", "word"),
    [
        # The host's range check lets a NaN through.
        (adaptive, {"threshold": float("nan")}, "threshold"),
        (plan, {"denoise": float("nan")}, "denoise"),
        (adaptive, {"target_error": float("nan")}, "target_error"),
        (adaptive, {"min_steps": 9, "max_steps": 8}, "min_steps"),
    ],
)
def test_what_the_host_cannot_see_is_refused_when_it_runs(client, server, graph, add, options, word):
    refusal(client, server, graph, add(graph, load(graph), **options), word)


def test_the_schedule_lever_needs_schedule_times(client, server, graph):
    refusal(
        client, server, graph, plan(graph, load(graph, "plan ve"), lever="schedule"), "no schedule times", "flow lever"
    )


@pytest.mark.parametrize("add", [plan, adaptive])
def test_a_dna_of_another_kind_than_the_model_is_refused(client, server, demo_models, graph, add):
    run = DemoRun(graph)
    planned = add(graph, load(graph, "plan ve"), model=run.model)
    refusal(client, server, graph, planned, "an eps, v or EDM model", "up to 14.6", "this is a flow model", "'dna'")


def test_a_dna_of_a_model_with_another_top_is_refused(client, server, demo_models, graph):
    zero_snr = DemoRun(graph, patch=("ModelSamplingDiscrete", {"sampling": "v_prediction", "zsnr": True})).model
    refusal(client, server, graph, plan(graph, load(graph, "plan ve"), model=zero_snr), "up to 14.6", "up to 4519")


@pytest.mark.parametrize(
    ("name", "patch"),
    [("plan flow", ()), ("plan ve", ("ModelSamplingDiscrete", {"sampling": "eps", "zsnr": False}))],
)
def test_a_dna_of_the_models_own_kind_passes(client, demo_models, graph, name, patch):
    planned = plan(graph, load(graph, name), model=DemoRun(graph, patch=patch).model)
    [steps] = graph.show(planned[1])
    assert text(client.run(graph.nodes), steps) == "4"


def test_a_dna_that_was_measured_further_up_is_clamped_to_the_models_top(client, server, demo_models, graph):
    high = DiffusionDNA(np.geomspace(0.03, 4519, 40).astype(np.float32), 0.01 + TIMES**2, kind="ve")
    dna_file.write(server.models / "cotj", "plan high", high)
    model = DemoRun(graph, patch=("ModelSamplingDiscrete", {"sampling": "eps", "zsnr": False})).model
    planned = plan(graph, load(graph, "plan high"), model=model)
    [sigmas] = graph.show(planned[0])
    shown = client.run(graph.nodes)
    assert sigmas_of(shown, sigmas)[0] == pytest.approx(14.6146, abs=1e-4)
    assert len(sigmas_of(shown, sigmas)) == 5


@pytest.mark.parametrize("add", [plan, adaptive])
def test_what_differs_from_the_measurement_is_said(client, demo_models, graph, add):
    measured = DemoRun(graph, cfg=3.0)
    dna = measured.measure(3, 8)[0]
    same = add(graph, dna, guider=measured.guider, latent_image=measured.latent)
    shifted = DemoRun(graph, cfg=2.0, patch=("ModelSamplingSD3", {"shift": 5.0}))
    larger = graph.add("EmptySD3LatentImage", width=512, height=256, batch_size=1)[0]
    other = add(graph, dna, guider=shifted.guider, latent_image=larger)
    model_alone = add(graph, dna, model=shifted.model)
    shown = graph.show(same[3], other[3], model_alone[3])
    result = client.run(graph.nodes)
    without, with_all, of_the_model = (text(result, node_id) for node_id in shown)
    assert "measured" not in without
    for word in ("shift is 5", "guidance is cfg 2", "size is 32x64"):
        assert word in with_all
    assert "shift is 5" in of_the_model and "guidance" not in of_the_model
