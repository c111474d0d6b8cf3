"""`python demo install`: the demo model for a ComfyUI of your own."""

from __future__ import annotations

import argparse
from pathlib import Path

from . import models


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="demo install", description=__doc__)
    parser.add_argument("models", type=Path, help="the models folder of a ComfyUI")
    folder = parser.parse_args(argv).models
    if not folder.is_dir():
        parser.error(f"{folder} is no folder. Name the one that holds ComfyUI's diffusion_models and vae.")
    models.install(folder)
    print(f"The demo model is in {folder}. Press R in ComfyUI, and open a template: 1 Demo model, 8 Optimize Sigmas.")
