"""Two experts in the host: measured against what both make, planned as one, sampled by two samplers."""

import re

import numpy as np
import pytest
from cotj.harness.client import NodeError
from cotj.planner import Constraints, DiffusionDNA, TimeShift, dna_file, plan_fixed
from cotj.planner.experts import join_experts
from cotj.tests.host.workflows import DemoRun, Graph
from cotj.tests.small_models import FILES, install
from cotj.tests.small_models.run import SmallRun
from safetensors.numpy import load

SD3_SCALE = 1.5305  # latents of the host times this are latents of the model, which errors are measured in
GRID = (np.arange(1, 41) / 40).astype(np.float32)
SHIFT = TimeShift("static", 3.0)
HIGH = DiffusionDNA(GRID, 1 + GRID, shift=SHIFT, power=1.0)
LOW = DiffusionDNA(GRID, 0.01 + GRID**3, shift=SHIFT, power=1.0)
JOINED = join_experts(HIGH, LOW, 0.875)

pytestmark = pytest.mark.usefixtures("demo_models")


@pytest.fixture(scope="module", autouse=True)
def dna_files(server):
    dna_file.write(server.models / "cotj", "expert high", HIGH)
    dna_file.write(server.models / "cotj", "expert low", LOW)
    uncertain = DiffusionDNA(GRID, GRID, measure="uncertainty")
    dna_file.write(server.models / "cotj", "expert uncertain", uncertain)
    dna_file.write(server.models / "cotj", "expert ve", DiffusionDNA(GRID, GRID, kind="ve"))


class Experts:
    """Two guiders of one model, whose guidance differs: as different as two experts, for these purposes."""

    def __init__(self, run=None, high=None, low=None):
        self.run = run or DemoRun(Graph(), cfg=3.0)
        self.graph = self.run.graph
        self.high, self.low = high or self.run.guider, low or DemoRun(self.graph).guider

    def measure(self, **options):
        defaults = {"boundary": 0.875, "reference_steps": 6, "grid_points": 10}
        return self.graph.add(
            "CoTjMeasureExperts",
            guider_high=self.high,
            guider_low=self.low,
            noise=self.run.noise,
            latent_image=self.run.latent,
            **defaults | options,
        )

    def plan(self, high=None, low=None, **options):
        defaults = {"boundary": 0.875, "steps": 6, "denoise": 1.0, "sampler": "euler"}
        high = high or self.graph.add("CoTjLoadDNA", name="expert high")[0]
        low = low or self.graph.add("CoTjLoadDNA", name="expert low")[0]
        return self.graph.add("CoTjPlanExperts", dna_high=high, dna_low=low, **defaults | options)

    def sample(self, sigmas_high, sigmas_low, latent=None):
        """As two samplers do it."""
        between = self._sampler(self.high, self.run.noise, sigmas_high, latent or self.run.latent)
        return self._sampler(self.low, self.graph.add("DisableNoise")[0], sigmas_low, between)

    def one_call(self, guider, sigma, latent):
        """The guess of a latent that is noised to sigma."""
        return self._sampler(guider, self.run.noise, self.graph.add("ManualSigmas", sigmas=f"{sigma!r}, 0")[0], latent)

    def _sampler(self, guider, noise, sigmas, latent):
        return self.graph.add(
            "SamplerCustomAdvanced",
            noise=noise,
            guider=guider,
            sampler=self.graph.add("KSamplerSelect", sampler_name="euler")[0],
            sigmas=sigmas,
            latent_image=latent,
        )[0]

    def latents(self, client, *latents):
        kept = [self.graph.add("SaveLatent", samples=latent, filename_prefix="expert").id for latent in latents]
        result = client.run(self.graph.nodes)
        return [load(client.view(result.outputs[node]["latents"][0]))["latent_tensor"] for node in kept]


def shown(client, graph, *outputs):
    nodes = graph.show(*outputs)
    result = client.run(graph.nodes)
    return [result.outputs[node]["text"][0] for node in nodes]


