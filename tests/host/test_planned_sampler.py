"""The planned sampler in a real host: on every kind of latent, in parts, from image to image, and under KSampler."""

import numpy as np
import pytest
import scipy.fft
from cotj.harness.client import NodeError
from cotj.nodes.optimizing import stored_search
from cotj.nodes.optimizing.stored_search import StoredSchedules
from cotj.planner.search import Objective, Trial
from cotj.planner.search_record import PairsOfSearch, SearchRecord
from cotj.planner.solver_record import SolverRecord, Stage
from cotj.planner.solvers.planned import PlannedSolver
from cotj.tests.host.workflows import DemoRun, Graph
from cotj.tests.small_models.run import SmallRun, install_for
from safetensors.numpy import load

pytestmark = pytest.mark.usefixtures("demo_models")

FLOW = np.array([1.0, 0.93, 0.8, 0.6, 0.3, 0.0])
VE = np.array([14.6146, 6.0, 2.5, 1.0, 0.3, 0.0])
TWO = np.array([1.0, 0.7, 0.0])


def put(server, name, solver, gains=True, **fits):
    """Store a solver as Optimize Sigmas does, and give its name back. fits: what else than the sampler it is for."""
    own, learned = (
        Trial(trial, np.ones(solver.steps), Objective(0.75), {pair: np.array([error]) for pair in range(4)})
        for trial, error in (("simple", 0.1), ("planned solver", 0.02 if gains else 0.2))
    )
    for trial in (own, learned):
        trial.forking = {pair: np.zeros(1) for pair in range(4)}
    record = SearchRecord(
        "tests",
        PairsOfSearch(1, 4, 1, 50, 1),
        candidates={"simple": own},
        best=own,
        sigmas=solver.sigmas.tolist(),
        solver=SolverRecord(4, own, Stage(solver, learned)),
    )
    key = {"latent_shape": [[16, 32, 32]], **fits, "sampler": solver.formula}
    stored_search.write(server.models / "cotj", name, StoredSchedules(key, {solver.steps: record}))
    return name


def learned(sigmas=FLOW, bands=4, kind="flow"):
    """Weights of the zero latent and of two guesses back, others in every band."""
    steps = len(sigmas) - 1
    weights = np.random.default_rng(0).uniform(-0.4, 0.4, (bands, steps, 3))
    weights[:, 0, 1:], weights[:, 1, 2] = 0, 0
    return PlannedSolver(sigmas, weights, "dpmpp_2m", kind)


class Runs:
    """Runs of one model, each saved; `ends` gives what they leave."""

    def __init__(self, run):
        self.run, self.graph, self.saved = run, run.graph, []

    def planned(self, name, steps):
        return self.graph.add("CoTjPlannedSampler", name=name, steps=steps)[0]

    def named(self, name):
        return self.graph.add("KSamplerSelect", sampler_name=name)[0]

    def manual(self, sigmas):
        return self.graph.add("ManualSigmas", sigmas=", ".join(f"{sigma:.9g}" for sigma in sigmas))[0]

    def sample(self, sampler, sigmas, latent=None, noise=None):
        inputs = {"guider": self.run.guider, "noise": noise or self.run.noise, "sampler": sampler, "sigmas": sigmas}
        return self.graph.add("SamplerCustomAdvanced", latent_image=latent or self.run.latent, **inputs)[0]

    def save(self, *latents):
        self.saved += [self.graph.add("SaveLatent", samples=latent, filename_prefix="planned") for latent in latents]

    def ends(self, client):
        self.result = client.run(self.graph.nodes)
        places = [self.result.outputs[node.id]["latents"][0] for node in self.saved]
        return [load(client.view(place))["latent_tensor"] for place in places]


def model_run(server, model):
    if model == "demo":
        return DemoRun(Graph(), batch=2)
    install_for(server.models, model)
    return SmallRun(Graph(), model)


