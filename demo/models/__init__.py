"""The demo model as files for ComfyUI's own loaders, beside the node that needs none: Load Demo Model.

UNETLoader  cotj-demo.safetensors     an SD3 (MMDiT) of 3.8 million parameters
CLIPLoader  cotj-demo-clip.pt, sd3    see demo_model/text_encoder.py
VAELoader   cotj-demo-vae.safetensors see demo_model/vae.py

Text encoder and VAE are mostly empty, so both are shipped compressed, in less than a tenth of their 11 megabytes.
"""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

from ...demo_model import FITTED, FOLDER, SCHEDULES, WEIGHTS

__all__ = ["FITTED", "SCHEDULES", "WEIGHTS"]

HERE = Path(__file__).parent
DIFFUSION_MODEL = WEIGHTS.name
TEXT_ENCODER = "cotj-demo-clip.pt"
VAE = "cotj-demo-vae.safetensors"
PREDICTOR = HERE.parents[1] / "predictor_weights" / "cotj-demo-predictor.safetensors"
PLACES = {
    DIFFUSION_MODEL: "diffusion_models",
    TEXT_ENCODER: "text_encoders",
    VAE: "vae",
    SCHEDULES.name: "cotj",
}  # file to the folder of ComfyUI's `models` that its loader looks in


def fitted_steps() -> list[int]:
    """List the numbers of steps that a planned sampler was found for."""
    return sorted(map(int, json.loads(SCHEDULES.read_text(encoding="utf-8"))["searches"]))


def packed(name: str) -> Path:
    """Name the compressed file that text encoder or VAE is shipped in."""
    return HERE / f"{name}.gz"


def install(models: Path) -> list[Path]:
    """Put the demo's files into a ComfyUI `models` folder, and give their paths there. Standard library only."""
    written = []
    for name, folder in PLACES.items():
        target = models / folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        source = gzip.open(packed(name)) if packed(name).exists() else (FOLDER / name).open("rb")
        with source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy)
        written.append(target)
    return written
