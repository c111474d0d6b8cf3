"""What the runs of a model with a plan say, without a model."""

import torch
from cotj.harness.host_modules import import_host

import_host()

import comfy.samplers  # noqa: E402
import numpy as np  # noqa: E402
from comfy.model_sampling import CONST  # noqa: E402
from cotj.nodes.host import follow_plan  # noqa: E402
from cotj.nodes.host.planned_sampler import planned_sampler  # noqa: E402
from cotj.planner import DiffusionDNA, plan_fixed  # noqa: E402
from cotj.planner.solvers.planned import PlannedSolver  # noqa: E402

SIGMAS = np.array([1.0, 0.8, 0.5, 0.2, 0.0])


class Sampling(CONST):
    sigma_min, sigma_max = torch.tensor(0.001), torch.tensor(1.0)


class Executor:
    """The host's run: notes what it is asked to run."""

    def __init__(self):
        self.class_obj = self.model_patcher = self

    def get_model_object(self, _):
        return Sampling()

    def __call__(self, noise, latent_image, sampler, sigmas):
        self.sampler, self.sigmas = sampler, sigmas.numpy()
        return latent_image


def run(monkeypatch, sampler, asked):
    told, executor = [], Executor()
    monkeypatch.setattr(follow_plan, "show_text", lambda text, _: told.append(text))
    applied = follow_plan.AppliedPlan(torch.from_numpy(SIGMAS).float(), "1", sampler)
    applied._sample(executor, torch.ones(1, 4), torch.zeros(1, 4), comfy.samplers.sampler_object("euler"), asked)
    return executor, told[0]


def test_a_samplers_own_run_is_swapped_and_said(monkeypatch):
    planned = planned_sampler(PlannedSolver.of_formula("dpmpp_2m", SIGMAS))
    executor, told = run(monkeypatch, planned, torch.tensor([1.0, 0.6, 0.3, 0.0]))
    assert executor.sampler is planned
    np.testing.assert_allclose(executor.sigmas, SIGMAS)
    assert "the planned solver ran in place of euler" in told and "4 steps ran: 1, 0.8, 0.5, 0.2, 0" in told
    other = comfy.samplers.sampler_object("dpmpp_2m")
    assert "\ndpmpp_2m ran in place of euler" in run(monkeypatch, other, torch.tensor([1.0, 0.0]))[1]
    assert "in place of" not in run(monkeypatch, None, torch.tensor([1.0, 0.0]))[1]


def test_steps_above_where_a_run_starts_are_counted(monkeypatch):
    executor, told = run(monkeypatch, None, torch.tensor([0.5, 0.3, 0.0]))
    np.testing.assert_allclose(executor.sigmas, [0.5, 0.2, 0])
    assert "2 of the 4 planned steps lie above where this run starts and do not run: plan with its denoise" in told
    for whole_or_handed_over in ([1.0, 0.5, 0.0], [1.0, 0.5]):
        assert "planned steps lie above" not in run(monkeypatch, None, torch.tensor(whole_or_handed_over))[1]


def test_a_part_keeps_a_planned_solvers_sigmas_where_they_are(monkeypatch):
    planned = planned_sampler(PlannedSolver.of_formula("dpmpp_2m", SIGMAS))
    part = torch.tensor([1.0, 0.9, 0.55])
    np.testing.assert_allclose(run(monkeypatch, planned, part)[0].sigmas, [1, 0.8, 0.55])
    np.testing.assert_allclose(run(monkeypatch, None, part)[0].sigmas, [1, 0.8, 0.55])
    below = torch.tensor([0.55, 0.0])
    np.testing.assert_allclose(run(monkeypatch, planned, below)[0].sigmas, [0.55, 0.5, 0.2, 0])
    np.testing.assert_allclose(run(monkeypatch, None, below)[0].sigmas, [0.55, 0.2, 0])


def test_a_plan_says_that_it_starts_lower_only_where_it_was_planned_so():
    times = np.arange(1, 21) / 20
    dna, top = DiffusionDNA(times, times**3), torch.tensor([1.0, 0.0])

    def said(plan, asked=top):
        return list(follow_plan._starts_lower(plan, torch.from_numpy(plan.sigmas).float(), asked, "flow"))

    part = plan_fixed(dna, 3, denoise=0.3)
    [line] = said(part)
    assert line.startswith("The plan starts at 0.3, as for image to image, though this run starts with an empty latent")
    assert said(part, torch.tensor([0.3, 0.0])) == []
    skips = plan_fixed(DiffusionDNA(times, np.where(times > 0.7, 1.0, 0.1 * times)), 3, start="free")
    assert skips.sigmas[0] < 0.9 and said(skips) == []
