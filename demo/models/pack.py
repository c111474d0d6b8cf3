"""`python demo pack`: make the text encoder and VAE files that are installed again, after their rules have changed."""

from __future__ import annotations

import gzip
import tempfile
from pathlib import Path

import torch
from safetensors.torch import save_file

from ...demo_model import text_encoder, vae
from . import TEXT_ENCODER, VAE, packed


def write_text_encoder(path: Path) -> None:
    """Write 1.5 megabytes for CLIPLoader: torch.save keeps the strided views, and the host reads them as any CLIP-L."""
    torch.save(text_encoder.state_dict(), path)


def write_vae(path: Path) -> None:
    """Write one file for VAELoader."""
    save_file(vae.state_dict(), path)


def main(_: list[str]) -> None:
    for name, write in ((TEXT_ENCODER, write_text_encoder), (VAE, write_vae)):
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder) / name)
            # Without a time of day, so that the same content is the same file.
            packed(name).write_bytes(gzip.compress((Path(folder) / name).read_bytes(), mtime=0))
        print(f"Written: {packed(name)}")