def numbers(text):
    return [float(number) for number in re.findall(r"\d+\.\d*(?:e-\d+)?", text)]


def test_each_expert_is_measured_on_its_side_against_what_both_make(client, server):
    experts = Experts()
    measured = experts.measure()
    for output, name in enumerate(("measured high", "measured low")):
        experts.graph.add("CoTjSaveDNA", dna=measured[output], name=name, overwrite=True)
    u = 1 - np.arange(6) / 6
    schedule = [float(sigma) for sigma in np.float32(3 * u / (1 + 2 * u))]
    # The host's own simple schedule in 6 steps, with the boundary in it.
    whole = [*schedule[:2], 0.875, *schedule[2:], 0.0]
    assert schedule[1] > 0.875 > schedule[2]
    parts = [experts.graph.add("ManualSigmas", sigmas=", ".join(map(repr, part)))[0] for part in (whole[:3], whole[2:])]
    reference, by_hand = experts.latents(client, measured[2], experts.sample(*parts))
    np.testing.assert_allclose(reference, by_hand, atol=2e-3)  # the host's simple schedule is off by a thousandth

    high, low = (dna_file.read(server.models / "cotj" / f"measured {name}.safetensors") for name in ("high", "low"))
    assert (high.sigmas > 0.875).all() and high.sigmas[-1] == 1
    assert (low.sigmas <= 0.875).all() and low.sigmas[-1] == 0.875
    assert len(high.sigmas) == len(low.sigmas) == 5
    assert (high.meta["expert"], high.meta["guidance"]) == ("high", {"cfg": 3.0})
    assert (low.meta["expert"], low.meta["boundary"]) == ("low", 0.875)

    probes = [(experts.high, high, 2), (experts.low, low, 4), (experts.low, low, 1)]
    calls = [experts.one_call(guider, float(dna.sigmas[i]), measured[2]) for guider, dna, i in probes]
    for (_, dna, i), guess in zip(probes, experts.latents(client, *calls)):
        assert dna.errors[i] == pytest.approx(np.mean((SD3_SCALE * (guess - reference)) ** 2), rel=1e-2)
    assert join_experts(high, low, 0.875).shift == SHIFT


def test_a_plan_has_the_boundary_and_parts_there(client):
    experts = Experts()
    planned = experts.plan()
    whole, high, low, steps, steps_high, said = shown(client, experts.graph, *(planned[i] for i in (0, 1, 2, 3, 4, 6)))
    expected = plan_fixed(JOINED, 6, constraints=Constraints(visit=(0.875,)))
    np.testing.assert_allclose(numbers(whole), expected.sigmas, atol=6e-5)
    index = list(expected.sigmas).index(0.875)
    assert numbers(high) == numbers(whole)[: index + 1] and numbers(low) == numbers(whole)[index:]
    assert numbers(high)[-1] == numbers(low)[0] == 0.875
    assert (int(steps), int(steps_high)) == (6, index)
    assert said.startswith(f"{index} steps of the high-noise expert, {6 - index} of the low\n6 steps, predicted error")


def test_below_the_boundary_the_low_expert_runs_alone(client):
    experts = Experts()
    planned = experts.plan(denoise=0.5)  # starts at sigma 0.75
    whole, high, low, steps_high = shown(client, experts.graph, *(planned[i] for i in (0, 1, 2, 4)))
    assert numbers(high) == [0.75] and numbers(low) == numbers(whole)
    assert int(steps_high) == 0 and len(numbers(low)) == 7
    [empty, steps] = shown(client, experts.graph, *(experts.plan(denoise=0.0)[i] for i in (1, 3)))
    assert (empty, steps) == ("tensor([])", "0")


@pytest.mark.parametrize("options", [{}, {"denoise": 0.5}])
def test_two_samplers_make_of_the_parts_what_one_makes_of_the_whole(client, options):
    graph = Graph()
    run = DemoRun(graph, cfg=3.0)
    experts = Experts(run, run.guider, run.guider)
    planned = experts.plan(**options)
    image = run.sample(graph.add("ManualSigmas", sigmas="1, 0.5, 0")[0])[0]
    one, two = experts.latents(client, run.sample(planned[0], image)[0], experts.sample(planned[1], planned[2], image))
    np.testing.assert_allclose(two, one, atol=1e-4)


