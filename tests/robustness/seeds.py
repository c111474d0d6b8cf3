"""Whole files of every kind that is read, as the pack writes them, and how each kind is read and used."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from cotj.nodes.optimizing import stored_scores, stored_search
from cotj.nodes.reports.result_claims import score_claims
from cotj.nodes.reports.score_text import describe_scores
from cotj.nodes.reports.search_summary import summarise
from cotj.nodes.reports.search_text import describe_search
from cotj.planner import DiffusionDNA, TimeShift, TrajectoryProfile, dna_file, plan_fixed
from cotj.planner.reading import FAULTS, read_header
from cotj.predictor import DNADataSet, Pair, Predictor, Regressor, SizeShift, files, release
from cotj.tests.formats.contents import by_score
from cotj.tests.nodes.optimizing.test_stored_search import OLD
from cotj.tests.predictor.test_release import pair
from cotj.tests.robustness import mutations

WIDTH = 24
Damage = Callable[[bytes, np.random.Generator], bytes]


@dataclass(frozen=True)
class Kind:
    """A kind of file. damage: ways to damage its bytes. read: reads it and uses what was read."""

    name: str
    whole: bytes
    damage: tuple[Damage, ...]
    read: Callable[[Path], None]


def make_dna(profile: bool = True) -> DiffusionDNA:
    sigmas = np.linspace(0.05, 1, 20)
    rng = np.random.default_rng(0)
    states = rng.standard_normal((2, 13, 30))
    kept = TrajectoryProfile(sigmas[-6:], states @ states.transpose(0, 2, 1), np.array([0.5, 0.5]), "flow", 1)
    meta = {"model": "SD3", "latent_shape": [1, 16, 32, 32], "sources": [{"model": "SD3"}]}
    return DiffusionDNA(sigmas, sigmas**2, shift=TimeShift("static", 3.0), profile=kept if profile else None, meta=meta)


def _written(name: str, write: Callable[[Path], None], folder: Path) -> bytes:
    path = folder / name
    write(path)
    return path.read_bytes()


def _fill(path: Path) -> None:
    data, rng = DNADataSet(path), np.random.default_rng(1)
    for _ in range(12):
        data.append(
            Pair(rng.standard_normal(WIDTH).astype(np.float32), make_dna(False), "token mean", "SD3", "measured")
        )


def _predictor() -> Predictor:
    torch.manual_seed(0)
    network = Regressor(WIDTH, 20, hidden=(4, 3)).requires_grad_(False)
    return Predictor(
        network, make_dna(False), "log", size_shift=SizeShift(256, 0.5, 8192, 0.9, terminal=0.02), card={"model": "SD3"}
    )


def _use_dna(path: Path) -> None:
    try:
        dna_file.check_header(read_header(path))
    except (OSError, *FAULTS):
        pass
    dna = dna_file.read(path)
    plan = plan_fixed(dna, min(5, len(dna.sigmas)))
    if not np.isfinite(plan.sigmas).all() or plan.sigmas[-1] != 0:
        raise AssertionError(f"it plans {plan.sigmas}")


def _use_predictor(path: Path) -> None:
    try:
        files.about(read_header(path))
    except (OSError, *FAULTS):
        pass
    predictor = files.read(path)
    predicted = predictor.predict(torch.zeros(1, predictor.network.inputs), (32, 32))
    if not np.isfinite(predicted.errors).all():
        raise AssertionError("it predicts what is not finite")


def _use_schedules(path: Path) -> None:
    found = stored_search.read(path)
    for steps in found.steps():
        describe_search(summarise(found.searches[steps], found.key["sampler"]), "a", found.steps())
    found.misfits({"model": "SD3"})


def _use_scores(path: Path) -> None:
    found = stored_scores.read(path)
    for steps in found.steps():
        search, sigmas = found.searches[steps].search, found.searches[steps].sigmas
        describe_scores(search, sigmas, found.searches[steps].calls, "a", found.steps())
        json.dumps(score_claims(search, sigmas, found.key["sampler"], found.steps()), allow_nan=False)
    found.misfits({"model": "SD3"})


def _use_long_runs(path: Path) -> None:
    stored_search.read_long_runs(path.parent, path.name.removesuffix(stored_search.LONG_RUNS), "abc")


def _use_data_set(path: Path) -> None:
    data = DNADataSet(path)
    str([str(content) for content in data.contents()])
    data.load("measured")
    data.append(Pair(np.zeros(WIDTH, np.float32), make_dna(False), "token mean", "SD3", "measured"), cap=10)
    data.clear("measured")


def _changed_json(data: bytes, rng: np.random.Generator) -> bytes:
    return json.dumps(mutations.changed(json.loads(data), rng)).encode()


def _changed_row(data: bytes, rng: np.random.Generator) -> bytes:
    """Change a value of some rows, to whatever SQLite keeps."""
    values = [None, -1, 0.5, "", "text", b"", rng.bytes(160), rng.bytes(17), "[" * 999, "{}", "\x00", b"\xff" * 8]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "d.sqlite"
        path.write_bytes(data)
        with closing(sqlite3.connect(path)) as database:
            columns = [row[1] for row in database.execute("PRAGMA table_info(pairs)")][1:]
            for _ in range(int(rng.integers(1, 4))):
                column = columns[int(rng.integers(len(columns)))]
                value = values[int(rng.integers(len(values)))]
                with suppress(sqlite3.IntegrityError):
                    database.execute(f"UPDATE pairs SET {column} = ? WHERE id = ?", (value, int(rng.integers(1, 13))))
            database.commit()
        return path.read_bytes()


def _changed_tensors(data: bytes, rng: np.random.Generator) -> bytes:
    """Change a tensor of a file of the authors: its shape, layout, type or values, or put something else there."""
    found = torch.load(io.BytesIO(data), weights_only=True)
    name = list(found)[int(rng.integers(len(found)))]
    tensor = found[name]
    others = [tensor[..., :-1], tensor.half(), tensor.to_sparse(), tensor * torch.nan, tensor.int(), torch.empty(0)]
    others += [torch.zeros(1).expand(1 << 30), tensor[None], 7, None, "text", [tensor], tensor.to(torch.complex64)]
    found[name] = others[int(rng.integers(len(others)))]
    if rng.random() < 0.2:
        del found[name]
    file = io.BytesIO()
    torch.save(found, file)
    return file.getvalue()


def _use_released(path: Path) -> None:
    """Read the pair that a file is one of, beside the whole other one."""
    import comfy.utils

    for part, content in RELEASED.items():
        if part != path.name:
            (path.parent / part).write_bytes(content)
    release.read(path.parent, lambda part: comfy.utils.load_torch_file(str(part), safe_load=True))


def _saved(content: dict[str, torch.Tensor]) -> bytes:
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


RELEASED = dict(zip((release.MODEL_STATE, release.NORM_DATA), map(_saved, pair())))


def kinds(folder: Path) -> list[Kind]:
    """Make a whole file of each kind in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = (mutations.damaged, mutations.changed_header, mutations.changed_header)
    states = np.ones((3, 1, 4), np.float32)
    long_runs = [{"times": np.array([1, 0.5, 0.0]), "states": states, "finals": states[0]}] * 2
    return [
        Kind("dna.safetensors", dna_file.to_bytes(make_dna()), tensors, _use_dna),
        Kind(
            "predictor.safetensors",
            _written("p.safetensors", lambda path: files.write(path, _predictor()), folder),
            tensors,
            _use_predictor,
        ),
        Kind(
            f"s{stored_search.SUFFIX}", OLD.encode(), (mutations.damaged, _changed_json, _changed_json), _use_schedules
        ),
        Kind(
            f"c{stored_scores.SUFFIX}",
            _written(f"c{stored_scores.SUFFIX}", lambda path: stored_scores.write(path, by_score()), folder),
            (mutations.damaged, _changed_json, _changed_json),
            _use_scores,
        ),
        Kind(
            f"l{stored_search.LONG_RUNS}",
            _written(
                f"l{stored_search.LONG_RUNS}",
                lambda path: stored_search.write_long_runs(path.parent, "l", "abc", long_runs),
                folder,
            ),
            tensors,
            _use_long_runs,
        ),
        *(
            Kind(name, content, (mutations.damaged, _changed_tensors, _changed_tensors), _use_released)
            for name, content in RELEASED.items()
        ),
        Kind(
            "d.sqlite",
            _written("d.sqlite", _fill, folder),
            (mutations.damaged, _changed_row, _changed_row),
            _use_data_set,
        ),
    ]
