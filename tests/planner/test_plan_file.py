"""Plans in files and images: what is written is read back to the last bit, and what is broken says so."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from cotj.planner import (
    Constraints,
    CoTj,
    DiffusionDNA,
    Gits,
    Multistep,
    Propagated,
    Smooth,
    Stages,
    TimeShift,
    plan_adaptive,
    plan_fixed,
    plan_target,
    profile_of,
)
from cotj.planner.cost_models import smooth
from cotj.planner.image_texts import MOST_PARTS, PNG
from cotj.planner.plan_file import FORMAT, KEY, MAX_BYTES, SUFFIX, is_plan, read, to_json, write
from cotj.planner.plan_record import PlanRecord
from cotj.planner.solvers.planned import PlannedSolver
from cotj.tests.same import same
from PIL import Image
from PIL.PngImagePlugin import PngInfo

SIGMAS = np.linspace(0.02, 1, 24)


def dna(kind="flow", measure="error", profile=True):
    """A DNA whose shape makes plans that are not the model's own schedule, with the profile of a run on a curve."""
    sigmas = SIGMAS if kind == "flow" else SIGMAS * 14
    shift = TimeShift("static", 3.0) if kind == "flow" else None
    kept = None
    if profile and measure == "error":
        rng = np.random.default_rng(0)
        levels = np.linspace(0.05, 1, 16) * (1 if kind == "flow" else 14)
        final, noise = rng.standard_normal((2, 3, 40))
        times = (levels if kind == "flow" else levels / (1 + levels))[:, None, None]
        guesses = final * (1 - times**2) + 0.1 * np.sin(5 * times) * noise
        states = (1 - times) * guesses + times * noise if kind == "flow" else guesses + levels[:, None, None] * noise
        kept = profile_of(levels, states, guesses, final, kind, [np.arange(15), np.arange(15, 40)])
    meta = {"model": "SD3", "latent_shape": [[1, 16, 32, 32]], "guidance": {"cfg": 4.0}}
    return DiffusionDNA(sigmas, SIGMAS**3, None, kind, shift, 0.8, kept, measure, meta)


def made(plan):
    return replace(plan, reason="why\nso", sampler="dpmpp_2m")


PLANS = {
    "cotj": lambda: plan_fixed(dna(), 6),
    "free start": lambda: plan_fixed(dna(), 6, start="free"),
    "costed start": lambda: plan_fixed(dna(), 6, start="costed"),
    "schedule lever": lambda: plan_fixed(dna(), 6, CoTj("schedule")),
    "ancestral": lambda: plan_fixed(dna(), 6, CoTj(ancestral=True)),
    "no profile": lambda: plan_fixed(dna(profile=False), 6),
    "ve": lambda: plan_fixed(dna("ve"), 6),
    "ve, smooth, constrained": lambda: plan_fixed(dna("ve"), 6, Smooth("euler"), constraints=Constraints(visit=(3.3,))),
    "smooth": lambda: plan_fixed(dna(), 6, Smooth("dpmpp_2m")),
    "denoise": lambda: plan_fixed(dna(), 4, Smooth("dpmpp_2m"), denoise=0.61),
    "empty": lambda: plan_fixed(dna(), 4, denoise=0.0),
    "propagated": lambda: plan_fixed(dna(), 6, Propagated(), constraints=Constraints(visit=(0.777,))),
    "multistep": lambda: plan_fixed(dna(), 6, Multistep("res_multistep", distrust=4)),
    "gits": lambda: plan_fixed(dna(), 6, Gits("deviation", 1, "uni_pc")),
    "stages": lambda: plan_fixed(dna(measure="uncertainty"), 6, Stages(0.2), constraints=Constraints(visit=(0.333,))),
    "adaptive": lambda: plan_adaptive(dna(), 0.95, 10),
    "target": lambda: plan_target(dna(), 0.02, 10),
    "the model's own": lambda: plan_fixed(dna("ve"), 6, Smooth("euler"), fall_back=True),
}


def solver_for(sigmas, kind="flow"):
    steps = len(sigmas) - 1
    weights = np.random.default_rng(1).uniform(-0.4, 0.4, (3, steps, 3))
    weights[:, 0, 1:], weights[:, 1, 2] = 0, 0
    return PlannedSolver(sigmas, weights, "res_multistep", kind)


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_of_every_kind_is_read_back(tmp_path, name):
    plan = made(PLANS[name]())
    write(tmp_path / "new", "a", PlanRecord(plan))
    again = read(tmp_path / "new" / f"a{SUFFIX}")
    assert again.solver is None
    same(again.plan, plan)
    same(again.sigmas, plan.sigmas)
    assert plan.fell_back == (name == "the model's own")


