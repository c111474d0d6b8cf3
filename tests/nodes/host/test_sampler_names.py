"""A sampler has one name: that of ComfyUI's list, for whoever plans, searches or stores for it."""

import re

import numpy as np
import pytest
import torch
from cotj.harness.host_modules import import_host
from cotj.planner.solvers.planned import PlannedSolver

import_host()

import comfy.samplers  # noqa: E402
from cotj.nodes.host.planned_sampler import Source, planned_sampler  # noqa: E402
from cotj.nodes.host.sampler_names import as_meta, sampler_name, sampler_with_options  # noqa: E402
from cotj.nodes.host.ucgm_sampler import sample_ucgm  # noqa: E402
from cotj.planner.solvers.formulas import solver_of  # noqa: E402


@pytest.mark.parametrize("name", comfy.samplers.SAMPLER_NAMES)
def test_every_sampler_of_comfyui_has_its_name_there(name):
    sampler = comfy.samplers.sampler_object(name)
    assert sampler_name(sampler) == sampler_with_options(sampler) == ("euler" if name == "ddim" else name)


@pytest.mark.parametrize("kappa", [None, 0.4])
def test_ucgm_has_the_name_that_its_steps_are_planned_by_whatever_its_options(kappa):
    sampler = comfy.samplers.KSAMPLER(sample_ucgm, {"kappa": kappa})
    assert sampler_name(sampler) == "ucgm" and solver_of("ucgm") is not None
    assert sampler_with_options(sampler) == ("ucgm" if kappa is None else "ucgm (kappa 0.4)")


def test_options_are_told_apart_and_no_part_of_the_name():
    sampler = comfy.samplers.ksampler("dpm_adaptive", {"order": 3, "rtol": 0.05})
    assert sampler_name(sampler) == "dpm_adaptive"
    assert sampler_with_options(sampler) == "dpm_adaptive (order 3, rtol 0.05)"


def test_many_options_are_named_by_a_fingerprint():
    def named(**options):
        return sampler_with_options(
            comfy.samplers.KSAMPLER(comfy.samplers.sampler_object("euler").sampler_function, options)
        )

    many = {f"option_{number}": number / 7 for number in range(40)}
    name = named(**many)
    assert re.fullmatch(r"euler \(options \w{8}\)", name) and name == named(**many)
    assert len({name, named(**many | {"option_3": 0.5}), named(curve=[1.0, 2.0]), named(curve=[1.0, 3.0])}) == 4
    solvers = [
        PlannedSolver(np.array([1.0, 0.5, 0.0]), np.array([[[share], [0.0]]]), "euler", "flow") for share in (0, 0.1)
    ]
    assert sampler_with_options(planned_sampler(solvers[0])) != sampler_with_options(planned_sampler(solvers[1]))


def test_what_is_another_in_every_run_is_no_option():
    """As RES4LYF's samplers keep it: what was learned of a sampler holds for every seed."""

    def named(seed, weights=0.5, start=True):
        noise = torch.randn((1, 4, 8, 8), generator=torch.Generator().manual_seed(seed))
        options = {"noise_seed": seed, "noise_initial": noise, "weights": torch.full((5,), weights)}
        sampler = comfy.samplers.ksampler("euler", options)
        return sampler_with_options(sampler, torch.zeros(1, 4, 8, 8) if start else None)

    assert named(1) == named(2) != named(1, weights=0.6)
    assert named(1, start=False) != named(2, start=False), "it may be anything"
    assert sampler_with_options(comfy.samplers.ksampler("euler", {"seed": 7})) == "euler"


def test_a_sampler_is_told_by_what_it_wraps():
    """As Detail Daemon's, which are given a SAMPLER and call its function themselves."""

    def sample_wrapped(model, x, sigmas, *, wrapped, **options): ...

    def named(wrapped):
        return sampler_with_options(comfy.samplers.KSAMPLER(sample_wrapped, {"wrapped": wrapped}))

    inner = [comfy.samplers.ksampler("lms", {"order": order}) for order in (3, 4)]
    inner += [comfy.samplers.sampler_object(name) for name in ("euler", "uni_pc", "uni_pc_bh2")]
    assert len({named(wrapped) for wrapped in inner}) == len(inner)
    assert named(comfy.samplers.sampler_object("uni_pc")) == named(comfy.samplers.sampler_object("uni_pc"))


def test_where_a_planned_solver_comes_from_is_no_part_of_its_name():
    """What Cache Steps has learned of its runs is found again, whichever node gives it."""
    solver = PlannedSolver.of_formula("dpmpp_2m", [1.0, 0.6, 0.3, 0.0])
    named = {
        sampler_with_options(planned_sampler(solver, source)) for source in (None, Source({"model": "x"}, "7", ""))
    }
    assert len(named) == 1


def test_what_a_file_fits_is_compared_as_what_a_dna_was_measured_with():
    fits = {"model": "SD3", "sampler": "euler", "guider": "CFGGuider", "latent_shape": [[16, 32, 24], [8, 4]]}
    assert as_meta(fits) == {"model": "SD3", "latent_shape": [[1, 16, 32, 24], [1, 8, 4]]}
    for damaged in ({}, {"latent_shape": 5}, {"latent_shape": None}):
        assert as_meta(damaged) == {"latent_shape": []}


def test_a_sampler_of_another_pack_has_the_name_of_its_function_or_class():
    def sample_sideways(): ...

    class Backwards(comfy.samplers.Sampler): ...

    assert sampler_name(comfy.samplers.KSAMPLER(sample_sideways)) == "sideways"
    assert sampler_name(Backwards()) == "Backwards"
