"""What Optimize Sigmas shows and gives when a search has ended, of whichever kind it was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from comfy_api.latest import io, ui

from ...planner.texts import say
from ..host.images import to_image
from ..host.progress import show_text

OUTPUTS = 5  # of Optimize Sigmas, which Take Score gives in its place


def with_fault(text: str, fault: str) -> str:
    """Say first why what was found is not stored; an empty fault where it is."""
    return "\n".join([say("NOT STORED: {fault}", fault=fault), text]) if fault else text


def outcome(
    cls: type[io.ComfyNode],
    node_id: str,
    sigmas: Sequence[float],
    picture: npt.NDArray[np.uint8],
    text: str,
    sampler: Any,
) -> io.NodeOutput:
    """Show what was found at Optimize Sigmas, and give its outputs.

    cls: the node that gives them, which may be another. node_id: of Optimize Sigmas.
    """
    show_text(text, node_id)
    image = to_image(picture)
    shown = ui.PreviewImage(image, cls=cls).as_dict() | {"text": [text]}
    levels = torch.tensor(sigmas, dtype=torch.float32)
    return io.NodeOutput(levels, len(sigmas) - 1, image, text, sampler, ui=shown)
