"""What the host writes into the images that it saves, and where those lie."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import folder_paths
from comfy.cli_args import args
from comfy_execution.progress import ProgressHandler, add_progress_handler

from ...planner.texts import say
from .file_names import list_folder
from .running_prompt import depends_on

SUFFIXES = (".png", ".webp")


class _WrittenByUsers(ProgressHandler):
    """Keeps content in the metadata of a prompt's images while a node runs that depends on this one, and only then.

    The metadata is one for all nodes of the prompt, and the host tells its handlers when each of them begins and ends.
    """

    def __init__(self, metadata: dict[str, Any], key: str, content: dict[str, Any], node_id: str):
        super().__init__(f"{key} of {node_id}")
        self.metadata, self.key, self.content, self.node_id = metadata, key, content, node_id

    def set_registry(self, registry):
        self.prompt = registry.dynprompt

    def start_handler(self, node_id, state, prompt_id):
        if depends_on(self.prompt, node_id, self.node_id):
            self.metadata[self.key] = self.content
        else:
            self.reset()

    def finish_handler(self, node_id, state, prompt_id):
        self.reset()

    def reset(self):
        if self.metadata.get(self.key) is self.content:  # and not that of another node
            del self.metadata[self.key]


def write_into_images(metadata: dict[str, Any] | None, key: str, content: dict[str, Any], node_id: str) -> str:
    """Have the host write content, as JSON has it, into the images that nodes save which depend on this one.

    metadata: the hidden input EXTRA_PNGINFO of the prompt that runs. Where one node depends on several that write, what
    the last of them has written is kept. Gives why no image will have it; empty where they do.
    """
    if args.disable_metadata:
        return say("ComfyUI was started with --disable-metadata. Start it without")
    if metadata is None:
        return say("this prompt was queued without extra_pnginfo. Send an empty one, {{}}, in its extra_data")
    add_progress_handler(_WrittenByUsers(metadata, key, content, node_id))
    return ""


def list_images() -> list[str]:
    """Name the images in the host's input folder that may hold what was written into them."""
    found = list_folder(Path(folder_paths.get_input_directory()))
    return sorted(path.name for path in found if path.suffix.lower() in SUFFIXES)


def image_path(name: str) -> Path | None:
    """Find an image by the name that the host's Load Image takes, such as "a.png [output]"; None without one."""
    try:
        path = Path(folder_paths.get_annotated_filepath(name))
    except ValueError:  # a path that leads out of the folder, as newer hosts say
        return None
    folders = (
        folder_paths.get_input_directory(),
        folder_paths.get_output_directory(),
        folder_paths.get_temp_directory(),
    )
    inside = any(_is_within(path, Path(folder)) for folder in folders)
    return path if inside and os.path.isfile(path) else None


def _is_within(path: Path, folder: Path) -> bool:
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError):  # a loop of links, or a zero in the name
        return False