@pytest.mark.parametrize(
    ("sigmas", "boundary", "high", "low"),
    [
        ([1, 0.9, 0.5, 0], 0.875, [1, 0.9, 0.5], [0.5, 0]),
        ([1, 0.875, 0.5, 0], 0.875, [1, 0.875], [0.875, 0.5, 0]),
        ([1, 0.9, 0], 0.9, [1, 0.9], [0.9, 0]),
        ([0.8, 0.5, 0], 0.875, [0.8], [0.8, 0.5, 0]),
        ([1, 0.95, 0.9], 0.875, [1, 0.95, 0.9], [0.9]),
        ([14.6, 5, 1, 0], 3.0, [14.6, 5, 1], [1, 0]),
    ],
)
def test_any_sigmas_are_split_by_noise_level(client, sigmas, boundary, high, low):
    graph = Graph()
    given = graph.add("ManualSigmas", sigmas=", ".join(map(str, sigmas)))[0]
    parts = graph.add("CoTjSplitAtBoundary", sigmas=given, boundary=boundary)
    first, second, steps = shown(client, graph, *(parts[i] for i in range(3)))
    np.testing.assert_allclose(numbers(first), high, atol=1e-4)
    np.testing.assert_allclose(numbers(second), low, atol=1e-4)
    assert int(steps) == len(high) - 1


def test_no_sigmas_have_no_parts(client):
    graph = Graph()
    run = DemoRun(graph)
    none = graph.add("BasicScheduler", model=run.model, scheduler="simple", steps=4, denoise=0.0)[0]
    parts = graph.add("CoTjSplitAtBoundary", sigmas=none, boundary=0.875)
    assert shown(client, graph, *(parts[i] for i in range(3))) == ["tensor([])", "tensor([])", "0"]


@pytest.mark.parametrize("link", ["SIGMAS", "PLAN"])
def test_wan_2_2_in_two_ksamplers(client, server, link):
    """Measured, planned and sampled: the pair of a real architecture, in the graph that people have."""
    install(server.models, ["wan22_high", "wan22_low", "clip_l"])
    graph, seed = Graph(), {"SIGMAS": 1, "PLAN": 2}[link]
    run = SmallRun(graph, "wan22_high", seed=seed)
    high = run.model
    low = graph.add("UNETLoader", unet_name=FILES["wan22_low"], weight_dtype="default")[0]
    guiders = [graph.add("BasicGuider", model=model, conditioning=run.positive)[0] for model in (high, low)]
    experts = Experts(run, *guiders)
    measured = experts.measure(reference_steps=4, grid_points=8)
    planned = experts.plan(measured[0], measured[1], steps=4)

    applied = [
        graph.add("CoTjApplyPlan", model=model, plan=planned[output if link == "SIGMAS" else 5])
        for model, output in ((high, 1), (low, 2))
    ]

    def ksampler(model, latent, first):
        return graph.add(
            "KSamplerAdvanced",
            model=model[0],
            add_noise="enable" if first else "disable",
            noise_seed=seed,
            steps=planned[3],
            cfg=1.0,
            sampler_name="euler",
            scheduler="simple",
            positive=run.positive,
            negative=run.negative,
            latent_image=latent,
            start_at_step=0 if first else planned[4],
            end_at_step=planned[4] if first else 10000,
            return_with_leftover_noise="enable" if first else "disable",
        )[0]

    handed_over = ksampler(applied[0], run.latent, True)
    custom, advanced, high_alone = experts.latents(
        client,
        experts.sample(planned[1], planned[2]),
        ksampler(applied[1], handed_over, False),
        experts._sampler(guiders[0], run.noise, planned[0], run.latent),
    )
    np.testing.assert_allclose(advanced, custom, atol=1e-4)
    assert np.abs(high_alone - custom).max() > 1e-2
    for node, side in zip(applied, ("high-noise expert, which runs the part above", "low-noise expert")):
        assert (side in client.texts[node.id]) == (link == "PLAN")
    assert 0.875 in numbers(shown(client, graph, planned[1])[0])


