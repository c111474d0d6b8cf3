import dataclasses

import numpy as np
import pytest
from cotj.planner import DiffusionDNA, TimeShift, flow_to_sigma, mean_dna, profile_of, sigma_to_flow
from cotj.planner.dna import lost_in_mean

GRID = [0.25, 0.5, 1.0]


def test_arrays_are_read_only_float64_copies():
    sigmas = np.array(GRID, dtype=np.float32)
    dna = DiffusionDNA(sigmas, [1, 2, 3], times=GRID)
    sigmas[0] = 0.1
    assert dna.sigmas.tolist() == GRID
    for array in (dna.sigmas, dna.errors, dna.times):
        assert array.dtype == np.float64
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        DiffusionDNA(GRID, [1, 2, 3]).kind = "ve"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sigmas": [0.5, 0.5, 1]}, "sigmas must be strictly ascending, but entry 1"),
        ({"sigmas": [1, 0.5, 0.25]}, "sigmas must be strictly ascending"),
        ({"sigmas": [0, 0.5, 1]}, "sigmas must be positive, but entry 0"),
        ({"sigmas": [0.25, np.nan, 1]}, "sigmas must be finite, but entry 1"),
        ({"sigmas": [0.5, 1, 14.6]}, "sigmas of a flow model"),
        ({"sigmas": [1.0], "errors": [1.0]}, "sigmas must be at least 2"),
        ({"sigmas": [GRID]}, "sigmas must be one-dimensional"),
        ({"sigmas": "abc"}, "sigmas must be numbers"),
        ({"errors": [1, 2]}, "errors must be as many"),
        ({"errors": [1, -1e-9, 3]}, "errors must be at least 0, but entry 1"),
        ({"errors": [1, 2, np.inf]}, "errors must be finite, but entry 2"),
        ({"errors": None}, "errors must be"),
        ({"times": [0.1, 0.2]}, "times must be as many"),
        ({"times": [0.1, 0.3, 0.2]}, "times must be strictly ascending"),
        ({"times": [0, 0.3, 0.5]}, "times must be positive"),
        ({"times": GRID, "shift": TimeShift("static", 3.0)}, "times are not those"),
        ({"kind": "edm"}, "'edm'"),
        ({"kind": "ve", "shift": TimeShift("static", 3.0)}, "flow model"),
    ],
)
def test_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        DiffusionDNA(**{"sigmas": GRID, "errors": [1, 2, 3], **arguments})


def test_times_come_from_the_shift():
    u = np.array([0.1, 0.5, 1.0])
    shift = TimeShift("static", 3.0)
    dna = DiffusionDNA(shift.sigmas(u), [1, 2, 3], shift=shift)
    assert dna.times == pytest.approx(u, abs=1e-12)
    assert dataclasses.replace(dna, errors=[3, 2, 1]).times == pytest.approx(u, abs=1e-12)


@pytest.mark.parametrize(("kind", "expected"), [("flow", [0.5, 1]), ("ve", [1 / 3, 1 / 2])])
def test_flow_times(kind, expected):
    dna = DiffusionDNA([0.5, 1], [1, 2], kind=kind)
    assert dna.flow_times == pytest.approx(expected)
    assert flow_to_sigma(sigma_to_flow(dna.sigmas, kind), kind) == pytest.approx(dna.sigmas)


def test_errors_between_nodes_are_log_linear_in_flow_time_and_clamped():
    dna = DiffusionDNA([0.25, 1.0], [1.0, 4.0], kind="ve")
    assert dna.errors_at([0.01, 0.2, 0.35, 0.5, 0.9]) == pytest.approx([1, 1, 2, 4, 4])
    assert DiffusionDNA([0.5, 1], [0, 1]).errors_at([0.5, 1]).tolist() == [0, 1]


def test_times_between_nodes():
    assert DiffusionDNA(GRID, [1, 2, 3], times=[0.2, 0.4, 1]).times_at([0, 0.125, 0.75]) == pytest.approx([0, 0.1, 0.7])
    shift = TimeShift("static", 3.0)
    assert DiffusionDNA(GRID, [1, 2, 3], shift=shift).times_at(0.6) == pytest.approx(shift.times(0.6))
    with pytest.raises(ValueError, match="no schedule times"):
        DiffusionDNA(GRID, [1, 2, 3]).times_at(0.5)


def test_a_new_node_lies_on_the_interpolation():
    dna = DiffusionDNA(GRID, [1, 4, 9], times=[0.2, 0.4, 1], meta={"model": "m"})
    finer, index = dna.with_node(0.75)
    assert index == 2
    assert finer.sigmas.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert finer.errors == pytest.approx([1, 4, 6, 9])
    assert finer.times == pytest.approx([0.2, 0.4, 0.7, 1])
    assert finer.meta == dna.meta


