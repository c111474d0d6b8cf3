"""Small checkpoints of real architectures: random weights in the host's own classes, for the host's own loaders.

They are built once into the cache, in a process of its own, and made anew when the host or the rules here change. The
files have holes: a model's size is what it takes in memory, not on disk. `install` links them into a `models` folder
under the names of `FILES`; `build` under any name. `install_nodes` brings test-only nodes for what no small file can
stand for: text in the widths of large encoders, and an empty audio latent.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from cotj.harness.environment import cache_dir
from cotj.harness.find import find_comfyui
from cotj.harness.server import link

HERE = Path(__file__).resolve().parent
DEMO = HERE.parents[1] / "demo_model"
SOURCES = [HERE / "architectures.py", HERE / "weights.py", *DEMO.glob("*.py"), *DEMO.glob("*decoder.safetensors")]

# By kind: the folder of `models` that it belongs into.
KINDS = {
    "sd3": "diffusion_models",
    "flux": "diffusion_models",
    "flux2": "diffusion_models",
    "krea2": "diffusion_models",
    "anima": "diffusion_models",
    "qwen_image": "diffusion_models",
    "lumina2": "diffusion_models",
    "z_image": "diffusion_models",
    "wan21": "diffusion_models",
    "wan22": "diffusion_models",  # the 5B model's 48 channels
    "wan22_high": "diffusion_models",  # the 14B pair has the architecture of Wan 2.1
    "wan22_low": "diffusion_models",
    "hunyuan_video15": "diffusion_models",
    "kandinsky5": "diffusion_models",
    "cosmos_predict2": "diffusion_models",
    "ltx_av": "diffusion_models",
    "ltx_2": "checkpoints",  # with its VAE for video
    "minimax_h3": "diffusion_models",
    "sd15": "checkpoints",  # with text encoder and VAE
    "sdxl": "checkpoints",  # with both text encoders and VAE
    "sdxl_zsnr_v": "checkpoints",  # the model alone
    "playground_edm": "checkpoints",  # the model alone
    "sd15_controlnet": "controlnet",
    "sd15_lora": "loras",
    "clip_l": "text_encoders",  # CLIPLoader `sd3`: 4096 wide, 2048 pooled; `stable_diffusion`: 768 and 768
    "clip_g": "text_encoders",  # with clip_l in DualCLIPLoader `sdxl`: 2048 and 1280
    "taesd_vae": "vae",  # 4 channels, in the scale of SD1.5
    "wan21_vae": "vae",
    "wan22_vae": "vae",
    "flux2_vae": "vae",
}
FILES = {kind: f"small_{kind}.safetensors" for kind in KINDS}


def build(kind: str, path: Path) -> None:
    """Put the small checkpoint of a kind at `path`, any name that ends in .safetensors."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _link_file(_cached([kind])[kind], path)


def install(models: Path, kinds: Iterable[str] = KINDS) -> None:
    """Put small checkpoints into a ComfyUI `models` folder, under the names of `FILES`."""
    for kind, cached in _cached(kinds).items():
        folder = models / KINDS[kind]
        folder.mkdir(parents=True, exist_ok=True)
        _link_file(cached, folder / FILES[kind])


def install_nodes(custom_nodes: Path) -> None:
    """Put the test-only nodes into a `custom_nodes` folder; before the host starts."""
    custom_nodes.mkdir(parents=True, exist_ok=True)
    link(HERE / "nodes", custom_nodes / "small-models")


def _cached(kinds: Iterable[str]) -> dict[str, Path]:
    """The files of these kinds in the cache. Where one is missing, all such are built: most of it is starting up."""
    comfyui = find_comfyui()
    key = hashlib.sha256((comfyui / "comfyui_version.py").read_bytes())
    for source in sorted(SOURCES):
        key.update(source.read_bytes())
    folder = cache_dir() / "small-models" / key.hexdigest()[:10]
    folder.mkdir(parents=True, exist_ok=True)
    files = {kind: folder / f"{kind}.safetensors" for kind in KINDS}
    wanted = {kind: files[kind] for kind in kinds}
    if not all(file.exists() for file in wanted.values()):
        missing = [kind for kind, file in files.items() if not file.exists()]
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(cache_dir() / "pycache")}
        command = [sys.executable, str(HERE / "architectures.py"), str(comfyui), str(folder), *missing]
        result = subprocess.run(command, env=environment, capture_output=True, text=True)
        failed = [kind for kind, file in wanted.items() if not file.exists()]
        assert not failed, f"building {failed} failed:\n{result.stdout}{result.stderr}"
    return wanted


def _link_file(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    try:
        target.symlink_to(source)
    except OSError:  # links are not allowed, as on Windows by default
        shutil.copyfile(source, target)
