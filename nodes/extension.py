"""What the host asks for when it loads the pack: where its files live and which nodes it has."""

import os

import folder_paths
from comfy_api.latest import ComfyExtension, io
from server import PromptServer

from . import (
    apply,
    compare,
    constraints,
    diagnostics,
    experts,
    files,
    heatmap,
    measure,
    optimize,
    optimized,
    plan,
    predict,
    record,
    replaced,
    routes,
    train,
    ucgm,
)

MODULES = (
    measure,
    plan,
    constraints,
    heatmap,
    diagnostics,
    compare,
    files,
    predict,
    record,
    train,
    ucgm,
    apply,
    experts,
    optimize,
    optimized,
)


class CoTjExtension(ComfyExtension):
    async def on_load(self) -> None:
        # Appended after what extra_model_paths says about "cotj": the first folder is the one that Save DNA writes to.
        folder_paths.add_model_folder_path(files.FOLDER, os.path.join(folder_paths.models_dir, files.FOLDER))
        routes.register(PromptServer.instance.routes)
        await replaced.register()

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [node for module in MODULES for node in module.NODES]
