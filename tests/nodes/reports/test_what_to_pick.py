"""The table of what to pick: its figures are those of the results files, and the text says no more than it knows."""

import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cotj.nodes.reports.what_to_pick import (
    CACHE,
    CELLS,
    MEASURING,
    SAMPLER,
    SIGMAS,
    Range,
    what_to_pick,
    worth_a_search,
)
from cotj.planner import CoTj, DiffusionDNA, Smooth, Stages, plan_fixed

RESULTS = Path(__file__).parents[3] / "benchmarks" / "results"


def ranges(ratios):
    """From (model, key): ratios of cells to the lowest and highest model, each the geometric mean of its cells.

    What was measured on the mixture alone is left out: a trained network may be otherwise.
    """
    by_key, trained = defaultdict(list), set()
    for (model, key), cells in ratios.items():
        by_key[key].append(float(np.exp(np.log(cells).mean())))
        trained |= set() if model.startswith("mixture") else {key}
    return {key: Range(round(min(means), 2), round(max(means), 2)) for key, means in by_key.items() if key in trained}


def of_sampler():
    """By k: planned samplers of 64 runs, to the default."""
    ratios, calls = defaultdict(list), {}
    for model in ("demo", "mixture", "hsc", "ztf"):
        for line in (RESULTS / "solvers" / f"{model}.txt").read_text(encoding="utf-8").splitlines():
            columns = re.match(
                r".*guidance \d +(\d+)  .+? ([\d.]+) +\d+ calls: \S+ / \S+ \w+ +(\d+) calls: ([\d.]+)", line
            )
            if columns:
                k, default, spent, learned = columns.groups()
                ratios[model, int(k)].append(float(learned) / float(default))
                calls[int(k)] = int(spent)
    return ranges(ratios), calls


def of_sigmas():
    """By formula and k: plans of `auto`, to the simple schedule with the same sampler."""
    ratios = defaultdict(list)
    for file in ("demo", "mixture", "opened"):
        own = False
        for line in (RESULTS / "auto" / file / "reachability.txt").read_text(encoding="utf-8").splitlines():
            if "; distance from" in line:
                own, model = "the model's own long run" in line, line.partition(", guidance")[0]
            columns = re.match(r"(\w+) +(\d+)  .+?  +[\d.e-]+ +([\d.]+) +[\d.]+ +([\d.]+) +[\d.-]+ +\d+%", line)
            if own and columns:
                sampler, k, simple, auto = columns.groups()
                ratios[model, (sampler, int(k))].append(float(auto) / float(simple))
    return ranges(ratios)


def of_cache():
    """By sampler and k: planned caches of 50 steps learned from one run, to the best plain shift of k steps."""
    ratios = defaultdict(list)
    both = [f"{model}-{kind}" for model in ("mixture", "hsc", "ztf") for kind in ("flow", "eps")]
    for model in ("demo", "demo-dpmpp_2m", "demo-eps", *both):
        own = False
        for line in (RESULTS / "caching" / f"{model}.txt").read_text(encoding="utf-8").splitlines():
            if line.startswith("Guidance"):
                own = ", reference own: mean / median" in line
            elif own and line.startswith("sampler"):
                assert re.search(
                    r"planned cache +planned cache, 1 run .*best plain shift  predicted: cache +plan$", line
                )
            elif own and re.match(r"\w+ +50 ", line):
                sampler, _, k = line.split()[:3]
                # Columns that are full are one space apart, so that they are told by what stands in them.
                _, learned, *_, shift = re.findall(r"(\S+) / \S+", line)
                means = [float(learned), float(shift)]
                ratios[model, (sampler, int(k))].append(means[0] / means[1])
    return ranges(ratios)


def test_the_figures_are_those_of_the_results():
    learned, calls = of_sampler()
    assert {k: (learned[k], calls[k]) for k in learned} == SAMPLER
    assert of_sigmas() == {(name, k): ratio for name, table in SIGMAS.items() for k, ratio in table.items()}
    assert of_cache() == {(name, k): ratio for name, table in CACHE.items() for k, ratio in table.items()}


