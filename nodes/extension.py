"""What the host asks for when it loads the pack: where its files live and which nodes it has."""

import os

import folder_paths
from comfy_api.latest import ComfyExtension, io
from server import PromptServer

from ..demo_model import FOLDER as DEMO_MODEL
from ..planner.texts import speak
from . import (
    adaptive,
    apply,
    atlas,
    cache,
    compare,
    constraints,
    demo_model,
    diagnostics,
    experts,
    heatmap,
    image_to_score,
    load_optimized,
    load_plan,
    measure,
    measure_experts,
    optimize,
    plan,
    planned_sampler,
    predict,
    record,
    sampler,
    save_plan,
    schedules,
    score_schedules,
    send,
    stored_dna,
    train,
    ucgm,
)
from .host import renamed_nodes
from .host.checked_inputs import with_checked_inputs
from .host.dna_schedule import ksampler_sigmas
from .host.folders import FOLDER, list_dnas
from .host.languages import Languages
from .live import routes
from .live.stored_files import StoredFiles
from .optimizing.results import list_schedules, list_scores

MODULES = (
    measure,
    plan,
    adaptive,
    schedules,
    constraints,
    heatmap,
    diagnostics,
    atlas,
    compare,
    stored_dna,
    save_plan,
    load_plan,
    predict,
    record,
    send,
    train,
    ucgm,
    planned_sampler,
    apply,
    cache,
    sampler,
    measure_experts,
    experts,
    optimize,
    load_optimized,
    image_to_score,
    score_schedules,
    demo_model,
)


class CoTjExtension(ComfyExtension):
    async def on_load(self) -> None:
        # Appended after what extra_model_paths says about "cotj": the first folder is the one that Save DNA writes to.
        folder_paths.add_model_folder_path(FOLDER, os.path.join(folder_paths.models_dir, FOLDER))
        folder_paths.add_model_folder_path(FOLDER, str(DEMO_MODEL))
        languages, stored = Languages(), StoredFiles(list_dnas, list_schedules, list_scores)
        speak(languages.of_user)
        routes.register(PromptServer.instance.routes, stored, ksampler_sigmas, languages.of_page)
        await renamed_nodes.register()

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [with_checked_inputs(node) for module in MODULES for node in module.NODES]
