"""The demo model as ComfyUI loads it: one shipped file, and a text encoder and a VAE that are written by rule.

UNETLoader  cotj-demo.safetensors     an SD3 (MMDiT) of 3.8 million parameters
CLIPLoader  cotj-demo-clip.pt, sd3    see text_encoder.py
VAELoader   cotj-demo-vae.safetensors see vae.py
"""

from __future__ import annotations

import shutil
from pathlib import Path

DIFFUSION_MODEL = "cotj-demo.safetensors"
TEXT_ENCODER = "cotj-demo-clip.pt"
VAE = "cotj-demo-vae.safetensors"
WEIGHTS = Path(__file__).parent / DIFFUSION_MODEL
PREDICTOR = Path(__file__).parent / "cotj-demo-predictor.safetensors"


def install(models: Path) -> None:
    """Put the demo's files into a ComfyUI `models` folder; what is there already under another name is left alone."""
    from . import text_encoder, vae

    folders = {name: models / name for name in ("diffusion_models", "text_encoders", "vae", "cotj")}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(WEIGHTS, folders["diffusion_models"] / DIFFUSION_MODEL)
    shutil.copyfile(PREDICTOR, folders["cotj"] / PREDICTOR.name)
    text_encoder.write(folders["text_encoders"] / TEXT_ENCODER)
    vae.write(folders["vae"] / VAE)