@pytest.mark.parametrize("flow_time", [0.5, 0.5 + 1e-8])
def test_a_node_that_a_sampler_could_not_tell_apart_is_not_added(flow_time):
    dna = DiffusionDNA(GRID, [1, 4, 9])
    assert dna.with_node(flow_time) == (dna, 1)


def test_mean_on_one_grid():
    shift = TimeShift("static", 3.0)
    dnas = [DiffusionDNA(GRID, errors, shift=shift, meta={"prompt": str(errors)}) for errors in ([1, 2, 3], [3, 4, 0])]
    mean = mean_dna(dnas)
    assert mean.errors.tolist() == [2, 3, 1.5]
    assert mean.sigmas.tolist() == GRID
    assert mean.shift == shift
    assert mean.meta == {"sources": [{"prompt": "[1, 2, 3]"}, {"prompt": "[3, 4, 0]"}]}


def test_mean_on_two_grids_reads_the_second_on_the_first():
    mean = mean_dna([DiffusionDNA(GRID, [1, 1, 1]), DiffusionDNA([0.25, 0.75], [1, 9])])
    assert mean.sigmas.tolist() == GRID
    assert mean.errors == pytest.approx([1, 2, 5])


def test_mean_keeps_only_times_that_all_agree_on():
    timed = DiffusionDNA(GRID, [1, 2, 3], times=[0.2, 0.4, 1])
    other = DiffusionDNA([0.25, 1.0], [1, 2], times=[0.2, 1])
    assert mean_dna([timed, timed]).times.tolist() == timed.times.tolist()
    assert mean_dna([timed, other]).times is None
    assert mean_dna([timed, DiffusionDNA(GRID, [1, 2, 3])]).times is None
    shifted = [DiffusionDNA(GRID, [1, 2, 3], shift=TimeShift("static", s)) for s in (2.0, 3.0)]
    assert mean_dna(shifted).shift is None
    assert mean_dna(shifted).times is None


@pytest.mark.parametrize("kind", ["flow", "ve"])
def test_a_rounding_error_of_sigmas_costs_a_mean_nothing(kind):
    run = np.random.default_rng(0).standard_normal((2, 3, 1, 4))
    rounded = np.array(GRID) - [0, 6e-8, 0]
    one, other = (
        DiffusionDNA(sigmas, [1, 2, 3], kind=kind, profile=profile_of(sigmas, run[0], run[1], run[1, 0], kind))
        for sigmas in (np.array(GRID), rounded)
    )
    mean = mean_dna([one, other])
    assert mean.profile.runs == 2 and mean.errors.tolist() == [1, 2, 3]
    assert lost_in_mean([one, other]) == []
    apart = dataclasses.replace(one, profile=profile_of(rounded - [0, 1e-4, 0], run[0], run[1], run[1, 0], kind))
    assert mean_dna([one, apart]).profile is None


def test_what_a_mean_drops_is_said():
    run = np.random.default_rng(0).standard_normal((2, 3, 1, 4))
    whole = DiffusionDNA(
        GRID,
        [1, 2, 3],
        shift=TimeShift("static", 3.0),
        power=1.0,
        profile=profile_of(GRID, run[0], run[1], run[1, 0]),
    )
    assert lost_in_mean([whole, whole]) == []
    bare = dataclasses.replace(whole, profile=None, power=None, shift=None, times=None)
    lines = lost_in_mean([whole, bare])
    assert [line.split(" is dropped")[0] for line in lines] == [
        "The trajectory profile",
        "The time shift",
        "The power of the clean latents",
    ]
    assert "1 of 2 DNAs have none" in lines[0]
    shorter = profile_of(GRID[1:], run[0, 1:], run[1, 1:], run[1, 0])
    [line] = lost_in_mean([whole, dataclasses.replace(whole, profile=shorter)])
    assert "their long runs are not at the same noise levels" in line
    assert lost_in_mean([bare, bare]) == []


def test_mean_refuses():
    with pytest.raises(ValueError, match="at least one"):
        mean_dna([])
    with pytest.raises(ValueError, match="flow, ve"):
        mean_dna([DiffusionDNA(GRID, [1, 2, 3]), DiffusionDNA(GRID, [1, 2, 3], kind="ve")])


@pytest.mark.parametrize("shift", [None, TimeShift("static", 3.0)])
def test_the_part_up_to_a_flow_time(shift):
    dna = DiffusionDNA(np.linspace(0.1, 1, 10), np.linspace(0.1, 1, 10) ** 2, shift=shift)
    part = dna.up_to(0.55)
    np.testing.assert_allclose(part.sigmas, [0.1, 0.2, 0.3, 0.4, 0.5, 0.55])
    assert part.errors[-1] == pytest.approx(dna.errors_at(0.55))
    assert (part.times is None) == (shift is None)
    assert dna.up_to(1.0) is dna
    np.testing.assert_allclose(dna.up_to(0.5).sigmas, dna.sigmas[:5])
    with pytest.raises(ValueError, match="at least 2"):
        dna.up_to(0.1)