def test_the_readmes_table_is_of_the_same_figures():
    text = (RESULTS.parents[1] / "README.md").read_text(encoding="utf-8")
    [head] = [line for line in text.splitlines() if line.startswith("| k = |")]
    at = [int(column) for column in re.findall(r"\d+", head)]
    rows = {
        "**Planned Sampler**": {k: ratio for k, (ratio, _) in SAMPLER.items()},
        "**Cache Steps**, Euler": CACHE["euler"],
        "`auto`, Euler": SIGMAS["euler"],
    }
    for name, table in rows.items():
        figures = [f"{table[k].low:g} to {table[k].high:g}" if k in table else "" for k in at]
        assert re.sub(" +", " ", f"| {name} | {' | '.join(figures)} |") in text
    spent = [SAMPLER[k][1] for k in at if k in SAMPLER]
    assert f"| {min(spent):,} to {max(spent):,} calls |" in text
    assert f"| one run of {CELLS} steps |" in text and f"| {MEASURING} calls a run, of 32 or more |" in text


def test_what_it_says_of_the_planned_sampler_is_so():
    """No nearer than the best in hindsight on two of four models: the 64 runs of each file's summary."""
    means = {}
    for model in ("demo", "mixture", "hsc", "ztf"):
        text = (RESULTS / "solvers" / f"{model}.txt").read_text(encoding="utf-8")
        means[model] = float(re.search(r"^64 runs +([\d.]+)", text, flags=re.M)[1])
    assert sum(round(mean, 1) >= 1 for mean in means.values()) == 2


def planned(steps, sampler, planner="smooth", meta=None, fell_back=False):
    dna = DiffusionDNA(np.linspace(0.01, 1, 50), np.linspace(0.01, 1, 50) ** 3, meta=meta or {})
    plan = plan_fixed(dna, steps, planner=CoTj())
    named = {"smooth": Smooth(sampler), "cotj": CoTj(), "stages": Stages()}[planner]
    return replace(plan, sampler=sampler, planner=named, fell_back=fell_back)


def test_it_answers_for_the_calls_and_sampler_that_are_asked_for():
    text = what_to_pick(planned(10, "euler"))
    assert text.startswith("With 10 calls: Planned Sampler if you can spend 14,720 calls once, else Cache Steps if you")
    assert "0.06 to 0.22 of the default's mean error" in text and "0.45 to 1.1 of the error" in text
    assert "this plan" in what_to_pick(planned(10, "dpmpp_2m")).splitlines()[0]
    assert "this plan" not in text, "plans that were measured to be worse on a model are no pick"
    head, *lines = what_to_pick(planned(6, "dpmpp_2m")).splitlines()
    assert "Cache Steps" not in head and any("Cache Steps" in line for line in lines), "nor are such caches"


@pytest.mark.parametrize(
    "other",
    [
        {"planner": "cotj"},
        {"planner": "stages"},
        {"fell_back": True},
        {"meta": {"predictor": {}}},
        {"meta": {"sources": [{"model": "SD3"}, {"predictor": {}}]}},
    ],
)
def test_figures_of_plans_are_given_for_plans_of_their_kind_alone(other):
    text = what_to_pick(planned(8, "euler", **other))
    assert "this plan" not in text and "- Plan CoTj Sigmas" not in text
    assert "Planned Sampler if" in text


@pytest.mark.parametrize(("calls", "sampler"), [(1, "euler"), (50, "euler"), (50, "heun"), (2, "of another pack")])
def test_where_nothing_was_measured_nothing_is_claimed(calls, sampler):
    text = what_to_pick(planned(calls, sampler))
    assert len(text.splitlines()) == 1 and not re.search(r"\d\.\d", text)


def test_figures_of_a_number_near_by_name_it():
    text = what_to_pick(planned(9, "dpmpp_2m"))
    assert text.startswith("With 9 calls: ")
    assert "with 8 calls" in text or "with 10 calls" in text


def test_a_search_is_worth_what_was_measured_near_by():
    assert "Planned samplers of 4 calls measured 0.18 to 0.63" in worth_a_search(4)
    assert "of 10 calls measured 0.06" in worth_a_search(11)
    assert worth_a_search(30) == ""