def test_a_solver_is_read_back_with_its_plan_and_alone(tmp_path):
    plan = made(PLANS["smooth"]())
    solver, about = solver_for(plan.sigmas), {"model": "SD3", "latent_shape": [[1, 16, 32, 32]]}
    for name, given in (("both", plan), ("alone", None)):
        write(tmp_path, name, PlanRecord(given, solver, about, "what it gains"))
        again = read(tmp_path / f"{name}{SUFFIX}")
        same(again.solver, solver)
        same(again.plan, given)
        same(again.sigmas, plan.sigmas)
        assert (again.learned_on, again.text) == (about, "what it gains")


def test_what_does_not_belong_together_makes_no_record():
    plan = PLANS["cotj"]()
    with pytest.raises(ValueError, match="neither a plan nor"):
        PlanRecord()
    with pytest.raises(ValueError, match="cannot run"):
        PlanRecord(plan, solver_for(np.array([1.0, 0.7, 0.2, 0.0])))
    with pytest.raises(ValueError, match="different kinds"):
        PlanRecord(plan, solver_for(plan.sigmas, "ve"))


def saved(file, suffix, texts):
    """Save a picture as the host's nodes do, with these texts."""
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8))
    if suffix == "webp":
        exif = picture.getexif()
        for number, (name, text) in enumerate(texts.items()):
            exif[0x0110 - number] = f"{name}:{text}"
        picture.save(file, "webp", exif=exif, lossless=True)
        return
    info = PngInfo()
    for name, text in texts.items():
        if suffix == "apng":
            info.add(b"comf", name.encode() + b"\0" + text.encode(), after_idat=True)
        else:
            info.add_text(name, text)
    picture.save(file, "png", pnginfo=info, **({"save_all": True} if suffix == "apng" else {}))


@pytest.mark.parametrize("suffix", ["png", "apng", "webp"])
def test_a_plan_is_read_from_an_image_as_the_host_saves_it(tmp_path, suffix):
    plan = made(PLANS["smooth"]())
    # A prompt may tell of plans too, and is not taken for one.
    texts = {"prompt": json.dumps({"1": f"{KEY}:x"}), "workflow": json.dumps({"nodes": [KEY]})}
    path = tmp_path / "whatever.name"
    saved(path, suffix, texts)
    with pytest.raises(ValueError, match="whatever.name is no readable plan: no plan was written into this image"):
        read(path)
    saved(path, suffix, texts | {KEY: json.dumps(to_json(PlanRecord(plan)))})
    same(read(path).plan, plan)


def test_an_image_that_ends_early_says_so(tmp_path):
    file = io.BytesIO()
    saved(file, "png", {KEY: json.dumps(to_json(PlanRecord(PLANS["no profile"]())))})
    whole, path = file.getvalue(), tmp_path / "a.png"
    at = whole.index(KEY.encode())
    path.write_bytes(whole[: at + 200])
    with pytest.raises(ValueError, match="ends too early"):
        read(path)
    path.write_bytes(whole.replace(b'"reason": ""', b'"reason": " '))
    with pytest.raises(ValueError, match="damaged"):
        read(path)