def refusal(client, server, graph, output, *words):
    graph.show(output)
    with server.expect_traceback(words[0]), pytest.raises(NodeError) as failure:
        client.run(graph.nodes)
    for word in words:
        assert word in failure.value.message


def test_what_does_not_fit_is_refused(client, server):
    experts = Experts()
    ve = experts.graph.add("CoTjLoadDNA", name="expert ve")[0]
    words = "Plan Expert Sigmas, input 'dna_low'", "different kinds", "Connect those of one pair of experts."
    refusal(client, server, experts.graph, experts.plan(low=ve)[3], *words)
    experts = Experts()
    uncertain = experts.graph.add("CoTjLoadDNA", name="expert uncertain")[0]
    words = "Plan Expert Sigmas, input 'dna_low'", "Measure both alike."
    refusal(client, server, experts.graph, experts.plan(low=uncertain)[3], *words)
    experts = Experts()
    words = "Plan Expert Sigmas: the boundary 0.02", "Change the boundary, or the DNAs."
    refusal(client, server, experts.graph, experts.plan(boundary=0.02)[3], *words)
    experts = Experts()
    refusal(client, server, experts.graph, experts.plan(steps=50)[3], "Plan Expert Sigmas: 50 steps", "take fewer")
    experts = Experts()
    measured = experts.measure(boundary=0.001)
    refusal(client, server, experts.graph, measured[0], "Measure Expert DNAs, input 'boundary'", "not between")
    experts = Experts()
    experts.run.noise = experts.graph.add("DisableNoise")[0]
    refusal(client, server, experts.graph, experts.measure()[0], "Measure Expert DNAs, input 'noise'", "RandomNoise")
    experts = Experts()
    mask = experts.graph.add("SolidMask", value=1.0, width=256, height=256)[0]
    experts.run.latent = experts.graph.add("SetLatentNoiseMask", samples=experts.run.latent, mask=mask)[0]
    refusal(client, server, experts.graph, experts.measure()[0], "Measure Expert DNAs, input 'latent_image'", "mask")
    graph = Graph()
    flipped = graph.add("FlipSigmas", sigmas=graph.add("ManualSigmas", sigmas="1, 0.5, 0")[0])[0]
    parts = graph.add("CoTjSplitAtBoundary", sigmas=flipped, boundary=0.875)
    refusal(client, server, graph, parts[2], "Split Sigmas at Boundary, input 'sigmas'", "do not descend")


@pytest.mark.parametrize("broken", ["guider_high", "guider_low"])
def test_an_expert_whose_guess_is_not_finite_is_named(client, server, broken):
    graph = Graph()
    infinite = graph.add("LatentOperationTonemapReinhard", multiplier=0.0)[0]
    run = DemoRun(graph, cfg=3.0)
    other = DemoRun(graph, cfg=3.0, patch=("LatentApplyOperationCFG", {"operation": infinite}))
    guiders = {"guider_high": run.guider, "guider_low": run.guider} | {broken: other.guider}
    experts = Experts(run, *guiders.values())
    words = f"Measure Expert DNAs, input '{broken}'", "is not finite", "higher precision"
    refusal(client, server, graph, experts.measure()[0], *words)


def test_experts_of_two_kinds_are_refused(client, server):
    graph = Graph()
    run = DemoRun(graph, cfg=3.0)
    other = DemoRun(graph, patch=("ModelSamplingDiscrete", {"sampling": "eps", "zsnr": False}))
    experts = Experts(run, run.guider, other.guider)
    refusal(client, server, graph, experts.measure()[0], "Measure Expert DNAs, input 'guider_low'", "another kind")
