"""What a server is busy with while it is killed or interrupted: it records, saves, trains or optimises."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from cotj.nodes.optimizing import stored_search
from cotj.planner import DiffusionDNA, TimeShift, dna_file
from cotj.planner.reading import read_header
from cotj.predictor import DNADataSet, Pair, files
from cotj.tests.host.workflows import DemoRun, Graph

WIDTH = 4096  # of a conditioning from CLIPLoader, type sd3
WORK = ("records", "saves", "trains", "optimises")
BUDGET = 2000


def fill(models: Path) -> None:
    """Make the data set that is trained on."""
    rng, sigmas = np.random.default_rng(0), np.arange(1, 21) / 20
    data = DNADataSet(models / "cotj" / "to train on.sqlite")
    for _ in range(40):
        embedding = rng.standard_normal(WIDTH).astype(np.float32)
        dna = DiffusionDNA(sigmas, np.exp((5 + embedding[0]) * (sigmas - 1)), shift=TimeShift("static", 3.0))
        data.append(Pair(embedding, dna, "token mean", "SD3", "measured"))


def prompt(work: str, seed: int, length: int = 4) -> Graph:
    """Make a prompt that does this work. seed: no two prompts of a server have the same. length: of a sampling run."""
    graph = Graph()
    if work == "trains":
        options = {"objective": "log error", "epochs": 60, "seed": seed, "overwrite": True, "dnas": "measured"}
        graph.add("CoTjTrainPredictor", data_set="to train on", name="trained", **options)
        return graph
    patch = ("CoTjRecordDNA", {"data_set": "recorded", "max_pairs": 100_000}) if work == "records" else ()
    run = DemoRun(graph, prompt=f"{seed} red circles", seed=seed, patch=patch)
    if work == "records":
        sigmas = graph.add("BasicScheduler", model=run.model, scheduler="simple", steps=length, denoise=1.0)[0]
        graph.add("SaveLatent", samples=run.sample(sigmas)[0], filename_prefix="latent")
    elif work == "saves":
        measured = run.measure(reference_steps=length, grid_points=4)
        graph.add("CoTjSaveDNA", dna=measured[0], name="saved", overwrite=False)
        graph.add("CoTjSaveDNA", dna=measured[0], name="replaced", overwrite=True)
    else:
        euler = graph.add("KSamplerSelect", sampler_name="euler")[0]
        links = {"guider": run.guider, "noise": run.noise, "sampler": euler, "latent_image": run.latent}
        options = {"steps": 4, "seeds": 2, "budget": BUDGET, "name": f"optimised {seed}", "other_steps": ""}
        options |= {"reference_steps": 16, "check": 0, "objective": "balanced", "search_again": False}
        graph.show(graph.add("CoTjOptimizeSigmas", **links, **options)[0])
    return graph


def fault_in_folder(folder: Path, recorded: int) -> str:
    """Say what is damaged among all that was stored; recorded: how many runs have been reported as recorded."""
    for path in sorted(folder.iterdir()):
        try:
            if path.name.endswith(dna_file.SUFFIX):
                (dna_file.read if read_header(path).metadata["format"] == dna_file.FORMAT else files.read)(path)
            elif path.name.endswith(stored_search.SUFFIX):
                stored_search.read(path)
        except (OSError, ValueError, KeyError) as error:
            return f"{path.name}: {error}"
    try:
        rows = sum(content.pairs for content in DNADataSet(folder / "recorded.sqlite").contents())
        DNADataSet(folder / "to train on.sqlite").load("measured")
    except ValueError as error:
        return str(error)
    return f"{rows} rows, and {recorded} runs were recorded" if rows < recorded else ""