def test_an_image_of_countless_parts_or_a_text_too_long_is_refused(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(PNG + (bytes(4) + b"IDAT" + bytes(4)) * (MOST_PARTS + 1))
    with pytest.raises(ValueError, match=f"more than {MOST_PARTS} parts"):
        read(path)
    text = KEY.encode() + bytes(MAX_BYTES + 100)
    path.write_bytes(PNG + len(text).to_bytes(4, "big") + b"tEXt" + text + bytes(4))
    with pytest.raises(ValueError, match="at most 4194304 are read"):
        read(path)


def content(**changes):
    found = to_json(PlanRecord(made(PLANS["cotj"]()), solver_for(PLANS["cotj"]().sigmas)))
    for where, value in changes.items():
        *path, last = where.split("__")
        at = found
        for name in path:
            at = at[name]
        at[last] = value
    return found


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "cotj-plan-3"}, f"its format is not '{FORMAT}'"),
        ({"plan": None, "solver": None}, "neither a plan nor a planned solver"),
        ({"plan__dna": "AAAA"}, "."),
        ({"plan__sigmas": [1.0, 0.5, 0.0]}, "3 sigmas and 6 nodes"),
        ({"plan__sigmas": [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.1]}, "single 0 at the end"),
        ({"plan__path": [1.0, 0.8, 0.7, 0.6, 0.5, 0.9]}, "does not lead down the 24 nodes"),
        ({"plan__path": [1.0, 0.8, 0.7, 0.6, 0.5, None]}, "its path is no number"),
        ({"plan__nodes": [2.0]}, "between 0 and the highest"),
        ({"plan__start": [[0.0]]}, "its starts cost are no numbers"),
        ({"plan__planner": {"name": "best"}}, "a planner is one of"),
        ({"plan__planner": {"name": "cotj", "lever": 3}}, "lever of the planner cotj is no str"),
        ({"plan__planner": {"name": "cotj", "more": 3}}, "more"),
        ({"plan__planner": {"name": "smooth", "sampler": "euler"}, "plan__dna": None}, "."),
        ({"plan__cost": float("inf")}, "its cost is no number"),
        ({"plan__threshold": True}, "its threshold is no number"),
        ({"plan__reason": ["x"]}, "its reason is no text"),
        ({"plan__fell_back": 1}, "whether it is the model's own"),
        ({"solver__formula": "dpm_2"}, "formula 'dpm_2'"),
        ({"solver__sigmas": [1.0, 0.0], "solver__weights_from_zero": [[[0.0]]]}, "cannot run"),
        ({"solver__learned_on": []}, "no table of names and values"),
        ({"solver__learned_on": {"sources": [1]}}, "source that is no dict"),
        ({"solver__text": None}, "its text is no text"),
    ],
)
def test_what_is_wrong_is_one_short_error(tmp_path, changes, message):
    path = tmp_path / f"{'long' * 30}{SUFFIX}"
    path.write_text(json.dumps(content()))
    assert read(path).plan.steps == 6
    path.write_text(json.dumps(content(**changes)))
    with pytest.raises(ValueError, match=message) as error:
        read(path)
    assert len(str(error.value)) <= 300
    assert str(error.value).startswith("longlong") and "Save Plan" in str(error.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "it is neither a PNG, a WebP nor a plan file"),
        (b"some notes", "it is neither a PNG, a WebP nor a plan file"),
        (b"", "it is neither a PNG, a WebP nor a plan file"),
        (b"[1]", "it is neither a PNG, a WebP nor a plan file"),
        (b'{"format": ', "its plan is no JSON, or only a part of it"),
        (b'{"format": "\xff"}', "its plan is no JSON, or only a part of it"),
    ],
)
def test_what_is_no_plan_says_what_it_is_to_be(tmp_path, data, message):
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    with pytest.raises(
        ValueError, match=f"^a.jpg is no readable plan: {message}. Choose a file of Save Plan, or an im"
    ):
        read(path)


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    path = tmp_path / f"a{SUFFIX}"
    path.write_bytes(b" " * (MAX_BYTES + 1))
    with pytest.raises(ValueError, match="at most 4194304 are read"):
        read(path)


def test_a_plan_that_could_not_be_read_is_not_written(tmp_path):
    levels = np.linspace(0.001, 1, 500)
    vectors = np.random.default_rng(0).standard_normal((1001, 1, 2))
    profile = profile_of(levels, vectors[:500], vectors[500:1000], vectors[1000])
    plan = plan_fixed(replace(dna(), profile=profile), 4)
    with pytest.raises(ValueError, match=r"the plan is no readable plan: .* at most 4194304 are read.*reference steps"):
        write(tmp_path, "a", PlanRecord(plan))
    assert list(tmp_path.iterdir()) == []


def test_a_plan_replaces_a_plan_alone(tmp_path):
    record, path = PlanRecord(PLANS["no profile"]()), tmp_path / f"a{SUFFIX}"
    path.write_text("notes of mine")
    with pytest.raises(FileExistsError):
        write(tmp_path, "a", record)
    assert path.read_text() == "notes of mine" and not is_plan(path)
    path.unlink()
    for _ in range(2):
        write(tmp_path, "a", record)
    assert is_plan(path) and not is_plan(tmp_path / "missing")


def test_a_plan_whose_planner_has_other_nodes_by_now_keeps_its_sigmas(tmp_path, monkeypatch):
    plan = made(plan_fixed(dna(), 6, Smooth("dpmpp_2m"), start="costed"))
    write(tmp_path, "a", PlanRecord(plan))
    monkeypatch.setattr(smooth, "NODES", smooth.NODES + 7)
    again = read(tmp_path / f"a{SUFFIX}").plan
    assert len(again.graph.sigmas) == len(plan.graph.sigmas) + 7
    same(again.sigmas, plan.sigmas)
    assert again.predicted_error == plan.predicted_error
    np.testing.assert_allclose(again.graph.flow_times[again.path], plan.graph.flow_times[plan.path], atol=0.02)
