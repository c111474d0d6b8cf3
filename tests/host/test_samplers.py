"""What the pack says about the host's samplers is what they do."""

import subprocess
import sys

import pytest
from cotj.planner.solvers.behaviour import SAMPLERS, Behaviour, calls_of, formula, is_ancestral, warning

MEASURE = """
import sys
sys.path.insert(0, {harness!r})
from environment import load_pack
sys.path.pop(0)
load_pack()
from cotj.benchmarks import samplers
{planted}
sys.exit(samplers.main([]))
"""


def measured(root, planted=""):
    """The benchmark in a process of its own: it loads the host's modules into it."""
    source = MEASURE.format(harness=str(root / "harness"), planted=planted)
    return subprocess.run([sys.executable, "-W", "ignore", "-c", source], cwd=root, capture_output=True, text=True)


def test_the_table_and_the_help_pages_are_current(root):
    run = measured(root)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "| euler, ddim | N | first-order | no | is run as planned |" in run.stdout


def test_a_sampler_that_changed_is_found(root):
    run = measured(root, "samplers.comfy.samplers.SAMPLER_NAMES = ['euler', 'heun']; samplers.SAMPLERS.pop('heun')")
    assert run.returncode == 3, run.stdout + run.stderr  # the sampler, and both pages that then hold too much
    assert "nodes/samplers.py has heun: None" in run.stdout
    assert "web/docs/CoTjPlanSigmas/zh.md does not hold the table" in run.stdout


def test_only_samplers_that_run_a_plan_as_planned_get_no_warning():
    silent = {kind: {name for name in SAMPLERS if warning(name, kind) is None} for kind in ("flow", "ve")}
    assert silent["flow"] == {"euler", "ddim", "euler_ancestral"}
    assert silent["ve"] == silent["flow"] | {"ddpm"}


@pytest.mark.parametrize(
    ("sampler", "words"),
    [
        ("heun", "2N - 1 times"),
        ("dpmpp_2m", "builds on earlier steps"),
        ("dpm_adaptive", "chooses its noise levels itself"),
        ("lcm", "in another way than euler"),
        ("of another pack", "no sampler that was measured"),
    ],
)
def test_a_warning_says_what_is_different(sampler, words):
    said = warning(sampler, "flow")
    assert said and words in said and sampler in said


def test_the_ancestral_lever_is_for_those_that_step_so():
    assert is_ancestral("euler_ancestral", "flow") and is_ancestral("euler_ancestral", "ve")
    assert is_ancestral("ddpm", "ve") and not is_ancestral("ddpm", "flow")
    assert not is_ancestral("euler", "flow") and not is_ancestral("of another pack", "ve")


def test_calls_are_written_as_a_formula():
    assert [formula(Behaviour(calls=calls)) for calls in [(1, 0), (2, -1), None]] == ["N", "2N - 1", ""]


@pytest.mark.parametrize(
    ("sampler", "steps", "calls"),
    [("euler", 8, 8), ("heun", 8, 15), ("heunpp2", 1, 1), ("dpm_adaptive", 8, 8), ("of another pack", 8, 8)],
)
def test_the_calls_of_a_run_are_known_beforehand(sampler, steps, calls):
    assert calls_of(sampler, steps) == calls
