"""What a copy of the pack does that finds another one loaded already."""

from __future__ import annotations

import logging

from comfy_api.latest import ComfyExtension, io


class SecondCopy(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return []


def stand_back(folder: str, serving: str) -> SecondCopy:
    """Log that the copy in `folder` leaves all to the one in `serving`, and give the host nothing to register."""
    logging.warning(
        "CoTj: the copy in %s stands back, since the one in %s is loaded. Remove one of the two and restart ComfyUI.",
        folder,
        serving,
    )
    return SecondCopy()
