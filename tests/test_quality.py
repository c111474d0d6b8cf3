"""The linter and the type checker find nothing, and the registry gets the right files."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # comes with pytest on Python 3.10

# Folders that the type checker reads.
TYPED = (
    "adapters",
    "planner",
    "measuring",
    "predictor",
    "demo_model",
    "nodes",
    "command",
    "harness",
    "demo",
    "fleet",
    "benchmarks",
)
TOP_LEVEL = {
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "__init__.py",
    "demo_model",
    "example_workflows",
    "locales",
    "measuring",
    "nodes",
    "planner",
    "predictor",
    "predictor_weights",
    "pyproject.toml",
    "requirements.txt",
    "subgraphs",
    "web",
}
OS_CLASSIFIER = "Operating System :: OS Independent"
ACCELERATOR_CLASSIFIERS = {  # the registry drops all of them if it does not know one
    "Environment :: GPU :: NVIDIA CUDA",
    "Environment :: GPU :: AMD ROCm",
    "Environment :: GPU :: Intel Arc",
    "Environment :: GPU :: Apple Metal",
    "Environment :: NPU :: Huawei Ascend",
}


@pytest.fixture(scope="module")
def pyproject(root: Path) -> dict:
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


def check(command: list[str], cwd: Path) -> None:
    run = subprocess.run([sys.executable, "-m", *command], cwd=cwd, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def test_linter(root: Path):
    check(["ruff", "check", "--quiet", "."], root)


def test_formatter(root: Path):
    check(["ruff", "format", "--check", "--quiet", "."], root)


def test_type_checker(root: Path, tmp_path: Path):
    # Under the package's own name: the checkout's folder may be called anything.
    (tmp_path / "cotj").symlink_to(root, target_is_directory=True)
    packages = [f"cotj/{name}" for name in TYPED]
    options = ["--config-file", str(root / "pyproject.toml"), "--cache-dir", str(root / ".mypy_cache")]
    check(["mypy", *options, "cotj/__init__.py", "cotj/__main__.py", *packages], tmp_path)


def test_published_files(root: Path, published: list[Path]):
    assert {path.parts[0] for path in published} <= TOP_LEVEL
    assert {"LICENSE", "pyproject.toml", "__init__.py"} <= {str(path) for path in published}
    assert not [path for path in published if path.suffix in {".bin", ".ckpt", ".npz", ".pkl", ".pt", ".pth"}]
    size = sum((root / path).stat().st_size for path in published)
    assert size < 16_000_000, f"the registry's package would hold {size / 1e6:.1f} MB"


def test_registry_metadata(root: Path, pyproject: dict):
    project, comfy = pyproject["project"], pyproject["tool"]["comfy"]
    assert re.fullmatch(r"[a-z][a-z0-9-]{0,99}", project["name"]) and "comfyui" not in project["name"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", project["version"])
    assert f"## {project['version']}" in (root / "CHANGELOG.md").read_text(encoding="utf-8")
    assert (root / project["license"]["file"]).is_file()
    assert set(project["classifiers"]) - ACCELERATOR_CLASSIFIERS == {OS_CLASSIFIER}
    assert comfy["requires-comfyui"] == ">=0.23.0"
    assert "web" not in comfy, "it would override WEB_DIRECTORY"
    # ComfyUI brings NumPy and safetensors, and what is for the nodes alone is no dependency of the command line.
    required = set((root / "requirements.txt").read_text().split())
    assert required - {"scikit-image"} == set(project["dependencies"]) - {"numpy", "safetensors"}