@pytest.mark.parametrize("formula", ["euler", "dpmpp_2m"])
@pytest.mark.parametrize("model", ["demo", "sd15", "wan21", "ltx_av"])
def test_with_a_formulas_weights_it_is_the_hosts_own_sampler(client, server, model, formula):
    kind, sigmas = ("ve", VE) if model == "sd15" else ("flow", FLOW)
    solver = PlannedSolver.of_formula(formula, sigmas.astype(np.float32), kind)
    name = put(server, f"formula {kind} {formula}", solver)
    runs = Runs(model_run(server, model))
    ends = [runs.sample(sampler, runs.manual(sigmas)) for sampler in (runs.named(formula), runs.planned(name, 5))]
    if model == "ltx_av":
        apart = [runs.graph.add("LTXVSeparateAVLatent", av_latent=end) for end in ends]
        runs.save(apart[0][0], apart[1][0], apart[0][1], apart[1][1])
    else:
        runs.save(*ends)
    found = runs.ends(client)
    for expected, planned in zip(found[::2], found[1::2], strict=True):
        np.testing.assert_allclose(planned, expected, rtol=1e-3, atol=2e-4 * expected.std())


@pytest.mark.parametrize(("model", "bands"), [("demo", 4), ("wan21", 2)])
def test_weights_act_on_their_frequency_bands_alone(client, server, model, bands):
    """The last of two steps ends in the guesses themselves, so that what a weight adds is seen there."""
    runs = Runs(model_run(server, model))
    for number, amount in enumerate((None, 0, 1)):
        weights = np.zeros((bands, 2, 2))
        if amount is not None:
            weights[amount, 1, 1] = 0.5
        name = put(server, f"bands {model} {number}", PlannedSolver(TWO, weights))
        runs.save(runs.sample(runs.planned(name, 2), runs.manual(TWO)))
    without, finest, next_one = runs.ends(client)
    sides = without.shape[-2:]
    place = np.maximum.outer(*(np.arange(side) / side for side in sides))
    for band, one in ((0, finest), (1, next_one)):
        spectrum = np.square(scipy.fft.dctn(one - without, axes=(-2, -1), norm="ortho"))
        below = 0 if band == bands - 1 else 0.5 ** (band + 1)
        inside = (place >= below) & (place < 0.5**band)
        assert spectrum[..., inside].sum() > 0.999 * spectrum.sum() > 0


def test_a_latent_without_as_many_bands_is_run_with_the_mean_of_the_coarse_ones(client, server):
    install_for(server.models, "ltx_av")
    solver = learned()
    mean = PlannedSolver(FLOW, solver.weights.mean(axis=0, keepdims=True))
    runs = Runs(SmallRun(Graph(), "ltx_av"))
    for name in (put(server, "several bands", solver), put(server, "one band", mean)):
        video = runs.graph.add("LTXVSeparateAVLatent", av_latent=runs.sample(runs.planned(name, 5), runs.manual(FLOW)))
        runs.save(video[0], video[1])
    found = runs.ends(client)
    for several, one in zip(found[:2], found[2:]):
        np.testing.assert_allclose(several, one, rtol=1e-4, atol=1e-5)


def test_what_a_mask_keeps_stays_as_it_is(client, server):
    """Though a share of each guess is taken back, in frequency bands of their own, which reach across the mask."""
    runs = Runs(DemoRun(Graph()))
    image = runs.sample(runs.named("euler"), runs.manual(FLOW), noise=runs.graph.add("RandomNoise", noise_seed=76)[0])
    empty = runs.graph.add("SolidMask", value=0.0, width=256, height=256)[0]
    half = runs.graph.add("SolidMask", value=1.0, width=128, height=256)[0]
    mask = runs.graph.add("MaskComposite", destination=empty, source=half, x=0, y=0, operation="add")[0]
    masked = runs.graph.add("SetLatentNoiseMask", samples=image, mask=mask)[0]
    noise = runs.graph.add("RandomNoise", noise_seed=77)[0]
    planned = runs.planned(put(server, "masked", learned()), 5)
    runs.save(image, runs.sample(planned, runs.manual(FLOW), masked, noise))
    before, after = runs.ends(client)
    np.testing.assert_allclose(after[..., 20:], before[..., 20:], atol=1e-5)
    assert np.abs(after[..., :12] - before[..., :12]).max() > 0.1


