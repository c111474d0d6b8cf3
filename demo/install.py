"""`python demo install`: the demo model as files for the loaders of a ComfyUI. Needs the standard library alone.

The templates do without: Load Demo Model comes with the pack.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import models

AFTERWARDS = "Press R in ComfyUI, and choose them in Load Diffusion Model, Load CLIP (type sd3) and Load VAE."


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python demo install", description=__doc__)
    parser.add_argument("models", type=Path, help="the models folder of a ComfyUI")
    folder = parser.parse_args(argv).models
    if not folder.is_dir():
        parser.error(f"{folder} is no folder. Name the one that holds ComfyUI's diffusion_models and vae.")
    if (folder / "models").is_dir():
        parser.error(f"ComfyUI does not look for models in {folder} itself. Name {folder / 'models'}.")
    try:
        paths = models.install(folder)
    except OSError as error:
        sys.exit(f"The demo model could not be copied: {error}. Name a models folder that you may write to.")
    for path in paths:
        print(path)
    print(f"The demo model is in {folder}. {AFTERWARDS}")
