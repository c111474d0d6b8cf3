"""What the project's own Python environments hold: one for a ComfyUI, a small one for where there is none, and Ray."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

# The three are released together and do not work in other combinations.
TORCH = ["torch==2.11.0", "torchvision==0.26.0", "torchaudio==2.11.0"]
# The linter and the type checker are held: a newer one finds new faults in old code.
TOOLS = [
    "hypothesis",
    "ipykernel",
    "matplotlib",
    "mypy==2.4.*",
    "nbclient",
    "networkx",
    "pytest",
    "pytest-timeout",
    "pytest-xdist",
    "ruff==0.17.*",
    "scikit-image",
    "scipy",
    "setuptools>=70.1",
    "websocket-client",
]
HOST_TOOLS = ["diffusers", "playwright", "pytest-rerunfailures"]  # of tests that need a ComfyUI
# PyPI's torch for Linux brings CUDA along, gigabytes of it. The build for CPUs alone has a name only with its version.
CPU_TORCH = ["torch==2.13.0+cpu", "--extra-index-url=https://download.pytorch.org/whl/cpu"]
ANY_TORCH = ["torch"]
RAY = ["ray==2.60.0"]  # all processes of a cluster must have the same
SMALL = ["aiohttp", "numpy", "pillow", "safetensors", *TOOLS]


@dataclass(frozen=True)
class Environment:
    """An environment that pip can make.

    name: what its folder's name begins with. cost: time and disk, as a sentence. key: another one, another environment.
    steps: by name, the arguments of `pip install`; several where one may be out of reach, of which the first that works
        is kept.
    """

    name: str
    cost: str
    key: str
    steps: dict[str, list[list[str]]]


def for_host(comfyui: Path) -> Environment:
    """Describe the environment that runs the ComfyUI in this checkout."""
    needs = comfyui / "requirements.txt"
    return Environment(
        name="env",
        cost="It takes some minutes, and about 7 GB of disk.",
        key=_key([*TORCH, *TOOLS, *HOST_TOOLS, needs.read_text()]),
        steps={
            "PyTorch": [TORCH],
            "packages of ComfyUI and of the tests": [[*TORCH, *TOOLS, *HOST_TOOLS, f"--requirement={needs}"]],
        },
    )


def without_host() -> Environment:
    """Describe the small environment, for the embedded demo and for the tests that need no ComfyUI."""
    torch = [ANY_TORCH] if sys.platform == "darwin" else [CPU_TORCH, ANY_TORCH]
    return Environment(
        name="small",
        cost="It takes some minutes, and about 1.4 GB of disk; more where PyTorch's build for CPUs is out of reach.",
        key=_key([*torch[0], *SMALL]),
        steps={"PyTorch": torch, "packages of the demo and of the tests": [SMALL]},
    )


def ray() -> Environment:
    """Describe what `python fleet` needs besides one of the others: Ray."""
    return Environment(
        name="ray",
        cost="It takes a minute, and about 300 MB of disk.",
        key=_key(RAY),
        steps={"Ray": [RAY]},
    )


def _key(packages: list[str]) -> str:
    return "\n".join([*packages, sys.version, sys.base_prefix])