def test_parts_and_image_to_image_run_its_own_steps(client, server):
    """With the formula's weights they are the host's own runs of the same sigmas, which know no more history."""
    name = put(server, "parts", PlannedSolver.of_formula("dpmpp_2m", FLOW.astype(np.float32)))
    runs = Runs(DemoRun(Graph()))
    none = runs.graph.add("DisableNoise")[0]
    image = runs.sample(runs.named("euler"), runs.manual(FLOW))
    for sampler in (runs.named("dpmpp_2m"), runs.planned(name, 5)):
        split = runs.graph.add("SplitSigmas", sigmas=runs.manual(FLOW), step=2)
        first = runs.sample(sampler, split[0])
        runs.save(runs.sample(sampler, split[1], latent=first, noise=none))
        runs.save(runs.sample(sampler, runs.manual([0.7, 0.6, 0.3, 0.0]), latent=image))
    expected_parts, expected_image, parts, from_image = runs.ends(client)
    np.testing.assert_allclose(parts, expected_parts, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(from_image, expected_image, rtol=1e-3, atol=1e-3)
    steps = [event["max"] for event in runs.result.of("progress")]
    assert {2, 3, 5} == set(steps)


def test_learned_weights_count_in_parts_where_their_guesses_are_there(client, server):
    name = put(server, "learned elsewhere", learned())
    formula = put(server, "its formula", PlannedSolver.of_formula("dpmpp_2m", FLOW))
    runs = Runs(DemoRun(Graph()))
    for sampler in (runs.planned(name, 5), runs.planned(formula, 5)):
        split = runs.graph.add("SplitSigmas", sigmas=runs.manual(FLOW), step=4)
        runs.save(runs.sample(sampler, split[0]), runs.sample(sampler, runs.manual([*FLOW[:3], 0])))
    long, short, long_formula, short_formula = runs.ends(client)
    assert np.abs(long - long_formula).max() > 0.01
    assert np.abs(short - short_formula).max() > 0.01


@pytest.mark.parametrize("other", [[1, 0.9, 0.8, 0.6, 0.3, 0], [1, 0.8, 0.3, 0], [1, 0.5, 0]])
def test_other_sigmas_are_refused_with_a_way_out(client, server, other):
    runs = Runs(DemoRun(Graph()))
    runs.save(runs.sample(runs.planned(put(server, "refusing", learned()), 5), runs.manual(other)))
    with server.expect_traceback("Planned Sampler"), pytest.raises(NodeError) as failure:
        runs.ends(client)
    assert "learned for the sigmas 1, 0.93" in failure.value.message
    assert "SIGMAS that come from the same node" in failure.value.message


def test_a_comparison_with_other_sigmas_is_refused_before_anything_runs(client, server):
    runs = Runs(DemoRun(Graph()))
    schedules = {"schedules.sigmas0": runs.manual(FLOW), "schedules.sigmas1": runs.manual([1, 0.5, 0])}
    links = {"guider": runs.run.guider, "noise": runs.run.noise, "latent_image": runs.run.latent} | schedules
    sampler = runs.planned(put(server, "compared", learned()), 5)
    node = runs.graph.add("CoTjCompareSchedules", labels="", reference_steps=77, sampler=sampler, **links)
    seen = []
    with server.expect_traceback("input 'sigmas1'"), pytest.raises(NodeError, match="learned for the sigmas 1, 0.93"):
        client.run(runs.graph.nodes, lambda at, value, most: seen.append(at))
    assert node.id not in seen


def test_a_model_of_the_other_kind_is_refused(client, server):
    runs = Runs(DemoRun(Graph()))
    runs.save(runs.sample(runs.planned(put(server, "eps", learned(kind="ve")), 5), runs.manual(FLOW)))
    with server.expect_traceback("Planned Sampler"), pytest.raises(NodeError, match="an eps, v or EDM model"):
        runs.ends(client)


def test_what_was_not_taken_is_no_planned_sampler(client, server):
    name = put(server, "not taken", learned(), gains=False)
    runs = Runs(DemoRun(Graph()))
    loaded = runs.graph.add("CoTjOptimizedSigmas", name=name, steps=5)
    runs.save(runs.sample(loaded[3], loaded[0]), runs.sample(runs.named("dpmpp_2m"), runs.manual(FLOW)))
    of_formula, expected = runs.ends(client)
    np.testing.assert_array_equal(of_formula, expected)
    runs.save(runs.sample(runs.planned(name, 5), runs.manual(FLOW)))
    with server.expect_traceback("did not surely gain"), pytest.raises(NodeError, match="Load Optimized Sigmas gives"):
        runs.ends(client)


def test_load_optimized_sigmas_gives_the_sampler_too(client, server):
    name = put(server, "loaded", learned())
    runs = Runs(DemoRun(Graph()))
    loaded = runs.graph.add("CoTjOptimizedSigmas", name=name, steps=5)
    runs.save(runs.sample(loaded[3], loaded[0]), runs.sample(runs.planned(name, 5), runs.manual(FLOW)))
    text = runs.graph.show(loaded[2])[0]
    both, apart = runs.ends(client)
    np.testing.assert_array_equal(both, apart)
    told = runs.result.outputs[text]["text"][0]
    assert "A planned solver was fitted to this schedule on 4 pairs" in told and "in 4 frequency bands" in told


def ksampler(runs, model, **options):
    defaults = {"steps": 20, "cfg": 1.0, "sampler_name": "euler", "scheduler": "simple"}
    return runs.graph.add(
        "KSamplerAdvanced" if "start_at_step" in options else "KSampler",
        model=model,
        positive=runs.run.positive,
        negative=runs.run.positive,
        **{"latent_image": runs.run.latent} | defaults | options,
    )[0]


def test_apply_swaps_the_sampler_under_ksampler(client, server):
    solver = learned()
    name = put(server, "applied", solver)
    runs = Runs(DemoRun(Graph(), seed=5))
    loaded = runs.graph.add("CoTjOptimizedSigmas", name=name, steps=5)
    applied = runs.graph.add("CoTjApplyPlan", model=runs.run.model, plan=loaded[0], sampler=loaded[3])
    runs.save(ksampler(runs, applied[0], seed=5, denoise=1.0), runs.sample(loaded[3], loaded[0]))
    high = {"add_noise": "enable", "start_at_step": 0, "end_at_step": 9, "return_with_leftover_noise": "enable"}
    low = {"add_noise": "disable", "start_at_step": 9, "end_at_step": 20, "return_with_leftover_noise": "disable"}
    first = ksampler(runs, applied[0], noise_seed=5, **high)
    runs.save(ksampler(runs, applied[0], noise_seed=5, latent_image=first, **low))
    followed, custom, handed_over = runs.ends(client)
    np.testing.assert_array_equal(followed, custom)
    assert np.isfinite(handed_over).all() and np.abs(handed_over - custom).mean() < np.abs(custom).mean()
    # The plan is cut at KSampler's own noise level, and none of its sigmas moves.
    totals = [event["max"] for event in runs.result.of("progress")]
    assert set(totals) == {5, 3}


def test_apply_refuses_sigmas_that_are_not_the_samplers(client, server):
    name = put(server, "applied elsewhere", learned())
    runs = Runs(DemoRun(Graph()))
    sampler = runs.planned(name, 5)
    applied = runs.graph.add("CoTjApplyPlan", model=runs.run.model, plan=runs.manual([1, 0.5, 0]), sampler=sampler)
    runs.save(ksampler(runs, applied[0], seed=5, denoise=1.0))
    with server.expect_traceback("input 'sampler'"), pytest.raises(NodeError, match="learned for the sigmas"):
        runs.ends(client)
